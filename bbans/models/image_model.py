"""A latent model of whole images of one shape, ready to code: the tiles of files and groups of
archives are coded with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError
from bbans.exact.ops import Engine
from bbans.models.base import ANY_SIZE, LABEL, Capabilities, LatentModel
from bbans.models.model_file import Model

MAX_SAMPLES = 2**26  # largest image that a file may hold as one item of a latent model


@dataclass(frozen=True)
class ImageModel:
    """A latent model and the images that it codes.

    shape: `(H, W, C)` of an image; its samples in C order are one item of the model. levels:
    samples are 0 to levels - 1. to_bytes: returns the model file, None where there is none.
    independent: returns the same model on another implementation of exact arithmetic, to verify
    with; None where there is none.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> ImageModel(LinearGaussian(), (2, 3, 1), 256).dims
        6
    """

    latent: LatentModel
    shape: tuple[int, int, int]
    levels: int
    id: bytes = bytes(32)
    name: str = "given"
    to_bytes: Callable[[], bytes] | None = None
    independent: Callable[[], LatentModel] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return self.latent.capabilities

    @property
    def dims(self) -> int:
        """The number of samples of an image, H W C."""
        return int(np.prod(self.shape))

    def checking(self) -> ImageModel:
        """Return the model to verify coded images with: on the independent arithmetic, where there
        is one.
        """
        return self if self.independent is None else replace(self, latent=self.independent())

    def fits(self, pixels: NDArray[Any], palette: bool, bit_depth: int) -> bool:
        """Whether the model codes an image, pixels `(H, W)` or `(H, W, C)` of `bit_depth` bits per
        sample: its shape is the model's, its bit depth covers all levels, and no sample exceeds
        them.
        """
        return 2**bit_depth >= self.levels and self._codes(pixels, palette)

    def check(self, pixels: NDArray[Any], palette: bool) -> None:
        """Raise InputError unless the model codes an image, pixels `(H, W)` or `(H, W, C)`."""
        if self._codes(pixels, palette):
            return
        rows, columns, channels = self.shape
        height, width, given = (*pixels.shape, 1)[:3]
        raise InputError(
            f"model {self.name} codes images of {columns} x {rows} pixels, {channels} channels and "
            f"values to {self.levels - 1}; this one has {width} x {height}, "
            f"{given}{', a palette' if palette else ''} and values to {pixels.max()}; choose "
            "another model"
        )

    def _codes(self, pixels: NDArray[Any], palette: bool) -> bool:
        alike = (*pixels.shape, 1)[:3] == self.shape and not palette
        return alike and int(pixels.max()) < self.levels


def image_model(model: Model, ops: Engine) -> ImageModel:
    """Prepare a loaded model to code whole images one by one.

    Raises InputError on a model for images of any size, which codes tile by tile, and on one that
    needs side information.

    Examples:
        >>> from bbans.exact.numpy_ops import NumpyOps
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VaeConfig(2, 2, latents=(3,), hidden=4)
        >>> model = Model("small", config, export(float_network(config)), {}, bytes(32))
        >>> image_model(model, NumpyOps()).shape
        (2, 2, 1)
    """
    declared = model.capabilities
    if declared.media == ANY_SIZE:
        raise InputError(f"model {model.name} has no latents of whole images; choose another model")
    if declared.side_information == LABEL:
        raise InputError(
            f"model {model.name} is conditioned on a label of every image, which a file has no "
            "place for; train one without labels"
        )
    if declared.side_information is not None:
        raise InputError(
            f"model {model.name} codes a part of an image given the rest, which a file has no "
            "place for; train another"
        )
    config = model.config
    return ImageModel(
        model.network(ops),
        (config.height, config.width, config.channels),
        config.levels,
        model.id,
        model.name,
        model.to_bytes,
        cache(lambda: model.network(ops.independently())),
    )
