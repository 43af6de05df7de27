"""Chunks of arrays to bytes and back: as one image, or as planes of a stack coded together.

A chunk `(..., H, W)` or, with channels last, `(..., H, W, C)` consists of planes over its leading
axes; a chunk of one axis is one row. More than 4 entries on the last axis are never channels.
Samples are bool or integers of 8 or 16 bits. The bytes are a file or an archive of this package:

- with a latent-variable model of whole images: an archive of the planes, which share a message;
- a single plane: the file of that image;
- several planes: the file of one image with the planes stacked vertically; or, for grey planes, an
  archive of one image whose three colours are three neighbouring planes, so that the model predicts
  the second from the first and the third from both, and of an image of the one or two planes left
  over. A crop of the chunk is coded both ways to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import container, images, tiles
from bbans.archives import models
from bbans.archives.build import Settings, build
from bbans.archives.restore import Sources, restore
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records
from bbans.container.archive_writer import write_index
from bbans.errors import FormatError, InputError, LimitError
from bbans.execution.executor import Execution
from bbans.files import decoder, encoder
from bbans.files.jpeg import with_jpegs
from bbans.images.sample_kind import FLOAT_ADVICE
from bbans.models import library, model_file
from bbans.models.image_model import image_model
from bbans.models.library import ModelLike, load_model
from bbans.options import NO_MODEL, effort_named
from bbans.schemes import registry

Array = NDArray[Any]
Compress = Callable[[Array], bytes]
SAMPLE_SIDE = 192
"""Side of the crop of three planes that is coded both ways."""
BY_THREE = re.compile(r"three planes of (\d{1,10}) rows")
REST = "rest"
DTYPES = tuple(np.dtype(name) for name in ("u1", "<u2", "i1", "<i2", "?"))


@dataclass(frozen=True)
class ChunkCoder:
    """Settings of the coder.

    model: a model's id in hexadecimal, or "none". channel_last: whether the last axis is channels;
    None: decided from the shape by `has_channels`. verify: decode every chunk after encoding.
    """

    model: str
    effort: str = "default"
    channel_last: bool | None = None
    verify: bool = True


def chunk_coder(
    model: ModelLike, effort: str, channel_last: bool | None, verify: bool
) -> ChunkCoder:
    """Check the options and return the coder.

    model: a name, file or id in hexadecimal; None: the default of `effort`. Raises InputError on
    invalid options, and ModelNotFoundError if the search path does not have the model, since an
    array records only its id.

    Examples:
        >>> chunk_coder("none", "fast", channel_last=None, verify=True).model
        'none'
    """
    default = effort_named(effort).model
    if model == NO_MODEL or (isinstance(model, str) and re.fullmatch("[0-9a-f]{64}", model)):
        return ChunkCoder(str(model), effort, channel_last, verify)
    model_id = load_model(model or default).id.hex()
    _by_id(model_id)
    return ChunkCoder(model_id, effort, channel_last, verify)


def has_channels(shape: tuple[int, ...]) -> bool:
    """Return whether the last axis of a chunk is taken as channels by default.

    Examples:
        >>> has_channels((10, 64, 64)), has_channels((64, 64, 3))
        (False, True)
    """
    return len(shape) > 2 and shape[-1] <= 4


@lru_cache(maxsize=4)
def _by_id(model: str) -> model_file.Model:
    """Load a model by its id, once for all chunks."""
    return library.find_by_id(bytes.fromhex(model))


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise InputError unless chunks of a type are coded.

    Examples:
        >>> check_dtype(np.dtype("int16"))
    """
    if dtype in DTYPES:
        return
    advice = "convert the array (with zarr's filter AsType or FixedScaleOffset, for example)"
    if dtype.kind == "f":
        advice = FLOAT_ADVICE
    elif dtype.newbyteorder("<") in DTYPES:
        advice = f"make it little-endian ({dtype.newbyteorder('<').str})"
    raise InputError(
        f"chunks of uint8, uint16, int8, int16 or bool are coded, found {dtype}: {advice}"
    )


def encode_chunk(coder: ChunkCoder, chunk: Array) -> bytes:
    """Return the bytes of a chunk of uint8, uint16, int8, int16 or bool.

    chunk: `(..., H, W)` or, with channels last, `(..., H, W, C)`, C up to 4; of fewer axes, one
    row. Raises InputError on other types and empty chunks, and ModelNotFoundError.

    Examples:
        >>> chunk = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        >>> data = encode_chunk(ChunkCoder("none", channel_last=False), chunk)
        >>> bool((decode_chunk(data) == chunk.reshape(-1)).all())
        True
    """
    planes = _planes(coder, chunk)
    model = NO_MODEL if coder.model == NO_MODEL else _by_id(coder.model)
    to_file = _encoder(coder, model)

    def compress(image: Array) -> bytes:
        return to_file(images.from_array(np.ascontiguousarray(image)))

    if isinstance(model, model_file.Model) and model.capabilities.whole_images:
        image_model_of_planes = image_model(model, tiles.fastest_ops())
        coding = registry.default_coding(image_model_of_planes.capabilities)
        to_file = _encoder(coder, None)  # for planes that do not fit the model
        named_planes = [
            (records.plain_name(i, len(planes)), plane) for i, plane in enumerate(planes)
        ]
        return _archived(
            named_planes,
            Settings(
                with_jpegs(to_file),
                image_model_of_planes,
                coding,
                records.MAX_GROUP_ITEMS,
                False,
                coder.verify,
            ),
        )
    stacked = planes.reshape(-1, *planes.shape[2:])
    if planes.ndim == 4 or len(planes) < 3:
        return compress(stacked)
    if coder.effort == "max":
        return min(compress(stacked), _by_three(planes, compress), key=len)
    return (
        _by_three(planes, compress) if _three_are_shorter(planes, compress) else compress(stacked)
    )


