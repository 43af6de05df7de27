"""The exact model's rate on held-out images, measured by a process beside the training: float
weights to integers, on the CPU.
"""

import time
from pathlib import Path

import torch
from safetensors.torch import load

from bbans.exact.torch_ops import torch_ops
from bbans.images import load_folder
from bbans.models.model_file import serialise
from bbans.models.photo import ExactPhoto, PhotoConfig
from bbans.training.networks.photo import PhotoNet, export
from bbans.training.photo_run import exact_rate


def network(weights: bytes, config: PhotoConfig) -> PhotoNet:
    """A float network of weights as `float_weights.to_bytes` gives them."""
    net = PhotoNet(config)
    net.load_state_dict(load(weights))
    return net


def measure(
    weights: bytes, config: PhotoConfig, holdout: Path, threads: int, images: int | None
) -> dict[str, float]:
    """Bits per subpixel of the coder's messages on central crops of (so many of) a folder's
    images.
    """
    start = time.monotonic()
    torch.set_num_threads(threads)
    layers = export(network(weights, config))
    pixels = [image for _, image in load_folder(holdout)][:images]
    rate = exact_rate(ExactPhoto(config, layers, torch_ops()), pixels)
    return {"exact_bpsp": rate, "measured_in": time.monotonic() - start}


def model_file(weights: bytes, config: PhotoConfig, record: dict[str, object]) -> bytes:
    """The model file of float weights.

    Raises AccumulatorBoundError if a layer cannot be made exact.
    """
    return serialise(config, export(network(weights, config)), record)
