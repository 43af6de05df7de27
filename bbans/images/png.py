"""PNG as a sequence of chunks (W3C PNG, third edition, section 5).

The chunks are walked here and not in Pillow, because Pillow turns 16-bit RGB into 8-bit, forgets most ancillary chunks and
spells the others anew. Pillow gets `essentials`: the header and the pixels, nothing else.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence

from bbans.errors import InputError, UnsupportedImageError
from bbans.images.image import PngChunk

SIGNATURE = b"\x89PNG\r\n\x1a\n"
STRUCTURE = ("IHDR", "IDAT", "IEND")
ANIMATION = ("acTL", "fcTL", "fdAT")
COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # top, left, down, right
PIECE = 2**20  # bytes inflated at a time where they are only counted
BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def _is_kind(kind: bytes) -> bool:
    return kind.isalpha() and kind.isascii()


def chunks(data: bytes) -> list[tuple[str, bytes]]:
    """`(kind, payload)` of every chunk up to `IEND`, checksums verified. Raises `InputError`."""
    if not data.startswith(SIGNATURE):
        raise InputError("damaged PNG: its signature is wrong")
    found: list[tuple[str, bytes]] = []
    position = len(SIGNATURE)
    while not found or found[-1][0] != "IEND":
        if position + 12 > len(data):
            raise InputError("truncated PNG: it ends before its IEND chunk")
        (size,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 8 + size
        if not _is_kind(kind):
            raise InputError(f"damaged PNG: a chunk of kind {kind!r} at byte {position}")
        if end + 4 > len(data):
            raise InputError(f"truncated PNG: it ends in a {kind.decode()} chunk")
        if zlib.crc32(data[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise InputError(f"damaged PNG: the checksum of its {kind.decode()} chunk does not match")
        found.append((kind.decode(), data[position + 8 : end]))
        position = end + 4
    return found


def _serialise(parts: Iterable[tuple[str, bytes]]) -> bytes:
    out = [SIGNATURE]
    for kind, payload in parts:
        body = kind.encode() + payload
        out += [struct.pack(">I", len(payload)), body, struct.pack(">I", zlib.crc32(body))]
    return b"".join(out)


def _check_order(kinds: Sequence[str]) -> None:
    if kinds[0] != "IHDR" or kinds.count("IHDR") > 1:
        raise InputError("damaged PNG: it must have one IHDR chunk, the first")
    if "IDAT" not in kinds:
        raise InputError("damaged PNG: it has no pixels (IDAT chunk)")
    first = kinds.index("IDAT")
    if set(kinds[first : first + kinds.count("IDAT")]) != {"IDAT"}:
        raise InputError("damaged PNG: its IDAT chunks are not consecutive")


def check_supported(parts: Sequence[tuple[str, bytes]]) -> tuple[int, int]:
    """`(width, height)` of a PNG with 8-bit grey or RGB samples. Raises `UnsupportedImageError` or `InputError` for any other."""
    kinds = [kind for kind, _ in parts]
    _check_order(kinds)
    header = parts[0][1]
    if len(header) != 13:
        raise InputError(f"damaged PNG: its IHDR chunk must have 13 bytes, found {len(header)}")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    known = depth in BIT_DEPTHS.get(colour, ()) and (compression, filtering) == (0, 0) and interlace in (0, 1)
    if not (known and 0 < width < 2**31 and 0 < height < 2**31):
        raise InputError(f"damaged PNG: no valid header ({width} x {height}, bit depth {depth}, colour type {colour})")
    if any(kind in ANIMATION for kind in kinds):
        raise UnsupportedImageError("an animated PNG is not coded: save its frames one by one")
    if colour not in (0, 2):
        kind = f"{depth}-bit {COLOUR_TYPES[colour]} PNG (colour type {colour})"
        raise UnsupportedImageError(f"{kind} is not coded yet: convert it to 8-bit RGB or grey")
    if depth != 8:
        raise UnsupportedImageError(f"a {depth}-bit {COLOUR_TYPES[colour]} PNG is not coded yet: convert it to 8 bits per sample")
    if "tRNS" in kinds:
        raise UnsupportedImageError("a PNG with a transparent colour (tRNS) is not coded yet: convert it to opaque RGB or grey")
    strange = [kind for kind in kinds if kind[0].isupper() and kind not in (*STRUCTURE, "PLTE")]
    if strange:
        raise UnsupportedImageError(f"a PNG with a critical chunk of unknown kind {strange[0]} is not coded: write it anew as plain PNG")
    return width, height


def _raw_size(header: bytes) -> int:
    """Bytes of the filtered rows of an 8-bit image: one more than its samples for each row, in seven passes if interlaced."""
    width, height, _, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    grids = ((-(-(height - top) // down), -(-(width - left) // right)) for top, left, down, right in passes)
    return sum(rows * (1 + columns * (3 if colour == 2 else 1)) for rows, columns in grids if rows > 0 and columns > 0)


def check_pixels(parts: Sequence[tuple[str, bytes]]) -> None:
    """Raises `InputError` unless the pixels of a supported PNG are all there: Pillow takes missing rows for black ones."""
    missing = _raw_size(parts[0][1])
    stream = zlib.decompressobj()
    try:
        for pending in (payload for kind, payload in parts if kind == "IDAT"):
            while pending and missing > 0:
                missing -= len(stream.decompress(pending, PIECE))
                pending = stream.unconsumed_tail
        if missing > 0:  # then no input is left, but a piece that was full may have held some output back
            missing -= len(stream.flush())
    except zlib.error as error:
        raise InputError(f"damaged PNG: {error}") from None
    if missing > 0:
        raise InputError(f"damaged PNG: {missing} bytes of its pixels are missing")


def essentials(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """The same PNG with nothing but its header and pixels."""
    return _serialise(part for part in parts if part[0] in STRUCTURE)


def metadata(parts: Sequence[tuple[str, bytes]]) -> tuple[PngChunk, ...]:
    """Everything else, in order, verbatim."""
    first = [kind for kind, _ in parts].index("IDAT")
    return tuple(PngChunk(kind, payload, at > first) for at, (kind, payload) in enumerate(parts) if kind not in STRUCTURE)


def insert(plain: bytes, extra: Iterable[PngChunk]) -> bytes:
    """A plain PNG with chunks put before its first `IDAT` and after its last: the inverse of `essentials` and `metadata`.

    Raises `InputError` for a chunk that may not be inserted: the metadata may come from a file that somebody else made.
    """
    extra = tuple(extra)
    for chunk in extra:
        kind = chunk.kind
        if len(kind) != 4 or not _is_kind(kind.encode()) or (kind[0].isupper() and kind != "PLTE") or kind in ("tRNS", *ANIMATION):
            raise InputError(f"a PNG chunk of kind {kind!r} cannot be added to an image: strip it")
        if len(chunk.payload) >= 2**31:
            raise InputError(f"a PNG chunk may have {2**31 - 1} bytes, found {len(chunk.payload)} in {kind}: strip it")
    parts = [part for part in chunks(plain) if part[0] in STRUCTURE]
    before = [(chunk.kind, chunk.payload) for chunk in extra if not chunk.after_pixels]
    after = [(chunk.kind, chunk.payload) for chunk in extra if chunk.after_pixels]
    return _serialise([parts[0], *before, *parts[1:-1], *after, parts[-1]])
