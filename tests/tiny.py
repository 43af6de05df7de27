"""A small untrained photo model: lossless like any other, and quick."""

import functools

import numpy as np
import torch

from bbans import container, tiles
from bbans.models.model_file import Model, model_id, to_tensors
from bbans.models.photo import PhotoConfig
from bbans.tiles.codecs import pyramid
from bbans.tiles.codecs.pyramid import axis_of
from bbans.tiles.predicted import Plane, predicted_part
from bbans.tiles.transforms.pipeline import prepare
from bbans.training.networks.photo import PhotoNet, export

CONFIG = PhotoConfig(channels=8, mixtures=2, latent_channels=3, hidden=8, level_biases=2)


def tiny_net(seed: int = 0) -> PhotoNet:
    """The float network, with FiLM and posterior strong enough to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = PhotoNet(CONFIG)
        with torch.no_grad():
            for phase in net.phases:
                phase.film_b.weight.mul_(5)
            net.posterior.last.weight.mul_(3)
    return net


@functools.cache
def tiny_model(seed: int = 0) -> Model:
    """The exported model."""
    layers = export(tiny_net(seed))
    return Model("tiny", CONFIG, layers, {}, model_id(CONFIG, to_tensors(layers)))


def smooth_image(h: int, w: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Something like a photograph: coloured waves and noise, uint8 `(h, w, 3)` or `(h, w)`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    waves = np.stack(
        [
            60 * np.sin(x / rng.uniform(5, 30) + c) + 50 * np.cos(y / rng.uniform(5, 30)) + 128
            for c in range(3)
        ],
        -1,
    )
    image = (
        (waves + rng.normal(0, 4, (h, w, 1)) + rng.normal(0, 2, (h, w, 3)))
        .clip(0, 255)
        .astype(np.uint8)
    )
    return image if channels == 3 else np.ascontiguousarray(image[..., 0])


def prepared_file(image: np.ndarray, orientation: int) -> bytes:
    """The file of an image `(h, w, 3)` that is one tile, coded by the tiny model in this
    orientation and on its lattice, if it has one.
    """
    pixel_format = container.format_of(3, 8 * image.itemsize, False)
    context = tiles.context_of(tiny_model(), tiles.fastest_ops())
    (prepared,) = prepare(image, [orientation])
    plane = Plane(image, prepared, axis_of(prepared.samples, pixel_format.bit_depth), context.net)
    made = predicted_part(plane, pixel_format, exhaustive=False)
    assert made.codec == container.PREPARED
    record = container.TileRecord((made,), container.pixels_crc(image, pixel_format.bit_depth))
    h, w = image.shape[:2]
    return container.write(
        container.Container(w, h, pixel_format.code, w, h, tiny_model().id, (), (record,))
    )


def to_planes(pixels: np.ndarray) -> np.ndarray:
    """`(H, W)` or `(H, W, 3)` as the networks take it, `(3, H, W)`."""
    return pyramid.to_planes(pixels.reshape(*pixels.shape[:2], -1), None)
