"""Hyper-parameters of the convolutional Gaussian VAE; they are part of the model id.

The latents and `ExactVae` are those of `models.vae`; the networks that read or emit samples are
convolutional, and z_1 is a vector.
"""

from __future__ import annotations

from dataclasses import dataclass

from bbans.errors import ModelFormatError
from bbans.models.conv_plans import Conv, Sizes, decoder, encoder
from bbans.models.heads import gaussian_fields, latent_field
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ACT_UNIT, Field, Mlp
from bbans.models.vae import (
    CHAIN_RANGES,
    ExactVae,
    between_latents,
    capabilities,
    check_layers,
    label_field,
)

__all__ = ["ConvVaeConfig", "ExactVae", "capabilities", "check", "check_layers"]

MAX_MAPS, MAX_FLAT = 2**9, 2**20


@dataclass(frozen=True)
class ConvVaeConfig(ImageConfig):
    """Shape of the networks. `latents` holds the dimensions of z_1 to z_L."""

    latents: tuple[int, ...] = (50,)
    maps: int = 32  # channels of the convolutions
    halvings: int = 2  # how often both sides are halved
    blocks: int = 1  # residual convolutions after each halving
    hidden: int = 128  # width of the hidden layers between latents
    hidden_layers: int = 1
    latent_precision: int = 12  # bits of a latent under the prior
    fixed_sigma: int = -1  # index of the posterior's sigma = 2^(i / 8 - 6); -1: learned
    classes: int = 0  # labels given as side information; 0: none

    @property
    def sizes(self) -> Sizes:
        """Sizes of both convolutional networks."""
        return Sizes(self.height, self.width, self.maps, self.halvings, self.blocks)

    @property
    def label(self) -> tuple[Field, ...]:
        """The input field of the label beside x and z_1, if there is one. It is in units of
        activations: all weights of an output share one scale, which would be coarse beside inputs
        in units of 1.
        """
        return label_field(self.classes, ACT_UNIT)

    @property
    def plans(self) -> dict[str, Mlp | Conv]:
        """The plan of every network, by name: `posterior<l>` is q(z_l | z_(l-1)), `likelihood<l>`
        is p(z_l | z_(l+1)), layer 0 being x.
        """
        head, side, z = self.head, self.label, latent_field(self.latents[0])
        return {
            **head.plans(),
            "posterior1": encoder(
                head.input_field(),
                side,
                self.sizes,
                gaussian_fields(self.latents[0], self.fixed_sigma),
            ),
            "likelihood0": decoder((z, *side), self.sizes, head.fields()),
            **between_latents(self.latents, (self.hidden,) * self.hidden_layers, self.fixed_sigma),
        }


def check(config: ConvVaeConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(ConvVaeConfig(halvings=3))
    """
    ranges = {**CHAIN_RANGES, "maps": (1, MAX_MAPS), "halvings": (1, 16), "blocks": (0, 8)}
    check_common(config, ranges, config.latents)
    if config.sizes.flat > MAX_FLAT:
        raise ModelFormatError(
            f"the smallest map has {config.sizes.flat} numbers, over {MAX_FLAT}; have more "
            "halvings or fewer maps"
        )
