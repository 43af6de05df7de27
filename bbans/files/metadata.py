"""Conversion between the images of `images` (samples, PNG chunks and tags of a TIFF) and those of
`container` (samples and numbered metadata chunks).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from bbans import container, images
from bbans.container import tiff_tags
from bbans.errors import FormatError, InputError
from bbans.images.metadata import exif_chunk, icc_chunk, text_chunk, to_info, xmp_chunk
from bbans.images.sample_kind import LAST_CHANNELS, SampleKind, from_unsigned


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


def chunks_of(image: images.Image) -> tuple[container.MetadataChunk, ...]:
    """Return all metadata chunks of an image's file: what its samples mean, its PNG chunks, and the
    tags of its TIFF.

    A profile or XMP packet that is in a PNG chunk is not repeated in the tags.

    Examples:
        >>> import numpy as np
        >>> [chunk.kind for chunk in chunks_of(images.from_array(np.zeros((2, 3), np.int16)))]
        [7]
    """
    kind = image.samples
    record = container.SampleRecord(
        kind.signed, kind.boolean, kind.largest, LAST_CHANNELS.index(kind.last_channel)
    )
    chunks = (*container.sample_chunks(record), *map(to_chunk, image.metadata))
    if image.tiff is None:
        return chunks
    held = _held_in_chunks(image.metadata)
    payload = tiff_tags.tags_payload(
        image.tiff.big_endian, tuple(_to_record(tag, held) for tag in image.tiff.tags)
    )
    return (*chunks, container.MetadataChunk(container.TIFF_TAGS, False, payload))


def kind_of_samples(
    chunks: tuple[container.MetadataChunk, ...], pixel_format: container.PixelFormat
) -> SampleKind:
    """Return what the samples of a file mean. Raises FormatError on a malformed chunk about them.

    Examples:
        >>> kind_of_samples((), container.FORMATS[0]).signed
        False
    """
    record = container.record_of_samples(chunks, pixel_format)
    return SampleKind(
        record.signed, record.boolean, record.largest, LAST_CHANNELS[record.last_channel]
    )


def _held_in_chunks(metadata: tuple[images.PngChunk, ...]) -> dict[int, bytes]:
    """Return what PNG chunks hold of tags, by the tag."""
    info = to_info(metadata)
    found = {tiff_tags.ICC: info.get("icc_profile"), tiff_tags.XMP: info.get("xmp")}
    return {tag: value for tag, value in found.items() if value is not None}


def _to_record(tag: images.TiffTag, held: dict[int, bytes]) -> tiff_tags.TiffTag:
    """Convert a tag; its value is left out if a chunk holds it up to zeros at its end."""
    value, one_byte = held.get(tag.tag), tiff_tags.TYPE_BYTES.get(tag.type) == 1
    elsewhere = value is not None and one_byte and value.ljust(tag.count, b"\0") == tag.value
    return tiff_tags.TiffTag(
        tag.tag,
        tag.type,
        tag.count,
        b"" if elsewhere else tag.value,
        tuple(_to_record(inner, {}) for inner in tag.directory),
        elsewhere,
    )


def _from_record(tag: tiff_tags.TiffTag, held: dict[int, bytes]) -> images.TiffTag:
    value = tag.value
    if tag.elsewhere:
        value = held.get(tag.tag, b"").ljust(tag.count, b"\0")
        if tag.tag not in held or len(value) != tag.count:
            raise FormatError(
                f"the value of TIFF tag {tag.tag} should be {tag.count} bytes of another chunk, "
                "found others; the file is malformed"
            )
    inner = tuple(_from_record(inner, {}) for inner in tag.directory)
    return images.TiffTag(tag.tag, tag.type, tag.count, value, inner)


def _tags_of(
    chunks: tuple[container.MetadataChunk, ...], image: images.Image
) -> images.TiffTags | None:
    """Return the tags of a TIFF that are among the chunks of an image's file."""
    for chunk in chunks:
        if chunk.kind == container.TIFF_TAGS:
            held = _held_in_chunks(image.metadata)
            big_endian, tags = tiff_tags.read_tags(chunk.payload)
            grey = image.pixels.ndim == 2 and not image.palette and not image.samples.signed
            if not grey and any(tag.tag == tiff_tags.PHOTOMETRIC for tag in tags):
                raise FormatError(
                    "TIFF tags say that white is zero, in an image that is not grey and unsigned"
                )
            return images.TiffTags(big_endian, tuple(_from_record(tag, held) for tag in tags))
    return None


def from_chunks(chunks: tuple[container.MetadataChunk, ...]) -> tuple[images.PngChunk, ...]:
    """Convert the metadata chunks of a file to PNG chunks.

    Tags of a TIFF, and ancillary chunks of unknown kinds, are left out. Raises FormatError on
    malformed text.

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
    return restored(pixels, index.metadata, container.FORMATS[index.header.pixel_format])


def restored(
    coded: NDArray[Any],
    chunks: tuple[container.MetadataChunk, ...],
    pixel_format: container.PixelFormat,
) -> images.Image:
    """Combine decoded samples, uint8 or uint16, and the metadata chunks of a file or an archive's
    item to an image.

    Raises FormatError if they do not make a valid image.

    Examples:
        >>> import numpy as np
        >>> restored(np.zeros((2, 3), np.uint8), (), container.FORMATS[0]).bit_depth
        8
    """
    kind = kind_of_samples(chunks, pixel_format)
    try:
        image = images.make_image(
            from_unsigned(coded, kind),
            from_chunks(chunks),
            pixel_format.bit_depth,
            pixel_format.palette,
            kind,
        )
        return replace(image, tiff=_tags_of(chunks, image))
    except InputError as error:
        raise FormatError(f"the file holds no image that can be restored: {error}") from error
