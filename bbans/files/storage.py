"""Reading and writing of compressed files and image files by paths or URLs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bbans import container, images
from bbans.errors import InputError
from bbans.files import urls
from bbans.images.formats.registry import format_of_bytes


@contextmanager
def open_buffer(path: str | Path) -> Iterator[container.FileBuffer]:
    """Open a regular file or a URL as a buffer, of which only requested parts are read, or all of a
    pipe such as `/dev/stdin`; a context manager.

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
        buffer = _opened(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        yield buffer
    finally:
        buffer.close()


def _opened(path: str | Path) -> container.FileBuffer:
    place = urls.located(path)
    if not isinstance(place, Path):
        return container.FileBuffer(urls.opened(place))
    if images.is_pipe(place):
        return container.FileBuffer(io.BytesIO(images.file_bytes(place)))
    if not place.is_file():
        raise InputError(
            f"{path}: a .bbans file was expected, found "
            f"{'no regular file' if place.exists() else 'nothing'}"
        )
    return container.FileBuffer(place)


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
