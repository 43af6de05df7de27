"""Images between the two layers that know of them: samples and PNG chunks of `images`, samples and
numbered chunks of `container`.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from bbans import container, images
from bbans.errors import FormatError, InputError
from bbans.images.metadata import exif_chunk, icc_chunk, text_chunk, xmp_chunk


def to_chunk(chunk: images.PngChunk) -> container.MetadataChunk:
    """A PNG chunk as the container carries it: verbatim, and critical where PNG says so (a
    palette).
    """
    kind = container.PNG_CHUNK_AFTER_PIXELS if chunk.after_pixels else container.PNG_CHUNK
    return container.MetadataChunk(
        kind, chunk.kind[0].isupper(), chunk.kind.encode("ascii") + chunk.payload
    )


def from_chunks(chunks: tuple[container.MetadataChunk, ...]) -> tuple[images.PngChunk, ...]:
    """What an image can carry of a file's metadata; ancillary kinds that this release does not know
    are left out.

    Raises FormatError on a text that is none.
    """
    found = []
    for chunk in chunks:
        if chunk.kind in (container.PNG_CHUNK, container.PNG_CHUNK_AFTER_PIXELS):
            after = chunk.kind == container.PNG_CHUNK_AFTER_PIXELS
            found.append(
                images.PngChunk(chunk.payload[:4].decode("ascii"), chunk.payload[4:], after)
            )
        elif chunk.kind == container.ICC_PROFILE:
            found.append(icc_chunk(chunk.payload))
        elif chunk.kind == container.EXIF:
            found.append(exif_chunk(chunk.payload))
        elif chunk.kind == container.XMP:
            found.append(xmp_chunk(chunk.payload))
        elif chunk.kind == container.TEXT:
            found.append(_text(chunk.payload))
    return tuple(found)


def _text(payload: bytes) -> images.PngChunk:
    keyword, zero, text = payload.partition(b"\0")
    if not zero:
        raise FormatError("a text in the metadata has no keyword; the file is malformed")
    try:
        return text_chunk(keyword.decode("utf-8"), text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError("a text in the metadata is not UTF-8; the file is malformed") from error


def to_image(pixels: NDArray[Any], index: container.Index) -> images.Image:
    """The image of a file's samples.

    Raises FormatError when samples and metadata make no image: a palette is missing, for instance.
    """
    pixel_format = container.FORMATS[index.header.pixel_format]
    try:
        return images.make_image(
            pixels, from_chunks(index.metadata), pixel_format.bit_depth, pixel_format.palette
        )
    except InputError as error:
        raise FormatError(f"the file holds no image that can be restored: {error}") from error
