"""Read images of one shape as the samples of a latent model, or detect that they are
photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError
from bbans.images import ImageSet, open_set, read_labels, split_holdout
from bbans.images.image import Image, coded_samples
from bbans.models.image_config import MAX_DIMS
from bbans.training.default_recipes import FEW_LEVELS, PHOTO_SIDE
from bbans.training.latent import Samples

VALIDATION_ONE_IN = 10
MIN_IMAGES = 32  # smallest number of images to train on


@dataclass(frozen=True)
class SmallImages:
    """Images of one shape: x `(N, H W C)`, the shape `(H, W, C)`, the bit depth, labels `(N,)` or
    None, and the number of unreadable files that were skipped.

    Examples:
        >>> SmallImages(np.full((2, 4), 1), (2, 2, 1), 8).sizes
        {'height': 2, 'width': 2, 'channels': 1, 'levels': 2}
    """

    x: NDArray[np.integer[Any]]
    shape: tuple[int, int, int]
    bit_depth: int
    labels: NDArray[np.int64] | None = None
    skipped: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        """The images' sizes as fields of a model's config; `classes` where there are labels."""
        height, width, channels = self.shape
        sizes = {
            "height": height,
            "width": width,
            "channels": channels,
            "levels": levels(int(self.x.max()), self.bit_depth),
        }
        return sizes if self.labels is None else {**sizes, "classes": int(self.labels.max()) + 1}


def levels(largest: int, bit_depth: int) -> int:
    """Return the number of levels of a model for samples 0..largest: the levels in use if they are
    few, else all of the bit depth.

    16-bit samples, which often come from sensors of fewer bits, get the smallest power of two that
    covers them, 256 or more.

    Examples:
        >>> levels(1, 8), levels(200, 8), levels(1000, 16)
        (2, 256, 1024)
    """
    if largest < FEW_LEVELS:
        return max(2, largest + 1)
    return 1 << (bit_depth if bit_depth <= 8 else max(8, largest.bit_length()))


def gather(
    source: Path,
    shape: tuple[int, int] | None = None,
    labels: Path | None = None,
    *,
    photographs: bool = True,
) -> SmallImages | None:
    """Read the images of `open_set(source, shape=shape)`; None if they are for the photograph
    family and `photographs` is true.

    That is the case if one of them has at least 128 pixels on both sides; the remaining images are
    then not read. Unreadable files of a folder are skipped, unless there are labels, which count
    them. Raises InputError on images of several shapes or depths, on too few, on palettes and on
    images too large for a latent model.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "images.npy"), np.zeros((40, 6, 6), np.uint8))
        ...     gather(Path(folder, "images.npy")).shape
        (6, 6, 1)
    """
    images = open_set(source, shape=shape, as_pixels=True)
    kept: list[NDArray[Any]] = []
    kinds: dict[tuple[tuple[int, ...], int, bool], str] = {}
    skipped = 0
    for i, name in enumerate(images.names):
        image = _read(images, i, skip=source.is_dir() and labels is None)
        if image is None:
            skipped += 1
            continue
        if photographs and min(image.pixels.shape[:2]) >= PHOTO_SIDE:
            return None
        kinds.setdefault((image.pixels.shape, image.bit_depth, image.palette), name)
        if len(kinds) == 1:
            kept.append(coded_samples(image))
    _check(source, kinds, len(kept))
    ((pixels_shape, bit_depth, _),) = kinds
    height, width, channels = (*pixels_shape, 1)[:3]
    x = np.stack(kept).reshape(len(kept), -1)
    return SmallImages(
        x,
        (height, width, channels),
        bit_depth,
        None if labels is None else read_labels(labels, len(x)),
        skipped,
    )


def _read(images: ImageSet, i: int, skip: bool) -> Image | None:
    try:
        return images.image(i)
    except InputError:
        if not skip:
            raise
        return None


def _check(source: Path, kinds: dict[tuple[tuple[int, ...], int, bool], str], count: int) -> None:
    if len(kinds) > 1:
        (a, first), (b, second) = list(kinds.items())[:2]
        difference = f"{first} is {_described(*a)}, {second} is {_described(*b)}"
        raise InputError(
            f"{source}: small images of one shape and depth were expected, but {difference}; give "
            "one kind at a time"
        )
    if count < MIN_IMAGES:
        raise InputError(
            f"{source}: {MIN_IMAGES} images or more of one shape were expected, found {count}; add "
            "images"
        )
    ((shape, _, palette),) = kinds
    if palette:
        raise InputError(
            f"{source}: the images have palettes, which no model here codes; save them as RGB or "
            "grey"
        )
    if np.prod(shape) > MAX_DIMS:
        raise InputError(
            f"{source}: images {shape} are too large for one latent chain ({MAX_DIMS} samples) "
            "and too narrow for photographs; cut them"
        )


def _described(shape: tuple[int, ...], bit_depth: int, palette: bool) -> str:
    return f"{shape} of {bit_depth} bits{' with a palette' if palette else ''}"


def split(images: SmallImages) -> tuple[Samples, Samples]:
    """Split images into training and validation samples; a tenth, selected by content hash, is for
    validation.

    Raises InputError if one of the parts is empty.

    Examples:
        >>> images = SmallImages(np.arange(80).reshape(40, 2), (1, 2, 1), 8)
        >>> sum(len(part.x) for part in split(images))
        40
    """
    parts = split_holdout(((str(i), row) for i, row in enumerate(images.x)), VALIDATION_ONE_IN)
    training, validation = (np.array([int(name) for name, _ in part], np.int64) for part in parts)
    if not len(training) or not len(validation):
        raise InputError(
            f"too few different images: {len(training)} to train on, {len(validation)} to "
            "validate; add images"
        )
    samples = (
        (images.x[rows], None if images.labels is None else images.labels[rows])
        for rows in (training, validation)
    )
    first, second = (Samples(*part) for part in samples)
    return first, second
