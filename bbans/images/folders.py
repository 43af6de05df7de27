"""The files below a folder: those that are images by their first bytes, and all others with the
reason why they are left out. Nothing below a folder is passed over in silence.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bbans.errors import InputError, UnsupportedImageError
from bbans.images.formats.registry import format_of_bytes, suffixes

OTHER_IMAGES = (".gif", ".heic", ".heif", ".avif", ".jxl", ".psd", ".qoi", ".exr", ".ico", ".svg")
"""Suffixes of images that are not read."""
SNIFFED = 64
"""Bytes of a file from which its format is detected."""


@dataclass(frozen=True)
class NotTaken:
    """A file that is not taken.

    name: relative to its folder. place: the path or URL. reason: why, in one line. image: whether
    it is an image, by its bytes, its name or because it was named as one, or may hold some.
    """

    name: str
    place: str
    reason: str
    image: bool = True


def not_taken(
    name: str, place: str | os.PathLike[str], error: InputError, image: bool = True
) -> NotTaken:
    """Return the record of a file that an error kept from being taken.

    Examples:
        >>> not_taken("a", "in/a", InputError("in/a: no image")).reason
        'no image'
    """
    reason = str(error).removeprefix(f"{os.fspath(place)}: ")
    reason = reason.removeprefix(f"{Path(place).name}: ")
    return NotTaken(name, os.fspath(place), reason, image)


def named_as_image(name: str) -> bool:
    """Return whether a name has the suffix of an image format, be it one that is not read.

    Examples:
        >>> named_as_image("a.PNG"), named_as_image("a.gif"), named_as_image("a.txt")
        (True, True, False)
    """
    return name.lower().endswith((*suffixes(), *OTHER_IMAGES))


def first_bytes(path: Path) -> bytes:
    """Return the first bytes of a regular file, by which its format is detected.

    Raises InputError.

    Examples:
        >>> first_bytes(Path("no such file"))
        Traceback (most recent call last):
        ...
        bbans.errors.InputError: no such file: images were expected, found nothing
    """
    try:
        if not path.is_file():
            raise InputError(
                f"{path}: images were expected, found "
                f"{'no regular file' if path.exists() else 'nothing'}"
            )
        with path.open("rb") as file:
            return file.read(SNIFFED)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None


def list_folder(folder: Path) -> tuple[tuple[str, ...], tuple[NotTaken, ...]]:
    """Return the names of the images below a folder, relative to it, and what is left out; both are
    sorted.

    Left out are files that are no images, links to folders, which are not followed, and folders
    that cannot be read.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as place:
        ...     sizes = [Path(place, name).write_bytes(b"P2 2 1 255 7 8") for name in "ab"]
        ...     Path(place, "c").touch()
        ...     names, others = list_folder(Path(place))
        >>> names, [other.name for other in others]
        (('a', 'b'), ['c'])
    """
    names, others = [], []
    for name, unopened in sorted(_below(folder).items(), key=lambda found: found[0]):
        if unopened is not None:
            others.append(not_taken(name, folder / name, unopened))
            continue
        try:
            format_of_bytes(first_bytes(folder / name))
            names.append(name)
        except InputError as error:
            image = isinstance(error, UnsupportedImageError) or named_as_image(name)
            others.append(not_taken(name, folder / name, error, image))
    return tuple(names), tuple(others)


def _below(folder: Path) -> dict[str, InputError | None]:
    """Return the names of all files below a folder, and an error for what cannot be looked into."""
    found: dict[str, InputError | None] = {}

    def unreadable(error: OSError) -> None:
        where = Path(error.filename or folder).relative_to(folder).as_posix()
        found[where] = InputError(f"a folder that cannot be read: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=unreadable):
        root = Path(place).relative_to(folder)
        found |= {(root / name).as_posix(): None for name in files}
        found |= {
            (root / name).as_posix(): InputError(
                "a link to a folder, which is not followed: name the folder itself"
            )
            for name in folders
            if (folder / root / name).is_symlink()
        }
    return found
