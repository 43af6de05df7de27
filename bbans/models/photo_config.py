"""Hyper-parameters of the photograph model that inference needs; they are part of the model id."""

from __future__ import annotations

from dataclasses import dataclass

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
