"""Batches of training crops, sampled on the training device: one gather from a flat buffer of all
images, then random changes of colour.

All randomness comes from a generator of that device, and nothing is read back, so that no step
waits for a GPU.
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
# shares of the crops with halved chroma
PHOTO_YCC_SHARE, BILINEAR_SHARE, COSITED_SHARE = 0.6, 0.8, 0.5
LUMA = YCBCR[0]


class Store(NamedTuple):
    """Images on a device, row by row and one after the other.

    pixels uint8 `(P, 3)`; offset, height, width int64 `(N,)`, where offset is an image's first row
    in `pixels`; cumulative float64 `(N,)`: the cumulative probabilities of the images, which are
    proportional to the square roots of their areas; spaces and inverses float32 `(2, 3, 3)`: RGB to
    luma and chroma, and back.
    """

    pixels: Tensor
    offset: Tensor
    height: Tensor
    width: Tensor
    cumulative: Tensor
    spaces: Tensor
    inverses: Tensor


class Batch(NamedTuple):
    """x float32 `(B, 3, crop, crop)`, integers 0..255, channels-last; grey bool `(B,)`: crops that
    were turned grey.
    """

    x: Tensor
    grey: Tensor


def store(images: Sequence[Image], device: torch.device | str = "cpu") -> Store:
    """Copy images, uint8 `(H, W, 3)` each, to a device. At least one.

    Examples:
        >>> store([np.zeros((4, 6, 3), np.uint8)]).pixels.shape
        torch.Size([24, 3])
    """
    sizes = np.array([image.shape[:2] for image in images], np.int64)
    areas = sizes.prod(1)
    chances = np.cumsum(np.sqrt(areas))
    spaces = torch.tensor([YCBCR, PHOTO_YCC])
    parts = Store(
        torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image in images])),
        torch.from_numpy(np.cumsum(areas) - areas),
        torch.from_numpy(sizes[:, 0].copy()),
        torch.from_numpy(sizes[:, 1].copy()),
        torch.from_numpy(chances / chances[-1]),
        spaces,
        torch.linalg.inv(spaces),
    )
    return Store(*(part.to(device) for part in parts))


def draw(
    images: Store,
    batch: int,
    crop: int,
    grey_fraction: float,
    chroma_fraction: float,
    generator: torch.Generator,
) -> Batch:
    """Sample `batch` random crops under the eight symmetries of the square, a fraction of them
    grey, a fraction with chroma at half resolution.

    No image may be smaller than a crop.

    Examples:
        >>> images = store([np.zeros((4, 6, 3), np.uint8)])
        >>> draw(images, 2, 4, 0.1, 0.5, torch.Generator().manual_seed(0)).x.shape
        torch.Size([2, 3, 4, 4])
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
    """Cut crops, float32 `(B, 3, crop, crop)`, at given positions: `which`, `down`, `across` and
    `turn`, `(B,)` numbers in [0, 1), select the image, the row, the column and the symmetry.

    Examples:
        >>> zero = torch.zeros(1, dtype=torch.float64)
        >>> images = store([np.arange(18, dtype=np.uint8).reshape(2, 3, 3)])
        >>> gather(images, 2, zero, zero, zero, zero)[0, 0].tolist()
        [[0.0, 3.0], [9.0, 12.0]]
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
    """Return rounded luma (ITU-R BT.601), repeated over three channels; x `(..., 3, H, W)`.

    Examples:
        >>> to_grey(torch.tensor([255.0, 0.0, 0.0]).view(3, 1, 1)).flatten().tolist()
        [76.0, 76.0, 76.0]
    """
    r, g, b = (x[..., c : c + 1, :, :] for c in range(3))
    return (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b).round().expand_as(x)


def halve_chroma(
    x: Tensor, space: Tensor, inverse: Tensor, cosited: Tensor, nearest: Tensor
) -> Tensor:
    """Simulate film scans and decoded JPEGs: round luma, halve the resolution of chroma, round it
    and interpolate it back.

    x `(B, 3, H, W)`, H and W even; space and inverse `(B, 3, 3)`: RGB to one luma and two chroma
    rows, and back; cosited bool `(B,)`: chroma is sampled at every other pixel instead of averaged
    over four; nearest bool `(B,)`: averaged chroma is repeated instead of interpolated. Returns
    integers 0..255 on the lattice of that colour space.

    Examples:
        >>> space = torch.tensor([YCBCR])
        >>> no = torch.zeros(1, dtype=torch.bool)
        >>> halve_chroma(torch.full((1, 3, 2, 2), 9.0), space, space.inverse(), no, no).max().item()
        9.0
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
    """Return the number of coded values of a batch, a tensor `()`: three per pixel, one where the
    image is grey.

    Examples:
        >>> subpixels(torch.zeros(2, 3, 4, 4), torch.tensor([True, False])).item()
        64.0
    """
    return (3 - 2 * grey.float()).sum() * (x.shape[-1] * x.shape[-2])


def _map(matrix: Tensor, x: Tensor) -> Tensor:
    """Apply a matrix `(B, 3, 3)` to each image, written as products, so that no torch setting
    lowers the precision.
    """
    r, g, b = (x[:, c : c + 1] for c in range(3))
    m = matrix[..., None, None]
    return m[:, :, 0] * r + m[:, :, 1] * g + m[:, :, 2] * b


def _each(a: Tensor) -> Tensor:
    """View one value per item, `(B,)`, as `(B, 1, 1, 1)`."""
    return a[:, None, None, None]
