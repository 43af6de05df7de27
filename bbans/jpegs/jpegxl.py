"""Transcoding by JPEG XL (libjxl in imagecodecs): the DCT coefficients of a JPEG, coded anew, and
what else it takes to write the same file again.

A payload is what was set aside and added (`aside`), the reconstruction data, and the codestream.
The container of JPEG XL around the last two is always the same, and is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bbans.container.binary import Cursor, varint
from bbans.container.jpeg_section import MAX_JPEG_BYTES, fits_blocks
from bbans.errors import FormatError
from bbans.images.formats.jpeg import JpegFile
from bbans.jpegs import aside, lzma2
from bbans.jpegs.jpegxl_stream import check_codestream, check_reconstruction

PREAMBLE = bytes.fromhex("0000000c 4a584c20 0d0a870a 00000014 66747970 6a786c20 00000000 6a786c20")
"""The first two boxes of every container: the signature and the type."""
RECONSTRUCTION, WHOLE, PART = b"jbrd", b"jxlc", b"jxlp"
PART_NUMBER_BYTES = 4


def encode(jpeg: JpegFile) -> bytes | None:
    """Return the payload for a JPEG, None where the library refuses it or is not installed.

    The caller compares what the payload restores.

    Examples:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> from bbans.images.formats.jpeg import jpeg_file
        >>> file = BytesIO()
        >>> Image.new("RGB", (64, 48)).save(file, "JPEG", comment=b"black")
        >>> jpeg = jpeg_file(file.getvalue(), max_pixels=2**20)
        >>> decode(encode(jpeg), len(jpeg.data), 64, 48) == jpeg.data
        True
    """
    # The library takes memory for all the pixels that a JPEG claims, and may end the process.
    if not fits_blocks(jpeg.width, jpeg.height, len(jpeg.data)):
        return None
    rest, pieces = aside.split(jpeg.data)
    added = aside.missing_end(rest)
    try:
        import imagecodecs

        container = bytes(imagecodecs.jpegxl_encode_jpeg(rest + added, numthreads=1))
    except (
        ImportError,
        AttributeError,
        RuntimeError,
        ValueError,
    ):  # codecs' errors are of the last
        return None
    found: dict[bytes, bytes] = {}
    for kind, contents in _boxes(container.removeprefix(PREAMBLE)):
        kind, contents = (WHOLE, contents[PART_NUMBER_BYTES:]) if kind == PART else (kind, contents)
        found[kind] = found.get(kind, b"") + contents
    if set(found) != {RECONSTRUCTION, WHOLE}:
        return None
    reconstruction = found[RECONSTRUCTION]
    packed = lzma2.pack(pieces) if pieces else b""
    return b"".join(
        [
            varint(len(pieces)) + (varint(len(packed)) if pieces else b"") + packed,
            bytes([len(added)]) + varint(len(reconstruction)) + reconstruction,
            found[WHOLE],
        ]
    )


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of the boxes that a library wrote."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + size if size else len(data)
        yield kind, data[at + 8 : end]
        at = max(end, at + 8)


def _box(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(contents), kind) + contents


def decode(payload: bytes, size: int, width: int, height: int) -> bytes:
    """Restore a JPEG of `size` bytes from its payload; the caller compares its checksum.

    Raises FormatError on a payload that is malformed, makes another size, or claims another width
    and height; nothing is decoded before that is known.

    Examples:
        >>> decode(bytes(3), 100, 8, 8)
        Traceback (most recent call last):
        bbans.errors.FormatError: a JPEG XL stream was expected in place of a JPEG, found another
    """
    cursor = Cursor(payload, "JPEG")
    pieces, left = b"", size
    # a piece has two integers of up to five bytes besides its own, of which there is at least one
    if unpacked := cursor.varint(
        "size of the metadata of the JPEG", min(11 * size, MAX_JPEG_BYTES)
    ):
        packed = cursor.take(cursor.varint("packed size", len(payload)))
        pieces = lzma2.unpack(packed, unpacked)
        left -= aside.lengths(pieces)
    added = cursor.u8()
    if added > len(aside.END):
        raise FormatError(f"{added} bytes were added to a JPEG, of up to {len(aside.END)}")
    reconstruction = cursor.take(cursor.varint("size of the reconstruction data", len(payload)))
    codestream = cursor.take(cursor.remaining)
    if left < 1:
        raise FormatError("a JPEG has more metadata than bytes; the file is forged")
    check_codestream(codestream, width, height)
    check_reconstruction(reconstruction)
    container = PREAMBLE + _box(RECONSTRUCTION, reconstruction) + _box(WHOLE, codestream)
    try:
        import imagecodecs
    except ImportError:
        raise FormatError(
            "a JPEG was transcoded by JPEG XL: install imagecodecs to restore it"
        ) from None
    try:
        rest = bytes(imagecodecs.jpegxl_decode_jpeg(container, numthreads=1, out=left + added))
    except (RuntimeError, ValueError) as error:
        raise FormatError(f"a JPEG cannot be restored: {error}; the file is damaged") from error
    return aside.join(rest[: len(rest) - added], pieces)
