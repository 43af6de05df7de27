"""Conversion between the images of `images` (samples and PNG chunks) and those of `container`
(samples and numbered metadata chunks).
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from bbans import container, images
from bbans.errors import FormatError, InputError
from bbans.images.metadata import exif_chunk, icc_chunk, text_chunk, xmp_chunk


def to_chunk(chunk: images.PngChunk) -> container.MetadataChunk:
    """Convert a PNG chunk to a metadata chunk of a file, verbatim.

    It is critical if it is critical in PNG, as a palette is.

    Examples:
        >>> to_chunk(images.PngChunk("gAMA", bytes(4))).critical
        False
    """
    kind = container.PNG_CHUNK_AFTER_PIXELS if chunk.after_pixels else container.PNG_CHUNK
    return container.MetadataChunk(
        kind, chunk.kind[0].isupper(), chunk.kind.encode("ascii") + chunk.payload
    )


def from_chunks(chunks: tuple[container.MetadataChunk, ...]) -> tuple[images.PngChunk, ...]:
    """Convert the metadata chunks of a file to PNG chunks.

    Ancillary chunks of unknown kinds are left out. Raises FormatError on malformed text.

    Examples:
        >>> chunk = images.PngChunk("gAMA", bytes(4))
        >>> from_chunks((to_chunk(chunk),)) == (chunk,)
        True
    """
    converted = []
    for chunk in chunks:
        if chunk.kind in (container.PNG_CHUNK, container.PNG_CHUNK_AFTER_PIXELS):
            after = chunk.kind == container.PNG_CHUNK_AFTER_PIXELS
            converted.append(
                images.PngChunk(chunk.payload[:4].decode("ascii"), chunk.payload[4:], after)
            )
        elif chunk.kind == container.ICC_PROFILE:
            converted.append(icc_chunk(chunk.payload))
        elif chunk.kind == container.EXIF:
            converted.append(exif_chunk(chunk.payload))
        elif chunk.kind == container.XMP:
            converted.append(xmp_chunk(chunk.payload))
        elif chunk.kind == container.TEXT:
            converted.append(_text(chunk.payload))
    return tuple(converted)


def _text(payload: bytes) -> images.PngChunk:
    keyword, zero, text = payload.partition(b"\0")
    if not zero:
        raise FormatError("a text in the metadata has no keyword; the file is malformed")
    try:
        return text_chunk(keyword.decode("utf-8"), text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError("a text in the metadata is not UTF-8; the file is malformed") from error


def to_image(pixels: NDArray[Any], index: container.Index) -> images.Image:
    """Combine decoded samples `(H, W)` or `(H, W, channels)` and a file's metadata to an image.

    Raises FormatError if they do not make a valid image, for example without a palette.

    Examples:
        >>> import numpy as np
        >>> from bbans.files.encoder import compress
        >>> pixels = np.zeros((2, 3), np.uint8)
        >>> to_image(pixels, container.read_index(compress(pixels, model="none"))).bit_depth
        8
    """
    pixel_format = container.FORMATS[index.header.pixel_format]
    try:
        return images.make_image(
            pixels, from_chunks(index.metadata), pixel_format.bit_depth, pixel_format.palette
        )
    except InputError as error:
        raise FormatError(f"the file holds no image that can be restored: {error}") from error
