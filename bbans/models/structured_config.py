"""Hyper-parameters of structured prediction that inference needs; they are part of the model id."""

from __future__ import annotations

from dataclasses import dataclass

from bbans.models.heads import BERNOULLI, Head, bit_field, logits
from bbans.models.latent_config import ImageConfig, check_common
from bbans.models.mlp_exact import Field, Mlp


@dataclass(frozen=True)
class StructuredConfig(ImageConfig):
    """Shape of the networks: the first `condition` rows of an image are told, the others are coded.

    `latents` holds the bits of z_1 to z_L, z_1 being the layer next to the rows told; without hidden layers every map is linear.
    """

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    condition: int = 14
    latents: tuple[int, ...] = (240, 240)
    hidden: int = 200
    hidden_layers: int = 0

    @property
    def told(self) -> int:
        """Samples of the rows that are told."""
        return self.condition * self.width * self.channels

    @property
    def head(self) -> Head:
        """p(x | z_L) of the other rows."""
        return Head((self.height - self.condition) * self.width * self.channels, self.levels, self.likelihood, self.components)


def plans(config: StructuredConfig) -> dict[str, Mlp]:
    """Every network by name: `posterior1` is p(z_1 | rows told), `posterior2` p(z_2 | z_1) ..., `likelihood0` p(x | z_L)."""
    hidden, found = (config.hidden,) * config.hidden_layers, dict(config.head.plans())
    below = Field(config.told, config.levels - 1, 0, config.levels - 1)
    for layer, dims in enumerate(config.latents, 1):
        found[f"posterior{layer}"] = Mlp((below,), hidden, (logits(dims),))
        below = bit_field(dims)
    found["likelihood0"] = Mlp((below,), hidden, config.head.fields())
    return found


def check(config: StructuredConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    check_common(config, {"condition": (1, config.height - 1 if type(config.height) is int else 0)}, config.latents)
