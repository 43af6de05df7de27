"""Batches of training crops, drawn on the device that trains: one gather out of a flat buffer of
all images, then changes of colour.

Every number of a batch comes from a generator of that device, and nothing is read back: a GPU is
never waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Image = NDArray[np.uint8]

YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # JFIF
# Photo CD: luma steps of 1.3584 grey levels, B - Y of 2.2179, R - Y of 1.8215
PHOTO_YCC = (
    (0.299 / 1.3584, 0.587 / 1.3584, 0.114 / 1.3584),
    (-0.299 / 2.2179, -0.587 / 2.2179, 0.886 / 2.2179),
    (0.701 / 1.8215, -0.587 / 1.8215, -0.114 / 1.8215),
)
PHOTO_YCC_SHARE, BILINEAR_SHARE, COSITED_SHARE = 0.6, 0.8, 0.5  # of crops with halved chroma
LUMA = YCBCR[0]


class Store(NamedTuple):
    """Images on a device, row by row and one after the other.

    pixels uint8 `(P, 3)`; offset, height, width int64 `(N,)`, offset the first row of an image in
    `pixels`; cumulative float64 `(N,)`, of the chances of an image, which go with the square root
    of its area; spaces and inverses `(2, 3, 3)`, RGB to luma and chroma and back.
    """

    pixels: Tensor
    offset: Tensor
    height: Tensor
    width: Tensor
    cumulative: Tensor
    spaces: Tensor
    inverses: Tensor


class Batch(NamedTuple):
    """x float32 `(B, 3, crop, crop)` of whole numbers 0..255, channels-last; grey bool `(B,)`:
    crops that were made grey.
    """

    x: Tensor
    grey: Tensor


def store(images: Sequence[Image], device: torch.device | str = "cpu") -> Store:
    """Images uint8 `(H, W, 3)`, put on a device once. At least one."""
    sizes = np.array([image.shape[:2] for image in images], np.int64)
    areas = sizes.prod(1)
    chances = np.cumsum(np.sqrt(areas))
    spaces = torch.tensor([YCBCR, PHOTO_YCC])
    found = Store(
        torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image in images])),
        torch.from_numpy(np.cumsum(areas) - areas),
        torch.from_numpy(sizes[:, 0].copy()),
        torch.from_numpy(sizes[:, 1].copy()),
        torch.from_numpy(chances / chances[-1]),
        spaces,
        torch.linalg.inv(spaces),
    )
    return Store(*(part.to(device) for part in found))


def draw(
    images: Store,
    batch: int,
    crop: int,
    grey_fraction: float,
    chroma_fraction: float,
    generator: torch.Generator,
) -> Batch:
    """Random crops under the eight symmetries of the square, some grey, some with halved chroma.

    No image is smaller than a crop.
    """
    # float64: a float32 below 1 times a side may round to the side itself
    u = torch.rand(9, batch, generator=generator, dtype=torch.float64, device=images.pixels.device)
    x = gather(images, crop, u[0], u[1], u[2], u[3])
    grey = u[4] < grey_fraction
    x = torch.where(_each(grey), to_grey(x), x)
    space = (u[6] < PHOTO_YCC_SHARE).long()
    halved = halve_chroma(
        x,
        images.spaces[space],
        images.inverses[space],
        u[7] < COSITED_SHARE,
        u[8] >= BILINEAR_SHARE,
    )
    x = torch.where(_each(u[5] < chroma_fraction), halved, x)
    return Batch(x.contiguous(memory_format=torch.channels_last), grey)


def gather(
    images: Store, crop: int, which: Tensor, down: Tensor, across: Tensor, turn: Tensor
) -> Tensor:
    """Crops `(B, 3, crop, crop)` float32 where four numbers of [0, 1) each, `(B,)`, say image,
    place and symmetry.
    """
    image = torch.searchsorted(images.cumulative, which, right=True)
    height, width = images.height[image], images.width[image]
    top = (down * (height - crop + 1)).long()
    left = (across * (width - crop + 1)).long()
    symmetry = _each((turn * 8).long())[:, :, :, 0]
    i, j = (
        part[None]
        for part in torch.meshgrid(*[torch.arange(crop, device=which.device)] * 2, indexing="ij")
    )
    row, column = torch.where(symmetry % 2 == 0, i, j), torch.where(symmetry % 2 == 0, j, i)
    row = torch.where(symmetry // 2 % 2 == 0, row, crop - 1 - row)
    column = torch.where(symmetry // 4 == 0, column, crop - 1 - column)
    first = images.offset[image] + top * width + left
    index = first[:, None, None] + row * width[:, None, None] + column
    return images.pixels[index].permute(0, 3, 1, 2).float()


def to_grey(x: Tensor) -> Tensor:
    """Rounded luma (ITU-R BT.601) repeated over three channels; x `(..., 3, H, W)`."""
    r, g, b = (x[..., c : c + 1, :, :] for c in range(3))
    return (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b).round().expand_as(x)


def halve_chroma(
    x: Tensor, space: Tensor, inverse: Tensor, cosited: Tensor, nearest: Tensor
) -> Tensor:
    """What film scans and decoded JPEGs went through: rounded luma, rounded half-resolution chroma
    interpolated back.

    x `(B, 3, H, W)`, H and W even; space and inverse `(B, 3, 3)`, RGB to one luma and two chroma
    rows and back; cosited bool `(B,)`: chroma is at every other pixel, not the mean of four;
    nearest bool `(B,)`: of those others, chroma is repeated, not interpolated. The values end on
    that space's lattice.
    """
    planes = _map(space, x).round()
    y, chroma = planes[:, :1], planes[:, 1:]
    small = chroma[..., ::2, ::2]
    size = (2 * small.shape[-2] - 1, 2 * small.shape[-1] - 1)
    at_pixels = F.pad(
        F.interpolate(small, size, mode="bilinear", align_corners=True),
        (0, 1, 0, 1),
        mode="replicate",
    )
    mean = F.avg_pool2d(chroma, 2).round()
    repeated, between = (
        F.interpolate(mean, scale_factor=2.0, mode=mode) for mode in ("nearest", "bilinear")
    )
    wide = torch.where(_each(cosited), at_pixels, torch.where(_each(nearest), repeated, between))
    return _map(inverse, torch.cat([y, wide.round()], 1)).round().clamp(0, 255)


def subpixels(x: Tensor, grey: Tensor) -> Tensor:
    """Coded values of a batch, a tensor `()`: three a pixel, one where the image is grey."""
    return (3 - 2 * grey.float()).sum() * (x.shape[-1] * x.shape[-2])


def _map(matrix: Tensor, x: Tensor) -> Tensor:
    """A matrix `(B, 3, 3)` an image: multiplied out, so that no setting of the caller shortens
    mantissas.
    """
    r, g, b = (x[:, c : c + 1] for c in range(3))
    m = matrix[..., None, None]
    return m[:, :, 0] * r + m[:, :, 1] * g + m[:, :, 2] * b


def _each(a: Tensor) -> Tensor:
    """A value an item, `(B,)`, beside `(B, C, H, W)`."""
    return a[:, None, None, None]
