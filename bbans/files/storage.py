"""Reading and writing of compressed files and image files by paths or URLs."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bbans import container, images
from bbans.errors import InputError
from bbans.files import urls
from bbans.images.formats.registry import format_of_bytes


@contextmanager
def open_buffer(path: str | Path | bytes) -> Iterator[container.FileBuffer]:
    """Open a regular file or a URL as a buffer, of which only requested parts are read, all of a
    pipe such as `/dev/stdin`, or bytes as they are; a context manager.

    Raises InputError if there is no such file or it cannot be read.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a.bbans", b"abc", overwrite=False)
        ...     with open_buffer(f"{folder}/a.bbans") as buffer:
        ...         len(buffer)
        3
    """
    try:
        buffer, _files = _opened(path)  # the file system has to live as long
    except OSError as error:
        name = "the bytes" if isinstance(path, bytes) else path
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    try:
        yield buffer
    finally:
        buffer.close()


def _opened(path: str | Path | bytes) -> tuple[container.FileBuffer, Any]:
    """Return a buffer and, of a URL, its file system."""
    if isinstance(path, bytes):
        return container.FileBuffer(io.BytesIO(path)), None
    place = urls.located(path)
    if not isinstance(place, Path):
        file, files = urls.opened(place)
        return container.FileBuffer(file), files
    if images.is_pipe(place):
        return container.FileBuffer(io.BytesIO(images.file_bytes(place))), None
    if not place.is_file():
        raise InputError(
            f"{path}: a .bbans file was expected, found "
            f"{'no regular file' if place.exists() else 'nothing'}"
        )
    return container.FileBuffer(place), None


def mode_of(source: str | Path) -> int | None:
    """Return the permission bits of a local file, None of a URL and of what is not there.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a", b"", overwrite=False)
        ...     os.chmod(f"{folder}/a", 0o600)
        ...     oct(mode_of(f"{folder}/a"))
        '0o600'
    """
    place = urls.located(source)
    try:
        return stat.S_IMODE(os.stat(place).st_mode) & 0o777 if isinstance(place, Path) else None
    except OSError:
        return None


def write_file(
    target: str | Path,
    data: bytes | Iterable[bytes],
    overwrite: bool,
    mode: int | None = None,
) -> None:
    """Write a file, given as bytes or in pieces, to a path or URL, atomically where the storage
    allows it.

    mode: permission bits of a local file; None: those of the umask. Pieces for a URL are put in a
    temporary file first. Raises OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a.bbans", b"abc", overwrite=False)
        ...     Path(folder, "a.bbans").read_bytes()
        b'abc'
    """
    place = urls.located(target)
    if isinstance(place, Path):
        images.atomic_write(place, data, overwrite, mode)
    elif isinstance(data, bytes):
        urls.write(place, data, overwrite)
    else:
        with tempfile.TemporaryDirectory(prefix="bbans-") as folder:
            images.atomic_write(local := Path(folder, "pieces"), data)
            urls.write(place, local, overwrite)


def read_bytes(source: str | Path, expected: str = "an image file") -> bytes:
    """Return the bytes of a file by its path or URL, or of a pipe such as `/dev/stdin`.

    Raises InputError if it cannot be read or is none; `expected` says what it should be.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a.png", b"abc", overwrite=False)
        ...     read_bytes(f"{folder}/a.png")
        b'abc'
    """
    place = urls.located(source)
    return images.file_bytes(place, expected) if isinstance(place, Path) else urls.read(place)


def read_image_file(
    source: str | Path, as_pixels: bool
) -> tuple[images.Image | images.JpegFile, int]:
    """Read an image file by its path or URL and return the image, or the JPEG file that it is, and
    the file's size in bytes.

    as_pixels: accept a lossy file and take its decoded pixels. Raises InputError on files that
    cannot be read, of which JpegInputError on a lossy one other than a JPEG unless `as_pixels`.

    Examples:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "a.npy"), np.zeros((2, 3), np.uint8))
        ...     image, size = read_image_file(f"{folder}/a.npy", as_pixels=False)
        >>> image.pixels.shape, size
        ((2, 3), 134)
    """
    data = read_bytes(source)
    with _about(source):
        return images.read_source(data, as_pixels=as_pixels), len(data)


def read_damaged_file(
    source: str | Path, as_pixels: bool
) -> tuple[images.Image | images.JpegFile, int, tuple[str, ...]]:
    """Read an image file of which parts that are no pixels may be damaged: return the image without
    them, or the JPEG file that it is, the file's size in bytes, and what was not kept, in words.

    Only a PNG has such parts: its ancillary chunks. Raises InputError as `read_image_file` does.

    Examples:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "a.npy"), np.zeros((2, 3), np.uint8))
        ...     read_damaged_file(f"{folder}/a.npy", as_pixels=False)[1:]
        (134, ())
    """
    data = read_bytes(source)
    with _about(source):
        mended, left_out = format_of_bytes(data).mend(data)
        return images.read_source(mended, as_pixels=as_pixels), len(data), left_out


@contextmanager
def _about(source: str | Path) -> Iterator[None]:
    """Put the name of a file in front of an InputError of the body."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{source}: {error}") from error.__cause__
