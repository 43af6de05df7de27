"""Images to evaluate: named arrays from files, their samples as a model's items, and selections."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import images
from bbans.errors import InputError
from bbans.models.model_file import Model


def named_images(
    path: str | os.PathLike[str],
    shape: tuple[int, int] | None = None,
    count: int | None = None,
    not_taken: list[images.NotTaken] | None = None,
) -> list[tuple[str, NDArray[Any]]]:
    """Read the first `count` images (default: all) of a folder, an image, `.npy`, `.npz` or idx
    file.

    shape `(H, W)`: of images that arrays hold flat, one a row. not_taken: a list that receives the
    images that cannot be read, which do not count; if None, the first of them raises InputError.
    Files of a folder that are no images are passed over. Returns pairs of a name and the samples as
    they are coded, uint8 or uint16 `(H, W)` or `(H, W, C)`. Raises InputError if there are no
    images.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.zeros((5, 6), np.uint8))
        ...     [pixels.shape for _, pixels in named_images(f"{folder}/a.npy", (2, 3), count=2)]
        [(2, 3), (2, 3)]
    """
    found = images.open_set(path, shape=shape)
    named: list[tuple[str, NDArray[Any]]] = []
    if not_taken is not None:
        not_taken += (other for other in found.not_taken if other.image)
    for i, name in enumerate(found.names):
        if count is not None and len(named) >= count:
            break
        try:
            named.append((name, images.coded_samples(found.image(i))))
        except InputError as error:
            if not_taken is None or len(found) == 1:
                raise
            place = found.places[i] if found.places else name
            not_taken.append(images.not_taken(name, place, error))
    if not_taken and not named:
        raise InputError(f"{not_taken[0].place}: {not_taken[0].reason}; nor can the others be read")
    return named


def samples(named: Sequence[tuple[str, NDArray[Any]]], model: Model) -> NDArray[np.int64]:
    """Return named images as items of a latent model, int64 `(items, dims)`.

    Raises InputError unless the shape of every image is the model's, and its values are below the
    model's number of levels.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> config = VaeConfig(1, 2, 1, 2, "bernoulli", 0, latents=(3,), hidden=8)
        >>> model = Model("shape only", config, {}, {}, bytes(32))
        >>> samples([("a", np.array([[0, 1]]))], model).tolist()
        [[0, 1]]
    """
    c = model.config
    shape = (c.height, c.width) if c.channels == 1 else (c.height, c.width, c.channels)
    for name, pixels in named:
        if pixels.shape != shape or pixels.max(initial=0) >= c.levels:
            raise InputError(
                f"{name}: the model codes images {shape} of values to {c.levels - 1}; found "
                f"{pixels.shape}, up to {pixels.max(initial=0)}"
            )
    return np.stack([pixels.reshape(-1) for _, pixels in named]).astype(np.int64)


def select(
    named: Sequence[tuple[str, NDArray[Any]]], positions: Sequence[int]
) -> list[NDArray[Any]]:
    """Return the images at the given positions, counted from 0.

    Raises InputError on a position beyond the images.

    Examples:
        >>> select([("a", np.zeros(1)), ("b", np.ones(1))], [1])[0].tolist()
        [1.0]
    """
    if not all(0 <= position < len(named) for position in positions):
        raise InputError(
            f"images at {', '.join(map(str, positions))} are wanted, counted from 0; there are "
            f"{len(named)}"
        )
    return [named[position][1] for position in positions]
