"""The models with which tiles are coded, and how new tiles are to be coded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

import numpy as np

from bbans.container.schemes import BITS_BACK, MAX_WEIGHTED_SAMPLES, TWO_PART, Coding
from bbans.container.tile_codecs import FIXED
from bbans.errors import FormatError, InputError
from bbans.exact import engines
from bbans.exact.native_ops import native_ops
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.ops import Engine
from bbans.models.base import ANY_SIZE
from bbans.models.fixed_predictor import FixedPredictor
from bbans.models.image_model import ImageModel, image_model
from bbans.models.model_file import Model
from bbans.models.photo import ExactPhoto
from bbans.schemes import registry
from bbans.schemes.pyramid.level import PyramidPredictor


@dataclass(frozen=True)
class Context:
    """Predictors of samples and the requested coding.

    net: network of a model for images of any size. image_model: a model of whole images of one
    shape. model: the model file that either comes from. All None: model-free coding. coding: the
    coding requested for new tiles of whole images; None: the shortest. model_only: code new tiles
    by the model even where a library codes them shorter. library_margin: as in `options.Effort`.
    """

    net: ExactPhoto | None = None
    model: Model | None = None
    image_model: ImageModel | None = None
    coding: Coding | None = None
    model_only: bool = False
    library_margin: float = 1.03

    def pyramid(self, codec: int) -> PyramidPredictor:
        """Return the predictor of a tile codec by its number: the fixed predictor or the model's
        network.

        Raises FormatError when a model is needed and there is none.
        """
        if codec == FIXED:
            return FixedPredictor()
        if self.net is None:
            raise FormatError(
                "a coded tile needs a photograph model; the file is damaged or its model another"
            )
        return self.net

    def whole_images(self) -> ImageModel:
        """Return the model of whole images. Raises FormatError where there is none."""
        if self.image_model is None:
            raise FormatError(
                "a coded tile needs a latent chain; the file is damaged or its model another"
            )
        return self.image_model


def context_of(model: Model, ops: Engine) -> Context:
    """Build the context of a model. Raises InputError on a model that cannot code a single
    image.

    Examples:
        >>> from bbans.models.library import load_model
        >>> model = load_model()
        >>> context_of(model, oracle_ops()).model is model
        True
    """
    if model.capabilities.media == ANY_SIZE:
        return Context(_network(model, ops), model)
    return Context(None, model, image_model(model, ops))


@lru_cache(maxsize=4)
def _network(model: Model, ops: Engine) -> ExactPhoto:
    """The network of a model for images of any size, made once for many files."""
    network: ExactPhoto = model.network(ops)
    return network


def resolve_scheme(
    context: Context, scheme: str | None, particles: int | None, refine: int | None
) -> Context:
    """Return the context in which new tiles of whole images are coded as requested.

    scheme: a name; particles: their number; refine: steps of posterior refinement; None requests
    the default. Raises InputError where the request does not fit the model or the image's size.

    Examples:
        >>> resolve_scheme(Context(), None, None, None) == Context()
        True
    """
    model = context.image_model
    if model is None:
        default_scheme = registry.named(BITS_BACK)
        if scheme not in (None, default_scheme) or particles not in (None, 1) or refine:
            raise InputError(
                "other schemes, particles and refinement are for a latent chain; leave them out or "
                "name a model of one with --model"
            )
        return context
    if scheme is None and particles in (None, 1):
        if not refine:
            return context
        if model.capabilities.refinable:  # by default these are two-part codes
            scheme = registry.named(TWO_PART)
    coding = registry.resolve_scheme(model.capabilities, scheme, particles, refine, in_files=True)
    if not coding.format.fineness and prod(model.shape) * coding.evaluations > MAX_WEIGHTED_SAMPLES:
        raise InputError(
            f"an image of {prod(model.shape)} samples is evaluated up to {coding.evaluations} "
            "times so; ask for fewer steps"
        )
    return replace(context, coding=coding) if coding.format.in_files else context


def fastest_ops() -> Engine:
    """Return the compiled operations if they were built (`exact.engines`), else numpy's.

    Examples:
        >>> from unittest.mock import patch
        >>> with patch("bbans.exact.engines.native", return_value=None):  # as if without a compiler
        ...     type(fastest_ops()).__name__
        'NumpyOps'
    """
    if engines.engine() == engines.REFERENCE:
        return NumpyOps(np.float32)
    return native_ops()


def oracle_ops() -> Engine:
    """Return the reference operations in float64: slow, by unfolding and matrix products,
    independent of convolution libraries.

    Examples:
        >>> oracle_ops() is not None
        True
    """
    return NumpyOps(np.float64)
