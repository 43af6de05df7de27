"""The fields that configs of all latent models of whole images share: the shape and samples of an
image, and bounds of every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bbans.errors import ModelFormatError
from bbans.models.heads import LOGISTIC, Head

MAX_DIMS, MAX_WIDTH, MAX_DEPTH = 2**16, 2**13, 16


@dataclass(frozen=True)
class ImageConfig:
    """The samples of an image and the kind of p(x | z).

    `components` has the meaning of `heads.Head.components`.

    Examples:
        >>> ImageConfig(height=8, width=8).head.dims
        64
    """

    height: int = 28
    width: int = 28
    channels: int = 1
    levels: int = 256  # values of a sample
    likelihood: str = LOGISTIC
    components: int = 3  # mixture components, or coefficients per sample (`heads.Head`)

    @property
    def head(self) -> Head:
        """The head of p(x | z): all samples of an image, independent given the latents next to
        them.
        """
        return Head(
            self.height * self.width * self.channels, self.levels, self.likelihood, self.components
        )


def check_common(config: Any, ranges: Mapping[str, tuple[int, int]], latents: Any) -> None:
    """Check that sizes, latents and the fields of `ranges` are integers within bounds (inclusive),
    and that the head exists.

    Raises ModelFormatError.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> check_common(VaeConfig(), {"classes": (0, 10)}, (50,))
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
