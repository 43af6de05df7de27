"""A second reader of the container, written from docs/format.md alone: nothing of `bbans` is
imported here.

It reads and checks everything of a file except what tiles of codecs 1, 2, 4 and 6 to 8 hold, and
what a JPEG XL stream of a JPEG says. Where it and `bbans` disagree, the document is unclear, or one
of the two is wrong.
"""

import lzma
import zlib
from dataclasses import dataclass

import numpy as np

MAGIC = bytes.fromhex("bb 41 4e 53 0d 0a 1a 0a")
# number: (channels, bits, palette)
FORMATS = {
    **{0: (1, 8, False), 1: (3, 8, False), 2: (2, 8, False), 3: (4, 8, False)},
    **{4: (1, 16, False), 5: (3, 16, False), 6: (2, 16, False), 7: (4, 16, False)},
    **{8: (1, 1, False), 9: (1, 2, False), 10: (1, 4, False)},
    **{11: (1, 1, True), 12: (1, 2, True), 13: (1, 4, True), 14: (1, 8, True)},
}
STORED, BITS_BACK, FIXED, CONSTANT, WEBP, LZMA, CHAIN, PREPARED, CODED_CHAIN = range(9)
PREDICTED = (BITS_BACK, FIXED, PREPARED)
CHAINS = (CHAIN, CODED_CHAIN)
U32 = 2**32 - 1


class Refused(Exception):
    """What a decoder must refuse."""


class Bytes:
    """Bytes read in order."""

    def __init__(self, data, at=0, end=None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def bytes(self, n):
        if n > self.end - self.at:
            raise Refused(f"ends {n - (self.end - self.at)} bytes early")
        self.at += n
        return self.data[self.at - n : self.at]

    def u8(self):
        return self.bytes(1)[0]

    def u32(self):
        return int.from_bytes(self.bytes(4), "little")

    def varint(self, low, high):
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > 70:
                raise Refused("an endless integer")
        if byte == 0 and shift > 7:
            raise Refused("not the shortest form")
        if not low <= value <= high:
            raise Refused(f"{value} is not in {low} to {high}")
        return value

    def crc(self, start):
        found = zlib.crc32(self.data[start : self.at])
        if self.u32() != found:
            raise Refused("checksum")


@dataclass(frozen=True)
class Part:
    """One part of a tile's entry."""

    codec: int
    channels: int
    precision: int | None
    preparation: tuple[int, int] | None  # orientation, lattice
    axis: tuple[int, int, int] | None  # smallest sample, range, curve
    growth: tuple[tuple[int, int], ...]
    coding: tuple[int, int, int] | None  # scheme, particles, refinement or fineness
    size: int


@dataclass(frozen=True)
class Tile:
    """An entry, the place of the tile and its payloads."""

    parts: tuple[Part, ...]
    payload_crc: int
    pixel_crc: int
    x: int
    y: int
    width: int
    height: int
    payloads: tuple[bytes, ...]


@dataclass(frozen=True)
class Jpeg:
    """The section of a JPEG, and its payload."""

    method: int
    size: int
    crc: int
    payload: bytes


@dataclass(frozen=True)
class File:
    """A whole file, checked."""

    format: int
    width: int
    height: int
    tile_width: int
    tile_height: int
    model_id: bytes | None
    chunks: tuple[tuple[int, bool, bytes], ...]  # kind, critical, payload
    tiles: tuple[Tile, ...]
    jpeg: Jpeg | None = None


def read_jpeg(r, width, height):
    """The section of a JPEG with its payload, which ends the file."""
    start = r.at
    method = r.u8()
    if method > 2:
        raise Refused("method")
    size, crc = r.varint(4, 2**30), r.u32()
    payload_size, payload_crc = (r.varint(1, size - 1), r.u32()) if method else (size, crc)
    r.crc(start)
    if method == 2 and -(-width // 8) * -(-height // 8) > 8 * size:
        raise Refused("more blocks than bits")
    payload = r.bytes(payload_size)
    if r.at != r.end:
        raise Refused("bytes after the payload")
    if zlib.crc32(payload) != payload_crc:
        raise Refused("checksum of the payload")
    return Jpeg(method, size, crc, payload)


def unpack_lzma2(packed, size):
    """What a raw LZMA2 stream makes."""
    stream = lzma.LZMADecompressor(
        lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**24}]
    )
    try:
        raw = stream.decompress(packed, size + 1)
    except lzma.LZMAError as e:
        raise Refused("LZMA") from e
    if len(raw) != size or not stream.eof or stream.unused_data:
        raise Refused("LZMA of another size")
    return raw


