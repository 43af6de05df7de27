"""The archive format: golden bytes, the document's example, damage of every byte, forgeries, and a
second reader that has to agree.
"""

from __future__ import annotations

import random
import re
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bbans import container
from bbans.container import archive_reader as reader
from bbans.container import archive_writer as writer
from bbans.container.archive_records import (
    Archive,
    ChainedGroup,
    FilesGroup,
    Item,
    ModelEntry,
    Stretch,
    plain_name,
)
from bbans.container.binary import u32, varint
from bbans.container.schemes import Coding
from bbans.container.stack_record import ARRAY, PNM, TIFF, Stack, StackPage
from bbans.errors import FormatError, LimitError
from tests.container import independent_archive as independent
from tests.container.independent import Refused
from tests.container.samples import MODEL, stored
from tests.mutations import NUMBERS, mutated

PICTURE = container.write(
    container.Container(2, 1, container.GREY8, 2, 1, container.NO_MODEL, (), (stored(b"\7\10", 1),))
)
MESSAGE = bytes.fromhex("00000000 01000080 0a141e28")
TEXT = container.MetadataChunk(container.TEXT, False, b"k\0v")
STRETCHES = (Stretch(1, 1, 1, 0), Stretch(1, 1, 1, 1))
CHAINED = ChainedGroup(
    0,
    Coding(0),
    False,
    container.GREY8,
    2,
    1,
    STRETCHES,
    len(MESSAGE),
    zlib.crc32(MESSAGE),
    zlib.crc32(b"\1\2\3\4"),
)
EXAMPLE = Archive(
    (ModelEntry(MODEL),),
    (FilesGroup(), CHAINED),
    (
        Item("a", 1, 0, 2, 1, (TEXT,)),
        Item("b/c", 0, 0, 2, 1, (), len(PICTURE)),
        Item("d", 1, 0, 2, 1),
    ),
)
DATA = writer.write_index(EXAMPLE) + PICTURE + MESSAGE


def large() -> tuple[Archive, bytes]:
    """Three groups, an embedded model, names by position and a compressed index."""
    drawn = (Stretch(3, 1, 1, 0), Stretch(1, 1, 1, 1), Stretch(5, 8, 8, 2))
    groups = (
        replace(CHAINED, unordered=True, schedule=drawn),
        FilesGroup(),
        replace(CHAINED, model=1, coding=Coding(4, 200, 3)),
    )
    kinds = [0] * 44 + [1] * 5 + [2] * 2
    items = [
        Item(f"{i:02d}", kind, 0, 2, 1, (), len(PICTURE) if kind == 1 else 0)
        for i, kind in enumerate(kinds)
    ]
    models = ModelEntry(MODEL, 5, zlib.crc32(b"model")), ModelEntry(MODEL[::-1])
    archive = Archive(models, groups, tuple(items))
    return archive, writer.write_index(archive) + b"model" + MESSAGE + 5 * PICTURE + MESSAGE


LARGE, LARGE_DATA = large()


def stacked(stack: Stack, formats: Sequence[int]) -> tuple[Archive, bytes]:
    """An archive of a stack of 2 x 1 pixels."""
    files = []
    for code in formats:
        form = container.FORMATS[code]
        tile = stored(bytes(form.raw_bytes(1, 2)), form.channels)
        files.append(
            container.write(container.Container(2, 1, code, 2, 1, container.NO_MODEL, (), (tile,)))
        )
    count = len(files)
    items = tuple(
        Item(plain_name(i, count), 0, code, 2, 1, (), len(file))
        for i, (code, file) in enumerate(zip(formats, files, strict=True))
    )
    archive = Archive((), (FilesGroup(),), items, stack)
    return archive, writer.write_index(archive) + b"".join(files)


RGB16, GREY16, GREY1 = (container.format_of(*f, False).code for f in ((3, 16), (1, 16), (1, 1)))
STACKS = {
    "array": stacked(Stack(ARRAY, (3, 1, 2)), [0, 0, 0]),
    "deep array": stacked(
        Stack(ARRAY, (2, 1, 2, 6), True, True, True),
        [GREY16, GREY16, RGB16, GREY16, RGB16, RGB16],
    ),
    "bits": stacked(Stack(ARRAY, (2, 2, 1, 2)), [GREY1] * 4),
    "pages": stacked(
        Stack(
            TIFF,
            pages=(StackPage(1), StackPage(5, 2, True, (0, 2)), StackPage(3), StackPage(2, 1)),
        ),
        [0, 1, 0, 0, 5, GREY16, GREY16],
    ),
    "frames": stacked(Stack(PNM), [0, 5, 8, 3]),
}


