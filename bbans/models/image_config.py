"""What the configs of every family with latents share: the images that they are of, and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bbans.errors import ModelFormatError
from bbans.models.heads import LOGISTIC, Head

MAX_DIMS, MAX_WIDTH, MAX_DEPTH = 2**16, 2**13, 16


@dataclass(frozen=True)
class ImageConfig:
    """An image's samples and the kind of distribution that a model has for them."""

    height: int = 28
    width: int = 28
    channels: int = 1
    levels: int = 256  # values of a sample
    likelihood: str = LOGISTIC
    components: int = 3  # of the likelihood; see `heads.Head`

    @property
    def head(self) -> Head:
        """p of all samples of an image, given the latents next to them."""
        return Head(
            self.height * self.width * self.channels, self.levels, self.likelihood, self.components
        )


def check_common(config: Any, ranges: Mapping[str, tuple[int, int]], latents: Any) -> None:
    """Refuse sizes, latents and fields of `ranges` that are no integers within bounds, and heads
    that cannot be built.
    """
    ranges = {
        "height": (1, MAX_DIMS),
        "width": (1, MAX_DIMS),
        "channels": (1, 4),
        "hidden": (1, MAX_WIDTH),
        "hidden_layers": (0, 8),
        "levels": (2, 2**16),
        "components": (0, 64),
        **ranges,
    }
    valid = all(
        type(getattr(config, name)) is int and low <= getattr(config, name) <= top
        for name, (low, top) in ranges.items()
    )
    valid = (
        valid
        and config.height * config.width * config.channels <= MAX_DIMS
        and type(config.likelihood) is str
    )
    valid = valid and type(latents) is tuple and 1 <= len(latents) <= MAX_DEPTH
    if not (valid and all(type(d) is int and 1 <= d <= MAX_WIDTH for d in latents)):
        raise ModelFormatError(
            f"the model's config {config} is out of range; the model file is malformed"
        )
    config.head.check()
