"""Images to an archive: payloads go to a spool as they come, the index is made at the end."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np

from bbans import container as files
from bbans import images
from bbans.archive.groups import ChainModel, decode_group, encode_group
from bbans.carried import to_chunk
from bbans.container import archive_records as records
from bbans.errors import FormatError, InputError, TooFlatError, VerificationError
from bbans.schemes import stream

OPEN = -1  # the group of an item whose group is not written yet


@dataclass(frozen=True)
class Settings:
    """How an archive is made. `to_file` makes the single-image file of an image that no chain codes."""

    to_file: Callable[[images.Image], bytes]
    chain: ChainModel | None = None
    group: int = 1000
    unordered: bool = False
    verify: bool = True


@dataclass(frozen=True)
class Built:
    """An archive but for its payloads, the files of the models that it carries, and what its chained groups cost.

    `restart_bits` is what all groups' starters cost beyond the net bits of their other items, and what the flushes do.
    """

    archive: records.Archive
    models: tuple[bytes, ...]
    raw_bytes: int
    spent: stream.Spent
    restart_bits: float


def build(
    members: Iterable[tuple[str, images.Image]], spool: BinaryIO, settings: Settings, embedded: Callable[[bytes], bytes] | None
) -> Built:
    """The archive of named images, whose payloads are written to `spool`, groups in order.

    `embedded(id)` gives the file of a model that the archive shall carry; None: it carries none. Raises InputError on names
    that no archive may have, and whatever `members` and `to_file` raise.
    """
    if not 1 <= settings.group <= records.MAX_GROUP_ITEMS:
        raise InputError(f"a group has 1 to {records.MAX_GROUP_ITEMS} images; found {settings.group}")
    state = _State(settings, spool)
    for name, image in members:
        state.add(name, image)
    return state.finish(embedded)


@dataclass
class _State:
    """An archive in progress. `names` are in the order given, `items` get their group when it is written."""

    settings: Settings
    spool: BinaryIO
    names: list[str] = field(default_factory=list)
    items: list[records.Item] = field(default_factory=list)
    groups: list[records.Group] = field(default_factory=list)
    waiting: list[tuple[int, images.Image]] = field(default_factory=list)
    files_group: int = OPEN
    files_items: int = 0
    file_models: set[bytes] = field(default_factory=set)
    raw_bytes: int = 0
    spent: stream.Spent = field(default_factory=stream.Spent)
    restart_bits: float = 0.0

    def add(self, name: str, image: images.Image) -> None:
        """The next image."""
        _as_input(lambda: records.check_name(name))
        channels = 1 if image.pixels.ndim == 2 else image.pixels.shape[2]
        pixel_format = files.format_of(channels, image.bit_depth, image.palette)
        height, width = image.pixels.shape[:2]
        self.raw_bytes += pixel_format.raw_bytes(height, width)
        self.names.append(name)
        chain = self.settings.chain
        if chain is None or not chain.fits(image):
            self.items.append(records.Item(name, OPEN, pixel_format.code, width, height))
            self.add_file(len(self.items) - 1, image)
            return
        metadata = tuple(to_chunk(chunk) for chunk in image.metadata)
        if self.waiting and self.waiting[0][1].bit_depth != image.bit_depth:
            self.close_chained(chain)
        self.items.append(records.Item(name, OPEN, pixel_format.code, width, height, metadata))
        self.waiting.append((len(self.items) - 1, image))
        evaluations = chain.particles + records.STEP_EVALUATIONS * chain.refinement
        most = min(records.MAX_GROUP_SAMPLES, records.MAX_WEIGHTED_SAMPLES // evaluations) // chain.dims
        if len(self.waiting) == min(self.settings.group, max(1, most)):
            self.close_chained(chain)

    def add_file(self, number: int, image: images.Image) -> None:
        """An image as a file of its own, in the group of files that is open."""
        data = self.settings.to_file(image)
        if self.files_group == OPEN or self.files_items == self.settings.group:
            self.groups.append(records.FilesGroup())
            self.files_group, self.files_items = len(self.groups) - 1, 0
        self.files_items += 1
        self.file_models |= {files.read_header(data).model_id} - {files.NO_MODEL}
        self.items[number] = replace(self.items[number], group=self.files_group, metadata=(), size=len(data))
        self.spool.write(data)

    def close_chained(self, chain: ChainModel) -> None:
        """Write the images that wait as a chained group, or as files where a chain does not suit them."""
        waiting, self.waiting = self.waiting, []
        pixels, depth = [image.pixels for _, image in waiting], waiting[0][1].bit_depth
        raw = len(pixels) * chain.pixel_format(depth).raw_bytes(*chain.shape[:2])
        try:
            group, payload, encoded = encode_group(chain, pixels, depth, self.settings.unordered)
        except TooFlatError:
            payload = bytes(raw)
        self.files_group = OPEN  # payloads come in the order of their groups and items
        if len(payload) >= raw:
            for number, image in waiting:
                self.add_file(number, image)
            return
        if self.settings.verify:
            back = decode_group(chain, group, payload, len(pixels))
            if not all(np.array_equal(image, pixels[i]) for image, i in zip(back, encoded.order, strict=True)):
                raise VerificationError("a group decoded to other images than were given: nothing was written; please report this")
        slots = [number for number, _ in waiting]
        moved = [replace(self.items[slots[i]], group=len(self.groups)) for i in encoded.order]
        for slot, item in zip(slots, moved, strict=True):
            self.items[slot] = item
        self.groups.append(group)
        self.spool.write(payload)
        self.account(encoded)

    def account(self, encoded: stream.Encoded) -> None:
        """Add a group's cost."""
        spent, starters = encoded.spent, sum(s.items for s in encoded.schedule if s.kind == stream.STARTERS)
        others = len(encoded.order) - starters
        self.restart_bits += spent.flush + spent.starters - (starters * spent.chained / others if others else 0.0)
        sums = (spent.starters, spent.chained, spent.lanes, spent.flush)
        whole = (self.spent.starters, self.spent.chained, self.spent.lanes, self.spent.flush)
        self.spent = stream.Spent(*(a + b for a, b in zip(whole, sums, strict=True)))

    def finish(self, embedded: Callable[[bytes], bytes] | None) -> Built:
        """The rest of the archive."""
        chain = self.settings.chain
        if chain is not None and self.waiting:
            self.close_chained(chain)
        if not self.items:
            raise InputError("an archive holds at least one image, found none")
        _as_input(lambda: records.check_names(self.names))
        count = len(self.items)
        if all(name == records.plain_name(i, count) for i, name in enumerate(self.names)):  # a position is no name to keep
            self.items = [replace(item, name=records.plain_name(i, count)) for i, item in enumerate(self.items)]
        chained = [chain.id] if chain is not None and any(isinstance(group, records.ChainedGroup) for group in self.groups) else []
        if embedded is None:
            carried: tuple[bytes, ...] = ()
            models = tuple(map(records.ModelEntry, chained))
        else:
            ids = [*chained, *sorted(self.file_models.difference(chained))]
            carried = tuple(map(embedded, ids))
            models = tuple(records.ModelEntry(i, len(raw), zlib.crc32(raw)) for i, raw in zip(ids, carried, strict=True))
        archive = records.Archive(models, tuple(self.groups), tuple(self.items))
        return Built(archive, carried, self.raw_bytes, self.spent, self.restart_bits)


def _as_input(check: Callable[[], None]) -> None:
    """What a reader would refuse in a file is a wrong input here."""
    try:
        check()
    except FormatError as error:
        raise InputError(str(error)) from None