def read(data: bytes) -> reader.ArchiveIndex:
    """Everything that can be checked without a model."""
    index = reader.read_archive_index(data)
    for number, model in enumerate(index.archive.models):
        if model.size:
            reader.read_model_file(data, index, number)
    for number, group in enumerate(index.archive.groups):
        if isinstance(group, ChainedGroup):
            reader.read_message(data, index, number)
    return index


def as_tuple(stack: Stack | None, like: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """The record of a stack as the second reader has it."""
    if stack is None or like is None:
        return None
    if stack.kind == ARRAY:
        return 0, stack.big_endian + 2 * stack.fortran + 4 * stack.channels, stack.axes
    pages = (
        tuple(
            (page.samples, page.photometric, page.planar, page.extra)[: len(found)]
            for page, found in zip(stack.pages, like[1], strict=True)
        )
        if stack.kind == TIFF
        else ()
    )
    return (stack.kind, pages) if stack.kind == TIFF else (stack.kind,)


def check_both(data: bytes) -> bool:
    """What one reader refuses the other refuses, and what both take is the same.

    True: both take it.
    """
    try:
        ours = read(data)
    except FormatError as error:
        assert "\n" not in str(error)
        with pytest.raises(Refused):
            independent.read(data)
        return False
    theirs = independent.read(data)
    assert [(m.id, m.size, m.crc) for m in ours.archive.models] == list(theirs.models)
    for one, two in zip(ours.archive.groups, theirs.groups, strict=True):
        assert isinstance(one, ChainedGroup) == (two.model is not None)
        if isinstance(one, ChainedGroup):
            stretches = tuple((s.batches, s.batch, s.lanes, s.kind) for s in one.schedule)
            assert (one.model, one.unordered) == (two.model, two.unordered)
            assert one.coding == Coding(two.scheme, two.particles, two.refinement)
            assert stretches == two.stretches
            assert (one.size, one.payload_crc, one.pixels_crc) == (
                two.size,
                two.payload_crc,
                two.pixel_crc,
            )
    for a, b in zip(ours.archive.items, theirs.items, strict=True):
        assert (a.name, a.group, a.pixel_format, a.width, a.height, a.size) == (
            b.name,
            b.group,
            b.format,
            b.width,
            b.height,
            b.size,
        )
        assert tuple((c.kind, c.critical, c.payload) for c in a.metadata) == b.chunks
    found = [
        reader.read_item_file(data, ours, n)
        for g in ours.members()
        for n in g
        if ours.archive.items[n].size
    ]
    assert Counter(found) == Counter(p for p in theirs.payloads if p in set(found))
    assert as_tuple(ours.archive.stack, theirs.stack) == theirs.stack
    return True


@pytest.mark.parametrize(("archive", "data"), [(EXAMPLE, DATA), (LARGE, LARGE_DATA)])
def test_writing_and_reading(archive: Archive, data: bytes) -> None:
    index = read(data)
    assert index.archive == archive and index.end == len(data) and check_both(data)
    assert [
        reader.read_item_file(data, index, n) for n, item in enumerate(archive.items) if item.size
    ] == [PICTURE] * (1 if archive is EXAMPLE else 5)


def test_example_of_the_document(repository: Path) -> None:
    document = (repository / "docs" / "archive.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```hex\n(.*?)```", document, re.DOTALL)
    assert bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines())) == DATA


def test_an_index_is_small() -> None:
    """51 items without names of their own: under 1.5 bytes each besides models and schedules."""
    assert len(LARGE_DATA) - 5 - 2 * len(MESSAGE) - 5 * len(PICTURE) < 2 * 32 + 76 + 2 * 51