def frame_of(jpeg):
    """Width, height, components of a JPEG's first frame header."""
    at, frame = 2, None
    while at + 4 <= len(jpeg):
        if jpeg[at] != 255:
            raise Refused("no marker")
        marker = jpeg[at + 1]
        if marker == 255 or marker == 1 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 255 else 2
            continue
        if marker == 0xD9:
            break
        body = jpeg[at + 4 : at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and frame is None:
            frame = [
                int.from_bytes(body[3:5], "big"),
                int.from_bytes(body[1:3], "big"),
                body[5],
            ]
            if frame[1]:
                break
        if marker == 0xDC and frame is not None:
            frame[1] = int.from_bytes(body, "big")
            break
        at += 4 + len(body)
        if marker == 0xDA:
            while at < len(jpeg) and not (
                jpeg[at] == 255
                and jpeg[at + 1 : at + 2] not in (b"", b"\0", b"\xff")
                and not 0xD0 <= jpeg[at + 1] <= 0xD7
            ):
                at += 1
    if frame is None or 0 in frame:
        raise Refused("no frame")
    return tuple(frame)


def pieces_of(payload, size):
    """What a payload of method 2 sets aside: pairs of a distance and bytes; then how many bytes
    were added, the reconstruction and the codestream.
    """
    r = Bytes(payload)
    pieces, unpacked = [], r.varint(0, 2**30)
    if unpacked:
        inner = Bytes(unpack_lzma2(r.bytes(r.varint(0, 2**30)), unpacked))
        while inner.at < inner.end:
            distance = inner.varint(0, 2**30)
            pieces.append((distance, inner.bytes(inner.varint(0, 2**30))))
    if sum(len(piece) for _, piece in pieces) >= size:
        raise Refused("more pieces than bytes")
    added = r.u8()
    if added > 2:
        raise Refused("more was added than an EOI")
    reconstruction = r.bytes(r.varint(0, 2**30))
    return pieces, added, reconstruction, r.bytes(r.end - r.at)


def restore(file, transcoded):
    """The JPEG of a file; `transcoded` is a function from a JPEG XL container and a size to the
    bitstream that a library makes of them, or raises `Refused`.
    """
    jpeg = file.jpeg
    if jpeg.method == 0:
        data = jpeg.payload
    elif jpeg.method == 1:
        data = unpack_lzma2(jpeg.payload, jpeg.size)
    else:
        pieces, added, reconstruction, codestream = pieces_of(jpeg.payload, jpeg.size)
        signature = b"JXL \r\n\x87\n"
        boxes = [(b"ftyp", b"jxl \0\0\0\0jxl "), (b"jbrd", reconstruction), (b"jxlc", codestream)]
        container = (12).to_bytes(4, "big") + signature
        for kind, contents in boxes:
            container += (8 + len(contents)).to_bytes(4, "big") + kind + contents
        aside = sum(len(piece) for _, piece in pieces)
        left = transcoded(container, jpeg.size - aside + added)
        left = left[: len(left) - added]
        data, at = b"", 0
        for distance, piece in pieces:
            if at + distance > len(left):
                raise Refused("a piece beyond the end")
            data += left[at : at + distance] + piece
            at += distance
        data += left[at:]
    if len(data) != jpeg.size or zlib.crc32(data) != jpeg.crc:
        raise Refused("checksum of the JPEG")
    width, height, components = frame_of(data)
    if (width, height) != (file.width, file.height):
        raise Refused("sides of the JPEG")
    if (components == 1) != (FORMATS[file.format][0] == 1):
        raise Refused("components of the JPEG")
    return data


def read_metadata(r):
    """The chunks: kind, critical, payload."""
    start = r.at
    compression = r.u8()
    if compression > 1:
        raise Refused("compression")
    size = r.varint(1, 2**26)
    before = r.at
    if compression:
        body = r.bytes(r.varint(0, 2**63))
        if r.at - before >= size:
            raise Refused("compressed is not smaller")
        r.crc(start)
        stream = zlib.decompressobj()
        try:
            body = stream.decompress(body, size + 1)
        except zlib.error as e:
            raise Refused("zlib") from e
        if len(body) != size or not stream.eof or stream.unused_data or stream.unconsumed_tail:
            raise Refused("zlib stream of another length")
    else:
        body = r.bytes(size)
        r.crc(start)
    inner, chunks = Bytes(body), []
    while inner.at < len(body):
        kind, payload = inner.u8(), inner.bytes(inner.varint(0, 2**63))
        critical, kind = kind >= 128, kind & 127
        if kind == 0 or (critical and kind > 6) or len(chunks) == 2**16:
            raise Refused("chunk")
        if kind in (5, 6) and not (
            len(payload) >= 4 and payload[:4].isalpha() and payload[:4].isascii()
        ):
            raise Refused("PNG chunk without a type")
        chunks.append((kind, critical, payload))
    return tuple(chunks)


def read_part(r, left, bits):
    """One part of an entry."""
    kind = r.u8()
    codec, channels = kind & 15, (kind >> 4 & 3) + 1
    if kind > 63 or codec > CODED_CHAIN or channels > left:
        raise Refused("kind of a part")
    predicted = codec in PREDICTED
    if predicted and channels not in (1, 3):
        raise Refused("predicted channels")
    if codec == WEBP and bits > 8:
        raise Refused("WebP of 16 bits")
    precision = r.u8() if codec in (BITS_BACK, PREPARED) else None
    preparation = (r.u8(), r.u8()) if codec == PREPARED else None
    if preparation is not None and (
        preparation == (0, 0) or preparation[0] > 7 or preparation[1] > 2
    ):
        raise Refused("preparation")
    if preparation is not None and preparation[1] and (channels, bits) != (3, 8):
        raise Refused("a lattice of other samples")
    axis = None
    if predicted and bits != 8:
        axis = r.varint(0, 65535), r.varint(1, 65535), r.u8()
        if axis[2] > 1 or axis[0] + axis[1] > 2**bits - 1:
            raise Refused("axis")
    growth = (
        tuple((r.varint(0, U32), r.varint(1, 65535)) for _ in range(r.u8())) if predicted else ()
    )
    coding = None
    if codec == CODED_CHAIN:
        scheme = r.u8()
        if scheme not in (0, 1, 3, 4, 5):
            raise Refused("scheme")
        coding = scheme, r.varint(1, 256) if scheme in (3, 4) else 1, r.u8()
        if scheme == 5 and coding[2] > 15:
            raise Refused("fineness")
    return Part(
        codec, channels, precision, preparation, axis, growth, coding, r.varint(0, 2**63 - 1)
    )


def row_bytes(width, channels, bits):
    """Bytes of one row of raw pixels."""
    return (width * channels * bits + 7) // 8


def read_entry(r, format_, place, alone):
    """One tile's entry, its payloads not yet read."""
    channels, bits, _ = FORMATS[format_]
    parts, left = [], channels
    while left:
        parts.append(read_part(r, left, bits))
        left -= parts[-1].channels
    payload_crc, pixel_crc = r.u32(), r.u32()
    for part in parts:
        raw = place[3] * row_bytes(place[2], part.channels, bits)
        exact = {STORED: raw, CONSTANT: part.channels * (2 if bits == 16 else 1)}
        if part.codec in PREDICTED and place[2] * place[3] > 2**24:
            raise Refused("a huge predicted tile")
        lanes = max([lanes for _, lanes in part.growth], default=1)
        if (
            part.codec in (*PREDICTED, *CHAINS)
            and place[2] * place[3] * part.channels // lanes > 2**16
        ):
            raise Refused("too few lanes")
        if part.codec in CHAINS and part.channels != channels:
            raise Refused("a latent chain of some channels")
        if part.coding is not None and not alone:
            raise Refused("a coded chain of several tiles")
        if part.coding is not None:
            scheme, particles, last = part.coding
            evaluations = particles + (0 if scheme == 5 else 160 * last)
            if place[2] * place[3] * part.channels * evaluations > 2**30:
                raise Refused("too many evaluations")
        if part.size != exact.get(part.codec, part.size):
            raise Refused("size of a stored or constant part")
    if len(parts) == 1 and parts[0].codec == STORED and payload_crc != pixel_crc:
        raise Refused("the checksums of a stored tile differ")
    return Tile(tuple(parts), payload_crc, pixel_crc, *place, ())


def read(data, max_pixels=2**30):
    """The whole file, or `Refused`."""
    r = Bytes(data)
    if r.bytes(8) != MAGIC:
        raise Refused("magic")
    if r.u8() != 1:
        raise Refused("version")
    flags, format_ = r.u8(), r.u8()
    if flags > 15 or format_ not in FORMATS:
        raise Refused("flags or pixel format")
    if flags & 8 and (flags != 12 or format_ not in (0, 1, 4, 5)):
        raise Refused("flags or pixel format of a JPEG")
    width, height = r.varint(1, U32), r.varint(1, U32)
    if flags & 8 and max(width, height) > 65535:
        raise Refused("sides of a JPEG")
    tile_width, tile_height = width, height
    if not flags & 4:
        tile_width, tile_height = r.varint(1, width), r.varint(1, height)
        if (tile_width, tile_height) == (width, height):
            raise Refused("the size of the only tile")
    model_id = r.bytes(32) if flags & 2 else None
    r.crc(0)
    if model_id == bytes(32) or width * height > max_pixels:
        raise Refused("model id or number of pixels")
    if flags & 8:
        jpeg = read_jpeg(r, width, height)
        return File(format_, width, height, width, height, None, (), (), jpeg)
    chunks = read_metadata(r) if flags & 1 else ()
    start = r.at
    size = r.varint(0, 2**63)
    across, down = -(-width // tile_width), -(-height // tile_height)
    if size < 10 * across * down or size > len(data):
        raise Refused("size of the table")
    entries = Bytes(data, r.at, r.at + size)
    r.bytes(size)
    r.crc(start)
    tiles = []
    for y in range(0, height, tile_height):
        for x in range(0, width, tile_width):
            place = x, y, min(tile_width, width - x), min(tile_height, height - y)
            tiles.append(read_entry(entries, format_, place, (across, down) == (1, 1)))
    if entries.at != entries.end:
        raise Refused("bytes after the last entry")
    if any(part.codec in (BITS_BACK, PREPARED, *CHAINS) for t in tiles for part in t.parts) != (
        model_id is not None
    ):
        raise Refused("model id")
    if sum(part.size for t in tiles for part in t.parts) != len(data) - r.at:
        raise Refused("payloads")
    whole = []
    for t in tiles:
        payloads = tuple(r.bytes(part.size) for part in t.parts)
        if zlib.crc32(b"".join(payloads)) != t.payload_crc:
            raise Refused("checksum of a payload")
        whole.append(
            Tile(t.parts, t.payload_crc, t.pixel_crc, t.x, t.y, t.width, t.height, payloads)
        )
    return File(format_, width, height, tile_width, tile_height, model_id, chunks, tuple(whole))


def unpack(raw, height, width, channels, bits):
    """Samples `(height, width, channels)` of raw pixels."""
    if len(raw) != height * row_bytes(width, channels, bits):
        raise Refused("raw pixels of another size")
    if bits == 16:
        return np.frombuffer(raw, "<u2").reshape(height, width, channels).astype(np.int64)
    rows = np.frombuffer(raw, np.uint8).reshape(height, -1)
    if bits < 8:
        shifts = np.arange(8 - bits, -1, -bits)
        rows = (rows[:, :, None] >> shifts & (2**bits - 1)).reshape(height, -1)[
            :, : width * channels
        ]
    return rows.reshape(height, width, channels).astype(np.int64)


def pack(samples, bits):
    """Raw pixels of samples."""
    if bits >= 8:
        return samples.astype("<u2" if bits == 16 else np.uint8).tobytes()
    rows = samples.reshape(len(samples), -1)
    each = 8 // bits
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % each))).reshape(len(rows), -1, each)
    return (rows << np.arange(8 - bits, -1, -bits)).sum(-1).astype(np.uint8).tobytes()


