"""Files as damage, chance and forgers make them; `benchmarks/fuzz.py` uses the same.

`mutated` changes bytes; `forged` changes the values of a container, and `forge` writes them with
right checksums and without the writer's rules, so that the decoders themselves are reached.
"""

import random
import zlib
from collections.abc import Sequence
from dataclasses import replace

from bbans.container import Axis, Container, JpegRecord, MetadataChunk, TilePart, TileRecord
from bbans.container.binary import u32, varint
from bbans.container.pixel_formats import FORMATS
from bbans.container.schemes import Coding

MAGIC = bytes.fromhex("bb414e530d0a1a0a")
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    9,
    63,
    64,
    127,
    128,
    255,
    256,
    4095,
    65535,
    65536,
    2**31,
    2**32 - 1,
    2**32,
    2**63 - 1,
    2**63,
)


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Flipped bits, changed runs, cuts, insertions, repetitions and splices with another file; one
    to three of them.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
        kind = rng.randrange(7)
        if kind == 0 and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + rng.randbytes(to - at) + data[to:]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data = data[:at] + rng.randbytes(to - at + 1) + data[at:]
        elif kind == 4:
            data = data[:at] + data[to:]
        elif kind == 5:
            data = data[:to] + data[at:]
        elif kind == 6:
            other = rng.choice(others)
            data = data[:at] + other[rng.randrange(len(other)) :]
    return data


