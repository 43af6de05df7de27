"""A tile as an item of a latent chain, in a message of its own (`schemes.single`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.container.records import MAX_ROWS
from bbans.errors import FormatError, InputError
from bbans.models.store import Model
from bbans.schemes import single
from bbans.schemes.account import Account
from bbans.schemes.chain import Chain

Samples = NDArray[Any]


@dataclass(frozen=True)
class ChainPredictor:
    """A chain, the shape `(H, W, channels)` of its images, the values of a sample, and whether its posterior is certain."""

    chain: Chain
    shape: tuple[int, int, int]
    levels: int
    certain: bool


def chain_predictor(model: Model, network: Any) -> ChainPredictor:
    """The predictor of a latent chain's model with its network. Raises InputError on a model that has to be told labels."""
    config: Any = model.config
    if getattr(config, "classes", 0):
        raise InputError(f"model {model.name} is told a label with every image, which a file has no place for; train one without labels")
    if hasattr(config, "told"):
        raise InputError(f"model {model.name} codes a part of an image given the rest, which a file has no place for; train another")
    return ChainPredictor(network, (config.height, config.width, config.channels), config.levels, hasattr(config, "codebook"))


def check_fit(predictor: ChainPredictor, pixels: Samples, palette: bool, name: str) -> None:
    """Raise InputError unless an image `(h, w)` or `(h, w, channels)` is one that the model codes."""
    shape = (*pixels.shape, 1)[:3]
    if palette or shape != predictor.shape or int(pixels.max()) >= predictor.levels or pixels.size > MAX_ROWS:
        rows, columns, channels = predictor.shape
        wanted = f"{columns} x {rows} pixels, {channels} channels and values to {predictor.levels - 1}"
        found = f"{shape[1]} x {shape[0]}, {shape[2]}{', a palette' if palette else ''} and values to {pixels.max()}"
        raise InputError(f"model {name} codes images of {wanted}; this one has {found}; choose another model")


def encode_chain(predictor: ChainPredictor, samples: Samples) -> bytes:
    """The payload of a tile `(H, W, channels)` that fits."""
    return single.encode(predictor.chain, _item(samples), predictor.certain).astype("<u4").tobytes()


def decode_chain(predictor: ChainPredictor, payload: bytes, shape: tuple[int, int, int], bit_depth: int) -> tuple[Samples, Account]:
    """Inverse of `encode_chain` for a tile of this shape, with its account. Raises FormatError or UnderflowError on damage."""
    if len(payload) % 4:
        raise FormatError(f"a tile's message is whole 32-bit words, found {len(payload)} bytes; the file is damaged")
    if shape != predictor.shape:
        raise FormatError(f"the model codes tiles {predictor.shape}, this one has {shape}; the file is damaged or its model another")
    words = np.frombuffer(payload, "<u4").astype(np.uint32)
    x, account = single.decode(predictor.chain, words, predictor.certain)
    if int(x.max()) >> bit_depth:
        raise FormatError(f"samples of {bit_depth} bits were expected, found {x.max()}; the file is damaged")
    return x.reshape(shape).astype(np.uint16 if bit_depth == 16 else np.uint8), account


def chain_bits(predictor: ChainPredictor, samples: Samples) -> float:
    """Information content of a tile `(H, W, channels)` under the exact model, in bits."""
    return single.ideal_bits(predictor.chain, _item(samples), predictor.certain)


def _item(samples: Samples) -> NDArray[np.int64]:
    return samples.reshape(1, -1).astype(np.int64)
