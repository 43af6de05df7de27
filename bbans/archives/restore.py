"""Decoding of an archive's images group by group, skipping damaged groups on request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from bbans import container, images
from bbans.archives.groups import Pixels, decode_group
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records
from bbans.errors import FormatError, InputError
from bbans.files.metadata import restored
from bbans.models.image_model import ImageModel


@dataclass(frozen=True)
class Lost:
    """An image that could not be decoded: its name, the number of its group, and the reason."""

    name: str
    group: int
    reason: str


File = TypeVar("File")
"""What becomes of a single-image file: an image, or also something else."""


@dataclass(frozen=True)
class Sources(Generic[File]):
    """Functions that decoding needs.

    model: from the number of a model in the archive to the model. image: from the bytes of a
    single-image file to the image. Both raise FormatError and ModelNotFoundError; of a JPEG whose
    pixels are not decoded, `image` raises InputError.
    """

    model: Callable[[int], ImageModel]
    image: Callable[[bytes], File]


def restore(
    data: container.Buffer,
    index: reader.ArchiveIndex,
    sources: Sources[File],
    requested: Collection[int] | None = None,
    lost: list[Lost] | None = None,
) -> Iterator[tuple[int, images.Image | File]]:
    """Yield `(number, image)` of the requested items (default: all) in the order of groups.

    Groups without requested items are not read. lost: a list that receives the images that cannot
    be decoded; if None, the first such image raises FormatError.

    Examples:
        >>> from io import BytesIO
        >>> import numpy as np
        >>> from bbans.archives.build import Settings, build
        >>> from bbans.container.archive_writer import write_index
        >>> from bbans.files.encoder import compress
        >>> from bbans.files.decoder import decompress_image
        >>> spool, settings = BytesIO(), Settings(lambda image: compress(image, model="none"))
        >>> named_images = [("a", images.from_array(np.ones((1, 2), np.uint8)))]
        >>> built = build(named_images, spool, settings, embedded=None)
        >>> data = write_index(built.archive) + spool.getvalue()
        >>> index, sources = reader.read_archive_index(data), Sources(None, decompress_image)
        >>> [image.pixels.tolist() for _, image in restore(data, index, sources)]
        [[[1, 1]]]
    """
    for number, members in enumerate(index.members()):
        numbers = [item for item in members if requested is None or item in requested]
        group = index.archive.groups[number]
        if numbers and isinstance(group, records.ChainedGroup):
            try:
                model = sources.model(group.model)
                pixels = decode_group(
                    model, group, reader.read_message(data, index, number), len(members)
                )
            except FormatError as error:
                _report_lost(index, numbers, error, lost)
                continue
            yield from _images(index, dict(zip(members, pixels, strict=True)), numbers, lost)
        elif numbers:
            yield from _from_files(data, index, sources, numbers, lost)


def _images(
    index: reader.ArchiveIndex,
    pixels: dict[int, Pixels],
    numbers: list[int],
    lost: list[Lost] | None,
) -> Iterator[tuple[int, images.Image]]:
    """Yield number and image of the given items."""
    for number in numbers:
        item = index.archive.items[number]
        pixel_format = container.FORMATS[item.pixel_format]
        try:
            yield number, _image(item, pixels[number], pixel_format)
        except FormatError as error:
            _report_lost(index, [number], error, lost)


def _image(item: records.Item, pixels: Pixels, pixel_format: container.PixelFormat) -> images.Image:
    """Combine pixels and metadata of an item. Raises FormatError if they make no valid image."""
    try:
        return restored(pixels, item.metadata, pixel_format)
    except FormatError as error:
        raise FormatError(f"{item.name}: {error}") from error


def _from_files(
    data: container.Buffer,
    index: reader.ArchiveIndex,
    sources: Sources[File],
    numbers: list[int],
    lost: list[Lost] | None,
) -> Iterator[tuple[int, File]]:
    """Yield number and image of the given items."""
    for number in numbers:
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
        except (FormatError, InputError) as error:
            _report_lost(index, [number], error, lost)
            continue
        yield number, image


def _report_lost(
    index: reader.ArchiveIndex,
    numbers: list[int],
    error: FormatError | InputError,
    lost: list[Lost] | None,
) -> None:
    """Append the items to `lost`, or raise the error with their names if that is None."""
    if lost is None:
        first = index.archive.items[numbers[0]]
        more = f" and {len(numbers) - 1} others" if len(numbers) > 1 else ""
        raise type(error)(f"{first.name}{more}: {error}") from error
    lost += [
        Lost(index.archive.items[number].name, index.archive.items[number].group, str(error))
        for number in numbers
    ]
