"""The members of an archive one after the other: each is read when its turn comes, and what cannot
be taken is left out with the reason, or found before any work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from bbans import images
from bbans.archives.members import Member, Named
from bbans.container import archive_records as records
from bbans.container import metadata
from bbans.errors import FormatError, InputError
from bbans.files.jpeg import ImageOrJpeg
from bbans.files.metadata import chunks_of


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


def read_members(members: Iterable[Member], not_taken: list[images.NotTaken] | None) -> Named:
    """Yield name and image of the members.

    not_taken: a list that receives the files that cannot be taken; if None, the first of them
    raises InputError. A value that cannot be taken, which is no file, always does.

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
            record = images.not_taken(member.name, member.place, error)
            if not_taken is None:
                raise type(error)(f"{record.place}: {record.reason}") from error.__cause__
            not_taken.append(record)
            continue
        taken += 1
        yield member.name, image
    if not_taken and not taken:
        first = not_taken[0]
        others = f"; nor is any of {len(not_taken) - 1} others" if len(not_taken) > 1 else ""
        raise InputError(f"{first.place}: {first.reason}{others}")


def check_all(members: Iterable[Member], not_taken: Sequence[images.NotTaken]) -> None:
    """Read all members that are files, as a rehearsal. Raises InputError on the first that cannot
    be taken, of which those of `not_taken` are known.

    Examples:
        >>> check_all([], [images.NotTaken("a", "in/a", "not an image", False)])
        Traceback (most recent call last):
        ...
        bbans.errors.InputError: in/a: not an image
    """
    for other in not_taken:
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


def _check_metadata(image: ImageOrJpeg) -> None:
    """Raise InputError if an image has more metadata than a file may have; a JPEG keeps its own."""
    if isinstance(image, images.JpegFile):
        return
    try:
        metadata.chunks_body(chunks_of(image))
    except FormatError as error:
        raise InputError(str(error)) from None
