"""The table of model families: one row holds all that the package knows of a family.

`register` adds a row, also from code outside the package; nothing else needs a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bbans.errors import ModelFormatError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Engine
from bbans.models import (
    bernoulli_vae,
    categorical_vae,
    conv_vae,
    photo,
    pyramid,
    rich_vae,
    structured,
    vae,
    vqvae,
)
from bbans.models.base import Capabilities

NETWORKS = "bbans.training.networks"


@dataclass(frozen=True)
class Family:
    """A family of models.

    name: as in model files and recipes. config: the class of its hyper-parameters.
    `capabilities(config)`: what its models declare. `check(config)` and `check_layers(config,
    layers)` raise ModelErrors. `network(config, layers, ops)` builds the integer model, which
    codes. trainable: the name of the module that trains it, imported only then; it has
    `network(config, training)`, which returns a torch module, `export(network)`, which returns the
    integer layers by name, and `trains(config)`, the estimators and objectives that it supports.
    """

    name: str
    config: type
    capabilities: Callable[[Any], Capabilities]
    check: Callable[[Any], None]
    check_layers: Callable[[Any, Mapping[str, IntConv]], float]
    network: Callable[[Any, Mapping[str, IntConv], Engine], Any]
    trainable: str


FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Add a family to the table.

    Raises ValueError if the name or the config class is taken.

    Examples:
        >>> register(FAMILIES["photo"])
        Traceback (most recent call last):
        ...
        ValueError: the family 'photo' or its PhotoConfig is there already; choose another name
    """
    if any(family.name == row.name or family.config is row.config for row in FAMILIES.values()):
        raise ValueError(
            f"the family {family.name!r} or its {family.config.__name__} is there already; choose "
            "another name"
        )
    FAMILIES[family.name] = family


for _family in (
    Family(
        "photo",
        photo.PhotoConfig,
        photo.capabilities,
        photo.check,
        photo.check_layers,
        photo.ExactPhoto,
        f"{NETWORKS}.photo",
    ),
    Family(
        "vae",
        vae.VaeConfig,
        vae.capabilities,
        vae.check,
        vae.check_layers,
        vae.ExactVae,
        f"{NETWORKS}.vae",
    ),
    Family(
        "conv_vae",
        conv_vae.ConvVaeConfig,
        conv_vae.capabilities,
        conv_vae.check,
        conv_vae.check_layers,
        conv_vae.ExactVae,
        f"{NETWORKS}.vae",
    ),
    Family(
        "rich_vae",
        rich_vae.RichVaeConfig,
        rich_vae.capabilities,
        rich_vae.check,
        rich_vae.check_layers,
        rich_vae.ExactRichVae,
        f"{NETWORKS}.rich_vae",
    ),
    Family(
        "bernoulli_vae",
        bernoulli_vae.BernoulliVaeConfig,
        bernoulli_vae.capabilities,
        bernoulli_vae.check,
        bernoulli_vae.check_layers,
        bernoulli_vae.ExactBernoulliVae,
        f"{NETWORKS}.bernoulli_vae",
    ),
    Family(
        "categorical_vae",
        categorical_vae.CategoricalVaeConfig,
        categorical_vae.capabilities,
        categorical_vae.check,
        categorical_vae.check_layers,
        categorical_vae.ExactCategoricalVae,
        f"{NETWORKS}.categorical_vae",
    ),
    Family(
        "pyramid",
        pyramid.PyramidConfig,
        pyramid.capabilities,
        pyramid.check,
        pyramid.check_layers,
        pyramid.ExactPyramid,
        f"{NETWORKS}.pyramid",
    ),
    Family(
        "structured",
        structured.StructuredConfig,
        structured.capabilities,
        structured.check,
        structured.check_layers,
        structured.ExactStructured,
        f"{NETWORKS}.structured",
    ),
    Family(
        "vqvae",
        vqvae.VqVaeConfig,
        vqvae.capabilities,
        vqvae.check,
        vqvae.check_layers,
        vqvae.ExactVqVae,
        f"{NETWORKS}.vqvae",
    ),
):
    register(_family)


def family_of(config: Any) -> Family:
    """Return the family of a config. Raises ModelFormatError if it has none.

    Examples:
        >>> family_of(photo.PhotoConfig()).trainable
        'bbans.training.networks.photo'
    """
    for family in FAMILIES.values():
        if type(config) is family.config:
            return family
    raise ModelFormatError(
        f"no family has configs of {type(config).__name__}; give one of {', '.join(FAMILIES)}"
    )


def family_name(config: Any) -> str:
    """Return the name of a config's family. Raises ModelFormatError if it has none.

    Examples:
        >>> family_name(vae.VaeConfig())
        'vae'
    """
    return family_of(config).name


def media_of(family: Family) -> str:
    """Return whether models of a family code images of any size or of one shape, a value of
    `Capabilities.media`.

    Examples:
        >>> media_of(FAMILIES["photo"]), media_of(FAMILIES["vae"])
        ('any-size', 'fixed-shape')
    """
    declared: Capabilities = family.capabilities(family.config())
    return declared.media
