"""Sets of images as sequences: a folder, an `.npy`, `.npz` or idx file, or a single image; each
image is read on access.

Nothing is converted: an image of a folder has the depth, palette and metadata of its file, as
`read_image` returns it, and images of an array have its samples. (`dataset.load_folder` instead
makes RGB for training.) Memory is bounded: `.npy` and uncompressed idx files are memory-mapped, of
an `.npz` one array at a time is loaded, and a compressed idx file is decompressed as a whole.

idx is the format of MNIST (LeCun, Cortes and Burges): two zero bytes, a type (8: unsigned bytes),
the number of axes, the length of each as a big-endian 32-bit integer, then the samples in C order.
"""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError
from bbans.images.folders import NotTaken, first_bytes, list_folder
from bbans.images.formats.jpeg import JpegFile
from bbans.images.formats.read import read_image, read_source
from bbans.images.image import DEFAULT_MAX_PIXELS, Image, make_image
from bbans.images.pillow_convert import guarded
from bbans.images.sources import file_bytes, is_pipe

Array = NDArray[Any]
MAX_SET_BYTES = 2**32
"""Largest size of an array that is not memory-mapped."""
IDX_BYTES = 8


@dataclass(frozen=True, eq=False)
class ImageSet(Sequence[tuple[str, Array]]):
    """A sequence of (name, samples). `image(i)` returns the i-th image with metadata, which is at
    `places[i]` (without places: at its name); `source(i)` returns a JPEG as the file that it is.
    `not_taken` are the files of a folder that are no images, and what cannot be looked into.

    Examples:
        >>> from bbans.images.image import from_array
        >>> images = ImageSet(("a",), lambda i: from_array(np.zeros((2, 3), np.uint8)))
        >>> [(name, samples.shape) for name, samples in images]
        [('a', (2, 3))]
    """

    names: tuple[str, ...]
    image: Callable[[int], Image]
    not_taken: tuple[NotTaken, ...] = ()
    places: tuple[str, ...] = ()
    source_reader: Callable[[int], Image | JpegFile] | None = None

    @property
    def skipped(self) -> tuple[str, ...]:
        """The names of what is not taken."""
        return tuple(other.name for other in self.not_taken)

    def source(self, i: int) -> Image | JpegFile:
        """Return the i-th image with metadata, or the JPEG file that it is."""
        return self.image(i) if self.source_reader is None else self.source_reader(i)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, i: int) -> tuple[str, Array]: ...
    @overload
    def __getitem__(self, i: slice) -> list[tuple[str, Array]]: ...
    def __getitem__(self, i: int | slice) -> tuple[str, Array] | list[tuple[str, Array]]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        at = range(len(self))[i]
        return self.names[at], self.image(at).pixels

    def __iter__(self) -> Iterator[tuple[str, Array]]:
        return (self[i] for i in range(len(self)))


