"""Files of ours and images, by their paths or URLs."""

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
    """A regular file, or one by its URL, of which only what is asked for is read."""
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
    """Write a file, by its path or URL. Raises OutputExistsError, OutputError."""
    place = urls.located(target)
    if isinstance(place, Path):
        images.atomic_write(place, data, overwrite=overwrite)
    else:
        urls.write(place, data, overwrite)


def read_image_file(source: str | Path, as_pixels: bool) -> tuple[images.Image, int]:
    """An image file's image, and its bytes."""
    place = urls.located(source)
    if isinstance(place, Path):
        return images.read_image(place, as_pixels=as_pixels), os.path.getsize(place)
    data = urls.read(place)
    try:
        return images.read_image(data, as_pixels=as_pixels), len(data)
    except InputError as error:
        raise type(error)(f"{source}: {error}") from error.__cause__
