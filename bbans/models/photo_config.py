"""Hyper-parameters of the photograph model that inference needs; they are part of the model id."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bbans.errors import ModelFormatError

# Order in which the three unknown phases of a level are decoded: (row offset, column offset).
PHASES = ((1, 1), (0, 1), (1, 0))


@dataclass(frozen=True)
class PhotoConfig:
    """Shape of the networks. Every field changes the function that codes, so none has a hidden default elsewhere."""

    channels: int = 48  # width of the trunks
    mixtures: int = 5  # logistic mixture components K
    latent_channels: int = 8  # latent map: channels per block
    latent_block: int = 8  # block side in half-resolution positions (16 level pixels)
    hidden: int = 64  # width of the FiLM and posterior networks
    level_biases: int = 4  # levels from this one up share one bias
    latents: bool = True  # False: the ablation without z

    @property
    def outputs(self) -> int:
        """Outputs per position: K logits, then 3K locations, 3K log-scales and 3K channel couplings."""
        return 10 * self.mixtures


def check(config: PhotoConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    limits = {"channels": 1024, "mixtures": 64, "latent_channels": 256, "hidden": 1024, "level_biases": 32}
    values = asdict(config)
    if any(type(values[name]) is not int or not 1 <= values[name] <= top for name, top in limits.items()):
        raise ModelFormatError(f"the model's config {values} is out of range; the model file is malformed")
    if config.latent_block not in (1, 2, 4, 8, 16) or not isinstance(config.latents, bool):
        raise ModelFormatError(f"the model's latent block {config.latent_block} is no power of two up to 16; the model file is malformed")
