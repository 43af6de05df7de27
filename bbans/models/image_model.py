"""A latent model of whole images of one shape, ready to code: what tiles of files and groups of
archives are coded with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError
from bbans.exact.ops import Ops
from bbans.models.base import ANY_SIZE, LABEL, Capabilities, LatentModel
from bbans.models.model_file import Model

MAX_SAMPLES = 2**26  # of an image: what a latent model's item may have in a file


@dataclass(frozen=True)
class ImageModel:
    """A latent model and the images that it codes.

    shape: `(H, W, C)` of an image, whose samples in C order are an item of the model; levels: they
    are 0 to levels - 1. to_bytes makes the model's file, None where there is none. independent
    makes the same model on other arithmetic, to check with; None where there is none.
    """

    latent: LatentModel
    shape: tuple[int, int, int]
    levels: int
    id: bytes = bytes(32)
    name: str = "given"
    to_bytes: Callable[[], bytes] | None = None
    independent: Callable[[], LatentModel] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the latent model declares of itself."""
        return self.latent.capabilities

    @property
    def dims(self) -> int:
        """Samples of an image."""
        return int(np.prod(self.shape))

    def checking(self) -> ImageModel:
        """The model as it checks what it coded: by other arithmetic where there is any."""
        return self if self.independent is None else replace(self, latent=self.independent())

    def fits(self, pixels: NDArray[Any], palette: bool, bit_depth: int) -> bool:
        """Whether it codes an image `(H, W)` or `(H, W, C)` whose samples have so many bits: no
        fewer than its levels need, and no sample beyond them.
        """
        return 2**bit_depth >= self.levels and self._codes(pixels, palette)

    def check(self, pixels: NDArray[Any], palette: bool) -> None:
        """Raise InputError unless an image `(H, W)` or `(H, W, C)` is one that the model codes."""
        if self._codes(pixels, palette):
            return
        rows, columns, channels = self.shape
        height, width, found = (*pixels.shape, 1)[:3]
        raise InputError(
            f"model {self.name} codes images of {columns} x {rows} pixels, {channels} channels and "
            f"values to {self.levels - 1}; this one has {width} x {height}, "
            f"{found}{', a palette' if palette else ''} and values to {pixels.max()}; choose "
            "another model"
        )

    def _codes(self, pixels: NDArray[Any], palette: bool) -> bool:
        alike = (*pixels.shape, 1)[:3] == self.shape and not palette
        return alike and int(pixels.max()) < self.levels


def image_model(model: Model, ops: Ops) -> ImageModel:
    """A loaded model as it codes images by themselves.

    Raises InputError on one that codes images of any size tile by tile, or that has to be given
    something with every image.
    """
    declared = model.capabilities
    if declared.media == ANY_SIZE:
        raise InputError(f"model {model.name} has no latents of whole images; choose another model")
    if declared.side_information == LABEL:
        raise InputError(
            f"model {model.name} is told a label with every image, which a file has no place for; "
            "train one without labels"
        )
    if declared.side_information is not None:
        raise InputError(
            f"model {model.name} codes a part of an image given the rest, which a file has no "
            "place for; train another"
        )
    config = model.config
    return ImageModel(
        model.network(ops),
        (config.height, config.width, config.channels),
        config.levels,
        model.id,
        model.name,
        model.to_bytes,
        cache(lambda: model.network(ops.independently())),
    )