def _encoder(coder: ChunkCoder, model: ModelLike) -> Callable[[images.Image], bytes]:
    """Return a function from an image to a file's bytes."""
    return encoder.encoder(
        encoder.CompressOptions(model, coder.effort, verify=coder.verify, execution=Execution(1))
    )


def decode_chunk(data: bytes, samples: int = container.DEFAULT_MAX_PIXELS) -> Array:
    """Decode a chunk to its samples in C order along one axis, at most `samples` of them.

    Raises FormatError on damaged data, of which LimitError on more samples, and ModelNotFoundError.

    Examples:
        >>> decode_chunk(encode_chunk(ChunkCoder("none"), np.array([[1, 2]], np.uint8)))
        array([1, 2], dtype=uint8)
    """
    if data.startswith(container.MAGIC):
        return _image(data, samples).pixels.reshape(-1)
    index = reader.read_archive_index(data, min(samples, records.MAX_ITEMS))
    claimed = sum(
        item.width * item.height * container.FORMATS[item.pixel_format].channels
        for item in index.archive.items
    )
    if claimed > samples:
        raise LimitError(
            f"a chunk of {samples} samples was expected, found one of {claimed}; it is another's"
        )
    sources = models.models_for_reading(data, index, None, 1, samples)
    sources = Sources(sources.model, lambda raw: _image(raw, samples))
    images_by_number = dict(restore(data, index, sources, None, None))
    planes = [images_by_number[number].pixels for number in range(len(index.archive.items))]
    three = BY_THREE.fullmatch(index.archive.items[0].name)
    if three:
        planes[0] = _parted(planes[0], int(three.group(1)))
    if len({plane.dtype for plane in planes}) != 1:
        raise FormatError(
            "the planes of a chunk have samples of several types; the chunk is damaged"
        )
    return np.concatenate([plane.reshape(-1) for plane in planes])


def fitting(samples: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Reshape the samples of a chunk. Raises FormatError where their number or type is another.

    Examples:
        >>> fitting(np.zeros(6, np.uint8), (2, 3), np.dtype(np.uint8)).shape
        (2, 3)
    """
    if samples.size != prod(shape) or samples.dtype != dtype:
        raise FormatError(
            f"a chunk {shape} of {dtype} was expected, found {samples.size} samples of "
            f"{samples.dtype}; the chunk is another's"
        )
    return samples.reshape(shape)


def _planes(coder: ChunkCoder, chunk: Array) -> Array:
    """Return a chunk as `(n, H, W)` or `(n, H, W, C)`. Raises InputError on other types and on
    empty chunks.
    """
    check_dtype(chunk.dtype)
    if not chunk.size:
        raise InputError(
            f"a chunk of at least one sample was expected, found shape {chunk.shape}; choose other "
            "chunks"
        )
    if chunk.ndim < 2:
        return chunk.reshape(1, 1, -1)
    # A filter of zarr may have moved the axis that the array's channels are on.
    channels = has_channels(chunk.shape) and coder.channel_last is not False
    axes = 3 if channels else 2
    last = chunk.shape[-axes:-1] if chunk.shape[-1] == 1 and channels else chunk.shape[-axes:]
    return chunk.reshape(-1, *last)


def _three_are_shorter(planes: Array, compress: Compress) -> bool:
    """Return whether a crop of three planes is coded in fewer bytes as colours than stacked."""
    start = (len(planes) - 3) // 2
    top, left = (max(0, side - SAMPLE_SIDE) // 2 for side in planes.shape[1:])
    sample = planes[start : start + 3, top : top + SAMPLE_SIDE, left : left + SAMPLE_SIDE]
    return len(compress(np.moveaxis(sample, 0, -1))) < len(
        compress(sample.reshape(-1, sample.shape[2]))
    )


def _by_three(planes: Array, compress: Compress) -> bytes:
    """Code grey planes three by three as the colours of an image, the rest stacked."""
    count, rows, columns = len(planes) // 3, *planes.shape[1:]
    colours = (
        planes[: 3 * count]
        .reshape(count, 3, rows, columns)
        .transpose(0, 2, 3, 1)
        .reshape(-1, columns, 3)
    )
    named_images = [(f"three planes of {rows} rows", np.ascontiguousarray(colours))]
    if rest := len(planes) % 3:
        named_images.append((REST, planes[-rest:].reshape(-1, columns)))
    return _archived(named_images, Settings(with_jpegs(_file_maker(compress))))


def _parted(colours: Array, rows: int) -> Array:
    """Return the planes of an image that holds three of them as its colours."""
    if colours.ndim != 3 or colours.shape[2] != 3 or not rows or len(colours) % rows:
        raise FormatError(
            f"three planes of {rows} rows were expected, found an image {colours.shape}; the "
            "chunk is damaged"
        )
    return np.moveaxis(colours.reshape(-1, rows, colours.shape[1], 3), -1, 1)


def _file_maker(compress: Compress) -> Callable[[images.Image], bytes]:
    return lambda image: compress(image.pixels)


def _archived(named_images: list[tuple[str, Array]], settings: Settings) -> bytes:
    spool = BytesIO()
    built = build(
        ((name, images.from_array(image)) for name, image in named_images), spool, settings, None
    )
    return write_index(built.archive) + spool.getvalue()


def _image(data: bytes, samples: int) -> images.Image:
    """Decode the image in a file, with its model loaded once for all chunks."""
    model_id = container.read_header(data, samples).model_id
    model = None if model_id == container.NO_MODEL else _by_id(model_id.hex())
    return decoder.decompress_image(data, model=model, threads=1, max_pixels=samples)
