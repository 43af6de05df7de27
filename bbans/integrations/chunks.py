"""Chunks of arrays to bytes and back: one image, or planes of a stack together.

A chunk `(..., H, W)` or, with the channels last, `(..., H, W, C)` is planes over its leading axes.
Its bytes are a file or an archive of ours, whichever of these it is:

- a latent chain's model: an archive of the planes, which share a message;
- one plane: the file of that image;
- several: the file of one image, the planes below each other; or, of grey planes, an archive of one
  image whose pixels hold three neighbouring planes as their colours, so that the model predicts the
  second from the first and the third from both, and of the one or two planes that are left over. A
  sample of the chunk is coded both ways and tells which.
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
from bbans.files import codec
from bbans.models import library, model_file
from bbans.models.image_model import image_model
from bbans.models.library import ModelLike, load_model
from bbans.options import NO_MODEL, effort_named
from bbans.schemes import registry

Array = NDArray[Any]
Compress = Callable[[Array], bytes]
SAMPLE_SIDE = 192  # of the crop of three planes that is coded both ways
BY_THREE = re.compile(r"three planes of (\d{1,10}) rows")
REST = "rest"
DTYPES = (np.dtype("u1"), np.dtype("<u2"))


@dataclass(frozen=True)
class ChunkCoder:
    """How chunks are coded.

    `model` is a model's id in hexadecimal, or "none"; `channel_last` None: the shape says
    (`has_channels`).
    """

    model: str
    effort: str = "default"
    channel_last: bool | None = None
    verify: bool = True


def chunk_coder(
    model: ModelLike, effort: str, channel_last: bool | None, verify: bool
) -> ChunkCoder:
    """Check the options. `model`: a name, file or id in hexadecimal; None: that of the effort.

    Raises InputError, and ModelNotFoundError where the search path has no such model: an array says
    no more than its id.
    """
    default = effort_named(effort).model
    if model == NO_MODEL or (isinstance(model, str) and re.fullmatch("[0-9a-f]{64}", model)):
        return ChunkCoder(str(model), effort, channel_last, verify)
    found = load_model(model or default).id.hex()
    _by_id(found)
    return ChunkCoder(found, effort, channel_last, verify)


def has_channels(shape: tuple[int, ...]) -> bool:
    """Whether the last axis of a chunk is taken for channels where nobody says so."""
    return len(shape) > 2 and shape[-1] <= 4


@lru_cache(maxsize=4)
def _by_id(model: str) -> model_file.Model:
    """A model is loaded once for all chunks."""
    return library.find_by_id(bytes.fromhex(model))


def encode_chunk(coder: ChunkCoder, chunk: Array) -> bytes:
    """The bytes of a chunk of uint8 or uint16. Raises InputError, ModelNotFoundError."""
    planes = _planes(coder, chunk)
    model = NO_MODEL if coder.model == NO_MODEL else _by_id(coder.model)
    to_file = _encoder(coder, model)

    def compress(image: Array) -> bytes:
        return to_file(images.from_array(np.ascontiguousarray(image)))

    if isinstance(model, model_file.Model) and model.capabilities.whole_images:
        chain = image_model(model, tiles.fastest_ops())
        coding = registry.default_coding(chain.capabilities)
        to_file = _encoder(coder, None)  # of planes that do not suit the model
        named = [(records.plain_name(i, len(planes)), plane) for i, plane in enumerate(planes)]
        return _archived(
            named, Settings(to_file, chain, coding, records.MAX_GROUP_ITEMS, False, coder.verify)
        )
    tall = planes.reshape(-1, *planes.shape[2:])
    if planes.ndim == 4 or len(planes) < 3:
        return compress(tall)
    if coder.effort == "max":
        return min(compress(tall), _by_three(planes, compress), key=len)
    return _by_three(planes, compress) if _three_are_shorter(planes, compress) else compress(tall)


def _encoder(coder: ChunkCoder, model: ModelLike) -> Callable[[images.Image], bytes]:
    return codec.encoder(
        codec.CompressOptions(model, coder.effort, verify=coder.verify, execution=Execution(1))
    )


def decode_chunk(data: bytes, samples: int = container.DEFAULT_MAX_PIXELS) -> Array:
    """The samples of a chunk in C order, one axis, at most so many.

    Raises FormatError, of which LimitError, and ModelNotFoundError.
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
    sources = models.to_read(data, index, None, 1, samples)
    sources = Sources(sources.model, lambda raw: _image(raw, samples))
    found = dict(restore(data, index, sources, None, None))
    planes = [found[number].pixels for number in range(len(index.archive.items))]
    three = BY_THREE.fullmatch(index.archive.items[0].name)
    if three:
        planes[0] = _parted(planes[0], int(three.group(1)))
    if len({plane.dtype for plane in planes}) != 1:
        raise FormatError(
            "the planes of a chunk have samples of several types; the chunk is damaged"
        )
    return np.concatenate([plane.reshape(-1) for plane in planes])


