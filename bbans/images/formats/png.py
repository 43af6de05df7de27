"""PNG as a sequence of chunks (W3C PNG, third edition, section 5).

The chunks are parsed here and not by Pillow, because Pillow reduces 16-bit RGB to 8-bit, drops most
ancillary chunks and rewrites the others. Decoders get the header and the pixels only (see
`png_pixels`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bbans.errors import InputError, UnsupportedImageError
from bbans.images.formats.rows import row_bytes
from bbans.images.image import PngChunk

SIGNATURE = b"\x89PNG\r\n\x1a\n"
STRUCTURE = ("IHDR", "IDAT", "IEND")
ANIMATION = ("acTL", "fcTL", "fdAT")
IHDR = ">IIBBBBB"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6  # colour types
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
"""First row, first column, row step and column step of the seven passes."""
PIECE = 2**20
"""Bytes that are inflated at a time where they are only counted."""
BIT_DEPTHS = {
    GREY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    RGB_ALPHA: (8, 16),
}


def _is_kind(kind: bytes) -> bool:
    return kind.isalpha() and kind.isascii()


class _Chunk(NamedTuple):
    """A chunk as it stands in a file: its bytes are data[start:end], and `intact` says whether its
    checksum matches.
    """

    kind: str
    payload: bytes
    start: int
    end: int
    intact: bool

    @property
    def ancillary(self) -> bool:
        """Whether decoders may pass over the chunk."""
        return self.kind[0].islower()


def _scan(data: bytes) -> Iterator[_Chunk]:
    """Yield every chunk up to `IEND`. Raises InputError on data that cannot be cut into chunks."""
    if not data.startswith(SIGNATURE):
        raise InputError("damaged PNG: its signature is wrong")
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise InputError("truncated PNG: it ends before its IEND chunk")
        (size,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 8 + size
        if not _is_kind(kind):
            raise InputError(f"damaged PNG: a chunk of kind {kind!r} at byte {position}")
        if end + 4 > len(data):
            raise InputError(f"truncated PNG: it ends in a {kind.decode()} chunk")
        intact = zlib.crc32(data[position + 4 : end]) == struct.unpack_from(">I", data, end)[0]
        yield _Chunk(kind.decode(), data[position + 8 : end], position, end + 4, intact)
        position = end + 4


def chunks(data: bytes) -> list[tuple[str, bytes]]:
    """Return (kind, payload) of every chunk up to `IEND`, with checksums verified.

    Raises InputError on damaged or truncated data.

    Examples:
        >>> chunks(serialise(Header(1, 1, 8, GREY, 0, 0, 0)))[1]
        ('IEND', b'')
    """
    parts: list[tuple[str, bytes]] = []
    for chunk in _scan(data):
        if not chunk.intact:
            advice = "; compress --keep-going leaves that chunk out" if chunk.ancillary else ""
            raise InputError(
                f"damaged PNG: the checksum of its {chunk.kind} chunk does not match{advice}"
            )
        parts.append((chunk.kind, chunk.payload))
    return parts


def size_of(parts: Iterable[tuple[str, bytes]]) -> int:
    """Return the bytes of a PNG of these chunks; what follows its `IEND` is not part of it.

    Examples:
        >>> size_of([("IEND", b"")])
        20
    """
    return len(SIGNATURE) + sum(12 + len(payload) for _, payload in parts)


def without_damaged_chunks(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a PNG without the ancillary chunks whose checksum does not match, and a line for each;
    all other bytes are as they were.

    Raises InputError on data that cannot be cut into chunks.

    Examples:
        >>> good = serialise(Header(1, 1, 8, GREY, 0, 0, 0), ("tEXt", b"a"))
        >>> bad = good.replace(b"tEXta", b"tEXtb")
        >>> without_damaged_chunks(bad)[1]
        ('its tEXt chunk, whose checksum does not match',)
    """
    kept, lines, position = [], [], 0
    for chunk in _scan(data):
        if chunk.intact or not chunk.ancillary:
            continue
        kept.append(data[position : chunk.start])
        position = chunk.end
        lost = ", and with it its transparency" if chunk.kind == "tRNS" else ""
        lines.append(f"its {chunk.kind} chunk, whose checksum does not match{lost}")
    return b"".join([*kept, data[position:]]), tuple(lines)


def _serialise(parts: Iterable[tuple[str, bytes]]) -> bytes:
    out = [SIGNATURE]
    for kind, payload in parts:
        body = kind.encode() + payload
        out += [struct.pack(">I", len(payload)), body, struct.pack(">I", zlib.crc32(body))]
    return b"".join(out)


def _check_order(kinds: Sequence[str]) -> None:
    """Raise InputError unless `IHDR` is first and `IDAT` chunks are present and consecutive."""
    if kinds[0] != "IHDR" or kinds.count("IHDR") > 1:
        raise InputError("damaged PNG: it must have one IHDR chunk, the first")
    if "IDAT" not in kinds:
        raise InputError("damaged PNG: it has no pixels (IDAT chunk)")
    first = kinds.index("IDAT")
    if set(kinds[first : first + kinds.count("IDAT")]) != {"IDAT"}:
        raise InputError("damaged PNG: its IDAT chunks are not consecutive")


