"""How the samples of an image are stored in a page of a TIFF: uncompressed, with the tags that say
what they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import OutputError
from bbans.images.formats.rows import pack_rows
from bbans.images.formats.tiff_tags import (
    BITS,
    CHANNELS,
    COLOUR_MAP,
    COMPRESSION,
    EXTRA,
    HEIGHT,
    LAST_CHANNELS,
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    PALETTE,
    PHOTOMETRIC,
    PLANAR,
    RGB,
    ROWS_PER_STRIP,
    SAMPLE_FORMAT,
    SIGNED,
    WIDTH,
)
from bbans.images.formats.tiff_write import longs, shorts
from bbans.images.image import (
    Image,
    TiffTag,
    TiffTags,
    coded_samples,
    palette_entries,
    transparency,
)
from bbans.images.sample_kind import significant_bits


def stored_bits(image: Image) -> int:
    """Return the bits of a sample in a TIFF: 9 to 15 where the largest value is that of so many,
    else the bit depth.

    Examples:
        >>> from bbans.images.image import from_array
        >>> stored_bits(from_array(np.zeros((2, 3), np.uint16)))
        16
    """
    bits = significant_bits(image.bit_depth, image.samples)
    return bits if bits > 8 else image.bit_depth


def stored_tags(image: Image, order: str) -> list[TiffTag]:
    r"""Return the tags that say what the samples of an uncompressed page are.

    order: of bytes, as in `struct`. Samples of 9 to 15 bits are packed, and BitsPerSample says how
    many they are; of other largest values below that of the bits nothing is said. Raises
    OutputError for what TIFF cannot hold.

    Examples:
        >>> from bbans.images.image import from_array
        >>> stored_tags(from_array(np.zeros((2, 3), np.uint8)), ">")[0].value
        b'\x00\x00\x00\x03'
    """
    if transparency(image.metadata) is not None:
        raise OutputError("TIFF holds no transparent colour (tRNS): choose PNG")
    height, width = image.pixels.shape[:2]
    channels = image.channels
    colours = PALETTE if image.palette else RGB if channels >= 3 else MIN_IS_BLACK
    numbers = {name: number for number, name in LAST_CHANNELS.items()}
    found = described_samples(
        (height, width, channels),
        stored_bits(image),
        colours,
        (numbers[image.samples.last_channel],) if channels in (2, 4) else (),
        order,
        signed=image.samples.signed,
    )
    if image.palette:
        entries = (
            np.frombuffer(palette_entries(image.metadata) or b"", np.uint8)
            .reshape(-1, 3)
            .astype(int)
        )
        table = np.zeros((2**image.bit_depth, 3), int)
        if len(entries) > len(table):
            raise OutputError(
                f"TIFF holds {len(table)} colours at {image.bit_depth} bits, the palette has "
                f"{len(entries)}: choose PNG"
            )
        table[: len(entries)] = entries
        found.append(shorts(COLOUR_MAP, order, *(table.T.reshape(-1) * 257).tolist()))
    return found


def described_samples(
    shape: tuple[int, int, int],
    bits: int,
    photometric: int,
    extra: tuple[int, ...],
    order: str,
    planar: bool = False,
    signed: bool = False,
) -> list[TiffTag]:
    """Return the tags of an uncompressed page of samples of `shape`, `(H, W, samples)`.

    Examples:
        >>> len(described_samples((2, 3, 5), 8, RGB, (0, 0), "<"))
        9
    """
    height, width, samples = shape
    found = [
        longs(WIDTH, order, False, width),
        longs(HEIGHT, order, False, height),
        shorts(BITS, order, *(bits,) * samples),
        shorts(COMPRESSION, order, 1),
        shorts(PHOTOMETRIC, order, photometric),
        shorts(CHANNELS, order, samples),
        longs(ROWS_PER_STRIP, order, False, height),
        shorts(PLANAR, order, 2 if planar else 1),
    ]
    if extra:
        found.append(shorts(EXTRA, order, *extra))
    if signed:
        found.append(shorts(SAMPLE_FORMAT, order, *(SIGNED,) * samples))
    return found


def row_data(pixels: NDArray[Any], bits: int, order: str) -> bytes:
    r"""Return samples as the bytes of an uncompressed page.

    Examples:
        >>> row_data(np.array([[258]], np.uint16), 16, "<")
        b'\x02\x01'
    """
    rows = pack_rows(pixels, bits)  # big-endian
    return (rows.view(np.uint16).byteswap() if bits == 16 and order == "<" else rows).tobytes()


def stored_page(image: Image, tags: TiffTags) -> tuple[list[TiffTag], bytes]:
    """Return the tags that say what the samples of an image's page are, and their bytes.

    tags: of the page; with tag 262 white is zero, as it was. Raises OutputError for what TIFF
    cannot hold.

    Examples:
        >>> from bbans.images.image import from_array
        >>> white = TiffTags(False, (TiffTag(PHOTOMETRIC, 3, 1, bytes(2)),))
        >>> stored_page(from_array(np.array([[255, 7]], np.uint8)), white)[1].hex()
        '00f8'
    """
    order, pixels = ">" if tags.big_endian else "<", image.pixels
    stored, bits = stored_tags(image, order), stored_bits(image)
    grey = pixels.ndim == 2 and not image.palette and not image.samples.signed
    if grey and any(tag.tag == PHOTOMETRIC for tag in tags.tags):
        pixels = coded_samples(image)
        pixels = pixels.dtype.type(2**bits - 1) - pixels
        stored = [tag for tag in stored if tag.tag != PHOTOMETRIC]
        stored.append(shorts(PHOTOMETRIC, order, MIN_IS_WHITE))
    return stored, row_data(pixels, bits, order)
