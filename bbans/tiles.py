"""One tile to its record and back: picks codec and latent precision, falls back to stored pixels, checks what was decoded."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

from bbans.container import geometry as tiling
from bbans.container.records import BITS_BACK, FIXED, STORED, TileRecord
from bbans.errors import ChecksumError, FormatError, UnderflowError
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.ops import Ops
from bbans.models.fixed import FixedPredictor
from bbans.models.photo_exact import ExactPhoto
from bbans.models.store import Model
from bbans.schemes import funded
from bbans.schemes.account import Account

TILE_SIDE = 1024
TRY_ALL_PIXELS = 64 * 64  # up to this many pixels every latent precision is tried and the shortest kept

Pixels = NDArray[np.uint8]


def fastest_ops(device: str = "cpu") -> Ops:
    """torch when it is installed, else numpy."""
    if importlib.util.find_spec("torch") is None:
        return NumpyOps(np.float32)
    from bbans.exact.torch_ops import torch_ops

    return torch_ops(device)


def oracle_ops() -> Ops:
    """The float64 carrier with unfolding and matrix products: slow, and independent of convolution libraries."""
    return NumpyOps(np.float64)


def to_planes(pixels: Pixels) -> NDArray[np.int32]:
    """`(H, W)` or `(H, W, 3)` to `(3, H, W)`, grey repeated."""
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(np.broadcast_to(planes, (3, *pixels.shape[:2]))).astype(np.int32)


def from_planes(x: NDArray[np.int32], channels: int) -> Pixels:
    """Inverse of `to_planes`."""
    return np.ascontiguousarray(x[0] if channels == 1 else x.transpose(1, 2, 0)).astype(np.uint8)


def encode_tile(pixels: Pixels, net: ExactPhoto | None) -> TileRecord:
    """Code a tile `(h, w)` or `(h, w, 3)`: with the model, or without one by the fixed predictor; stored where that is shorter."""
    raw = np.ascontiguousarray(pixels).tobytes()
    crc = tiling.pixels_crc(pixels)
    best = TileRecord(STORED, 0, (), raw, crc)
    try_all = pixels.shape[0] * pixels.shape[1] <= TRY_ALL_PIXELS
    codec, predictor, latents = (FIXED, FixedPredictor(), False) if net is None else (BITS_BACK, net, net.config.latents)
    levels, coarsest = funded.analyse(predictor, to_planes(pixels))
    for coded in funded.encodings(levels, coarsest, channels_of(pixels), latents):
        payload = coded.words.astype("<u4").tobytes()
        if len(payload) < len(best.payload):
            best = TileRecord(codec, coded.latent_precision, coded.growth, payload, crc)
        if not try_all:
            break
    return best


def channels_of(pixels: Pixels) -> int:
    """1 for grey, 3 for RGB."""
    return 1 if pixels.ndim == 2 else 3


def predictor_of(record: TileRecord, net: ExactPhoto | None) -> funded.PyramidNet | None:
    """What predicts a tile's pixels: the model, the fixed predictor, or nothing when it is stored."""
    return {STORED: None, FIXED: FixedPredictor(), BITS_BACK: net}[record.codec]


def decode_tile(
    record: TileRecord, shape: tuple[int, int], channels: int, model: Model | None, net: ExactPhoto | None
) -> tuple[Pixels, Account]:
    """Pixels and account of a tile. A tile that fails is decoded once more by the oracle before damage is reported.

    Raises ChecksumError when the pixels are not those that were coded.
    """
    if record.codec == STORED:
        pixels = np.frombuffer(record.payload, np.uint8).reshape(shape if channels == 1 else (*shape, 3)).copy()
        return _checked(record, pixels), Account(likelihood=8.0 * len(record.payload))
    predictor = predictor_of(record, net)
    if predictor is None:
        raise FormatError("a coded tile needs a model")
    try:
        return _decode(record, shape, channels, predictor)
    except (FormatError, UnderflowError):
        if record.codec == FIXED or model is None:
            raise
        return _decode(record, shape, channels, model.network(oracle_ops()))


def _decode(record: TileRecord, shape: tuple[int, int], channels: int, net: funded.PyramidNet) -> tuple[Pixels, Account]:
    if len(record.payload) % 4:
        raise FormatError(f"a tile's message is whole 32-bit words, found {len(record.payload)} bytes; the file is damaged")
    words = np.frombuffer(record.payload, "<u4").astype(np.uint32)
    try:
        x, account = funded.decode(net, words, shape, channels, record.latent_precision, record.growth)
    except UnderflowError as error:
        raise ChecksumError("a tile's message ends too early: the file is damaged or its model another") from error
    return _checked(record, from_planes(x, channels)), account


def _checked(record: TileRecord, pixels: Pixels) -> Pixels:
    if tiling.pixels_crc(pixels) != record.pixels_crc:
        raise ChecksumError("a tile's pixels fail their checksum: the file is damaged")
    return pixels
