"""What predicts samples: a network on a backend, or the fixed predictor."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from bbans.container.records import FIXED
from bbans.errors import FormatError
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.ops import Ops
from bbans.models.fixed import FixedPredictor
from bbans.models.photo_exact import ExactPhoto
from bbans.models.store import Model
from bbans.schemes.levels import PyramidNet


@dataclass(frozen=True)
class Predictors:
    """What predicts samples: the network, if there is one, and what stands in when it fails on this machine."""

    net: ExactPhoto | None = None
    model: Model | None = None

    def of(self, codec: int) -> PyramidNet:
        """The predictor of a codec. Raises FormatError when a model is needed and none is there."""
        if codec == FIXED:
            return FixedPredictor()
        if self.net is None:
            raise FormatError("a coded tile needs a model")
        return self.net


def fastest_ops(device: str = "cpu") -> Ops:
    """torch when it is installed, else numpy."""
    if importlib.util.find_spec("torch") is None:
        return NumpyOps(np.float32)
    from bbans.exact.torch_ops import torch_ops

    return torch_ops(device)


def oracle_ops() -> Ops:
    """The float64 carrier with unfolding and matrix products: slow, and independent of convolution libraries."""
    return NumpyOps(np.float64)
