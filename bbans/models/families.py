"""The table of model families: the name in a model file, its config class, its checks, and its networks in integers and floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bbans.errors import ModelFormatError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import (
    bernoulli_config,
    bernoulli_exact,
    categorical_config,
    categorical_exact,
    conv_vae_config,
    photo_config,
    photo_exact,
    pyramid_config,
    pyramid_exact,
    rich_config,
    rich_exact,
    structured_config,
    structured_exact,
    vae_config,
    vae_exact,
    vqvae_config,
    vqvae_exact,
)

if TYPE_CHECKING:
    from torch import nn

    from bbans.models.terms import Training


@dataclass(frozen=True)
class Family:
    """`check(config)` and `check_layers(config, layers)` raise ModelErrors; `network(config, layers, ops)` is what codes."""

    config: type
    check: Callable[[Any], None]
    check_layers: Callable[[Any, Mapping[str, IntConv]], float]
    network: Callable[[Any, Mapping[str, IntConv], Ops], Any]


FAMILIES: Mapping[str, Family] = {
    "photo": Family(photo_config.PhotoConfig, photo_config.check, photo_exact.check_layers, photo_exact.ExactPhoto),
    "vae": Family(vae_config.VaeConfig, vae_config.check, vae_exact.check_layers, vae_exact.ExactVae),
    "conv_vae": Family(conv_vae_config.ConvVaeConfig, conv_vae_config.check, vae_exact.check_layers, vae_exact.ExactVae),
    "rich_vae": Family(rich_config.RichVaeConfig, rich_config.check, rich_exact.check_layers, rich_exact.ExactRichVae),
    "bernoulli_vae": Family(
        bernoulli_config.BernoulliVaeConfig, bernoulli_config.check, bernoulli_exact.check_layers, bernoulli_exact.ExactBernoulliVae
    ),
    "categorical_vae": Family(
        categorical_config.CategoricalVaeConfig,
        categorical_config.check,
        categorical_exact.check_layers,
        categorical_exact.ExactCategoricalVae,
    ),
    "pyramid": Family(pyramid_config.PyramidConfig, pyramid_config.check, pyramid_exact.check_layers, pyramid_exact.ExactPyramid),
    "structured": Family(
        structured_config.StructuredConfig, structured_config.check, structured_exact.check_layers, structured_exact.ExactStructured
    ),
    "vqvae": Family(vqvae_config.VqVaeConfig, vqvae_config.check, vqvae_exact.check_layers, vqvae_exact.ExactVqVae),
}


def family_name(config: Any) -> str:
    """The family that a config belongs to. Raises ModelFormatError."""
    for name, family in FAMILIES.items():
        if type(config) is family.config:
            return name
    raise ModelFormatError(f"no family has configs of {type(config).__name__}; give one of {', '.join(FAMILIES)}")


def float_network(config: Any, training: Training | None = None) -> nn.Module:
    """A fresh trainable network of a latent chain's config, initialised from torch's global generator."""
    from bbans.models import bernoulli_vae, categorical_vae, pyramid, rich_vae, structured, vae, vqvae

    networks: dict[str, Callable[..., nn.Module]] = {
        "vae": vae.VaeNet,
        "conv_vae": vae.VaeNet,
        "rich_vae": rich_vae.RichVaeNet,
        "bernoulli_vae": bernoulli_vae.BernoulliVaeNet,
        "categorical_vae": categorical_vae.CategoricalVaeNet,
        "pyramid": pyramid.PyramidNet,
        "structured": structured.StructuredNet,
        "vqvae": vqvae.VqVaeNet,
    }
    return networks[family_name(config)](config, training)


def export(net: Any) -> dict[str, IntConv]:
    """The layers of a trained network's integer twin. Raises AccumulatorBoundError."""
    from bbans.models import bernoulli_vae, pyramid, rich_vae, vae, vqvae

    exports: dict[str, Callable[[Any], dict[str, IntConv]]]
    exports = {
        "vae": vae.export,
        "conv_vae": vae.export,
        "rich_vae": rich_vae.export,
        "bernoulli_vae": bernoulli_vae.export,
        "categorical_vae": bernoulli_vae.export,
        "pyramid": pyramid.export,
        "structured": bernoulli_vae.export,
        "vqvae": vqvae.export,
    }
    return exports[family_name(net.config)](net)
