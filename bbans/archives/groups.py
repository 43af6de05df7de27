"""A chained group between images and bytes, and the models that archives are made with and
carry.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import container, images
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records
from bbans.container.schemes import DETERMINISTIC, PLAIN, Coding
from bbans.errors import ChecksumError, FormatError, ModelFormatError, UnderflowError
from bbans.exact.ops import Ops
from bbans.models import model_file
from bbans.schemes import chained_group, numbered, posterior_refinement
from bbans.schemes.latent_model import Chain

Pixels = NDArray[Any]


def scheme_of(coding: Coding) -> chained_group.Scheme:
    """The scheme of a group's record."""
    found = numbered.scheme_of(coding)
    return lambda chain, items: found(chain, items, None)


@dataclass(frozen=True)
class ChainModel:
    """A chain, the images that it codes, and how.

    `file` makes the model file that can be embedded, None where there is none.

    shape: `(H, W)` or `(H, W, C)` of the images, whose samples in C order are an item of the chain;
    `levels`: they are 0 to levels - 1. Groups say themselves how they were coded; `coding` is for
    new ones. `verifier` makes the chain by other arithmetic.
    """

    id: bytes
    chain: Chain
    shape: tuple[int, ...]
    levels: int
    coding: Coding = PLAIN
    file: Callable[[], bytes] | None = None
    verifier: Callable[[], Chain] | None = None

    def fits(self, image: images.Image) -> bool:
        """Whether it codes an image: one of at least as many bits as its levels need, none of which
        is beyond them.
        """
        alike = (
            image.pixels.shape == self.shape
            and not image.palette
            and 2**image.bit_depth >= self.levels
        )
        return alike and int(image.pixels.max()) < self.levels

    def verifying(self) -> ChainModel:
        """The model as it checks what it coded: by other arithmetic where there is any."""
        return self if self.verifier is None else replace(self, chain=self.verifier())

    @property
    def dims(self) -> int:
        """Samples of an image."""
        return int(np.prod(self.shape))

    def pixel_format(self, bit_depth: int) -> container.PixelFormat:
        """The pixel format of its images of so many bits."""
        return container.format_of(self.shape[2] if len(self.shape) == 3 else 1, bit_depth, False)


def chain_model(model: model_file.Model, ops: Ops) -> ChainModel | None:
    """A loaded model as archives use it; None if it is no chain over whole images, or needs to be
    told more than the image.
    """
    config: Any = model.config
    sides = ("height", "width", "channels", "levels")
    if (
        not all(hasattr(config, name) for name in sides)
        or getattr(config, "classes", None)
        or hasattr(config, "told")
    ):
        return None
    chain: Any = model.network(ops)
    shape = (config.height, config.width, config.channels)[: 3 if config.channels > 1 else 2]
    coding = numbered.default(chain, certain=hasattr(config, "codebook"))
    verifier = cache(lambda: model.network(ops.independently()))
    return ChainModel(model.id, chain, shape, config.levels, coding, model.to_bytes, verifier)


def with_scheme(
    model: ChainModel, scheme: str | None, particles: int | None, refine: int | None = None
) -> ChainModel:
    """The model with a scheme by its name (default: its own) and a refined posterior.

    Raises InputError where that cannot be.
    """
    certain = model.coding.scheme == DETERMINISTIC  # the decoder need not run its posterior
    return replace(model, coding=numbered.asked(model.chain, certain, scheme, particles, refine))


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
    model: ChainModel, pixels: Sequence[Pixels], bit_depth: int, unordered: bool
) -> tuple[records.ChainedGroup, bytes, chained_group.Encoded]:
    """Images as one message: the group's record (its model is number 0), its payload, and its order
    and cost. Raises TooFlatError.
    """
    x = np.stack(pixels).reshape(len(pixels), -1)
    scheme, limit = (
        scheme_of(model.coding),
        max(1, records.MAX_BATCH_PARTICLES // model.coding.particles),
    )
    chain = posterior_refinement.refined(model.chain, model.coding.refinement)
    encoded = chained_group.encode(
        chain, scheme, x, unordered=unordered, limit=min(limit, chained_group.MAX_BATCH)
    )
    payload = encoded.words.astype("<u4").tobytes()
    schedule = tuple(records.Stretch(s.batches, s.batch, s.lanes, s.kind) for s in encoded.schedule)
    crc = _pixels_crc((pixels[i] for i in encoded.order), bit_depth)
    height, width = model.shape[:2]
    sizes = len(payload), zlib.crc32(payload), crc
    kind = model.pixel_format(bit_depth).code
    group = records.ChainedGroup(0, model.coding, unordered, kind, width, height, schedule, *sizes)
    return group, payload, encoded


def decode_group(
    model: ChainModel, group: records.ChainedGroup, payload: bytes, items: int
) -> list[Pixels]:
    """Inverse of `encode_group`, in the order of the group. Raises FormatError."""
    pixel_format = container.FORMATS[group.pixel_format]
    shape = (group.height, group.width, pixel_format.channels)[
        : 3 if pixel_format.channels > 1 else 2
    ]
    if shape != model.shape:
        raise FormatError(
            f"the model codes images of shape {model.shape}; its group holds others, of {shape}"
        )
    depth = pixel_format.bit_depth
    schedule = tuple(
        chained_group.Stretch(s.batches, s.batch, s.lanes, s.kind) for s in group.schedule
    )
    words = np.frombuffer(payload, "<u4").astype(np.uint32)
    dtype = np.uint16 if depth == 16 else np.uint8
    pixels: list[Pixels] = []
    if group.coding.refinement and not posterior_refinement.searchable(model.chain):
        raise FormatError(
            "the group's posterior is refined, and its model's cannot be; the archive is malformed"
        )
    chain = posterior_refinement.refined(model.chain, group.coding.refinement)
    try:
        scheme = scheme_of(group.coding)
        for x in chained_group.decode(
            chain, scheme, words, schedule, items, model.dims, unordered=group.unordered
        ):
            if x.min() < 0 or int(x.max()) >> depth:
                raise FormatError(
                    f"samples of {depth} bits were expected, found {x.min()} to {x.max()}"
                )
            pixels += list(x.astype(dtype).reshape(len(x), *model.shape))
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
