"""Hyper-parameters of the Gaussian VAE that inference needs; they are part of the model id."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from bbans.distributions.tables import SIGMAS
from bbans.errors import ModelFormatError
from bbans.models.heads import gaussian_fields, latent_field
from bbans.models.latent_config import ImageConfig, check_common
from bbans.models.mlp_exact import Field, Mlp

MAX_CLASSES = 2**10
CHAIN_RANGES = {"latent_precision": (4, 12), "fixed_sigma": (-1, SIGMAS - 1), "classes": (0, MAX_CLASSES)}


@dataclass(frozen=True)
class VaeConfig(ImageConfig):
    """Shape of the networks. `latents` holds the dimensions of z_1 to z_L."""

    latents: tuple[int, ...] = (50,)
    hidden: int = 512  # width of the hidden layers
    hidden_layers: int = 2
    latent_precision: int = 12  # bits of a latent under the prior
    fixed_sigma: int = -1  # index of the posterior's sigma = 2^(i / 8 - 6); -1: learned
    skip: bool = False  # every layer of p(x | z_1) sees z_1
    classes: int = 0  # labels given as side information; 0: none

    @property
    def label(self) -> tuple[Field, ...]:
        """The label beside x and z_1, if any."""
        return label_field(self.classes, 1)

    @property
    def plans(self) -> dict[str, Mlp]:
        """Every network by name: `posterior1` is q(z_1 | x), `likelihood0` is p(x | z_1), and so on up."""
        head, hidden, dims, side = self.head, (self.hidden,) * self.hidden_layers, self.latents[0], self.label
        return {
            **head.plans(),
            "posterior1": Mlp((head.input_field(), *side), hidden, gaussian_fields(dims, self.fixed_sigma)),
            "likelihood0": Mlp((latent_field(dims), *side), hidden, head.fields(), self.skip),
            **between_latents(self.latents, hidden, self.fixed_sigma),
        }


def label_field(classes: int, one: int) -> tuple[Field, ...]:
    """A label as a network reads it, where there are any: one of `classes` columns is 1, the integer `one`."""
    return (Field(classes, one, 0, one),) if classes else ()


def between_latents(latents: tuple[int, ...], hidden: tuple[int, ...], fixed_sigma: int) -> dict[str, Mlp]:
    """q(z_l | z_(l-1)) and p(z_(l-1) | z_l) of the layers above the first, by name."""
    found = {}
    for l, (below, dims) in enumerate(pairwise(latents), 2):
        found[f"posterior{l}"] = Mlp((latent_field(below),), hidden, gaussian_fields(dims, fixed_sigma))
        found[f"likelihood{l - 1}"] = Mlp((latent_field(dims),), hidden, gaussian_fields(below))
    return found


def check(config: VaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    if type(config.skip) is not bool:
        raise ModelFormatError(f"the model's `skip` is true or false; found {config.skip!r}; the model file is malformed")
    check_common(config, CHAIN_RANGES, config.latents)
