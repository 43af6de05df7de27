"""Chained groups: images to one message and back, and models embedded in archives."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import container
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records
from bbans.container import group_schedule
from bbans.container.schemes import Coding
from bbans.errors import ChecksumError, FormatError, ModelFormatError, UnderflowError
from bbans.models import model_file
from bbans.models.image_model import ImageModel
from bbans.schemes import chained_group, posterior_refinement, registry

Pixels = NDArray[Any]


def scheme_of(coding: Coding) -> chained_group.Scheme:
    """Return the scheme that a group's record names.

    Examples:
        >>> from bbans.container.schemes import PLAIN
        >>> from bbans.models.analytic import LinearGaussian
        >>> type(scheme_of(PLAIN)(LinearGaussian(), 1)).__name__
        'Codec'
    """
    scheme = registry.build(coding)
    return lambda model, items: scheme(model, items, None)


def load_embedded(
    data: container.Buffer, index: reader.ArchiveIndex, number: int
) -> model_file.Model:
    """Load the embedded model with the given number in the archive.

    Raises FormatError on damage, and ModelFormatError on a file that is not a model or not the one
    that the index names.

    Examples:
        >>> from bbans.container.archive_writer import write_index
        >>> from bbans.models.library import load_model
        >>> model = load_model("photo-fast-1")
        >>> file, item = model.to_bytes(), records.Item("a", 0, 0, 30, 20, size=4)
        >>> entry = records.ModelEntry(model.id, len(file), zlib.crc32(file))
        >>> archive = records.Archive((entry,), (records.FilesGroup(),), (item,))
        >>> data = write_index(archive) + file + b"file"
        >>> load_embedded(data, reader.read_archive_index(data), 0).id == model.id
        True
    """
    model = model_file.load_bytes(reader.read_model_file(data, index, number), "embedded")
    if model.id != index.archive.models[number].id:
        raise ModelFormatError("the archive carries another model than it says; it is malformed")
    return model


def encode_group(
    model: ImageModel,
    coding: Coding,
    pixels: Sequence[Pixels],
    bit_depth: int,
    unordered: bool,
) -> tuple[records.ChainedGroup, bytes, chained_group.Encoded]:
    """Code images `(H, W)` or `(H, W, C)` of the model's shape as one message.

    Returns the group's record (whose model is number 0), its payload, and the order and cost of the
    images. unordered: code the images as a multiset. Raises TooFlatError if the message is too
    short for its lanes.

    Examples:
        >>> from bbans.container.schemes import PLAIN
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = ImageModel(LinearGaussian(latents=2, k=1, n=256), shape=(2, 3, 1), levels=256)
        >>> pixels = [np.full((2, 3), 128, np.uint8)] * 5
        >>> group, payload, _ = encode_group(model, PLAIN, pixels, bit_depth=8, unordered=False)
        >>> np.array_equal(decode_group(model, group, payload, items=5), pixels)
        True
    """
    x = np.stack(pixels).reshape(len(pixels), -1)
    scheme, limit = scheme_of(coding), max(1, records.MAX_BATCH_PARTICLES // coding.particles)
    latent_model = posterior_refinement.refined(model.latent, coding.refinement)
    encoded = chained_group.encode(
        latent_model, scheme, x, unordered=unordered, limit=min(limit, group_schedule.MAX_BATCH)
    )
    payload = encoded.words.astype("<u4").tobytes()
    crc = _pixels_crc((pixels[i] for i in encoded.order), bit_depth)
    height, width, channels = model.shape
    sizes = len(payload), zlib.crc32(payload), crc
    kind = container.format_of(channels, bit_depth, False).code
    group = records.ChainedGroup(
        0, coding, unordered, kind, width, height, encoded.schedule, *sizes
    )
    return group, payload, encoded


def decode_group(
    model: ImageModel, group: records.ChainedGroup, payload: bytes, items: int
) -> list[Pixels]:
    """Decode a chained group of `items` images, in the order of the group.

    Returns images uint8 or uint16 `(H, W)` or `(H, W, C)`. Inverse of `encode_group`. Raises
    FormatError on damage or a model of another shape, of which ChecksumError.

    Examples:
        >>> from bbans.container.schemes import PLAIN
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = ImageModel(LinearGaussian(latents=2, k=1, n=256), shape=(2, 3, 1), levels=256)
        >>> pixels = [np.full((2, 3), 128, np.uint8)] * 5
        >>> group, payload, _ = encode_group(model, PLAIN, pixels, bit_depth=8, unordered=False)
        >>> decode_group(model, group, payload, items=5)[0].tolist()
        [[128, 128, 128], [128, 128, 128]]
    """
    pixel_format = container.FORMATS[group.pixel_format]
    shape = group.height, group.width, pixel_format.channels
    if shape != model.shape:
        raise FormatError(
            f"the model codes images of shape {model.shape}; its group holds others, of {shape}"
        )
    sides, depth = shape[: 3 if shape[2] > 1 else 2], pixel_format.bit_depth
    words = np.frombuffer(payload, "<u4").astype(np.uint32)
    dtype = np.uint16 if depth == 16 else np.uint8
    pixels: list[Pixels] = []
    if group.coding.refinement and not model.capabilities.refinable:
        raise FormatError(
            "the group's posterior is refined, and its model's cannot be; the archive is malformed"
        )
    latent_model = posterior_refinement.refined(model.latent, group.coding.refinement)
    try:
        scheme = scheme_of(group.coding)
        for x in chained_group.decode(
            latent_model,
            scheme,
            words,
            group.schedule,
            items,
            model.dims,
            unordered=group.unordered,
        ):
            if x.min() < 0 or int(x.max()) >> depth:
                raise FormatError(
                    f"samples of {depth} bits were expected, found {x.min()} to {x.max()}"
                )
            pixels += list(x.astype(dtype).reshape(len(x), *sides))
    except UnderflowError as error:
        raise FormatError(f"the message ends too early: {error}") from error
    if _pixels_crc(pixels, depth) != group.pixels_crc:
        raise ChecksumError(
            "the checksum of the group's pixels does not match; the archive or the model is damaged"
        )
    return pixels


def _pixels_crc(pixels: Iterable[Pixels], bit_depth: int) -> int:
    crc = 0
    for image in pixels:
        crc = zlib.crc32(container.to_raw(image, bit_depth), crc)
    return crc
