"""Members of an archive: named images from folders, files and arrays, local or at URLs, each read
only when it is needed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from bbans import images
from bbans.errors import InputError
from bbans.files import storage, urls
from bbans.files.jpeg import ImageOrJpeg
from bbans.images.folders import named_as_image
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
            copy = urls.fetch(place, Path(tempfile.mkdtemp(dir=self.folder)))
            with _naming(place, copy):
                found = images.open_set(copy, shape=self.shape, as_pixels=self.as_pixels)
            return _of_copy(found, place, copy)
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
        others = tuple(
            images.NotTaken(
                name,
                url_by_name[name],
                "its suffix is not that of an image that is read",
                named_as_image(name),
            )
            for name in url_by_name
            if name not in names
        )
        places = tuple(url_by_name[name] for name in names)

        def source(i: int) -> ImageOrJpeg:
            return storage.read_image_file(places[i], self.as_pixels)[0]

        return images.ImageSet(names, _pixels_of(source, places), others, places, source)


@dataclass(frozen=True)
class Member:
    """An image or JPEG that is read when its turn comes.

    name: in the archive. place: its path or URL, for messages; None for a value, which has none.
    read: returns the image, or the JPEG file that it is, or raises InputError. file: the path or
    URL of the file that it is in.
    """

    name: str
    place: str | None
    read: Callable[[], ImageOrJpeg]
    file: str | None = None


def named_images(
    members: Members, reading: Reading
) -> tuple[Iterable[Member], tuple[images.NotTaken, ...]]:
    """Return the members, and what is not taken: files that are no images, or cannot be opened. A
    JPEG file is given as it is, unless its pixels are asked for.

    members: a path or URL, several of them, an `images.ImageSet`, or pairs `(name, image)`. Raises
    InputError if there are no images at all.

    Examples:
        >>> import numpy as np
        >>> reading = Reading(shape=None, as_pixels=False, folder=Path())
        >>> found, not_taken = named_images([("a", np.zeros((2, 3), np.uint8))], reading)
        >>> [(member.name, member.read().pixels.shape) for member in found]
        [('a', (2, 3))]
    """
    if isinstance(members, images.ImageSet):
        return _of_set(members, "", None), members.not_taken
    if isinstance(members, str | os.PathLike):
        return _of_paths([os.fspath(members)], reading)
    if (
        isinstance(members, Sequence)
        and members
        and all(isinstance(member, str | os.PathLike) for member in members)
    ):
        return _of_paths([os.fspath(path) for path in members], reading)  # type: ignore[arg-type]
    pairs: Iterable[Any] = members
    return (Member(name, None, partial(_of_value, image)) for name, image in pairs), ()


@contextmanager
def _naming(url: str, copy: Path) -> Iterator[None]:
    """Name the URL of a file, and not the copy that is read, in an InputError of the body."""
    try:
        yield
    except InputError as error:
        raise type(error)(str(error).replace(str(copy), url)) from error.__cause__


def _of_copy(found: images.ImageSet, url: str, copy: Path) -> images.ImageSet:
    """Return a set that was opened from the copy of a file, at the file's URL."""

    def image(i: int) -> images.Image:
        with _naming(url, copy):
            return found.image(i)

    def source(i: int) -> ImageOrJpeg:
        with _naming(url, copy):
            return found.source(i)

    places = (url,) if found.places else ()
    return replace(found, image=image, places=places, source_reader=source)


def _of_value(value: Any) -> ImageOrJpeg:
    return value if isinstance(value, images.JpegFile) else images.as_image(value)


def _pixels_of(
    source: Callable[[int], ImageOrJpeg], places: Sequence[str]
) -> Callable[[int], images.Image]:
    """Return the function that reads the same images, and refuses a JPEG as `read_image` does."""

    def image(i: int) -> images.Image:
        read = source(i)
        if not isinstance(read, images.JpegFile):
            return read
        try:
            return images.read_image(read.data)
        except InputError as error:
            raise type(error)(f"{places[i]}: {error}") from error.__cause__

    return image


def _of_paths(
    paths: Sequence[str], reading: Reading
) -> tuple[list[Member], tuple[images.NotTaken, ...]]:
    """Return the members of several folders and files, and what is not taken of them."""
    found: list[Member] = []
    others: list[images.NotTaken] = []
    for path in paths:
        try:
            image_set = reading.open(path)
        except InputError as error:
            if len(paths) == 1:
                raise
            others.append(images.not_taken(path, path, error))
            continue
        found += _of_set(image_set, _prefix(path, image_set, len(paths) > 1), path)
        others += (
            replace(other, name=f"{path}/{other.name}" if len(paths) > 1 else other.name)
            for other in image_set.not_taken
        )
    if not found:
        raise InputError(
            f"{others[0].place}: {others[0].reason}, and no other of {len(paths)} names can be read"
        )
    return found, tuple(others)


def _of_set(image_set: images.ImageSet, prefix: str, source: str | None) -> list[Member]:
    """Return the members of a set, which was opened from a path or URL, or is a value."""

    if image_set.places or source is None:
        places: Sequence[str | None] = image_set.places or (None,) * len(image_set)
        files = places
    else:
        places = [f"{source}, image {name}" for name in image_set.names]
        files = [source] * len(image_set)
    return [
        Member(prefix + name, place, partial(image_set.source, i), file)
        for i, (name, place, file) in enumerate(zip(image_set.names, places, files, strict=True))
    ]


def _prefix(source: str, image_set: images.ImageSet, several: bool) -> str:
    """Return what stands before a set's names: with several sets that of the folder or file, unless
    this is one image.
    """
    place = urls.located(source)
    path = place if isinstance(place, Path) else Path(urls.name_of(place))
    folder = path.resolve().name if path.is_dir() else path.stem
    one_image = image_set.names == (path.name,)
    return f"{folder}/" if several and not one_image else ""