def _bytes(data: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(5)
    if kind == 0 or not data:
        return rng.randbytes(rng.randrange(40))
    if kind == 1:
        return bytes(len(data))
    return mutated(data, rng, [data])


def _number(value: int, rng: random.Random, top: int) -> int:
    near = max(0, value + rng.choice((-2, -1, 1, 2, 8)))
    return min(rng.choice((near, near, rng.choice(NUMBERS), rng.randrange(300))), top)


def forged_transform(part: TilePart, rng: random.Random) -> TilePart:
    """One field of a part's transform changed, or its payload."""
    assert part.transform is not None
    old, kind = part.transform, rng.randrange(8)
    which = rng.randrange(len(old.parts))
    if kind < 2:
        return replace(part, payload=_bytes(part.payload, rng))
    if kind == 2:
        new = replace(
            old, steps=rng.choice((old.steps ^ 1 << rng.randrange(5), rng.randrange(256)))
        )
    elif kind == 3:
        new = replace(old, pixel_format=rng.randrange(17))
    elif kind == 4:
        new = replace(old, table_size=_number(old.table_size, rng, 2**63))
    elif kind == 5:
        new = replace(old, merged=tuple(rng.randrange(4) for _ in range(4)))
    elif kind == 6:
        inside = list(old.parts)
        inside[which] = forged_part(inside[which], rng)
        new = replace(old, parts=tuple(inside))
    else:
        sizes = list(old.sizes)
        sizes[which] = _number(sizes[which], rng, 2**63)
        new = replace(old, sizes=tuple(sizes))
    return replace(part, transform=new)


def forged_part(part: TilePart, rng: random.Random) -> TilePart:
    """One field changed."""
    if part.transform is not None:
        return forged_transform(part, rng)
    kind = rng.randrange(11)
    if kind < 4:
        return replace(part, payload=_bytes(part.payload, rng))
    if kind == 4:
        return replace(part, codec=rng.randrange(10))
    if kind == 5:
        return replace(part, channels=rng.randrange(1, 5))
    if kind == 6:
        return replace(
            part,
            latent_precision=rng.choice((0, 6, 8, 10, _number(part.latent_precision, rng, 255))),
        )
    if kind == 7:
        steps = list(part.growth)
        if steps and rng.random() < 0.5:
            at = rng.randrange(len(steps))
            symbols, lanes = steps[at]
            steps[at] = (
                (_number(symbols, rng, 2**32), lanes)
                if rng.random() < 0.5
                else (symbols, _number(lanes, rng, 2**16))
            )
        else:
            steps.insert(
                rng.randrange(len(steps) + 1),
                (rng.randrange(500), rng.choice((8, 64, 512, 4096, rng.randrange(70000)))),
            )
        return replace(part, growth=tuple(steps[:255]))
    if kind == 8:
        orientation = rng.choice((0, 1, 7, _number(part.orientation, rng, 255)))
        return replace(
            part, orientation=orientation, lattice=rng.choice((part.lattice, 0, 1, 2, 3))
        )
    if kind == 9:
        old = part.coding or Coding(0)
        steps = _number(old.refinement, rng, 3)  # what `info` takes grows with them
        return replace(
            part,
            coding=Coding(
                rng.randrange(7),
                _number(old.particles, rng, 2**20),
                steps,
                _number(old.fineness, rng, 255),
            ),
        )
    low, span, curve = (
        (0, 255, 0) if part.axis is None else (part.axis.low, part.axis.span, part.axis.curve)
    )
    return replace(
        part,
        axis=Axis(
            _number(low, rng, 2**17), _number(span, rng, 2**17), rng.choice((curve, 0, 1, 2))
        ),
    )


def forged_jpeg(container: Container, jpeg: JpegRecord, rng: random.Random) -> Container:
    """One value of a file with a JPEG changed."""
    kind = rng.randrange(9)
    if kind < 3:
        return replace(container, jpeg=replace(jpeg, payload=_bytes(jpeg.payload, rng)))
    if kind == 3:
        return replace(container, jpeg=replace(jpeg, method=rng.choice((0, 1, 2, 2, 3, 255))))
    if kind == 4:
        size = _number(jpeg.size, rng, 2**22 if rng.random() < 0.9 else 2**33)
        return replace(container, jpeg=replace(jpeg, size=size))
    if kind == 5:
        return replace(container, jpeg=replace(jpeg, crc=rng.getrandbits(32)))
    if kind == 6:
        width, height = (_number(side, rng, 2**16) for side in (container.width, container.height))
        tile = (width, height) if rng.random() < 0.8 else (min(width, 3), min(height, 3))
        return replace(
            container, width=width, height=height, tile_width=tile[0], tile_height=tile[1]
        )
    if kind == 7:
        return replace(container, pixel_format=rng.choice((0, 1, 2, 4, 5, 8, 14, 16)))
    return replace(container, jpeg=None) if rng.random() < 0.2 else container


def forged(container: Container, rng: random.Random, sides: int = 300) -> Container:
    """One or two values of a container changed; sides stay below `sides`, and now and then become
    huge.
    """
    if container.jpeg is not None:
        return forged_jpeg(container, container.jpeg, rng)
    for _ in range(rng.choice((1, 1, 2))):
        kind = rng.randrange(10)
        if kind < 6:
            at = rng.randrange(len(container.tiles))
            tile = container.tiles[at]
            if rng.random() < 0.1:
                tile = replace(tile, pixels_crc=rng.getrandbits(32))
            else:
                parts = list(tile.parts)
                which = rng.randrange(len(parts))
                parts[which] = forged_part(parts[which], rng)
                if rng.random() < 0.05:
                    parts.insert(which, rng.choice(parts))
                tile = TileRecord(tuple(parts), tile.pixels_crc)
            container = replace(
                container, tiles=(*container.tiles[:at], tile, *container.tiles[at + 1 :])
            )
        elif kind == 6:
            name = rng.choice(("width", "height", "tile_width", "tile_height"))
            top = sides if rng.random() < 0.9 else 2**33
            container = replace(container, **{name: _number(getattr(container, name), rng, top)})
        elif kind == 7:
            container = replace(container, pixel_format=rng.randrange(17))
        elif kind == 8:
            container = replace(
                container,
                model_id=rng.choice(
                    (bytes(32), container.model_id, container.model_id, bytes(range(32)))
                ),
            )
        else:
            chunks = list(container.metadata)
            if chunks and rng.random() < 0.7:
                at = rng.randrange(len(chunks))
                chunks[at] = replace(chunks[at], payload=_bytes(chunks[at].payload, rng))
            else:
                name = rng.choice(
                    (b"PLTE", b"tRNS", b"tEXt", b"", b"iCCP", b"IDAT", b"k\0", b"IEND", b"eXIf")
                )
                chunks.insert(
                    0,
                    MetadataChunk(
                        rng.choice((1, 2, 3, 4, 5, 5, 6, 0, 99)),
                        rng.random() < 0.3,
                        name + rng.randbytes(rng.randrange(9)),
                    ),
                )
            container = replace(container, metadata=tuple(chunks))
    return container


def _sealed(section: bytes) -> bytes:
    return section + u32(zlib.crc32(section))


def _part_entry(part: TilePart, size: int, deep: bool, rng: random.Random) -> bytes:
    out = bytes([part.codec | (part.channels - 1) << 4 | (64 if rng.random() < 0.005 else 0)])
    if part.transform is not None:
        t = part.transform
        out += bytes([t.steps, t.pixel_format])
        if t.steps & 2:
            out += bytes([sum(n << 2 * i for i, n in enumerate(t.merged))])
        if t.steps & 4:
            out += varint(t.table_size)
        inside = t.pixel_format in FORMATS and FORMATS[t.pixel_format].bit_depth != 8
        pairs = zip(t.parts, t.sizes, strict=True)
        return out + b"".join(_part_entry(nested, n, inside, rng) for nested, n in pairs)
    if part.codec in (1, 7):
        out += bytes([part.latent_precision])
    if part.codec == 7:
        out += bytes([part.orientation, part.lattice])
    if part.codec in (1, 2, 7):
        if deep:
            axis = part.axis or Axis(0, 255, 0)
            out += varint(axis.low) + varint(axis.span) + bytes([axis.curve])
        out += bytes([len(part.growth)]) + b"".join(varint(a) + varint(b) for a, b in part.growth)
    if part.codec == 8:
        coding = part.coding or Coding(0)
        particles = varint(coding.particles) if coding.scheme in (3, 4) else b""
        out += (
            bytes([coding.scheme])
            + particles
            + bytes([coding.fineness if coding.scheme == 5 else coding.refinement])
        )
    return out + varint(size)


def _entry(tile: TileRecord, deep: bool, rng: random.Random) -> bytes:
    out = b"".join(_part_entry(part, len(part.payload), deep, rng) for part in tile.parts)
    payload = zlib.crc32(tile.payload)
    # of one stored part both checksums are the same: a forger makes them so, mostly
    same = [part.codec for part in tile.parts] == [0] and rng.random() < 0.9
    return out + u32(payload) + u32(payload if same else tile.pixels_crc)


def _jpeg(jpeg: JpegRecord, rng: random.Random) -> bytes:
    """The section of a JPEG and its payload."""
    payload = zlib.crc32(jpeg.payload)
    # of a stored JPEG both sizes and checksums are the same: a forger makes them so, mostly
    same = jpeg.method == 0 and rng.random() < 0.9
    size, crc = (len(jpeg.payload), payload) if same else (jpeg.size, jpeg.crc)
    section = bytes([jpeg.method]) + varint(size) + u32(crc)
    if jpeg.method:
        section += varint(len(jpeg.payload)) + u32(payload)
    return _sealed(section) + jpeg.payload


def forge(container: Container, rng: random.Random) -> bytes:
    """A file with right checksums, whether or not anything else in it is."""
    c = container
    flags = bool(c.metadata) + 2 * any(c.model_id) + 8 * (c.jpeg is not None)
    one_tile = (c.tile_width, c.tile_height) == (c.width, c.height)
    sides = (c.width, c.height, c.tile_width, c.tile_height)[: 2 if one_tile else 4]
    header = MAGIC + bytes([1, flags | 4 * one_tile, c.pixel_format]) + b"".join(map(varint, sides))
    data = _sealed(header + (c.model_id if any(c.model_id) else b""))
    if c.metadata:
        body = b"".join(
            bytes([k.kind | k.critical << 7]) + varint(len(k.payload)) + k.payload
            for k in c.metadata
        )
        packed = zlib.compress(body)
        small = len(packed) + 2 < len(body) or rng.random() < 0.02
        data += _sealed(
            b"\1" + varint(len(body)) + varint(len(packed)) + packed
            if small
            else b"\0" + varint(len(body)) + body
        )
    if c.jpeg is not None:
        return data + _jpeg(c.jpeg, rng)
    deep = c.pixel_format not in (0, 1, 2, 3, 14)
    entries = b"".join(_entry(tile, deep, rng) for tile in c.tiles)
    return (
        data + _sealed(varint(len(entries)) + entries) + b"".join(tile.payload for tile in c.tiles)
    )
