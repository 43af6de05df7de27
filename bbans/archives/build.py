"""Construction of an archive: payloads are written to a spool as they are coded, and the index is
made at the end.
"""

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
from bbans.container import group_schedule, schemes, stack_record
from bbans.errors import FormatError, InputError, TooFlatError, VerificationError
from bbans.execution.executor import Executor, on_threads
from bbans.files.jpeg import ImageOrJpeg, pixel_format_of
from bbans.files.metadata import chunks_of
from bbans.models.image_model import ImageModel
from bbans.schemes import chained_group

OPEN = -1
"""Group number of an item whose group is not written yet."""


@dataclass(frozen=True)
class Settings:
    """Settings of an archive's construction.

    to_file: compresses an image that `model` does not fit, or a JPEG, to a file of its own. model:
    the latent model of chained groups; None: no image is chained. coding: the scheme of chained
    groups. group: largest number of images of a group. unordered: give up the order within chained
    groups, which saves log2 n! bits for n images. verify: decode every chained group and compare
    it.
    """

    to_file: Callable[[ImageOrJpeg], bytes]
    model: ImageModel | None = None
    coding: schemes.Coding = schemes.PLAIN
    group: int = 1000
    unordered: bool = False
    verify: bool = True


@dataclass(frozen=True)
class Job:
    """Images that are coded together: those of a chained group, or an image or JPEG for a file of
    its own.
    """

    images: tuple[ImageOrJpeg, ...]
    chained: bool


@dataclass(frozen=True)
class CodedJob:
    """The result of a job: a chained group with its payload, order and cost, or a file for each
    image.
    """

    files: tuple[bytes, ...] = ()
    group: records.ChainedGroup | None = None
    payload: bytes = b""
    encoded: chained_group.Encoded | None = None


def code_job(settings: Settings, job: Job) -> CodedJob:
    """Code the images of a job, as a chained group only if that is shorter than their raw samples.

    Raises VerificationError if a group does not decode to its images, and the errors of
    `settings.to_file`.

    Examples:
        >>> job = Job((images.from_array(np.zeros((2, 2), np.uint8)),), chained=False)
        >>> code_job(Settings(lambda image: b"file"), job).files
        (b'file',)
    """
    model = settings.model
    if model is None or not job.chained:
        return CodedJob(tuple(map(settings.to_file, job.images)))
    pixels = [
        images.coded_samples(image) for image in job.images if isinstance(image, images.Image)
    ]
    depth = job.images[0].bit_depth
    try:
        group, payload, encoded = encode_group(
            model, settings.coding, pixels, depth, settings.unordered
        )
    except TooFlatError:
        return code_job(settings, replace(job, chained=False))
    height, width, channels = model.shape
    raw_bytes = container.format_of(channels, depth, False).raw_bytes(height, width)
    if len(payload) >= len(pixels) * raw_bytes:
        return code_job(settings, replace(job, chained=False))
    if settings.verify:
        try:
            decoded = decode_group(model.checking(), group, payload, len(pixels))
        except FormatError as error:
            raise VerificationError(
                f"a group could not be decoded again ({error}): nothing was written; please "
                "report this"
            ) from error
        if not all(
            np.array_equal(image, pixels[i])
            for image, i in zip(decoded, encoded.order, strict=True)
        ):
            raise VerificationError(
                "a group decoded to other images than were given: nothing was written; please "
                "report this"
            )
    return CodedJob((), group, payload, replace(encoded, words=encoded.words[:0]))


@dataclass(frozen=True)
class Built:
    """An archive without its payloads, which are in the spool.

    archive: the records of the index. models: files of the embedded models. raw_bytes: size of all
    uncompressed samples. spent: bits of the chained groups by kind. restart_bits: what starting and
    ending the groups costs in bits: the starters' excess over the mean of the other items, and the
    flushes.
    """

    archive: records.Archive
    models: tuple[bytes, ...]
    raw_bytes: int
    spent: chained_group.Spent
    restart_bits: float


