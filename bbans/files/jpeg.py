"""JPEG files in files of this package: compressed without a model, restored byte for byte, and
decoded to pixels.

The bytes of a JPEG are what a file holds. Its pixels are what Pillow makes of them: another
decoder, or another release of its library, may give other pixels of the same JPEG.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from bbans import container, images
from bbans.errors import FormatError, InputError

SUFFIX = ".jpg"
ImageOrJpeg: TypeAlias = "images.Image | images.JpegFile"


def compress_jpeg(data: bytes, *, max_pixels: int = container.DEFAULT_MAX_PIXELS) -> bytes:
    """Compress the bytes of a JPEG file and return the bytes of a file from which `restore_jpeg`
    makes the same, byte for byte.

    The result is at most 64 bytes longer than the JPEG, and mostly a fifth shorter. It is restored
    and compared before it is returned. No model is used.

    Raises InputError on bytes that are no JPEG, on more than `max_pixels` pixels and on more than
    2^30 bytes.

    Examples:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> photo = BytesIO()
        >>> Image.new("RGB", (64, 48)).save(photo, "JPEG")
        >>> restore_jpeg(compress_jpeg(photo.getvalue())) == photo.getvalue()
        True
    """
    return compressed(images.jpeg_file(data, max_pixels))


def compressed(jpeg: images.JpegFile) -> bytes:
    """Return the bytes of a file that holds a JPEG.

    Examples:
        >>> from bbans.images.formats.jpeg import JpegFile
        >>> len(compressed(JpegFile(b"four", 3, 2, 1, 8)))
        31
    """
    from bbans.jpegs.code import encode_jpeg  # decoders of pixels need none of it

    pixel_format = pixel_format_of(jpeg)
    sides = jpeg.width, jpeg.height
    return container.write(
        container.Container(
            *sides, pixel_format.code, *sides, container.NO_MODEL, (), (), encode_jpeg(jpeg)
        )
    )


def pixel_format_of(jpeg: images.JpegFile) -> container.PixelFormat:
    """Return the pixel format that stands in the file of a JPEG.

    Examples:
        >>> from bbans.images.formats.jpeg import JpegFile
        >>> pixel_format_of(JpegFile(b"four", 3, 2, components=3, precision=8)).name
        'rgb8'
    """
    return container.format_of(jpeg.channels, jpeg.bit_depth, False)


def with_jpegs(encode: Callable[[images.Image], bytes]) -> Callable[[ImageOrJpeg], bytes]:
    """Return an encoder that also takes JPEG files, for which `encode` is not called.

    Examples:
        >>> from bbans.images.formats.jpeg import JpegFile
        >>> len(with_jpegs(lambda image: b"")(JpegFile(b"four", 3, 2, 1, 8)))
        31
    """

    def encode_either(source: ImageOrJpeg) -> bytes:
        return compressed(source) if isinstance(source, images.JpegFile) else encode(source)

    return encode_either


def restore_jpeg(
    data: container.Buffer, *, max_pixels: int = container.DEFAULT_MAX_PIXELS
) -> bytes:
    """Restore the bytes of the JPEG file that a file holds.

    Raises InputError on a file that holds other than a JPEG, and FormatError on damage, of which
    LimitError if the image has more than `max_pixels` pixels.

    Examples:
        >>> import numpy as np
        >>> from bbans.files.encoder import compress
        >>> restore_jpeg(compress(np.zeros((2, 3), np.uint8), model="none"))
        Traceback (most recent call last):
        bbans.errors.InputError: the file holds an image and no JPEG: decompress it to another kind
    """
    index = container.read_index(data, max_pixels)
    if index.jpeg is None:
        raise InputError("the file holds an image and no JPEG: decompress it to another kind")
    return restored(data, index)


def restored(data: container.Buffer, index: container.Index) -> bytes:
    """Return the JPEG of a file whose index was read. Raises FormatError on damage.

    Examples:
        >>> from bbans.images.formats.jpeg import jpeg_file
        >>> jpeg = jpeg_file(bytes.fromhex("ffd8 ffc0 000b 08 0002 0003 01 011100"), 100)
        >>> data = compressed(jpeg)
        >>> restored(data, container.read_index(data)) == jpeg.data
        True
    """
    entry, header = index.jpeg, index.header
    assert entry is not None
    record = container.JpegRecord(
        entry.method, entry.size, entry.crc, container.read_jpeg_payload(data, entry)
    )
    channels = container.FORMATS[header.pixel_format].channels
    from bbans.jpegs.code import decode_jpeg

    return decode_jpeg(record, header.width, header.height, channels)


def restored_file(data: container.Buffer, index: container.Index) -> images.JpegFile:
    """Return the JPEG of a file as a `images.JpegFile`. Raises FormatError on damage.

    Examples:
        >>> data = compressed(images.jpeg_file(bytes.fromhex("ffd8ffc0000b080002000301011100"), 9))
        >>> restored_file(data, container.read_index(data)).width
        3
    """
    header = index.header
    return images.jpeg_file(restored(data, index), header.width * header.height)


def decoded(data: container.Buffer, index: container.Index) -> images.Image:
    """Return the image of the JPEG of a file, with its metadata.

    Raises FormatError on damage, and InputError if the JPEG is not one whose pixels are decoded:
    CMYK, cut, of 12 bits.

    Examples:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> photo = BytesIO()
        >>> Image.new("L", (64, 48)).save(photo, "JPEG")
        >>> data = compress_jpeg(photo.getvalue())
        >>> decoded(data, container.read_index(data)).pixels.shape
        (48, 64)
    """
    header = index.header
    jpeg = restored(data, index)
    try:
        image = images.read_image(jpeg, as_pixels=True, max_pixels=header.width * header.height)
    except InputError as error:
        raise type(error)(
            f"the file holds a JPEG whose pixels are not decoded ({error}): restore the JPEG itself"
        ) from error
    pixel_format = container.FORMATS[header.pixel_format]
    channels = image.channels
    if (channels, image.bit_depth) != (pixel_format.channels, pixel_format.bit_depth):
        raise FormatError(
            f"the JPEG has pixels of {channels} channels, the header says {pixel_format.name}: the "
            "file is forged"
        )
    return image
