"""Reading and writing of compressed files and image files by paths or URLs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bbans import container, images
from bbans.errors import InputError
from bbans.files import urls


@contextmanager
def open_buffer(path: str | Path) -> Iterator[container.FileBuffer]:
    """Open a regular file or a URL as a buffer, of which only requested parts are read; a context
    manager.

    Raises InputError if there is no such regular file or it cannot be read.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a.bbans", b"abc", overwrite=False)
        ...     with open_buffer(f"{folder}/a.bbans") as buffer:
        ...         len(buffer)
        3
    """
    place = urls.located(path)
    try:
        if isinstance(place, Path) and not place.is_file():
            raise InputError(
                f"{path}: a .bbans file was expected, found "
                f"{'no regular file' if place.exists() else 'nothing'}"
            )
        buffer = container.FileBuffer(place if isinstance(place, Path) else urls.opened(place))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    try:
        yield buffer
    finally:
        buffer.close()


def write_file(target: str | Path, data: bytes, overwrite: bool) -> None:
    """Write the bytes of a file to a path or URL, atomically where the storage allows it.

    Raises OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a.bbans", b"abc", overwrite=False)
        ...     Path(folder, "a.bbans").read_bytes()
        b'abc'
    """
    place = urls.located(target)
    if isinstance(place, Path):
        images.atomic_write(place, data, overwrite=overwrite)
    else:
        urls.write(place, data, overwrite)


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
    place = urls.located(source)
    if isinstance(place, Path):
        return images.read_source(place, as_pixels=as_pixels), os.path.getsize(place)
    data = urls.read(place)
    try:
        return images.read_source(data, as_pixels=as_pixels), len(data)
    except InputError as error:
        raise type(error)(f"{source}: {error}") from error.__cause__
