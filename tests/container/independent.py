"""A second reader of the container, written from docs/format.md alone: nothing of `bbans` is
imported here.

It reads and checks everything of a file except what tiles of codecs 1, 2, 4 and 6 to 9 hold, and
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
JPEGXL, TRANSFORMED = 9, 10
PHASES, MERGED, RENUMBERED, DIFFERENCES = 1, 2, 4, 8
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
    transform: "Transform | None" = None


@dataclass(frozen=True)
class Transform:
    """What a transformed part adds to its entry."""

    steps: int
    format: int
    merged: tuple[int, ...]
    table: int  # bytes
    parts: tuple[Part, ...]


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


TIFF_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
TIFF_BYTES.update({16: 8, 17: 8})
TIFF_STORAGE = {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 288, 289, 292, 293}
TIFF_STORAGE |= {317, 320, 322, 323, 324, 325, 330, 338, 339, 347, 529, 530, 531, 532}
TIFF_STORAGE |= set(range(512, 522))
TIFF_INSIDE = {None: {34665, 34853}, 34665: {40965}, 34853: set(), 40965: set()}


def read_tags(r, inside=None):
    """Tags of a directory: number, type, count, value (None: in a PNG chunk) or tags."""
    found, last = [], -1
    for _ in range(r.varint(0, 2**12)):
        number, kind = r.varint(last + 1, 65535), r.u8()
        last = number
        if (kind == 0) != (number in TIFF_INSIDE[inside]):
            raise Refused("a directory, or none")
        if kind == 0:
            found.append((number, 0, 0, read_tags(r, number)))
            continue
        elsewhere, kind = kind > 127, kind & 127
        if inside is None and number == 262:
            if (kind, r.varint(0, 2**26), r.bytes(2)) != (3, 1, b"\0\0") or elsewhere:
                raise Refused("white that is not zero")
            found.append((number, 3, 1, b"\0\0"))
            continue
        if kind not in TIFF_BYTES or (inside is None and number in TIFF_STORAGE):
            raise Refused("type of a tag, or a tag of storage")
        count = r.varint(0, 2**26)
        if count * TIFF_BYTES[kind] > 2**26:
            raise Refused("size of a tag")
        if elsewhere and (
            inside is not None or number not in (700, 34675) or TIFF_BYTES[kind] != 1
        ):
            raise Refused("a value elsewhere")
        value = None if elsewhere else r.bytes(count * TIFF_BYTES[kind])
        found.append((number, kind, count, value))
    return tuple(found)


def read_tiff(payload):
    """The byte order and tags of a chunk of kind 8."""
    r = Bytes(payload)
    big_endian = r.u8()
    if big_endian > 1:
        raise Refused("byte order")
    tags = read_tags(r)
    if r.at != len(payload):
        raise Refused("bytes after the last tag")
    return big_endian, tags


def check_kinds(chunks):
    """Refuse chunks of TIFF tags that are not one, or damaged."""
    tagged = [(critical, payload) for kind, critical, payload in chunks if kind == 8]
    if len(tagged) > 1 or any(critical for critical, _ in tagged):
        raise Refused("TIFF tags")
    for _, payload in tagged:
        read_tiff(payload)


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
        if kind == 0 or (critical and kind > 8) or len(chunks) == 2**16:
            raise Refused("chunk")
        if kind in (5, 6) and not (
            len(payload) >= 4 and payload[:4].isalpha() and payload[:4].isascii()
        ):
            raise Refused("PNG chunk without a type")
        chunks.append((kind, critical, payload))
    check_kinds(chunks)
    return tuple(chunks)


def samples_of(chunks, format_):
    """What chunks of kind 7 say of the samples: signed, boolean, last channel, largest or None."""
    about = [(critical, payload) for kind, critical, payload in chunks if kind == 7]
    if not about:
        return False, False, 0, None
    if len(about) > 1:
        raise Refused("several chunks about samples")
    channels, bits, palette = FORMATS[format_]
    (critical, payload), r = about[0], Bytes(about[0][1])
    flags = r.u8()
    signed, boolean, last = bool(flags & 1), bool(flags & 2), flags >> 2 & 3
    if flags == 0 or flags > 31 or last == 3 or palette:
        raise Refused("flags of samples")
    largest = r.varint(0, 65534) if flags & 16 else None
    if r.at != len(payload) or critical != (signed or last > 0):
        raise Refused("length or criticality of samples")
    if last and channels not in (2, 4):
        raise Refused("a last channel without alpha")
    if boolean and (signed or largest is not None or bits != (1 if channels == 1 else 8)):
        raise Refused("boolean samples")
    if (signed or largest is not None) and bits not in (8, 16):
        raise Refused("signed or limited samples of few bits")
    if largest is not None:
        low, high = (0, 2 ** (bits - 1) - 2) if signed else (1, 2**bits - 2)
        if not low <= largest <= high:
            raise Refused("largest sample")
    if signed and any(kind == 5 and payload[:4] == b"tRNS" for kind, _, payload in chunks):
        raise Refused("signed samples with a transparent colour")
    return signed, boolean, last, largest


def values(samples, meaning, format_):
    """What coded samples mean, or `Refused`."""
    signed, boolean, _, largest = meaning
    bits = FORMATS[format_][1]
    if boolean and samples.max() > 1:
        raise Refused("a truth value beyond 1")
    if signed:
        samples = samples - 2 ** (bits - 1)
    if largest is not None and (
        samples.max() > largest or samples.min() < (-largest - 1 if signed else 0)
    ):
        raise Refused("a sample beyond the largest")
    return samples


def read_transform(r, channels, bits):
    """A transform, its merged channels, its table's size and its parts."""
    steps, format_ = r.u8(), r.u8()
    if not 0 < steps < 16 or (steps & PHASES and steps & MERGED):
        raise Refused("steps of a transform")
    if format_ not in FORMATS or FORMATS[format_][2]:
        raise Refused("format of a transform")
    inside, inside_bits, _ = FORMATS[format_]
    if not steps & RENUMBERED and bits != inside_bits:
        raise Refused("depth of a transform")
    merged = ()
    if steps & MERGED:
        byte = r.u8()
        merged = tuple(byte >> 2 * i & 3 for i in range(channels))
        if byte >= 4**channels or len(set(merged)) == channels:
            raise Refused("merged channels")
        if list(dict.fromkeys(merged)) != list(range(len(set(merged)))):
            raise Refused("order of merged channels")
    if inside != (4 if steps & PHASES else len(set(merged)) if merged else channels):
        raise Refused("channels of a transform")
    table = r.varint(1, 2**20) if steps & RENUMBERED else 0
    parts, left = [], inside
    while left:
        parts.append(read_part(r, left, inside_bits, nested=True))
        left -= parts[-1].channels
    return Transform(steps, format_, merged, table, tuple(parts))


