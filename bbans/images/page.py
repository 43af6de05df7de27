"""A page of a stack: one image, or several whose channels are the samples of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import OutputError
from bbans.images.image import Image, make_image
from bbans.images.sample_kind import PLAIN, SampleKind


@dataclass(frozen=True)
class Layout:
    """What the samples of a page of several images are, in the numbers of TIFF.

    photometric: 0 and 1 grey, 2 RGB. planar: whether the channels are stored one after the other.
    extra: the meanings of the samples beyond the colours.
    """

    samples: int
    photometric: int
    planar: bool = False
    extra: tuple[int, ...] = ()


@dataclass(frozen=True)
class Page:
    """A page of a stack; `layout` is None if it is one image. Tags of a TIFF are with the first."""

    images: tuple[Image, ...]
    layout: Layout | None = None

    @property
    def samples(self) -> int:
        """Return the samples of a pixel."""
        if self.layout is not None:
            return self.layout.samples
        return self.images[0].channels

    def single(self, kind: str) -> Image:
        """Return the only image of the page. Raises OutputError if its samples are several, which
        `kind` cannot hold.
        """
        if self.layout is not None:
            raise OutputError(
                f"{kind} holds no page of {self.samples} samples a pixel: choose TIFF or NPY"
            )
        return self.images[0]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return in words what of the file is not in the page."""
        return tuple(note for image in self.images for note in image.left_out)


def grey_images(samples: NDArray[Any], depth: int, kind: SampleKind = PLAIN) -> tuple[Image, ...]:
    """Return every channel of samples `(H, W, C)` as a grey image of samples of a kind.

    Examples:
        >>> len(grey_images(np.zeros((2, 3, 5), np.uint8), 8))
        5
    """
    return tuple(
        make_image(np.ascontiguousarray(samples[..., c]), (), depth, samples=kind)
        for c in range(samples.shape[2])
    )
