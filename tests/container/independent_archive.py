"""A second reader of archives, written from docs/archive.md alone: nothing of `bbans` is imported
here.
"""

import itertools
import zlib
from dataclasses import dataclass

from tests.container.independent import FORMATS, U32, Bytes, Refused, check_kinds, samples_of

MAGIC = bytes.fromhex("bb 41 52 1a 0d 0a 1a 0a")
LANES = (1, 8, 64, 512, 4096, 32768)


@dataclass(frozen=True)
class Group:
    """None where a group of files has nothing. `stretches`: batches, batch, lanes, kind."""

    model: int | None
    scheme: int | None = None
    unordered: int | None = None
    format: int | None = None
    width: int | None = None
    height: int | None = None
    stretches: tuple = ()
    size: int = 0
    payload_crc: int = 0
    pixel_crc: int = 0
    particles: int = 1
    refinement: int = 0


@dataclass(frozen=True)
class Item:
    """`chunks` of a chained item; `size` of a file."""

    name: str
    group: int
    format: int
    width: int
    height: int
    chunks: tuple = ()
    size: int = 0


@dataclass(frozen=True)
class File:
    """An archive, checked. `payloads`: model files, then messages of chained groups and files of
    the others, in order.
    """

    models: tuple
    groups: tuple
    items: tuple
    payloads: tuple
    stack: tuple | None = None


def read_model(r):
    id_, size = r.bytes(32), r.varint(0, 2**30)
    if id_ == bytes(32):
        raise Refused("model id")
    return id_, size, r.u32() if size else 0


