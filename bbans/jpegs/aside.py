"""What of a JPEG is set aside before it is transcoded: metadata, and what follows the image.

Profiles, EXIF, XMP, comments (APP1 to APP13, APP15, COM, before the image data) and any bytes after
EOI do not change how the image is coded. A transcoder would interpret them, and refuses some;
without them all that it sees is the image. APP0 (JFIF) and APP14 (Adobe) stay, since they say what
the colours are.

What is set aside is a sequence of pieces: how many bytes of the rest come before it, its length,
its bytes.

A file that ends without EOI, as when its last bytes were lost, is given one.
"""

from __future__ import annotations

from collections.abc import Iterator

from bbans.container.binary import Cursor, varint
from bbans.container.jpeg_section import MAX_JPEG_BYTES
from bbans.errors import FormatError
from bbans.images.formats.jpeg_markers import APPLICATION, COM, EOI, SOS, segments

ADOBE, JFIF = 0xEE, 0xE0
END = bytes([0xFF, EOI])


def _set_aside(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of every piece."""
    before_image = True
    for segment in segments(data):
        before_image = before_image and segment.marker != SOS
        metadata = segment.marker == COM or segment.marker in APPLICATION
        if before_image and metadata and segment.marker not in (JFIF, ADOBE):
            yield segment.start, segment.end
        if segment.marker == EOI and segment.end < len(data):
            yield segment.end, len(data)


def split(data: bytes) -> tuple[bytes, bytes]:
    r"""Return what is left of a JPEG, and the pieces that are set aside.

    Examples:
        >>> split(b"\xff\xd8\xff\xfe\0\3x\xff\xd9tail")
        (b'\xff\xd8\xff\xd9', b'\x02\x05\xff\xfe\x00\x03x\x02\x04tail')
    """
    rest, pieces, at = [], [], 0
    for start, end in _set_aside(data):
        rest.append(data[at:start])
        pieces.append(varint(start - at) + varint(end - start) + data[start:end])
        at = end
    rest.append(data[at:])
    return b"".join(rest), b"".join(pieces)


def missing_end(rest: bytes) -> bytes:
    r"""Return the bytes of EOI that a JPEG lacks after its image data.

    Examples:
        >>> missing_end(b"\xff\xd8\xff\xda\0\2data"), missing_end(b"\xff\xd8\xff\xd9")
        (b'\xff\xd9', b'')
    """
    last = None
    for segment in segments(rest):
        last = segment
    if last is None or last.marker != SOS:
        return b""
    return END[1:] if rest.endswith(END[:1]) else END


def lengths(pieces: bytes) -> int:
    """Return the number of bytes that were set aside. Raises FormatError on malformed pieces.

    Examples:
        >>> lengths(split(b"\\xff\\xd8\\xff\\xd9tail")[1])
        4
    """
    return sum(len(piece) for _, piece in _read(pieces))


def _read(pieces: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield how many bytes come before each piece, and the piece."""
    cursor = Cursor(pieces, "metadata of the JPEG")
    while cursor.remaining:
        before = cursor.varint("distance", MAX_JPEG_BYTES)
        yield before, cursor.take(cursor.varint("length", MAX_JPEG_BYTES))


def join(rest: bytes, pieces: bytes) -> bytes:
    r"""Put the pieces back: the inverse of `split`. Raises FormatError on malformed pieces.

    Examples:
        >>> join(*split(b"\xff\xd8\xff\xfe\0\3x\xff\xd9tail"))
        b'\xff\xd8\xff\xfe\x00\x03x\xff\xd9tail'
    """
    joined, at = [], 0
    for before, piece in _read(pieces):
        if at + before > len(rest):
            raise FormatError("metadata of the JPEG lie beyond its end; the file is damaged")
        joined += [rest[at : at + before], piece]
        at += before
    return b"".join([*joined, rest[at:]])