@pytest.mark.parametrize("data", [DATA, LARGE_DATA], ids=["plain", "compressed"])
def test_damage_of_every_byte(data: bytes) -> None:
    index = reader.read_archive_index(data)
    single = {
        n
        for i, item in enumerate(index.archive.items)
        for n in range(index.items[i], index.items[i] + item.size)
    }
    for at in range(len(data)):
        assert check_both(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]) == (
            at in single
        )  # those have their own checksums
    assert not any(check_both(data[:at]) for at in range(len(data)))
    rng = random.Random(0)
    for _ in range(1500):
        check_both(mutated(data, rng, [DATA, LARGE_DATA]))


def sealed(count: int, body: bytes, payloads: bytes, flags: int = 0) -> bytes:
    """An archive with right checksums, whether or not anything else in it is."""
    packed = zlib.compress(body) if flags & 2 else body
    header = (
        independent.MAGIC
        + bytes([1, flags])
        + varint(count)
        + varint(len(body))
        + (varint(len(packed)) if flags & 2 else b"")
    )
    return header + u32(zlib.crc32(header)) + packed + u32(zlib.crc32(packed)) + payloads


def body_of(data: bytes) -> tuple[bytes, bytes]:
    """The plain index of an archive, and its payloads."""
    index = reader.read_archive_index(data)
    start = (index.models or index.groups)[0]
    stored_body = data[: start - 4]
    at = (
        next(
            i
            for i in range(12, 24)
            if zlib.crc32(data[:i]).to_bytes(4, "little") == data[i : i + 4]
        )
        + 4
    )
    body = stored_body[at:]
    return (zlib.decompress(body) if data[9] & 2 else body), data[start:]


def forged(archive: Archive, rng: random.Random) -> Archive:
    """One value changed."""

    def number(value: int) -> int:
        return rng.choice(
            (max(0, value + rng.choice((-2, -1, 1, 2))), rng.choice(NUMBERS), rng.randrange(300))
        )

    kind = rng.randrange(4)
    if kind == 0:
        at = rng.randrange(len(archive.models))
        model = archive.models[at]
        changed = rng.choice(
            (
                replace(model, size=number(model.size)),
                replace(model, id=rng.choice((bytes(32), MODEL, MODEL[::-1]))),
            )
        )
        return replace(archive, models=(*archive.models[:at], changed, *archive.models[at + 1 :]))
    if kind == 1:
        at = rng.choice([n for n, g in enumerate(archive.groups) if isinstance(g, ChainedGroup)])
        group = archive.groups[at]
        assert isinstance(group, ChainedGroup)
        name = rng.choice(
            (
                "model",
                "scheme",
                "pixel_format",
                "width",
                "height",
                "size",
                "particles",
                "refinement",
            )
        )
        top = 255 if name in ("scheme", "pixel_format") else 2**63
        if hasattr(group.coding, name):
            new = replace(
                group,
                coding=replace(
                    group.coding, **{name: min(top, number(getattr(group.coding, name)))}
                ),
            )
        else:
            new = replace(group, **{name: min(top, number(getattr(group, name)))})
        return replace(archive, groups=(*archive.groups[:at], new, *archive.groups[at + 1 :]))
    if kind == 2:
        at = rng.choice([n for n, g in enumerate(archive.groups) if isinstance(g, ChainedGroup)])
        group = archive.groups[at]
        assert isinstance(group, ChainedGroup)
        where = rng.randrange(len(group.schedule))
        name = rng.choice(("batches", "batch", "lanes", "kind"))
        value = rng.choice((number(getattr(group.schedule[where], name)), 8, 64))
        stretch = replace(
            group.schedule[where], **{name: min(255 if name == "kind" else 2**63, value)}
        )
        schedule = (*group.schedule[:where], stretch, *group.schedule[where + 1 :])
        new = replace(group, schedule=schedule, unordered=rng.random() < 0.5)
        return replace(archive, groups=(*archive.groups[:at], new, *archive.groups[at + 1 :]))
    at = rng.randrange(len(archive.items))
    item = archive.items[at]
    names = ("x", "a", "../x", "/x", "b", "b/c", "x/", "a\0", "", "é", "1" * 300)
    size = number(item.size) if item.size else 0
    new_item = rng.choice(
        (
            replace(item, name=rng.choice(names)),
            replace(item, width=number(item.width)),
            replace(item, size=size),
        )
    )
    return replace(archive, items=(*archive.items[:at], new_item, *archive.items[at + 1 :]))