def decode_part(part, payload, height, width, bits):
    """Samples `(height, width, channels)` of a stored, constant or LZMA part."""
    if part.codec == STORED:
        return unpack(payload, height, width, part.channels, bits)
    if part.codec == CONSTANT:
        pixel = np.frombuffer(payload, "<u2" if bits == 16 else np.uint8)
        if pixel.max() >= 2**bits:
            raise Refused("constant beyond the samples")
        return np.broadcast_to(pixel, (height, width, part.channels)).astype(np.int64)
    if not payload:
        raise Refused("LZMA without a distance")
    size = height * row_bytes(width, part.channels, bits)
    stream = lzma.LZMADecompressor(
        lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**24}]
    )
    try:
        raw = stream.decompress(payload[1:], size + 1)
    except lzma.LZMAError as e:
        raise Refused("LZMA") from e
    if len(raw) != size or not stream.eof or stream.unused_data:
        raise Refused("LZMA of another size")
    if d := payload[0]:
        columns = np.frombuffer(raw + bytes(-size % d), np.uint8).reshape(-1, d)
        raw = columns.cumsum(0, dtype=np.uint8).tobytes()[:size]
    return unpack(raw, height, width, part.channels, bits)


def decode_tile(file, tile):
    """Samples `(height, width, channels)` of one tile; None if a codec of it is not read here."""
    if any(part.codec in (*PREDICTED, WEBP, *CHAINS) for part in tile.parts):
        return None
    bits = FORMATS[file.format][1]
    pairs = zip(tile.parts, tile.payloads, strict=True)
    samples = np.concatenate(
        [decode_part(part, payload, tile.height, tile.width, bits) for part, payload in pairs], -1
    )
    if zlib.crc32(pack(samples, bits)) != tile.pixel_crc:
        raise Refused("checksum of the pixels")
    return samples