class Header(NamedTuple):
    """Fields of the `IHDR` chunk."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlaced: int


def check_supported(parts: Sequence[tuple[str, bytes]]) -> Header:
    """Return the header of a PNG of a single image.

    Raises UnsupportedImageError on animations and unknown critical chunks, InputError on damage.

    Examples:
        >>> header = Header(1, 1, 8, GREY, 0, 0, 0)
        >>> check_supported(chunks(serialise(header, ("IDAT", b"")))) == header
        True
    """
    kinds = [kind for kind, _ in parts]
    _check_order(kinds)
    if len(parts[0][1]) != 13:
        raise InputError(
            f"damaged PNG: its IHDR chunk must have 13 bytes, found {len(parts[0][1])}"
        )
    header = Header(*struct.unpack(IHDR, parts[0][1]))
    width, height, depth, colour, compression, filtering, interlaced = header
    known = (
        depth in BIT_DEPTHS.get(colour, ())
        and (compression, filtering) == (0, 0)
        and interlaced in (0, 1)
    )
    if not (known and 0 < width < 2**31 and 0 < height < 2**31):
        raise InputError(
            f"damaged PNG: no valid header ({width} x {height}, bit depth {depth}, colour type "
            f"{colour})"
        )
    if any(kind in ANIMATION for kind in kinds):
        raise UnsupportedImageError("an animated PNG is not coded: save its frames one by one")
    unknown = [kind for kind in kinds if kind[0].isupper() and kind not in (*STRUCTURE, "PLTE")]
    if unknown:
        raise UnsupportedImageError(
            f"a PNG with a critical chunk of unknown kind {unknown[0]} is not coded: write it "
            "anew as plain PNG"
        )
    return header


def raw_size(header: Header) -> int:
    """Return the bytes of the filtered rows: one filter byte and the samples of each row, in seven
    passes if interlaced.

    Examples:
        >>> raw_size(Header(3, 2, 8, GREY, 0, 0, 0))
        8
    """
    width, height, depth, channels = (
        header.width,
        header.height,
        header.depth,
        CHANNELS[header.colour],
    )
    passes = ADAM7 if header.interlaced else ((0, 0, 1, 1),)
    grids = (
        (-(-(height - top) // down), -(-(width - left) // right))
        for top, left, down, right in passes
    )
    return sum(
        rows * (1 + row_bytes(columns, channels, depth))
        for rows, columns in grids
        if rows > 0 and columns > 0
    )


def check_pixels(header: Header, parts: Sequence[tuple[str, bytes]]) -> None:
    """Raise InputError unless all pixels of a supported PNG are present; decoders would take
    missing rows for black.

    Examples:
        >>> check_pixels(Header(1, 1, 8, GREY, 0, 0, 0), [("IDAT", zlib.compress(bytes(2)))])
    """
    missing = raw_size(header)
    stream = zlib.decompressobj()
    try:
        for pending in (payload for kind, payload in parts if kind == "IDAT"):
            while pending and missing > 0:
                missing -= len(stream.decompress(pending, PIECE))
                pending = stream.unconsumed_tail
        # All input is consumed, but the last piece may have been full and held output back.
        if missing > 0:
            missing -= len(stream.flush())
    except zlib.error as error:
        raise InputError(f"damaged PNG: {error}") from None
    if missing > 0:
        raise InputError(f"damaged PNG: {missing} bytes of its pixels are missing")


def serialise(header: Header, *others: tuple[str, bytes]) -> bytes:
    """Build a PNG from its header and the chunks between `IHDR` and `IEND`.

    Examples:
        >>> serialise(Header(1, 1, 8, GREY, 0, 0, 0)).startswith(SIGNATURE)
        True
    """
    return _serialise([("IHDR", struct.pack(IHDR, *header)), *others, ("IEND", b"")])


def metadata(parts: Sequence[tuple[str, bytes]]) -> tuple[PngChunk, ...]:
    """Return all other chunks, in order and verbatim.

    Examples:
        >>> metadata([("IHDR", b""), ("IDAT", b""), ("tIME", b""), ("IEND", b"")])
        (PngChunk(kind='tIME', payload=b'', after_pixels=True),)
    """
    first = [kind for kind, _ in parts].index("IDAT")
    return tuple(
        PngChunk(kind, payload, at > first)
        for at, (kind, payload) in enumerate(parts)
        if kind not in STRUCTURE
    )


def insert(plain: bytes, extra: Iterable[PngChunk]) -> bytes:
    """Insert chunks before the first `IDAT` of a PNG and after its last, the inverse of `metadata`.

    Raises InputError for a chunk that may not be inserted, since metadata may come from untrusted
    files.

    Examples:
        >>> plain = serialise(Header(1, 1, 8, GREY, 0, 0, 0), ("IDAT", b""))
        >>> [kind for kind, _ in chunks(insert(plain, [PngChunk("gAMA", bytes(4))]))]
        ['IHDR', 'gAMA', 'IDAT', 'IEND']
    """
    extra = tuple(extra)
    for chunk in extra:
        kind = chunk.kind
        if (
            len(kind) != 4
            or not _is_kind(kind.encode())
            or (kind[0].isupper() and kind != "PLTE")
            or kind in ANIMATION
        ):
            raise InputError(f"a PNG chunk of kind {kind!r} cannot be added to an image: strip it")
        if len(chunk.payload) >= 2**31:
            raise InputError(
                f"a PNG chunk may have {2**31 - 1} bytes, found {len(chunk.payload)} in {kind}: "
                "strip it"
            )
    parts = [part for part in chunks(plain) if part[0] in STRUCTURE]
    before = [(chunk.kind, chunk.payload) for chunk in extra if not chunk.after_pixels]
    after = [(chunk.kind, chunk.payload) for chunk in extra if chunk.after_pixels]
    return _serialise([parts[0], *before, *parts[1:-1], *after, parts[-1]])
