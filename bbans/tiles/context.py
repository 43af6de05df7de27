"""What predicts samples: a network on a backend, or the fixed predictor."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bbans.container.file_records import FIXED
from bbans.errors import FormatError, InputError
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.ops import Ops
from bbans.models.fixed_predictor import FixedPredictor
from bbans.models.model_file import Model
from bbans.models.photo import ExactPhoto
from bbans.schemes.pyramid.level import PyramidNet
from bbans.schemes.registry import BITS_BACK
from bbans.tiles.codecs.latent import ChainPredictor, asking_chain, chain_predictor

TORCH_BYTES = (
    640 * 2**20
)  # of address space: 480 MiB when it is imported, and what it allocates in its first seconds
PHOTO = "photo"  # the family that codes images of any size, tile by tile


@dataclass(frozen=True)
class Predictors:
    """What predicts samples: a photograph model's network or a latent chain, if there is one, and
    the model that it is of.
    """

    net: ExactPhoto | None = None
    model: Model | None = None
    chain: ChainPredictor | None = None

    def of(self, codec: int) -> PyramidNet:
        """The predictor of a codec. Raises FormatError when a model is needed and none is there."""
        if codec == FIXED:
            return FixedPredictor()
        if self.net is None:
            raise FormatError(
                "a coded tile needs a photograph model; the file is damaged or its model another"
            )
        return self.net

    def of_chain(self) -> ChainPredictor:
        """The latent chain. Raises FormatError where there is none."""
        if self.chain is None:
            raise FormatError(
                "a coded tile needs a latent chain; the file is damaged or its model another"
            )
        return self.chain


def predictors_of(model: Model, ops: Ops) -> Predictors:
    """A model with its network. Raises InputError on one that no single image is coded with."""
    network = model.network(ops)
    if model.family == PHOTO:
        return Predictors(network, model)
    if not all(hasattr(model.config, name) for name in ("height", "width", "channels", "levels")):
        raise InputError(f"model {model.name} codes no images")
    return Predictors(None, model, chain_predictor(model, network))


def asking(
    predictors: Predictors, scheme: str | None, particles: int | None, refine: int | None
) -> Predictors:
    """Predictors whose chain codes new tiles with a scheme by name, particles and refinement; None:
    what suits. Raises InputError.
    """
    if predictors.chain is not None:
        return replace(predictors, chain=asking_chain(predictors.chain, scheme, particles, refine))
    if scheme not in (None, BITS_BACK) or particles not in (None, 1) or refine:
        raise InputError(
            "other schemes, particles and refinement are for a latent chain; leave them out or "
            "name a model of one with --model"
        )
    return predictors


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