@pytest.mark.parametrize(
    ("archive", "data"), [(EXAMPLE, DATA), (LARGE, LARGE_DATA)], ids=["plain", "compressed"]
)
def test_forged_values(archive: Archive, data: bytes) -> None:
    """Checksums right, values not: the readers agree on what is refused; sizes in them take no
    memory and no time.
    """
    rng = random.Random(1)
    payloads = body_of(data)[1]
    outcomes = Counter[bool]()
    started = time.process_time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "check_archive", lambda archive: None)
        for _ in range(1000):
            outcomes[check_both(writer.write_index(forged(archive, rng)) + payloads)] += 1
    assert outcomes[True] > 5 and outcomes[False] > 300
    assert time.process_time() - started < 30


@pytest.mark.parametrize("data", [DATA, LARGE_DATA], ids=["plain", "compressed"])
def test_forged_indices(data: bytes) -> None:
    """The same with damage of the index's bytes under right checksums."""
    rng = random.Random(2)
    body, payloads = body_of(data)
    count = len(reader.read_archive_index(data).archive.items)
    assert check_both(sealed(count, body, payloads, data[9]))
    outcomes = Counter(
        check_both(sealed(count, mutated(body, rng, [body]), payloads, data[9]))
        for _ in range(1500)
    )
    assert outcomes[False] > 1000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ()}, "model must be 0 to -1"),
        ({"models": (ModelEntry(MODEL), ModelEntry(MODEL[::-1]))}, "neither"),
        ({"models": (ModelEntry(MODEL), ModelEntry(MODEL, 1, 1))}, "two alike"),
        ({"models": (ModelEntry(bytes(32)),)}, "not all zeros"),
        ({"groups": (FilesGroup(), CHAINED, FilesGroup())}, "a group has items"),
        ({"groups": (FilesGroup(), replace(CHAINED, pixel_format=14))}, "palette"),
        ({"groups": (FilesGroup(), replace(CHAINED, size=11))}, "whole words"),
        (
            {"groups": (FilesGroup(), replace(CHAINED, coding=Coding(0, 2)))},
            "particles must be 1 to 1",
        ),
        (
            {"groups": (FilesGroup(), replace(CHAINED, coding=Coding(3, 257)))},
            "particles must be 1 to 256",
        ),
        (
            {"groups": (FilesGroup(), replace(CHAINED, coding=Coding(3, 0)))},
            "particles must be 1 to 256",
        ),
        (
            {"groups": (FilesGroup(), replace(CHAINED, coding=Coding(0, 1, 256)))},
            "refinement must be 0 to 255",
        ),
        (
            {"groups": (FilesGroup(), replace(CHAINED, coding=Coding(2, 1, 1)))},
            "refinement must be 0 to 0",
        ),
        (
            {"groups": (FilesGroup(), replace(CHAINED, coding=Coding(5)))},
            "scheme 5 is unknown to this release",
        ),
        (
            {"groups": (FilesGroup(), replace(CHAINED, width=2**20))},
            "must be those of its chained group",
        ),
        ({"items": ()}, "number of items"),
        (
            {"items": (*EXAMPLE.items, replace(EXAMPLE.items[2], name="e"))},
            "the stretches of a group of 3 items hold 2",
        ),
        ({"items": (*EXAMPLE.items[:2], replace(EXAMPLE.items[2], name="b"))}, "names differ"),
        (
            {"items": (*EXAMPLE.items[:2], replace(EXAMPLE.items[2], size=4))},
            "must be those of its chained group",
        ),
    ],
)
def test_what_cannot_be_written(change: dict[str, object], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        writer.write_index(replace(EXAMPLE, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", STACKS)
def test_stacks(name: str) -> None:
    """What is written is read by both, and damage of it refused by both, also under right
    checksums.
    """
    archive, data = STACKS[name]
    assert read(data).archive == archive and check_both(data)
    rng = random.Random(3)
    body, payloads = body_of(data)
    count = len(archive.items)
    outcomes = Counter(
        check_both(sealed(count, mutated(body, rng, [body]), payloads, data[9]))
        for _ in range(1000)
    )
    assert outcomes[False] > 500
    for _ in range(300):
        check_both(mutated(data, rng, [DATA, data]))


@pytest.mark.parametrize("name", STACKS)
def test_forged_stacks(name: str) -> None:
    """One value of the record changed: the readers agree on what is refused."""
    archive, data = STACKS[name]
    assert archive.stack is not None
    rng, payloads, outcomes = random.Random(4), body_of(data)[1], Counter[bool]()

    def number(value: int) -> int:
        return max(0, min(2**32 - 1, rng.choice((value - 1, value + 1, 2 * value, *NUMBERS))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "check_archive", lambda archive: None)
        for _ in range(200):
            stack = archive.stack
            kind = rng.randrange(5)
            if kind == 0 and stack.axes:
                axes = list(stack.axes)
                axes[rng.randrange(len(axes))] = number(axes[0])
                stack = replace(stack, axes=tuple(axes))
            elif kind == 1:
                stack = replace(stack, channels=not stack.channels)
            elif kind == 2:
                stack = replace(stack, big_endian=not stack.big_endian)
            elif kind == 3 and stack.pages:
                at = rng.randrange(len(stack.pages))
                fields = {"samples": number(stack.pages[at].samples)}
                if rng.random() < 0.5:
                    fields = {"photometric": rng.randrange(5)}
                page = replace(stack.pages[at], **fields)  # type: ignore[arg-type]
                pages = (*stack.pages[:at], page, *stack.pages[at + 1 :])
                stack = replace(stack, pages=pages[: rng.randrange(len(pages) + 1)] or pages)
            elif kind == 4:
                items = list(archive.items)
                at = rng.randrange(len(items))
                items[at] = replace(items[at], pixel_format=rng.randrange(16))
                forged_items = replace(archive, items=tuple(items))
                with suppress(FormatError, KeyError):  # pages that cannot be spelt
                    outcomes[check_both(writer.write_index(forged_items) + payloads)] += 1
                continue
            try:
                forged_stack = writer.write_index(replace(archive, stack=stack))
            except FormatError:
                continue  # pages that cannot be spelt
            outcomes[check_both(forged_stack + payloads)] += 1
    assert outcomes[True] and (name == "frames" or outcomes[False])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("array", {"axes": (4, 1, 2)}, "number of images of a stack must be 1 to 3, found 4"),
        ("array", {"axes": (3, 2, 1)}, "2 rows and 1 columns"),
        ("array", {"axes": (3, 2)}, "axes of a stack"),
        ("array", {"big_endian": True}, "16 bits have a byte order"),
        ("array", {"kind": 3}, "kind 3 is unknown"),
        ("array", {"axes": (2**32 - 1,) * 6 + (1, 2)}, "number of images"),
        ("pages", {"pages": (StackPage(1),) * 3}, "3 samples|follow|its items have others"),
        ("frames", {"kind": TIFF, "pages": ()}, "number of images"),
    ],
)
def test_stacks_that_cannot_be_written(name: str, change: dict[str, Any], words: str) -> None:
    archive = STACKS[name][0]
    assert archive.stack is not None
    with pytest.raises(FormatError, match=words):
        writer.write_index(replace(archive, stack=replace(archive.stack, **change)))


def test_a_stack_is_refused_by_an_older_reader() -> None:
    """Flag 2 was reserved: what knows two flags names it as one of a newer release."""
    data = STACKS["array"][1]
    assert data[9] & 4
    body, payloads = body_of(data)
    with pytest.raises(FormatError):
        read(sealed(3, body, payloads, data[9] & ~4))


def test_names_by_position_are_left_out() -> None:
    body = varint(0) + varint(1) + b"\0" + b"\0\1" + b"0" + b"\0\2\1" + varint(len(PICTURE))
    assert not check_both(sealed(1, body, PICTURE))
    assert check_both(sealed(1, body.replace(b"\x010", b""), PICTURE, 1))


BOMBS = {
    "index that inflates to more than it says": sealed(100, bytes(2**26), b"", 2)[:9] + b"\2",
    "index of a million items": sealed(2**20, bytes(2**21 + 2), b"", 2),
    "huge index": independent.MAGIC + b"\1\0\1" + varint(2**26),
    "huge names": sealed(1, b"\0\1\0" + b"\0" + varint(4096) + b"a", b""),
    "huge model": sealed(1, b"\1" + MODEL + varint(2**30) + bytes(4) + b"\1\0\0\1a\0\1\1\1", b"x"),
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_without_much_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_the_callers_limit() -> None:
    with pytest.raises(LimitError, match="limit of 2"):
        reader.read_archive_index(DATA, max_items=2)