def read_part(r, left, bits, nested=False):
    """One part of an entry, or of a transform."""
    kind = r.u8()
    codec, channels = kind & 15, (kind >> 4 & 3) + 1
    if kind > 63 or codec > TRANSFORMED or channels > left:
        raise Refused("kind of a part")
    if nested and codec in (*CHAINS, TRANSFORMED):
        raise Refused("codec of a transform")
    if codec == TRANSFORMED:
        t = read_transform(r, channels, bits)
        size = t.table + sum(part.size for part in t.parts)
        return Part(codec, channels, None, None, None, (), None, size, t)
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


def needs_model(part):
    """Whether a part, or one of its transform, needs the model of the header."""
    nested = part.transform.parts if part.transform else ()
    return part.codec in (BITS_BACK, PREPARED, *CHAINS) or any(map(needs_model, nested))


def row_bytes(width, channels, bits):
    """Bytes of one row of raw pixels."""
    return (width * channels * bits + 7) // 8


def check_part(part, channels, bits, height, width, alone):
    """Refuse a part of a tile of this size that breaks a rule."""
    raw = height * row_bytes(width, part.channels, bits)
    exact = {STORED: raw, CONSTANT: part.channels * (2 if bits == 16 else 1)}
    if part.codec in PREDICTED and width * height > 2**24:
        raise Refused("a huge predicted tile")
    lanes = max([lanes for _, lanes in part.growth], default=1)
    if part.codec in (*PREDICTED, *CHAINS) and width * height * part.channels // lanes > 2**16:
        raise Refused("too few lanes")
    if part.codec in CHAINS and part.channels != channels:
        raise Refused("a latent chain of some channels")
    if part.coding is not None and not alone:
        raise Refused("a coded chain of several tiles")
    if part.coding is not None:
        scheme, particles, last = part.coding
        evaluations = particles + (0 if scheme == 5 else 160 * last)
        if width * height * part.channels * evaluations > 2**30:
            raise Refused("too many evaluations")
    if part.size != exact.get(part.codec, part.size):
        raise Refused("size of a stored or constant part")
    if part.transform is not None:
        if part.transform.steps & PHASES:
            if part.channels != 1 or height % 2 or width % 2:
                raise Refused("phases")
            height, width = height // 2, width // 2
        inside, inside_bits, _ = FORMATS[part.transform.format]
        for nested in part.transform.parts:
            check_part(nested, inside, inside_bits, height, width, alone)


def read_entry(r, format_, place, alone):
    """One tile's entry, its payloads not yet read."""
    channels, bits, _ = FORMATS[format_]
    parts, left = [], channels
    while left:
        parts.append(read_part(r, left, bits))
        left -= parts[-1].channels
    payload_crc, pixel_crc = r.u32(), r.u32()
    for part in parts:
        check_part(part, channels, bits, place[3], place[2], alone)
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
    samples_of(chunks, format_)
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
    if any(needs_model(part) for t in tiles for part in t.parts) != (model_id is not None):
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