def build(
    members: Iterable[tuple[str, ImageOrJpeg]],
    spool: BinaryIO,
    settings: Settings,
    embedded: Callable[[bytes], bytes] | None,
    spread: Executor[Settings] | None = None,
    stack: Callable[[], stack_record.Stack] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Built:
    """Build an archive of named images and JPEGs and write its payloads to `spool` in the order of
    groups.

    embedded: a function from a model's id to the bytes of its file, to embed all needed models;
    None: no model is embedded. spread: an executor whose context is the same settings (default: the
    calling thread); the archive does not depend on it. stack: returns the record of the stack that
    the images are, after the last of them; their names are then their positions. progress: called
    with the number of images that are coded.

    Raises InputError on invalid names, on no images and on an invalid `settings.group`,
    VerificationError, and the errors of `members` and `settings.to_file`.

    Examples:
        >>> from io import BytesIO
        >>> from bbans.files.encoder import compress
        >>> settings = Settings(lambda image: compress(image, model="none"))
        >>> named_images = [("a", images.from_array(np.zeros((2, 3), np.uint8)))]
        >>> built = build(named_images, BytesIO(), settings, embedded=None)
        >>> [item.name for item in built.archive.items], built.raw_bytes
        (['a'], 6)
    """
    if not 1 <= settings.group <= records.MAX_GROUP_ITEMS:
        raise InputError(
            f"a group has 1 to {records.MAX_GROUP_ITEMS} images; found {settings.group}"
        )
    state = _State(settings, spool)
    coded = 0
    with closing((spread or on_threads(settings, 1))(code_job, state.jobs(members))) as results:
        for result in results:
            coded += state.write(result)
            if progress is not None:
                progress(coded)
    return state.finish(embedded, stack() if stack is not None else None)


@dataclass
class _State:
    """An archive under construction.

    names: of all images, in the order given. items: their records, whose group is OPEN until it is
    written. waiting: number and image of the members of a chained group that is not full. sent:
    numbers of the images of every job that is being coded, and whether it is a chained group.
    files_group: the group of files that is open, if any; files_items: its number of files.
    file_models: ids of the models that files need.
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

    def jobs(self, members: Iterable[tuple[str, ImageOrJpeg]]) -> Iterator[Job]:
        """Yield the jobs in the order in which their results are written."""
        for name, image in members:
            yield from self.add(name, image)
        if self.waiting:
            yield self.close_chained()

    def add(self, name: str, image: ImageOrJpeg) -> Iterator[Job]:
        """Add the next image and yield the jobs that are complete with it."""
        _as_input(lambda: records.check_name(name))
        if isinstance(image, images.JpegFile):
            pixel_format = pixel_format_of(image)
            height, width = image.height, image.width
        else:
            channels = image.channels
            pixel_format = container.format_of(channels, image.bit_depth, image.palette)
            height, width = image.pixels.shape[:2]
        self.raw_bytes += pixel_format.raw_bytes(height, width)
        self.names.append(name)
        number = len(self.items)
        model = self.settings.model
        if (
            model is None
            or isinstance(image, images.JpegFile)
            or not model.fits(images.coded_samples(image), image.palette, image.bit_depth)
        ):
            self.items.append(records.Item(name, OPEN, pixel_format.code, width, height))
            self.sent.append(((number,), False))
            yield Job((image,), chained=False)
            return
        metadata = chunks_of(image)
        if self.waiting and self.waiting[0][1].bit_depth != image.bit_depth:
            yield self.close_chained()
        self.items.append(records.Item(name, OPEN, pixel_format.code, width, height, metadata))
        self.waiting.append((number, image))
        largest = (
            min(
                records.MAX_GROUP_SAMPLES,
                schemes.MAX_WEIGHTED_SAMPLES // self.settings.coding.evaluations,
            )
            // model.dims
        )
        if len(self.waiting) == min(self.settings.group, max(1, largest)):
            yield self.close_chained()

    def close_chained(self) -> Job:
        """Return the waiting images as the job of a chained group."""
        waiting, self.waiting = self.waiting, []
        self.sent.append((tuple(number for number, _ in waiting), True))
        return Job(tuple(image for _, image in waiting), chained=True)

    def write(self, result: CodedJob) -> int:
        """Write the result of the first job of `sent` and return its number of images."""
        numbers, chained = self.sent.popleft()
        if chained:
            self.files_group = OPEN  # payloads are in the order of their groups and items
        if result.group is not None and result.encoded is not None:
            reordered = [
                replace(self.items[numbers[i]], group=len(self.groups))
                for i in result.encoded.order
            ]
            for number, item in zip(numbers, reordered, strict=True):
                self.items[number] = item
            self.groups.append(result.group)
            self.spool.write(result.payload)
            self.account(result.encoded)
            return len(numbers)
        for number, data in zip(numbers, result.files, strict=True):
            self.add_file(number, data)
        return len(numbers)

    def add_file(self, number: int, data: bytes) -> None:
        """Write an image's file to the open group of files, or to a new one if that is full."""
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
        """Add the bits of a chained group to the sums."""
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

    def finish(
        self, embedded: Callable[[bytes], bytes] | None, stack: stack_record.Stack | None
    ) -> Built:
        """Name the models and return the archive. Raises InputError on no images and on invalid
        names.
        """
        model = self.settings.model
        if not self.items:
            raise InputError("an archive holds at least one image, found none")
        _as_input(lambda: records.check_names(self.names))
        count = len(self.items)
        if stack is not None or all(
            name == records.plain_name(i, count) for i, name in enumerate(self.names)
        ):  # names that are positions are not stored
            self.items = [
                replace(item, name=records.plain_name(i, count))
                for i, item in enumerate(self.items)
            ]
        chained_models = (
            [model.id]
            if model is not None
            and any(isinstance(group, records.ChainedGroup) for group in self.groups)
            else []
        )
        if embedded is None:
            carried: tuple[bytes, ...] = ()
            models = tuple(map(records.ModelEntry, chained_models))
        else:
            ids = [*chained_models, *sorted(self.file_models.difference(chained_models))]
            carried = tuple(map(embedded, ids))
            models = tuple(
                records.ModelEntry(i, len(raw), zlib.crc32(raw))
                for i, raw in zip(ids, carried, strict=True)
            )
        archive = records.Archive(models, tuple(self.groups), tuple(self.items), stack)
        return Built(archive, carried, self.raw_bytes, self.spent, self.restart_bits)


def _as_input(check: Callable[[], None]) -> None:
    """Turn the FormatError of a check of the file format into an InputError."""
    try:
        check()
    except FormatError as error:
        raise InputError(str(error)) from None