def open_set(
    path: str | os.PathLike[str],
    *,
    shape: tuple[int, int] | None = None,
    as_pixels: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> ImageSet:
    """Open a folder (all files below it, sorted by name), an `.npy`, `.npz` or idx file (also
    `.gz`), or one image file.

    Arrays are uint8, uint16 or bool, `(N, H, W)` or `(N, H, W, 1 to 4)`; bool gives images of 1
    bit. With `shape` (H, W) they are `(N, H W)`, or uint8 `(N, ceil(H W / 8))` with 8 one-bit
    pixels per byte in the order of `numpy.packbits`. An `.npy` array `(H, W, 2 to 4)` is a single
    image. Images of one array are named by their position, those of several arrays by the array's
    name and position.

    `as_pixels` and `max_pixels`: see `read_image`. Raises InputError on files that are no set, and
    on access on an image that cannot be read.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.zeros((2, 28, 28), np.uint8))
        ...     [(name, pixels.shape) for name, pixels in open_set(f"{folder}/a.npy")]
        [('0', (28, 28)), ('1', (28, 28))]
    """
    source = Path(path)
    if source.is_dir():
        return _folder(source, as_pixels, max_pixels)
    if is_pipe(source):
        data = file_bytes(source)
        return ImageSet(
            (source.name,),
            lambda _: read_image(data, as_pixels, max_pixels),
            places=(os.fspath(source),),
            source_reader=lambda _: read_source(data, as_pixels, max_pixels),
        )
    start = first_bytes(source)
    if start.startswith(b"PK\x03\x04"):
        return _npz(source, shape)
    if start.startswith(b"\x1f\x8b") or start[:3] == bytes([0, 0, IDX_BYTES]):
        return _array_set(read_idx(source, start.startswith(b"\x1f\x8b")), source.name, shape)
    if start.startswith(b"\x93NUMPY"):
        array = _map_npy(source)
        if shape is not None or array.ndim == 4 or (array.ndim == 3 and array.shape[2] > 4):
            return _array_set(array, source.name, shape)
    return ImageSet(
        (source.name,),
        lambda _: read_image(source, as_pixels, max_pixels),
        places=(os.fspath(source),),
        source_reader=lambda _: read_source(source, as_pixels, max_pixels),
    )


def _folder(folder: Path, as_pixels: bool, max_pixels: int) -> ImageSet:
    """Open a folder; what is no image by its first bytes is left out."""
    names, others = list_folder(folder)
    if not names:
        raise InputError(
            f"{folder}: a folder of images was expected, found none among {len(others)} files"
        )
    return ImageSet(
        names,
        lambda i: read_image(folder / names[i], as_pixels, max_pixels),
        others,
        tuple(str(folder / name) for name in names),
        lambda i: read_source(folder / names[i], as_pixels, max_pixels),
    )


def _map_npy(path: Path) -> Array:
    with guarded(path.name):
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _npz(path: Path, shape: tuple[int, int] | None) -> ImageSet:
    """Open every array of a file that can be images, one after the other."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                info.filename.removesuffix(".npy")
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            ]
            if any(info.file_size > MAX_SET_BYTES for info in archive.infolist()):
                raise InputError(
                    f"{path.name}: an array of it is over {MAX_SET_BYTES} bytes; save it as .npy, "
                    "which is mapped"
                )
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise InputError(
            f"{path.name}: a .npz file was expected, found a damaged one ({error})"
        ) from None
    cache: dict[str, ImageSet] = {}

    def opened(name: str) -> ImageSet:
        if name not in cache:
            cache.clear()  # one array at a time
            with guarded(path.name), np.load(path, allow_pickle=False) as arrays:
                array = arrays[name]
            cache[name] = _array_set(array, f"{path.name}, array {name}", shape)
        return cache[name]

    sets = {}
    for name in members:
        try:
            sets[name] = opened(name).names
        except InputError:
            if len(members) == 1:
                raise
    if not sets:
        raise InputError(
            f"{path.name}: images (N, H, W) were expected, found none among {members[:8]}; give a "
            "shape for flat ones"
        )
    positions = [(name, i) for name, set_names in sets.items() for i in range(len(set_names))]
    names = tuple(
        sets[name][i] if len(sets) == 1 else f"{name}/{sets[name][i]}" for name, i in positions
    )
    return ImageSet(names, lambda i: opened(positions[i][0]).image(positions[i][1]))


def read_idx(path: Path, packed: bool) -> Array:
    """Read an idx file of unsigned bytes, `packed` by gzip or not, as a uint8 array.

    Raises InputError on other files and on damage.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     packed = gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        ...     size = Path(folder, "a.gz").write_bytes(packed)
        ...     read_idx(Path(folder, "a.gz"), packed=True).tolist()
        [7, 9]
    """
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0":
                raise InputError(
                    f"{path.name}: a set of images was expected, found no idx file; give a "
                    "folder, .npz, .npy or idx"
                )
            if head[2] != IDX_BYTES:
                raise InputError(
                    f"{path.name}: an idx file of unsigned bytes was expected, found type "
                    f"{head[2]:#04x}"
                )
            sides = file.read(4 * head[3])
            axes = struct.unpack(f">{len(sides) // 4}I", sides[: len(sides) // 4 * 4])
            size = prod(axes)
            if len(axes) != head[3] or (packed and size > MAX_SET_BYTES):
                raise InputError(f"{path.name}: damaged idx file: it has {head[3]} axes, of {axes}")
            if not packed:
                size_found = os.fstat(file.fileno()).st_size - file.tell()
                if size_found != size:
                    raise InputError(
                        f"{path.name}: damaged idx file: {size} bytes of samples were expected, "
                        f"found {size_found}"
                    )
                return (
                    np.memmap(path, np.uint8, "r", file.tell(), axes)
                    if size
                    else np.zeros(axes, np.uint8)
                )
            samples = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if len(samples) != size:
        raise InputError(
            f"{path.name}: damaged idx file: {size} bytes of samples were expected, found "
            f"{len(samples)} or more"
        )
    return np.frombuffer(samples, np.uint8).reshape(axes)


def _array_set(array: Array, where: str, shape: tuple[int, int] | None) -> ImageSet:
    """Open an array as a set of images."""
    if array.dtype not in (np.uint8, np.uint16, np.bool_):
        raise InputError(
            f"{where}: samples of uint8, uint16 or bool were expected, found {array.dtype}"
        )
    packed = (
        shape is not None
        and array.dtype == np.uint8
        and array.shape[1:] == (-(-prod(shape) // 8),)
        and prod(shape) > 1
    )
    flat = shape is not None and array.shape[1:] == (prod(shape),)
    if shape is not None and not packed and not flat:
        raise InputError(
            f"{where}: rows of {prod(shape)} pixels or {-(-prod(shape) // 8)} packed bytes were "
            f"expected, found {array.shape}"
        )
    if shape is None and (
        array.ndim not in (3, 4) or array.shape[3:] not in ((), (1,), (2,), (3,), (4,))
    ):
        raise InputError(
            f"{where}: images (N, H, W) or (N, H, W, C) with C up to 4 were expected, found shape "
            f"{array.shape}"
        )
    if not array.size:
        raise InputError(
            f"{where}: at least one image of at least one pixel was expected, found shape "
            f"{array.shape}"
        )
    binary = packed or array.dtype == np.bool_
    if array.dtype == np.bool_ and array.shape[3:] not in ((), (1,)):
        raise InputError(f"{where}: images of 1 bit have one channel, found shape {array.shape}")

    def image(i: int) -> Image:
        x = np.asarray(array[i])
        if packed:
            x = np.unpackbits(x, count=prod(shape or ()))
        if shape is not None:
            x = x.reshape(shape)
        if x.ndim == 3 and x.shape[2] == 1:
            x = x[:, :, 0]
        x = x.astype(np.uint16 if x.dtype == np.uint16 else np.uint8)
        return make_image(x, (), 1 if binary else 8 * x.itemsize)

    digits = len(str(len(array) - 1))
    return ImageSet(tuple(f"{i:0{digits}d}" for i in range(len(array))), image)
