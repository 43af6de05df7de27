"""Reading and writing of compressed files and image files by paths or URLs."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bbans import container, images
from bbans.errors import InputError
from bbans.files import urls


@contextmanager
def open_buffer(path: str | Path | bytes) -> Iterator[container.FileBuffer]:
    """Open a regular file or a URL as a buffer, of which only requested parts are read, or bytes as
    they are; a context manager.

    Raises InputError if there is no such regular file or it cannot be read.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a.bbans", b"abc", overwrite=False)
        ...     with open_buffer(f"{folder}/a.bbans") as buffer:
        ...         len(buffer)
        3
    """
    if isinstance(path, bytes):
        yield container.FileBuffer(io.BytesIO(path))
        return
    place = urls.located(path)
    try:
        if isinstance(place, Path) and not place.is_file():
            raise InputError(
                f"{path}: a .bbans file was expected, found "
                f"{'no regular file' if place.exists() else 'nothing'}"
            )
        opened = (place, None) if isinstance(place, Path) else urls.opened(place)
        buffer = container.FileBuffer(opened[0])  # the file system lives as long as `opened`
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    try:
        yield buffer
    finally:
        buffer.close()


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


def read_image_file(source: str | Path, as_pixels: bool) -> tuple[images.Image, int]:
    """Read an image file by its path or URL and return the image and the file's size in bytes.

    as_pixels: accept a lossy file and take its decoded pixels. Raises InputError on files that
    cannot be read, of which JpegInputError on a lossy one unless `as_pixels`.

    Examples:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "a.npy"), np.zeros((2, 3), np.uint8))
        ...     image, size = read_image_file(f"{folder}/a.npy", as_pixels=False)
        >>> image.pixels.shape, size
        ((2, 3), 134)
    """
    place = urls.located(source)
    if isinstance(place, Path):
        return images.read_image(place, as_pixels=as_pixels), os.path.getsize(place)
    data = urls.read(place)
    try:
        return images.read_image(data, as_pixels=as_pixels), len(data)
    except InputError as error:
        raise type(error)(f"{source}: {error}") from error.__cause__
