"""Models and images as callers give them, made into what the API works with, and the other way
round.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import container, images, tiles
from bbans.errors import FormatError, InputError
from bbans.files.metadata import from_chunks
from bbans.models.model_file import (
    DEFAULT_MODEL,
    NO_MODEL,
    Model,
    find_by_id,
    find_by_name,
    load_bytes,
    serialise,
)

Pixels = NDArray[Any]
ModelLike = str | Path | Model | None
Asked = tuple[str | None, int | None, int | None]
"""How a latent chain shall code: scheme, particles, steps of refinement; None: as suits it."""
Given = tuple[Model | bytes | None, Asked, bool]
"""A model or its file, how it shall code, and whether by other arithmetic than is fastest: for
verification.
"""


def load_model(model: ModelLike = None) -> Model:
    """A model by name, by file path, or the default one.

    Raises ModelNotFoundError and ModelFormatError.
    """
    return model if isinstance(model, Model) else find_by_name(str(model or DEFAULT_MODEL))


def sent(model: Model | None) -> bytes:
    """A model as it goes to the workers of a cluster: its file; nothing for none."""
    return b"" if model is None else serialise(model.config, model.layers, model.record)


def predictors_asked(given: Given) -> tiles.Predictors:
    """A model, or what `sent` made of it, with its network, to code as is asked.

    Raises InputError where it cannot.
    """
    model, asked, independent = given
    if isinstance(model, bytes):
        model = load_bytes(model, "sent") if model else None
    if model is None:
        return tiles.asking(tiles.Predictors(), *asked)
    ops = tiles.fastest_ops()
    return tiles.asking(
        tiles.predictors_of(model, ops.independently() if independent else ops), *asked
    )


def predictors_of_file(index: container.Index, model: ModelLike) -> tiles.Predictors:
    """The model that a file needs, with its network; none when no tile needs one."""
    wanted = index.header.model_id
    if wanted == container.NO_MODEL:
        return tiles.Predictors()
    chosen = None if model in (None, NO_MODEL) else load_model(model)
    if chosen is None or chosen.id != wanted:
        chosen = find_by_id(wanted)
    try:
        return tiles.predictors_of(chosen, tiles.fastest_ops())
    except InputError as error:
        raise FormatError(f"the file is forged or damaged: {error}") from error


def to_image(image: Any) -> images.Image:
    """An array or a Pillow image as `compress` takes it. Raises InputError."""
    if isinstance(image, images.Image):
        return image
    return images.from_array(image) if isinstance(image, np.ndarray) else images.from_pillow(image)


def restored(pixels: Pixels, index: container.Index) -> images.Image:
    """The image of a file's samples.

    Raises FormatError when samples and metadata make no image: a palette is missing, for instance.
    """
    pixel_format = container.FORMATS[index.header.pixel_format]
    try:
        return images.make_image(
            pixels, from_chunks(index.metadata), pixel_format.bit_depth, pixel_format.palette
        )
    except InputError as error:
        raise FormatError(f"the file holds no image that can be restored: {error}") from error


def same(a: images.Image, b: images.Image) -> bool:
    """Whether two images are equal in everything: samples and their type, bits, palette,
    metadata.
    """
    facts = (a.bit_depth, a.palette, a.metadata) == (b.bit_depth, b.palette, b.metadata)
    return facts and a.pixels.dtype == b.pixels.dtype and np.array_equal(a.pixels, b.pixels)
