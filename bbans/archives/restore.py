"""An archive's images, group by group; of a damaged archive, those of the groups that are whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from bbans import container, images
from bbans.archives.groups import Pixels, decode_group
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records
from bbans.errors import FormatError, InputError
from bbans.files.metadata import from_chunks
from bbans.models.image_model import ImageModel


@dataclass(frozen=True)
class Lost:
    """An image that could not be restored, its group, and why."""

    name: str
    group: int
    reason: str


@dataclass(frozen=True)
class Sources:
    """`model(number)` gives the model with this number in the archive, `image(data)` decodes a file
    for single images.
    """

    model: Callable[[int], ImageModel]
    image: Callable[[bytes], images.Image]


def restore(
    data: container.Buffer,
    index: reader.ArchiveIndex,
    sources: Sources,
    wanted: Collection[int] | None = None,
    lost: list[Lost] | None = None,
) -> Iterator[tuple[int, images.Image]]:
    """`(number, image)` of the wanted items (default: all), in the order of the groups; other
    groups are not read.

    Raises FormatError on damage; with `lost` what is damaged is added to it instead and the others
    go on.
    """
    for number, members in enumerate(index.members()):
        chosen = [item for item in members if wanted is None or item in wanted]
        group = index.archive.groups[number]
        if chosen and isinstance(group, records.ChainedGroup):
            try:
                model = sources.model(group.model)
                pixels = decode_group(
                    model, group, reader.read_message(data, index, number), len(members)
                )
            except FormatError as error:
                _give_up(index, chosen, error, lost)
                continue
            yield from _images(index, dict(zip(members, pixels, strict=True)), chosen, lost)
        elif chosen:
            yield from _from_files(data, index, sources, chosen, lost)


def _images(
    index: reader.ArchiveIndex,
    pixels: dict[int, Pixels],
    chosen: list[int],
    lost: list[Lost] | None,
) -> Iterator[tuple[int, images.Image]]:
    for number in chosen:
        item = index.archive.items[number]
        pixel_format = container.FORMATS[item.pixel_format]
        try:
            yield number, _image(item, pixels[number], pixel_format)
        except FormatError as error:
            _give_up(index, [number], error, lost)


def _image(item: records.Item, pixels: Pixels, pixel_format: container.PixelFormat) -> images.Image:
    try:
        return images.make_image(
            pixels, from_chunks(item.metadata), pixel_format.bit_depth, pixel_format.palette
        )
    except InputError as error:
        raise FormatError(
            f"{item.name}: the archive holds no image that can be restored: {error}"
        ) from error


def _from_files(
    data: container.Buffer,
    index: reader.ArchiveIndex,
    sources: Sources,
    chosen: list[int],
    lost: list[Lost] | None,
) -> Iterator[tuple[int, images.Image]]:
    for number in chosen:
        item = index.archive.items[number]
        try:
            raw = reader.read_item_file(data, index, number)
            header = container.read_header(raw)
            if (header.pixel_format, header.width, header.height) != (
                item.pixel_format,
                item.width,
                item.height,
            ):
                raise FormatError(
                    "the index says other sides or another pixel format than its file"
                )
            image = sources.image(raw)
        except FormatError as error:
            _give_up(index, [number], error, lost)
            continue
        yield number, image


def _give_up(
    index: reader.ArchiveIndex, numbers: list[int], error: FormatError, lost: list[Lost] | None
) -> None:
    if lost is None:
        first = index.archive.items[numbers[0]]
        more = f" and {len(numbers) - 1} others" if len(numbers) > 1 else ""
        raise type(error)(f"{first.name}{more}: {error}") from error
    lost += [
        Lost(index.archive.items[number].name, index.archive.items[number].group, str(error))
        for number in numbers
    ]
