"""Images to an archive: payloads go to a spool as they come, the index is made at the end."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np

from bbans import container, images
from bbans.archives.groups import decode_group, encode_group
from bbans.container import archive_records as records
from bbans.container import group_schedule, schemes
from bbans.errors import FormatError, InputError, TooFlatError, VerificationError
from bbans.execution.executor import Executor, on_threads
from bbans.files.metadata import to_chunk
from bbans.models.image_model import ImageModel
from bbans.schemes import chained_group

OPEN = -1  # the group of an item whose group is not written yet


@dataclass(frozen=True)
class Settings:
    """How an archive is made.

    `to_file` makes the single-image file of an image that `model` does not code; the others are
    chained, as `coding` says.
    """

    to_file: Callable[[images.Image], bytes]
    model: ImageModel | None = None
    coding: schemes.Coding = schemes.PLAIN
    group: int = 1000
    unordered: bool = False
    verify: bool = True


@dataclass(frozen=True)
class Work:
    """Images that are coded together: a chained group, or one that becomes a file."""

    images: tuple[images.Image, ...]
    chained: bool


@dataclass(frozen=True)
class Done:
    """What becomes of them: a group, its payload, and its order and cost; or the file of each."""

    files: tuple[bytes, ...] = ()
    group: records.ChainedGroup | None = None
    payload: bytes = b""
    encoded: chained_group.Encoded | None = None


def coded(settings: Settings, work: Work) -> Done:
    """Code images: a chained group, if that is shorter than their samples."""
    model, pixels = settings.model, [image.pixels for image in work.images]
    if model is None or not work.chained:
        return Done(tuple(map(settings.to_file, work.images)))
    depth = work.images[0].bit_depth
    try:
        group, payload, encoded = encode_group(
            model, settings.coding, pixels, depth, settings.unordered
        )
    except TooFlatError:
        return coded(settings, replace(work, chained=False))
    height, width, channels = model.shape
    raw = container.format_of(channels, depth, False).raw_bytes(height, width)
    if len(payload) >= len(pixels) * raw:
        return coded(settings, replace(work, chained=False))
    if settings.verify:
        try:
            back = decode_group(model.checking(), group, payload, len(pixels))
        except FormatError as error:
            raise VerificationError(
                f"a group could not be decoded again ({error}): nothing was written; please "
                "report this"
            ) from error
        if not all(
            np.array_equal(image, pixels[i]) for image, i in zip(back, encoded.order, strict=True)
        ):
            raise VerificationError(
                "a group decoded to other images than were given: nothing was written; please "
                "report this"
            )
    return Done((), group, payload, replace(encoded, words=encoded.words[:0]))


@dataclass(frozen=True)
class Built:
    """An archive but for its payloads, the files of the models that it carries, and what its
    chained groups cost.

    `restart_bits` is what all groups' starters cost beyond the net bits of their other items, and
    what the flushes do.
    """

    archive: records.Archive
    models: tuple[bytes, ...]
    raw_bytes: int
    spent: chained_group.Spent
    restart_bits: float


def build(
    members: Iterable[tuple[str, images.Image]],
    spool: BinaryIO,
    settings: Settings,
    embedded: Callable[[bytes], bytes] | None,
    spread: Executor[Settings] | None = None,
) -> Built:
    """The archive of named images, whose payloads are written to `spool`, groups in order.

    `spread` does the work, in the context of the same settings (default: here, one after the
    other); the bytes do not depend on it. `embedded(id)` gives the file of a model that the archive
    shall carry; None: it carries none. Raises InputError on names that no archive may have, and
    whatever `members` and `to_file` raise.
    """
    if not 1 <= settings.group <= records.MAX_GROUP_ITEMS:
        raise InputError(
            f"a group has 1 to {records.MAX_GROUP_ITEMS} images; found {settings.group}"
        )
    state = _State(settings, spool)
    with closing((spread or on_threads(settings, 1))(coded, state.works(members))) as results:
        for done in results:
            state.take(done)
    return state.finish(embedded)


@dataclass
class _State:
    """An archive in progress.

    `names` are in the order given, `items` get their group when it is written.

    `waiting` are images of a group that is not full, `sent` the numbers of those that are being
    coded, and whether as a group.
    """

    settings: Settings
    spool: BinaryIO
    names: list[str] = field(default_factory=list)
    items: list[records.Item] = field(default_factory=list)
    groups: list[records.Group] = field(default_factory=list)
    waiting: list[tuple[int, images.Image]] = field(default_factory=list)
    sent: deque[tuple[tuple[int, ...], bool]] = field(default_factory=deque)
    files_group: int = OPEN
    files_items: int = 0
    file_models: set[bytes] = field(default_factory=set)
    raw_bytes: int = 0
    spent: chained_group.Spent = field(default_factory=chained_group.Spent)
    restart_bits: float = 0.0

    def works(self, members: Iterable[tuple[str, images.Image]]) -> Iterator[Work]:
        """What is to be coded, in the order in which it is written."""
        for name, image in members:
            yield from self.add(name, image)
        if self.waiting:
            yield self.close_chained()

    def add(self, name: str, image: images.Image) -> Iterator[Work]:
        """The next image, and what can be coded now."""
        _as_input(lambda: records.check_name(name))
        channels = 1 if image.pixels.ndim == 2 else image.pixels.shape[2]
        pixel_format = container.format_of(channels, image.bit_depth, image.palette)
        height, width = image.pixels.shape[:2]
        self.raw_bytes += pixel_format.raw_bytes(height, width)
        self.names.append(name)
        number = len(self.items)
        model = self.settings.model
        if model is None or not model.fits(image.pixels, image.palette, image.bit_depth):
            self.items.append(records.Item(name, OPEN, pixel_format.code, width, height))
            self.sent.append(((number,), False))
            yield Work((image,), chained=False)
            return
        metadata = tuple(to_chunk(chunk) for chunk in image.metadata)
        if self.waiting and self.waiting[0][1].bit_depth != image.bit_depth:
            yield self.close_chained()
        self.items.append(records.Item(name, OPEN, pixel_format.code, width, height, metadata))
        self.waiting.append((number, image))
        most = (
            min(
                records.MAX_GROUP_SAMPLES,
                schemes.MAX_WEIGHTED_SAMPLES // self.settings.coding.evaluations,
            )
            // model.dims
        )
        if len(self.waiting) == min(self.settings.group, max(1, most)):
            yield self.close_chained()

    def close_chained(self) -> Work:
        """The images that wait, as a group."""
        waiting, self.waiting = self.waiting, []
        self.sent.append((tuple(number for number, _ in waiting), True))
        return Work(tuple(image for _, image in waiting), chained=True)

    def take(self, done: Done) -> None:
        """Write what was coded of the first images of `sent`."""
        slots, chained = self.sent.popleft()
        if chained:
            self.files_group = OPEN  # payloads come in the order of their groups and items
        if done.group is not None and done.encoded is not None:
            moved = [
                replace(self.items[slots[i]], group=len(self.groups)) for i in done.encoded.order
            ]
            for slot, item in zip(slots, moved, strict=True):
                self.items[slot] = item
            self.groups.append(done.group)
            self.spool.write(done.payload)
            self.account(done.encoded)
            return
        for slot, data in zip(slots, done.files, strict=True):
            self.add_file(slot, data)

    def add_file(self, number: int, data: bytes) -> None:
        """An image's file, in the group of files that is open."""
        if self.files_group == OPEN or self.files_items == self.settings.group:
            self.groups.append(records.FilesGroup())
            self.files_group, self.files_items = len(self.groups) - 1, 0
        self.files_items += 1
        self.file_models |= {container.read_header(data).model_id} - {container.NO_MODEL}
        self.items[number] = replace(
            self.items[number], group=self.files_group, metadata=(), size=len(data)
        )
        self.spool.write(data)

    def account(self, encoded: chained_group.Encoded) -> None:
        """Add a group's cost."""
        spent, starters = (
            encoded.spent,
            sum(s.items for s in encoded.schedule if s.kind == group_schedule.STARTERS),
        )
        others = len(encoded.order) - starters
        self.restart_bits += (
            spent.flush + spent.starters - (starters * spent.chained / others if others else 0.0)
        )
        sums = (spent.starters, spent.chained, spent.lanes, spent.flush)
        whole = (self.spent.starters, self.spent.chained, self.spent.lanes, self.spent.flush)
        self.spent = chained_group.Spent(*(a + b for a, b in zip(whole, sums, strict=True)))

    def finish(self, embedded: Callable[[bytes], bytes] | None) -> Built:
        """The rest of the archive."""
        model = self.settings.model
        if not self.items:
            raise InputError("an archive holds at least one image, found none")
        _as_input(lambda: records.check_names(self.names))
        count = len(self.items)
        if all(
            name == records.plain_name(i, count) for i, name in enumerate(self.names)
        ):  # a position is no name to keep
            self.items = [
                replace(item, name=records.plain_name(i, count))
                for i, item in enumerate(self.items)
            ]
        chained = (
            [model.id]
            if model is not None
            and any(isinstance(group, records.ChainedGroup) for group in self.groups)
            else []
        )
        if embedded is None:
            carried: tuple[bytes, ...] = ()
            models = tuple(map(records.ModelEntry, chained))
        else:
            ids = [*chained, *sorted(self.file_models.difference(chained))]
            carried = tuple(map(embedded, ids))
            models = tuple(
                records.ModelEntry(i, len(raw), zlib.crc32(raw))
                for i, raw in zip(ids, carried, strict=True)
            )
        archive = records.Archive(models, tuple(self.groups), tuple(self.items))
        return Built(archive, carried, self.raw_bytes, self.spent, self.restart_bits)


def _as_input(check: Callable[[], None]) -> None:
    """What a reader would refuse in a file is a wrong input here."""
    try:
        check()
    except FormatError as error:
        raise InputError(str(error)) from None
