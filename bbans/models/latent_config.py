"""The bounds that the configs of every family with latents share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bbans.errors import ModelFormatError

MAX_DIMS, MAX_WIDTH, MAX_DEPTH = 2**16, 2**13, 16


def check_common(config: Any, ranges: Mapping[str, tuple[int, int]], latents: Any) -> None:
    """Refuse sizes, latents and fields of `ranges` that are no integers within bounds, and heads that cannot be built."""
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
    valid = all(type(getattr(config, name)) is int and low <= getattr(config, name) <= top for name, (low, top) in ranges.items())
    valid = valid and config.height * config.width * config.channels <= MAX_DIMS and type(config.likelihood) is str
    valid = valid and type(latents) is tuple and 1 <= len(latents) <= MAX_DEPTH
    if not (valid and all(type(d) is int and 1 <= d <= MAX_WIDTH for d in latents)):
        raise ModelFormatError(f"the model's config {config} is out of range; the model file is malformed")
    config.head.check()
