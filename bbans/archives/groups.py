"""A chained group between images and bytes, and the models that archives are made with and
carry.
"""

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
    """The scheme of a group's record."""
    built = registry.build(coding)
    return lambda model, items: built(model, items, None)


def load_embedded(
    data: container.Buffer, index: reader.ArchiveIndex, number: int
) -> model_file.Model:
    """A model that an archive carries.

    Raises FormatError on damage, ModelError on a file that is no model, or another one.
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
    """Images as one message: the group's record (its model is number 0), its payload, and its order
    and cost. Raises TooFlatError.
    """
    x = np.stack(pixels).reshape(len(pixels), -1)
    scheme, limit = scheme_of(coding), max(1, records.MAX_BATCH_PARTICLES // coding.particles)
    chain = posterior_refinement.refined(model.latent, coding.refinement)
    encoded = chained_group.encode(
        chain, scheme, x, unordered=unordered, limit=min(limit, group_schedule.MAX_BATCH)
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
    """Inverse of `encode_group`, in the order of the group. Raises FormatError."""
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
    chain = posterior_refinement.refined(model.latent, group.coding.refinement)
    try:
        scheme = scheme_of(group.coding)
        for x in chained_group.decode(
            chain, scheme, words, group.schedule, items, model.dims, unordered=group.unordered
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
