"""Folders of images as arrays for training, and the tenth of them that is held out.

Training needs pixels, not files: grey becomes RGB, palettes are looked up, alpha is dropped, and
JPEG is accepted. Files of 16 bits are rejected, since rounding to 8 bits adds noise that no camera
has.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from bbans.errors import InputError
from bbans.images.formats import png
from bbans.images.image import DEFAULT_MAX_PIXELS
from bbans.images.pillow_convert import check_size, check_source, guarded
from bbans.images.sources import file_bytes

Pixels = NDArray[np.uint8]
Array = TypeVar("Array", bound=NDArray[Any])
Named = tuple[str, Pixels]
"""Name and pixels of an image."""
CONVERTIBLE = ("P", "PA", "LA", "RGBA", "RGBX", "YCbCr")
"""Modes that Pillow converts to RGB."""


def _to_rgb(array: NDArray[Any]) -> Pixels:
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or not array.size
        or array.shape[2:] not in ((), (1,), (3,), (4,))
    ):
        raise InputError(
            f"8-bit samples of shape (H, W) or (H, W, 3) were expected, found {array.dtype} of "
            f"shape {array.shape}"
        )
    if array.ndim == 2:
        array = array[:, :, None]
    return np.ascontiguousarray(
        np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[:, :, :3]
    )


def _read_jxl(path: Path) -> Pixels:
    try:
        codecs = importlib.import_module("imagecodecs")
    except ImportError:
        raise ModuleNotFoundError("imagecodecs") from None
    with guarded(path.name):
        return _to_rgb(np.asarray(codecs.jpegxl_decode(file_bytes(path))))


def _read_npy(path: Path) -> Pixels:
    with guarded(path.name):
        return _to_rgb(np.load(BytesIO(file_bytes(path)), allow_pickle=False))


def _read_pillow(path: Path, max_pixels: int) -> Pixels:
    data = file_bytes(path)
    if data.startswith(png.SIGNATURE) and data[24:25] == b"\x10":
        raise InputError(f"{path.name}: 8-bit samples were expected, found 16-bit")
    with guarded(path.name), PIL.Image.open(BytesIO(data)) as source:
        check_size(source.width, source.height, max_pixels)
        if source.mode not in CONVERTIBLE:
            check_source(source)
            if source.mode not in ("L", "RGB") or "transparency" in source.info:
                raise InputError(
                    f"{path.name}: opaque 8-bit grey or RGB was expected, found mode {source.mode}"
                )
        return _to_rgb(np.array(source.convert("RGB")))


def load_image(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> Pixels:
    """Read a training image as uint8 `(H, W, 3)`.

    Raises InputError on other files, and ModuleNotFoundError for `.jxl` without imagecodecs.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.zeros((2, 3), np.uint8))
        ...     load_image(Path(folder, "a.npy")).shape
        (2, 3, 3)
    """
    suffix = path.suffix.lower()
    if suffix == ".jxl":
        return _read_jxl(path)
    return _read_npy(path) if suffix == ".npy" else _read_pillow(path, max_pixels)


def load_folder(
    path: str | os.PathLike[str], report: Callable[[str], None] | None = None
) -> list[Named]:
    """Read all images below a folder; return (name, pixels) sorted by name, pixels uint8 `(H, W,
    3)`.

    Reads whatever Pillow opens with 8-bit samples, `.npy` arrays and, with imagecodecs, `.jxl`.
    Other files are skipped, and `report` is called with one line that gives their number. Raises
    InputError if the folder does not exist or holds no image, and for `.jxl` files without
    imagecodecs.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.zeros((2, 3), np.uint8))
        ...     [(name, pixels.shape) for name, pixels in load_folder(folder)]
        [('a.npy', (2, 3, 3))]
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: a folder of images was expected, found "
            f"{'a file' if folder.exists() else 'nothing'}"
        )
    images: list[Named] = []
    skipped: list[str] = []
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in sorted(files, key=lambda file: file.relative_to(folder).as_posix()):
        name = file.relative_to(folder).as_posix()
        try:
            images.append((name, load_image(file)))
        except ModuleNotFoundError:
            raise InputError(
                f'{folder}: JPEG XL files need imagecodecs: pip install "bbans[train]"'
            ) from None
        except InputError:
            skipped.append(name)
    if not images:
        raise InputError(
            f"{folder}: a folder of 8-bit images was expected, found none among {len(skipped)} "
            "files"
        )
    if skipped and report is not None:
        report(
            f"{folder}: {len(skipped)} of {len(files)} files are no 8-bit images and were "
            f"skipped, the first: {skipped[0]}"
        )
    return images


def content_hash(array: NDArray[Any]) -> str:
    """Return the SHA-256 of the raw samples in C order, in hexadecimal, independent of the shape.

    Examples:
        >>> content_hash(np.zeros(4, np.uint8))[:8]
        'df3f6198'
    """
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def split_holdout(
    images: Iterable[tuple[str, Array]], one_in: int = 10
) -> tuple[list[tuple[str, Array]], list[tuple[str, Array]]]:
    """Split images into (train, holdout): held out are those whose hash's first 32 bits are a
    multiple of `one_in`.

    The choice depends on an image's pixels alone: copies stay together, and adding images moves no
    other.

    Examples:
        >>> train, holdout = split_holdout([("a", np.zeros(4, np.uint8))])
        >>> len(train) + len(holdout)
        1
    """
    train: list[tuple[str, Array]] = []
    holdout: list[tuple[str, Array]] = []
    for name, array in images:
        (train if int(content_hash(array)[:8], 16) % one_in else holdout).append((name, array))
    return train, holdout
