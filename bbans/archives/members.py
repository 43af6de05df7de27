"""Members of an archive: named images from folders, files and arrays, local or at URLs, each read
only when it is needed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bbans import images
from bbans.errors import InputError
from bbans.files import storage, urls
from bbans.files.jpeg import ImageOrJpeg
from bbans.images.formats.registry import suffixes

Source: TypeAlias = "str | os.PathLike[str]"
Named: TypeAlias = Iterator[tuple[str, ImageOrJpeg]]
Members: TypeAlias = "Source | Sequence[Source] | images.ImageSet | Iterable[tuple[str, Any]]"


@dataclass(frozen=True)
class Reading:
    """How files are read.

    shape `(H, W)`: of images that arrays hold flat. as_pixels: accept lossy files. folder: a
    temporary folder for copies of files at URLs.
    """

    shape: tuple[int, int] | None
    as_pixels: bool
    folder: Path

    def open(self, source: Source) -> images.ImageSet:
        """Open the images of a folder or file by its path or URL; files of a folder are read
        lazily.

        Raises InputError if there are no images.
        """
        place = urls.located(source)
        if isinstance(place, str):
            url_by_name = urls.members(place)
            if url_by_name is not None:
                return self.remote_folder(place, url_by_name)
            place = urls.fetch(place, Path(tempfile.mkdtemp(dir=self.folder)))
        return images.open_set(place, shape=self.shape, as_pixels=self.as_pixels)

    def remote_folder(self, url: str, url_by_name: dict[str, str]) -> images.ImageSet:
        """Open the images of a folder at a URL: the files with the suffix of an image format.

        Raises InputError if there are none.
        """
        names = tuple(name for name in url_by_name if name.lower().endswith(suffixes()))
        if not names:
            raise InputError(
                f"{url}: a folder of images was expected, found none among {len(url_by_name)} files"
            )
        skipped = tuple(name for name in url_by_name if name not in names)

        def source(i: int) -> ImageOrJpeg:
            return storage.read_image_file(url_by_name[names[i]], self.as_pixels)[0]

        return images.ImageSet(names, _pixels_of(source), skipped, source)


def named_images(members: Members, reading: Reading) -> tuple[Named, tuple[str, ...]]:
    """Return an iterator of `(name, image)` that reads lazily, and the names of skipped files. A
    JPEG file is given as it is, unless its pixels are asked for.

    members: a path or URL, several of them, an `images.ImageSet`, or pairs `(name, image)`. Raises
    InputError on a file that cannot be read or a folder without images.

    Examples:
        >>> import numpy as np
        >>> reading = Reading(shape=None, as_pixels=False, folder=Path())
        >>> named, skipped = named_images([("a", np.zeros((2, 3), np.uint8))], reading)
        >>> [(name, image.pixels.shape) for name, image in named]
        [('a', (2, 3))]
    """
    if isinstance(members, images.ImageSet):
        return ((name, members.source(i)) for i, name in enumerate(members.names)), members.skipped
    if isinstance(members, str | os.PathLike):
        return named_images(reading.open(members), reading)
    if (
        isinstance(members, Sequence)
        and members
        and all(isinstance(member, str | os.PathLike) for member in members)
    ):
        sets = [(os.fspath(path), reading.open(path)) for path in members]  # type: ignore[arg-type]
        skipped = tuple(f"{path}/{name}" for path, image_set in sets for name in image_set.skipped)
        return (
            pair for path, image_set in sets for pair in _prefixed(path, image_set, len(sets) > 1)
        ), skipped
    pairs: Iterable[Any] = members
    return (
        (name, image if isinstance(image, images.JpegFile) else images.as_image(image))
        for name, image in pairs
    ), ()


def _pixels_of(source: Callable[[int], ImageOrJpeg]) -> Callable[[int], images.Image]:
    """Return the function that reads the same images, and refuses a JPEG as `read_image` does."""

    def image(i: int) -> images.Image:
        read = source(i)
        return images.read_image(read.data) if isinstance(read, images.JpegFile) else read

    return image


def _prefixed(source: str, image_set: images.ImageSet, several: bool) -> Named:
    """Yield a set's names and images.

    With several sets, a name is prefixed with that of its folder or file, unless this is one image.
    """
    place = urls.located(source)
    path = place if isinstance(place, Path) else Path(urls.name_of(place))
    folder = path.resolve().name if path.is_dir() else path.stem
    one_image = image_set.names == (path.name,)
    for i, name in enumerate(image_set.names):
        yield f"{folder}/{name}" if several and not one_image else name, image_set.source(i)
