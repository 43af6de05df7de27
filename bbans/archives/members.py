"""What an archive is made of: images by name, from folders, files and arrays, here or at a URL,
each read when it is asked for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bbans import images
from bbans.errors import InputError
from bbans.files import storage, urls
from bbans.images.formats.registry import suffixes

Source: TypeAlias = "str | os.PathLike[str]"
Named: TypeAlias = Iterator[tuple[str, images.Image]]
Members: TypeAlias = "Source | Sequence[Source] | images.ImageSet | Iterable[tuple[str, Any]]"


@dataclass(frozen=True)
class Reading:
    """How files are read. `folder` holds copies of files that came by URL."""

    shape: tuple[int, int] | None
    as_pixels: bool
    folder: Path

    def open(self, source: Source) -> images.ImageSet:
        """The images of a folder or file, by its path or URL.

        A folder's files are fetched when they are asked for.
        """
        place = urls.located(source)
        if isinstance(place, str):
            found = urls.members(place)
            if found is not None:
                return self.fetched(place, found)
            place = urls.fetch(place, Path(tempfile.mkdtemp(dir=self.folder)))
        return images.open_set(place, shape=self.shape, as_pixels=self.as_pixels)

    def fetched(self, url: str, found: dict[str, str]) -> images.ImageSet:
        """The images of a folder by its URL: those of its files whose names say that they are
        images.
        """
        names = tuple(name for name in found if name.lower().endswith(suffixes()))
        if not names:
            raise InputError(
                f"{url}: a folder of images was expected, found none among {len(found)} files"
            )
        skipped = tuple(name for name in found if name not in names)
        return images.ImageSet(
            names, lambda i: storage.read_image_file(found[names[i]], self.as_pixels)[0], skipped
        )


def named_images(members: Members, reading: Reading) -> tuple[Named, tuple[str, ...]]:
    """Named images, read when they are asked for, and the files that are none."""
    if isinstance(members, images.ImageSet):
        return ((name, members.image(i)) for i, name in enumerate(members.names)), members.skipped
    if isinstance(members, str | os.PathLike):
        return named_images(reading.open(members), reading)
    if (
        isinstance(members, Sequence)
        and members
        and all(isinstance(member, str | os.PathLike) for member in members)
    ):
        sets = [(os.fspath(path), reading.open(path)) for path in members]  # type: ignore[arg-type]
        skipped = tuple(f"{path}/{name}" for path, found in sets for name in found.skipped)
        return (
            pair for path, found in sets for pair in _prefixed(path, found, len(sets) > 1)
        ), skipped
    pairs: Iterable[Any] = members
    return ((name, images.as_image(image)) for name, image in pairs), ()


def _prefixed(
    source: str, found: images.ImageSet, several: bool
) -> Iterator[tuple[str, images.Image]]:
    """A set's images; one of several sets has its folder's or file's name in front, unless it is
    one image file.
    """
    place = urls.located(source)
    path = place if isinstance(place, Path) else Path(urls.name_of(place))
    folder = path.resolve().name if path.is_dir() else path.stem
    alone = found.names == (path.name,)
    for i, name in enumerate(found.names):
        yield f"{folder}/{name}" if several and not alone else name, found.image(i)