def read_group(r, models):
    kind = r.u8()
    if kind == 0:
        return Group(None)
    if kind != 1:
        raise Refused("kind of a group")
    model, scheme, flags, format_ = r.varint(0, models - 1), r.u8(), r.u8(), r.u8()
    if (
        scheme > 4
        or flags > 7
        or bool(flags & 2) != (scheme >= 3)
        or (flags & 4 and scheme == 2)
        or format_ not in FORMATS
        or FORMATS[format_][2]
    ):
        raise Refused("a group's scheme, flags or pixel format")
    unordered, particles = flags % 2, r.varint(1, 256) if flags & 2 else 1
    refinement = r.varint(1, 255) if flags & 4 else 0
    width, height = r.varint(1, U32), r.varint(1, U32)
    samples = width * height * FORMATS[format_][0]
    top = max(1, min(256, 2**20 // samples, 2**12 // particles))
    stretches = tuple(
        (r.varint(1, 2**16), r.varint(1, top), r.varint(1, LANES[-1]), r.u8())
        for _ in range(r.u8())
    )
    size = r.varint(8, 2**63 - 1)
    if (
        not stretches
        or size % 4
        or any(s[2] not in LANES or s[3] > 1 + unordered for s in stretches)
    ):
        raise Refused("stretches or size of a message")
    for a, b in itertools.pairwise(stretches):
        if b[2] < a[2] or a[1:] == b[1:]:
            raise Refused("stretches that follow each other")
    if sum(n * -(-batch * samples // lanes) for n, batch, lanes, _ in stretches) > 2**18:
        raise Refused("rows")
    items = sum(n * batch for n, batch, _, _ in stretches)
    if (
        samples * items > 2**26
        or items > 2**16
        or samples * items * (particles + 160 * refinement) > 2**30
    ):
        raise Refused("size of a group")
    return Group(
        model,
        scheme,
        unordered,
        format_,
        width,
        height,
        stretches,
        size,
        r.u32(),
        r.u32(),
        particles,
        refinement,
    )


def read_chunks(body):
    r, chunks = Bytes(body), []
    while r.at < len(body):
        kind, payload = r.u8(), r.bytes(r.varint(0, 2**63))
        critical, kind = kind >= 128, kind & 127
        if kind == 0 or (critical and kind > 8) or len(chunks) == 2**16:
            raise Refused("chunk")
        if kind in (5, 6) and not (
            len(payload) >= 4 and payload[:4].isalpha() and payload[:4].isascii()
        ):
            raise Refused("PNG chunk")
        chunks.append((kind, critical, payload))
    check_kinds(chunks)
    return tuple(chunks)


def read_item(r, groups, name):
    number = r.varint(0, len(groups) - 1)
    group = groups[number]
    if name is None:
        try:
            name = r.bytes(r.varint(1, 4096)).decode("utf-8")
        except UnicodeDecodeError as e:
            raise Refused("name") from e
    if group.model is not None:
        chunks = read_chunks(r.bytes(r.varint(0, 2**26)))
        samples_of(chunks, group.format)
        return Item(name, number, group.format, group.width, group.height, chunks)
    format_, width, height, size = (
        r.u8(),
        r.varint(1, U32),
        r.varint(1, U32),
        r.varint(1, 2**63 - 1),
    )
    if format_ not in FORMATS:
        raise Refused("pixel format")
    return Item(name, number, format_, width, height, (), size)


def take(items, at, samples):
    """The items from `at` that have this many samples a pixel together."""
    first = at
    while samples > 0 and at < len(items):
        samples -= FORMATS[items[at].format][0]
        at += 1
    if samples:
        raise Refused("samples of an image of a stack")
    found = items[first:at]
    if len(found) > 1 and (
        len({(i.width, i.height, FORMATS[i.format][1]) for i in found}) > 1
        or any(FORMATS[i.format][1] < 8 or FORMATS[i.format][2] for i in found)
    ):
        raise Refused("items of one image of a stack")
    return found


def read_stack(r, items):
    """The record of a stack: kind, then flags and axes, or pages."""
    kind = r.u8()
    if kind == 2:
        if any(FORMATS[i.format][2] for i in items):
            raise Refused("pixel format of PNM")
        return (2,)
    if kind == 1:
        pages, at = [], 0
        for _ in range(r.varint(1, len(items))):
            samples = r.varint(1, 65535)
            found = take(items, at, samples)
            at += len(found)
            more = ()
            if len(found) > 1:
                photometric, planar = r.u8(), r.u8()
                if photometric > 2 or planar > 1:
                    raise Refused("photometric or planar")
                count = r.varint(0, samples)
                more = photometric, planar, tuple(r.varint(0, 65535) for _ in range(count))
            pages.append((samples, *more))
        if at != len(items):
            raise Refused("items after the last page")
        return 1, tuple(pages)
    if kind != 0:
        raise Refused("kind of a stack")
    flags, count = r.u8(), r.u8()
    if flags > 7 or not 3 <= count <= 8:
        raise Refused("flags or axes of a stack")
    axes = tuple(r.varint(1, U32) for _ in range(count))
    samples, rest = (axes[-1], axes[:-1]) if flags & 4 else (1, axes)
    depths = {FORMATS[i.format][1] for i in items}
    if any((i.height, i.width) != rest[-2:] or FORMATS[i.format][2] for i in items):
        raise Refused("images of another size, or with a palette")
    if len(depths) > 1 or depths & {2, 4} or (flags & 1 and depths != {16}):
        raise Refused("bits of an array")
    number = 1
    for axis in rest[:-2]:
        number *= axis
    at = 0
    for _ in range(min(number, len(items) + 1)):
        at += len(take(items, at, samples))
    if at != len(items):
        raise Refused("items after the last image")
    return 0, flags, axes


def check_names(names):
    folders = set()
    for name in names:
        parts = name.split("/")
        if any(p in ("", ".", "..") or len(p.encode()) > 255 for p in parts) or any(
            ord(c) < 32 or c in "\x7f\\" for c in name
        ):
            raise Refused("name")
        folders.update("/".join(parts[:i]) for i in range(1, len(parts)))
    if len(set(names)) != len(names) or folders & set(names):
        raise Refused("names")


def read(data):
    """The whole archive, or `Refused`."""
    r = Bytes(data)
    if r.bytes(8) != MAGIC or r.u8() != 1:
        raise Refused("magic or version")
    flags = r.u8()
    if flags > 7:
        raise Refused("flags")
    count, size = r.varint(1, 2**20), r.varint(0, 2**26)
    stored = r.varint(0, size - 1) if flags & 2 else size
    r.crc(0)
    if size < 2 * count:
        raise Refused("size of the index")
    start, body = r.at, r.bytes(stored)
    r.crc(start)
    if flags & 2:
        stream = zlib.decompressobj()
        try:
            body = stream.decompress(body, size + 1)
        except zlib.error as e:
            raise Refused("zlib") from e
        if len(body) != size or not stream.eof or stream.unused_data or stream.unconsumed_tail:
            raise Refused("zlib stream of another length")
    inner = Bytes(body)
    models = tuple(read_model(inner) for _ in range(inner.varint(0, 16)))
    groups = tuple(read_group(inner, len(models)) for _ in range(inner.varint(1, count)))
    plain = [str(i).zfill(len(str(count - 1))) for i in range(count)]
    items = tuple(read_item(inner, groups, plain[i] if flags & 1 else None) for i in range(count))
    stack = read_stack(inner, items) if flags & 4 else None
    if stack and any(g.unordered for g in groups):
        raise Refused("an unordered group of a stack")
    names = [item.name for item in items]
    if stack and names != plain:
        raise Refused("names of a stack")
    if inner.at != size or (names == plain and not flags & 1):
        raise Refused("end of the index, or names that are left out")
    check_names(names)
    if len({m[0] for m in models}) != len(models) or {
        n for n, m in enumerate(models) if not m[1]
    } - {g.model for g in groups}:
        raise Refused("models")
    payloads = []
    for _, length, crc in models:
        payloads += [r.bytes(length)] if length else []
        if length and zlib.crc32(payloads[-1]) != crc:
            raise Refused("model file")
    for number, group in enumerate(groups):
        inside = [item for item in items if item.group == number]
        if not inside:
            raise Refused("group without items")
        if group.model is None:
            payloads += [r.bytes(item.size) for item in inside]
            continue
        payloads.append(r.bytes(group.size))
        if (
            len(inside) != sum(n * batch for n, batch, _, _ in group.stretches)
            or zlib.crc32(payloads[-1]) != group.payload_crc
        ):
            raise Refused("items or checksum of a group")
    if r.at != len(data):
        raise Refused("bytes after the end")
    return File(models, groups, items, tuple(payloads), stack)
