"""Pictures made by a model: samples, reconstructions, and paths between two images.

`sample` draws x ~ p(x); `reconstruct` draws z ~ q(z | x) and returns the mean of x given z;
`interpolate` does the same on the line between the latents of two images. Sampling is decoding of
random bits: symbols are popped from pseudo-random words, as in the decoder (Townsend, Bird and
Barber 2019, arXiv:1901.04866). Arrays are uint8 or uint16, items first: `(N, H, W)` or
`(N, H, W, C)`.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import images, tiles
from bbans.distributions import gaussian_bins
from bbans.distributions.normal_cells import bin_at
from bbans.errors import InputError
from bbans.evaluation.inputs import samples
from bbans.models.base import ANY_SIZE, DIAGONAL_GAUSSIAN
from bbans.models.library import ModelLike, load_model
from bbans.models.model_file import Model
from bbans.schemes import sampling
from bbans.schemes.pyramid import self_funding

Pixels = NDArray[Any]
MEAN_DRAWS = 16
"""Draws from p(x | z) whose mean is a reconstruction."""
PHOTO_SIDE = 128
"""Rows and columns of a sample of a photograph model."""


def sample(
    model: ModelLike = None,
    items: int = 16,
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Pixels:
    """Draw `items` images from p(x): uint8 or uint16, `(items, H, W)` or `(items, H, W, C)`.

    model: a name, file or value; None: the default photograph model. A photograph model gives
    128 x 128 pixels. labels: integers `(items,)`, for a conditional model. Raises ModelError.

    Examples:
        >>> sample("photo-fast-1", items=1).shape
        (1, 128, 128, 3)
    """
    loaded = load_model(model)
    if loaded.capabilities.media == ANY_SIZE:
        return np.stack([_photograph(loaded, seed + i) for i in range(items)])
    return _images(sampling.sample_items(_latent_model(loaded, labels), items, seed), loaded)


def reconstruct(
    members: list[tuple[str, Pixels]],
    model: ModelLike,
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Pixels:
    """Return E p(x | z) at one z ~ q(z | x) for each named image, as the mean of 16 draws of x.

    members: pairs of a name and an image of the model's shape. model: a latent model of whole
    images, by name, file or value. labels: integers `(N,)`, for a conditional model. Returns uint8
    or uint16 `(N, H, W)` or `(N, H, W, C)`. Raises InputError on images of another shape and on
    photograph models, and ModelError.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VaeConfig(4, 4, 1, 2, "bernoulli", 0, latents=(3,), hidden=8)
        >>> model = Model("untrained", config, export(float_network(config)), {}, bytes(32))
        >>> reconstruct([("a", np.zeros((4, 4), np.uint8))], model).shape
        (1, 4, 4)
    """
    loaded = _whole_image_model(model)
    latent_model, x = _latent_model(loaded, labels), samples(members, loaded)
    z = sampling.sample_distribution(latent_model.posterior(1, x), (seed, 0))
    return _means(latent_model, z, loaded, seed)


def interpolate(
    first: Pixels, last: Pixels, model: ModelLike, *, steps: int = 9, seed: int = 0
) -> Pixels:
    """Reconstruct from u = (1 - t) u_first + t u_last for `steps` values of t from 0 to 1.

    u are the values of latents drawn from q(z | x) of the images `first` and `last`, each `(H, W)`
    or `(H, W, C)`. model: a latent model of whole images with a diagonal Gaussian posterior, by
    name, file or value. Returns uint8 or uint16 `(steps, H, W)` or `(steps, H, W, C)`. Raises
    InputError on other models and on images of another shape, and ModelError.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VaeConfig(4, 4, 1, 2, "bernoulli", 0, latents=(3,), hidden=8)
        >>> model = Model("untrained", config, export(float_network(config)), {}, bytes(32))
        >>> interpolate(np.zeros((4, 4), np.uint8), np.eye(4, dtype=np.uint8), model).shape
        (9, 4, 4)
    """
    loaded = _whole_image_model(model)
    if not _interpolable(loaded):
        raise InputError(
            "a path between images needs a VAE with Gaussian latents and without labels; train "
            "one of the family vae or conv_vae"
        )
    latent_model = _latent_model(loaded, None)
    x = samples([("the first image", first), ("the last image", last)], loaded)
    precision = loaded.config.latent_precision
    z = sampling.sample_distribution(latent_model.posterior(1, x), (seed, 0))
    u = gaussian_bins.value(precision, z)
    t = np.linspace(0.0, 1.0, steps)[:, None]
    line = np.rint((1 - t) * u[0] + t * u[1]).astype(np.int64)
    return _means(latent_model, bin_at(line, precision), loaded, seed)


def grid(pictures: Pixels, columns: int | None = None) -> Pixels:
    """Arrange N pictures row by row in one, `(rows * H, columns * W)` or with a last axis C.

    columns: default ceil(sqrt(N)). Missing pictures of the last row are 0.

    Examples:
        >>> grid(np.ones((3, 1, 2), np.uint8))
        array([[1, 1, 1, 1],
               [1, 1, 0, 0]], dtype=uint8)
    """
    n = len(pictures)
    columns = columns or math.isqrt(n - 1) + 1
    rows = -(-n // columns)
    full = np.concatenate(
        [pictures, np.zeros((rows * columns - n, *pictures.shape[1:]), pictures.dtype)]
    )
    h, w, *rest = pictures.shape[1:]
    arranged = full.reshape(rows, columns, h, w, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(arranged.reshape(rows * h, columns * w, *rest))


def beside(members: list[tuple[str, Pixels]], others: Pixels, model: ModelLike) -> Pixels:
    """Return the images of `members` as the model's pictures, followed by the pictures `others`.

    Samples of few bits are stretched to 0..255, as those of reconstructions are. Raises InputError
    on images that are not of the model's shape, and ModelError.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> config = VaeConfig(1, 2, 1, 2, "bernoulli", 0, latents=(3,), hidden=8)
        >>> model = Model("shape only", config, {}, {}, bytes(32))
        >>> beside([("a", np.array([[0, 1]]))], np.zeros((1, 1, 2), np.uint8), model).tolist()
        [[[0, 255]], [[0, 0]]]
    """
    loaded = load_model(model)
    return np.concatenate([_images(samples(members, loaded), loaded), others])


def save(picture: Pixels, path: Path, *, overwrite: bool = False) -> None:
    """Write a picture `(H, W)` or `(H, W, C)`, uint8 or uint16, as a PNG file.

    Raises OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(np.zeros((2, 2), np.uint8), Path(folder, "a.png"))
        ...     Path(folder, "a.png").read_bytes()[1:4]
        b'PNG'
    """
    buffer = io.BytesIO()
    images.write_image(images.from_array(picture), buffer, format="PNG")
    images.atomic_write(path, buffer.getvalue(), overwrite=overwrite)


def _whole_image_model(model: ModelLike) -> Model:
    """Load a model. Raises InputError if it is a photograph model."""
    loaded = load_model(model)
    if loaded.capabilities.media == ANY_SIZE:
        raise InputError(
            "a photograph model's latents hold no image of their own; give a model of another "
            "family"
        )
    return loaded


def _interpolable(model: Model) -> bool:
    """Return whether the model has Gaussian latents and no side information."""
    declared = model.capabilities
    return declared.posterior == DIAGONAL_GAUSSIAN and declared.whole_images


def _latent_model(model: Model, labels: NDArray[np.integer[Any]] | None) -> Any:
    """Return the network on exact arithmetic, conditioned on labels if given."""
    network = model.network(tiles.fastest_ops())
    return network if labels is None else network.given(labels)


def _means(latent_model: Any, z: NDArray[np.int64], model: Model, seed: int) -> Pixels:
    """Return the mean of MEAN_DRAWS draws of p(x | z) as pictures; z int64 `(N, latents)`."""
    likelihood = latent_model.likelihood(0, z)
    draws = np.stack(
        [sampling.sample_distribution(likelihood, (seed, 1, i)) for i in range(MEAN_DRAWS)]
    )
    return _images(draws.mean(0), model)


def _images(x: NDArray[Any], model: Model) -> Pixels:
    """Return samples `(N, dims)`, or means of them, as pictures; up to 8 bits become 0..255."""
    c = model.config
    pictures = np.rint(x * (255 / (c.levels - 1) if c.levels <= 256 else 1)).astype(
        np.uint8 if c.levels <= 256 else np.uint16
    )
    shaped: Pixels = pictures.reshape(
        len(x), c.height, c.width, *([c.channels] if c.channels > 1 else [])
    )
    return shaped


def _photograph(model: Model, seed: int) -> Pixels:
    side = (PHOTO_SIDE, PHOTO_SIDE)
    return np.ascontiguousarray(
        self_funding.sample(model.network(tiles.fastest_ops()), side, seed).transpose(1, 2, 0)
    ).astype(np.uint8)