def check_chunks(file):
    """Refuse texts and chunks of the samples that do not fit."""
    channels, _, palette = FORMATS[file.format]
    for kind, _, payload in file.chunks:
        if kind == 4:
            try:
                payload[payload.index(b"\0") :].decode(), payload[: payload.index(b"\0")].decode()
            except ValueError as e:
                raise Refused("text") from e
    png = [(payload[:4], payload[4:], kind) for kind, _, payload in file.chunks if kind in (5, 6)]
    names = [name for name, _, _ in png]
    alphas = [(data, kind) for name, data, kind in png if name == b"tRNS"]
    if len(alphas) > 1 or any(kind == 6 for _, kind in alphas):
        raise Refused("tRNS")
    lengths = {1: (2,), 3: (6,)}.get(channels, ())
    if palette:
        colours = [(data, kind) for name, data, kind in png if name == b"PLTE"]
        if len(colours) != 1 or colours[0][1] == 6 or len(colours[0][0]) not in range(3, 769, 3):
            raise Refused("PLTE")
        lengths = range(1, len(colours[0][0]) // 3 + 1)
        if alphas and names.index(b"tRNS") < names.index(b"PLTE"):
            raise Refused("tRNS before PLTE")
    if alphas and len(alphas[0][0]) not in lengths:
        raise Refused("tRNS of another length")


def decode(data, max_pixels=2**30):
    """All samples `(height, width, channels)`; None if a codec of the file is not read here."""
    file = read(data, max_pixels)
    check_chunks(file)
    found = [(tile, decode_tile(file, tile)) for tile in file.tiles]
    if any(samples is None for _, samples in found):
        return None
    out = np.zeros((file.height, file.width, FORMATS[file.format][0]), np.int64)
    for tile, samples in found:
        out[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = samples
    return out
