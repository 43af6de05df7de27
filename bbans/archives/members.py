"""Members of an archive: named images from folders, files and arrays, local or at URLs, each read
only when it is needed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from bbans import images
from bbans.container import archive_records as records
from bbans.container import metadata
from bbans.errors import FormatError, InputError
from bbans.files import storage, urls
from bbans.files.metadata import to_chunk
from bbans.images.folders import named_as_image
from bbans.images.formats.registry import suffixes

Source: TypeAlias = "str | os.PathLike[str]"
Named: TypeAlias = Iterator[tuple[str, images.Image]]
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
        others = tuple(
            images.LeftOut(
                name,
                url_by_name[name],
                "its suffix is not that of an image that is read",
                named_as_image(name),
            )
            for name in url_by_name
            if name not in names
        )
        return images.ImageSet(
            names,
            lambda i: storage.read_image_file(url_by_name[names[i]], self.as_pixels)[0],
            others,
            tuple(url_by_name[name] for name in names),
        )


@dataclass(frozen=True)
class Member:
    """An image that is read when its turn comes.

    name: in the archive. place: its path or URL, for messages; None for a value, which has none.
    read: returns the image, or raises InputError. file: the path or URL of the file that it is in.
    """

    name: str
    place: str | None
    read: Callable[[], images.Image]
    file: str | None = None


def named_images(
    members: Members, reading: Reading
) -> tuple[Iterable[Member], tuple[images.LeftOut, ...]]:
    """Return the members, and what is left out: files that are no images, or cannot be opened.

    members: a path or URL, several of them, an `images.ImageSet`, or pairs `(name, image)`. Raises
    InputError if there are no images at all.

    Examples:
        >>> import numpy as np
        >>> reading = Reading(shape=None, as_pixels=False, folder=Path())
        >>> found, left_out = named_images([("a", np.zeros((2, 3), np.uint8))], reading)
        >>> [(member.name, member.read().pixels.shape) for member in found]
        [('a', (2, 3))]
    """
    if isinstance(members, images.ImageSet):
        return _of_set(members, "", None), members.left_out
    if isinstance(members, str | os.PathLike):
        return _of_paths([os.fspath(members)], reading)
    if (
        isinstance(members, Sequence)
        and members
        and all(isinstance(member, str | os.PathLike) for member in members)
    ):
        return _of_paths([os.fspath(path) for path in members], reading)  # type: ignore[arg-type]
    pairs: Iterable[Any] = members
    return (Member(name, None, partial(images.as_image, image)) for name, image in pairs), ()


def _of_paths(
    paths: Sequence[str], reading: Reading
) -> tuple[list[Member], tuple[images.LeftOut, ...]]:
    """Return the members of several folders and files, and what is left out of them."""
    found: list[Member] = []
    others: list[images.LeftOut] = []
    for path in paths:
        try:
            image_set = reading.open(path)
        except InputError as error:
            if len(paths) == 1:
                raise
            others.append(images.left_out(path, path, error))
            continue
        found += _of_set(image_set, _prefix(path, image_set, len(paths) > 1), path)
        others += (
            replace(other, name=f"{path}/{other.name}" if len(paths) > 1 else other.name)
            for other in image_set.left_out
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
        Member(prefix + name, place, partial(image_set.image, i), file)
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


class Names:
    """The names of an archive so far."""

    def __init__(self) -> None:
        self._below: dict[str, str] = {}  # a name or folder, and a name that is it or is below it

    def add(self, name: str) -> None:
        """Add a name. Raises InputError if it is invalid, is taken, or is a folder in one of those
        that are there, or the other way round.

        Examples:
            >>> names = Names()
            >>> names.add("a/b")
            >>> names.add("a")
            Traceback (most recent call last):
            ...
            bbans.errors.InputError: names differ and none is a folder in another, found 'a' and ...
        """
        try:
            records.check_name(name)
        except FormatError as error:
            raise InputError(str(error)) from None
        folders = [parent.as_posix() for parent in PurePosixPath(name).parents][:-1]
        clashes = [self._below[name]] if name in self._below else []
        clashes += [folder for folder in folders if self._below.get(folder) == folder]
        if clashes:
            raise InputError(
                f"names differ and none is a folder in another, found {name!a} and "
                f"{clashes[0]!a}: rename the image"
            )
        self._below[name] = name
        for folder in folders:
            self._below.setdefault(folder, name)


def read_members(members: Iterable[Member], left_out: list[images.LeftOut] | None) -> Named:
    """Yield name and image of the members.

    left_out: a list that receives the files that cannot be taken; if None, the first of them raises
    InputError. A value that cannot be taken, which is no file, always does.

    Examples:
        >>> import numpy as np
        >>> members = [Member("a", None, lambda: images.from_array(np.zeros((2, 3), np.uint8)))]
        >>> [(name, image.pixels.shape) for name, image in read_members(members, None)]
        [('a', (2, 3))]
    """
    names, taken = Names(), 0
    for member in members:
        try:
            image = member.read()
            _check_metadata(image)
            names.add(member.name)
        except InputError as error:
            if member.place is None:
                raise
            record = images.left_out(member.name, member.place, error)
            if left_out is None:
                raise type(error)(f"{record.place}: {record.reason}") from error.__cause__
            left_out.append(record)
            continue
        taken += 1
        yield member.name, image
    if left_out and not taken:
        first = left_out[0]
        others = f"; nor is any of {len(left_out) - 1} others" if len(left_out) > 1 else ""
        raise InputError(f"{first.place}: {first.reason}{others}")


def check_all(members: Iterable[Member], left_out: Sequence[images.LeftOut]) -> None:
    """Read all members that are files, as a rehearsal. Raises InputError on the first that cannot
    be taken, of which those of `left_out` are known.

    Examples:
        >>> check_all([], [images.LeftOut("a", "in/a", "not an image", False)])
        Traceback (most recent call last):
        ...
        bbans.errors.InputError: in/a: not an image
    """
    for other in left_out:
        raise InputError(f"{other.place}: {other.reason}")
    if isinstance(members, list):  # and not values that an iterator gives once
        for _ in read_members(members, None):
            pass


def check_kept(output: Path | str, members: Iterable[Member]) -> None:
    """Raise InputError if an output, a path or URL, is one of the members that are files.

    Examples:
        >>> check_kept(Path("a.bbar"), [])
    """
    if (isinstance(output, Path) and not os.path.lexists(output)) or not isinstance(members, list):
        return
    place = os.path.realpath(output) if isinstance(output, Path) else output
    for file in {member.file for member in members}:
        if file is not None and place in (file, os.path.realpath(file)):
            raise InputError(
                f"{output} is one of the images, and inputs are kept: choose another output"
            )


def _check_metadata(image: images.Image) -> None:
    """Raise InputError if an image has more metadata than a file may have."""
    try:
        metadata.chunks_body(tuple(to_chunk(chunk) for chunk in image.metadata))
    except FormatError as error:
        raise InputError(str(error)) from None