def fitting(samples: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Samples in the shape of their chunk. Raises FormatError where they are of another."""
    if samples.size != prod(shape) or samples.dtype != dtype:
        raise FormatError(
            f"a chunk {shape} of {dtype} was expected, found {samples.size} samples of "
            f"{samples.dtype}; the chunk is another's"
        )
    return samples.reshape(shape)


def _planes(coder: ChunkCoder, chunk: Array) -> Array:
    """`(n, H, W)` or `(n, H, W, C)`. Raises InputError."""
    if chunk.dtype not in DTYPES:
        raise InputError(
            f"chunks of uint8 or little-endian uint16 are coded, found {chunk.dtype}; convert the "
            "array"
        )
    channels = has_channels(chunk.shape) if coder.channel_last is None else coder.channel_last
    axes = 3 if channels else 2
    if chunk.ndim < axes or not chunk.size or (channels and chunk.shape[-1] > 4):
        wanted = "(..., H, W, 1 to 4)" if channels else "(..., H, W)"
        raise InputError(
            f"chunks of shape {wanted} are coded, found {chunk.shape}; choose other chunks"
        )
    last = chunk.shape[-axes:-1] if chunk.shape[-1] == 1 and channels else chunk.shape[-axes:]
    return chunk.reshape(-1, *last)


def _three_are_shorter(planes: Array, compress: Compress) -> bool:
    start = (len(planes) - 3) // 2
    top, left = (max(0, side - SAMPLE_SIDE) // 2 for side in planes.shape[1:])
    sample = planes[start : start + 3, top : top + SAMPLE_SIDE, left : left + SAMPLE_SIDE]
    return len(compress(np.moveaxis(sample, 0, -1))) < len(
        compress(sample.reshape(-1, sample.shape[2]))
    )


def _by_three(planes: Array, compress: Compress) -> bytes:
    count, rows, columns = len(planes) // 3, *planes.shape[1:]
    colours = (
        planes[: 3 * count]
        .reshape(count, 3, rows, columns)
        .transpose(0, 2, 3, 1)
        .reshape(-1, columns, 3)
    )
    named = [(f"three planes of {rows} rows", np.ascontiguousarray(colours))]
    if rest := len(planes) % 3:
        named.append((REST, planes[-rest:].reshape(-1, columns)))
    return _archived(named, Settings(_file_maker(compress)))


def _parted(colours: Array, rows: int) -> Array:
    """Planes from the image that holds three of them as its colours."""
    if colours.ndim != 3 or colours.shape[2] != 3 or not rows or len(colours) % rows:
        raise FormatError(
            f"three planes of {rows} rows were expected, found an image {colours.shape}; the "
            "chunk is damaged"
        )
    return np.moveaxis(colours.reshape(-1, rows, colours.shape[1], 3), -1, 1)


def _file_maker(compress: Compress) -> Callable[[images.Image], bytes]:
    return lambda image: compress(image.pixels)


def _archived(named: list[tuple[str, Array]], settings: Settings) -> bytes:
    spool = BytesIO()
    built = build(
        ((name, images.from_array(image)) for name, image in named), spool, settings, None
    )
    return write_index(built.archive) + spool.getvalue()


def _image(data: bytes, samples: int) -> images.Image:
    """The image in a file, its model loaded once for all chunks."""
    needed = container.read_header(data, samples).model_id
    model = None if needed == container.NO_MODEL else _by_id(needed.hex())
    return codec.decompress_image(data, model=model, threads=1, max_pixels=samples)