def unread(part):
    """Whether a part is of a codec that is not read here."""
    if part.transform:
        return any(map(unread, part.transform.parts))
    return part.codec in (*PREDICTED, WEBP, JPEGXL, *CHAINS)


def read_values(table, channels, bits):
    """For each channel the values that its numbers stand for."""
    r = Bytes(table)
    compression = r.u8()
    if compression > 1:
        raise Refused("compression of a table")
    if compression:
        size, stream = r.varint(0, 2**20), zlib.decompressobj()
        try:
            body = stream.decompress(table[r.at :], size + 1)
        except zlib.error as e:
            raise Refused("table") from e
        if len(body) != size or not stream.eof or stream.unused_data:
            raise Refused("table of another size")
        r = Bytes(body)
    found = []
    for _ in range(channels):
        count = r.varint(0, 2**bits)
        if not count and not found:
            raise Refused("first channel without values")
        if not count:
            found.append(found[-1])
            continue
        value, offset = r.varint(0, 2**bits - 1), 0
        values = [value]
        while len(values) < count:
            word = r.varint(0, 2 ** (bits + 1))
            for _ in range(1 + (r.varint(0, count - len(values) - 1) if word & 1 else 0)):
                offset += word >> 1
                if word < 2 or offset >= 2**bits:
                    raise Refused("gaps")
                values.append((value + offset) % 2**bits)
        found.append(np.array(values))
    if r.at != r.end:
        raise Refused("bytes after a table")
    return found


def decode_transformed(part, payload, height, width, bits):
    """Samples `(height, width, channels)` of a transformed part."""
    t, at = part.transform, part.transform.table
    if t.steps & PHASES:
        height, width = height // 2, width // 2
    inside_bits = FORMATS[t.format][1]
    parts = []
    for nested in t.parts:
        piece = payload[at : at + nested.size]
        parts.append(decode_part(nested, piece, height, width, inside_bits))
        at += nested.size
    x = np.concatenate(parts, -1)
    if t.steps & DIFFERENCES:
        x = x.cumsum(0).cumsum(1) % 2**inside_bits
    if t.steps & RENUMBERED:
        values = read_values(payload[: t.table], x.shape[2], bits)
        if any(x[:, :, c].max() >= len(v) for c, v in enumerate(values)):
            raise Refused("number beyond a table")
        x = np.stack([v[x[:, :, c]] for c, v in enumerate(values)], 2)
    if t.steps & PHASES:
        x = x.reshape(height, width, 2, 2).transpose(0, 2, 1, 3)
        x = x.reshape(2 * height, 2 * width, 1)
    return x[:, :, list(t.merged)] if t.steps & MERGED else x


def decode_part(part, payload, height, width, bits):
    """Samples `(height, width, channels)` of a stored, constant, LZMA or transformed part."""
    if part.codec == TRANSFORMED:
        return decode_transformed(part, payload, height, width, bits)
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
    if any(map(unread, tile.parts)):
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


def held(png):
    """What PNG chunks hold of tags: a profile, an XMP packet; the last of each that is valid."""
    found = {}
    for name, data, _ in png:
        if name == b"iCCP":
            stream = zlib.decompressobj()
            try:
                profile = stream.decompress(data.partition(b"\0")[2][1:], 2**26)
            except zlib.error:
                continue
            if profile and stream.eof:
                found[34675] = profile
        elif name == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0\0"):
            fields = data.split(b"\0", 5)
            if len(fields) == 6 and not fields[3] and not fields[4]:
                found[700] = fields[5]
    return found


def tags(file):
    """The byte order and tags of a file, values and all; None without."""
    for kind, _, payload in file.chunks:
        if kind == 8:
            png = [(p[:4], p[4:], k) for k, _, p in file.chunks if k in (5, 6)]
            values = held(png)
            channels, _, palette = FORMATS[file.format]
            if (channels > 1 or palette) and any(t[0] == 262 for t in read_tiff(payload)[1]):
                raise Refused("white is zero, of an image that is not grey")
            big_endian, found = read_tiff(payload)
            if any(
                value is None and len(values.get(number, bytes(2**27))) > count
                for number, _, count, value in found
            ):
                raise Refused("a value that is in no chunk")
            return big_endian, tuple(
                (n, kind, count, values[n].ljust(count, b"\0") if value is None else value)
                for n, kind, count, value in found
            )
    return None


def decode(data, max_pixels=2**30):
    """All samples `(height, width, channels)`; None if a codec of the file is not read here."""
    file = read(data, max_pixels)
    check_chunks(file)
    tags(file)
    found = [(tile, decode_tile(file, tile)) for tile in file.tiles]
    if any(samples is None for _, samples in found):
        return None
    out = np.zeros((file.height, file.width, FORMATS[file.format][0]), np.int64)
    for tile, samples in found:
        out[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = samples
    return values(out, samples_of(file.chunks, file.format), file.format)
