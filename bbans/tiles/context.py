"""What tiles are coded with: a photograph model's network, a latent model of whole images, or none
of both, and how new tiles are to be coded.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np

from bbans.container.schemes import BITS_BACK, MAX_WEIGHTED_SAMPLES, TWO_PART, Coding
from bbans.container.tile_codecs import FIXED
from bbans.errors import FormatError, InputError
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.ops import Ops
from bbans.models.base import ANY_SIZE
from bbans.models.fixed_predictor import FixedPredictor
from bbans.models.image_model import ImageModel, image_model
from bbans.models.model_file import Model
from bbans.models.photo import ExactPhoto
from bbans.schemes import registry
from bbans.schemes.pyramid.level import PyramidPredictor

TORCH_BYTES = 640 * 2**20  # of address space: what torch takes on import and in its first seconds


@dataclass(frozen=True)
class Context:
    """What predicts samples: the network of a model for images of any size, or a model of whole
    images, if there is one, and the model that it is of.

    coding: how new tiles of whole images are to be coded; None: as short as can be.
    """

    net: ExactPhoto | None = None
    model: Model | None = None
    image_model: ImageModel | None = None
    coding: Coding | None = None

    def pyramid(self, codec: int) -> PyramidPredictor:
        """The predictor of a codec.

        Raises FormatError when a model is needed and none is there.
        """
        if codec == FIXED:
            return FixedPredictor()
        if self.net is None:
            raise FormatError(
                "a coded tile needs a photograph model; the file is damaged or its model another"
            )
        return self.net

    def whole_images(self) -> ImageModel:
        """The model of whole images. Raises FormatError where there is none."""
        if self.image_model is None:
            raise FormatError(
                "a coded tile needs a latent chain; the file is damaged or its model another"
            )
        return self.image_model


def context_of(model: Model, ops: Ops) -> Context:
    """A model with its network. Raises InputError on one that no single image is coded with."""
    if model.capabilities.media == ANY_SIZE:
        return Context(model.network(ops), model)
    return Context(None, model, image_model(model, ops))


def resolve_scheme(
    context: Context, scheme: str | None, particles: int | None, refine: int | None
) -> Context:
    """The context whose model of whole images codes new tiles with a scheme by name, so many
    particles, so many steps of refinement; None: what suits. Raises InputError.
    """
    model = context.image_model
    if model is None:
        plain = registry.named(BITS_BACK)
        if scheme not in (None, plain) or particles not in (None, 1) or refine:
            raise InputError(
                "other schemes, particles and refinement are for a latent chain; leave them out or "
                "name a model of one with --model"
            )
        return context
    if scheme is None and particles in (None, 1):
        if not refine:
            return context
        if model.capabilities.refinable:  # better latents of what is coded unless told otherwise
            scheme = registry.named(TWO_PART)
    found = registry.resolve_scheme(model.capabilities, scheme, particles, refine, in_files=True)
    if not found.format.fineness and prod(model.shape) * found.evaluations > MAX_WEIGHTED_SAMPLES:
        raise InputError(
            f"an image of {prod(model.shape)} samples is evaluated up to {found.evaluations} "
            "times so; ask for fewer steps"
        )
    return replace(context, coding=found) if found.format.in_files else context


def fastest_ops(device: str = "cpu") -> Ops:
    """torch when it is installed, else numpy."""
    if importlib.util.find_spec("torch") is None:
        return NumpyOps(np.float32)
    _check_room_for_torch()
    from bbans.exact.torch_ops import torch_ops

    return torch_ops(device)


def _check_room_for_torch() -> None:
    """Raise MemoryError where a limited address space is too small to load torch, whose C++ ends
    the process in that case.
    """
    if "torch" in sys.modules or not sys.platform.startswith("linux"):
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    if limit - used < TORCH_BYTES:
        raise MemoryError(
            f"torch needs {TORCH_BYTES >> 20} MiB of address space, the process's limit leaves "
            f"{(limit - used) >> 20}"
        )


def oracle_ops() -> Ops:
    """The float64 carrier with unfolding and matrix products: slow, and independent of convolution
    libraries.
    """
    return NumpyOps(np.float64)
