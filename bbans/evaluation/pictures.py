"""What a model has learnt, as pictures: samples, reconstructions, paths between two images.

Decoding random bits is sampling.

`sample` draws x ~ p(x), `reconstruct` z ~ q(z | x) and then the mean of x given z, `interpolate`
the same on the line between the latents of two images. Everything is drawn as the decoder draws it:
popped from pseudo-random words (Townsend et al. 2019, arXiv:1901.04866). Arrays are uint8 or
uint16, items first: `(N, H, W)` or `(N, H, W, C)`.
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
from bbans.evaluation.evaluate import samples
from bbans.models.base import ANY_SIZE, DIAGONAL_GAUSSIAN
from bbans.models.library import ModelLike, load_model
from bbans.models.model_file import Model
from bbans.schemes import sampling
from bbans.schemes.pyramid import self_funding

Pixels = NDArray[Any]
MEAN_DRAWS = 16
PHOTO_SIDE = 128


def sample(
    model: ModelLike = None,
    items: int = 16,
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Pixels:
    """Draws from p(x). A photograph model gives images of 128 x 128 pixels."""
    chosen = load_model(model)
    if chosen.capabilities.media == ANY_SIZE:
        return np.stack([_photograph(chosen, seed + i) for i in range(items)])
    return _images(sampling.sample_items(_chain(chosen, labels), items, seed), chosen)


def reconstruct(
    members: list[tuple[str, Pixels]],
    model: ModelLike,
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Pixels:
    """The mean of 16 draws from p(x | z), z ~ q(z | x), for each named image.

    Raises InputError on images of another shape.
    """
    chosen = _latent_chain(model)
    chain, x = _chain(chosen, labels), samples(members, chosen)
    return _means(
        chain, sampling.sample_distribution(chain.posterior(1, x), (seed, 0)), chosen, seed
    )


def interpolate(
    first: Pixels, last: Pixels, model: ModelLike, *, steps: int = 9, seed: int = 0
) -> Pixels:
    """Reconstructions from u = (1 - t) u_first + t u_last, `steps` values of t from 0 to 1.

    Raises InputError without Gaussian latents.
    """
    chosen = _latent_chain(model)
    if not _on_a_line(chosen):
        raise InputError(
            "a path between images needs a VAE with Gaussian latents and without labels; train "
            "one of the family vae or conv_vae"
        )
    chain, x = (
        _chain(chosen, None),
        samples([("the first image", first), ("the last image", last)], chosen),
    )
    precision = chosen.config.latent_precision
    u = gaussian_bins.value(
        precision, sampling.sample_distribution(chain.posterior(1, x), (seed, 0))
    )
    t = np.linspace(0.0, 1.0, steps)[:, None]
    line = np.rint((1 - t) * u[0] + t * u[1]).astype(np.int64)
    return _means(chain, bin_at(line, precision), chosen, seed)


def grid(pictures: Pixels, columns: int | None = None) -> Pixels:
    """Pictures row by row in one, `(rows H, columns W)` or `(rows H, columns W, C)`; what is
    missing in the last row is zero.
    """
    n = len(pictures)
    columns = columns or math.isqrt(n - 1) + 1
    rows = -(-n // columns)
    full = np.concatenate(
        [pictures, np.zeros((rows * columns - n, *pictures.shape[1:]), pictures.dtype)]
    )
    h, w, *rest = pictures.shape[1:]
    laid = full.reshape(rows, columns, h, w, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(laid.reshape(rows * h, columns * w, *rest))


def beside(members: list[tuple[str, Pixels]], others: Pixels, model: ModelLike) -> Pixels:
    """Images of the model's shape and, after them, others."""
    chosen = load_model(model)
    return np.concatenate([_images(samples(members, chosen), chosen), others])


def save(picture: Pixels, path: Path, *, overwrite: bool = False) -> None:
    """Write a picture as PNG. Raises OutputExistsError, OutputError."""
    buffer = io.BytesIO()
    images.write_image(images.from_array(picture), buffer, format="PNG")
    images.atomic_write(path, buffer.getvalue(), overwrite=overwrite)


def _latent_chain(model: ModelLike) -> Model:
    chosen = load_model(model)
    if chosen.capabilities.media == ANY_SIZE:
        raise InputError(
            "a photograph model's latents hold no image of their own; give a model of another "
            "family"
        )
    return chosen


def _on_a_line(model: Model) -> bool:
    """Whether latents are numbers between which there is a path, and nothing is given with them."""
    declared = model.capabilities
    return declared.posterior == DIAGONAL_GAUSSIAN and declared.whole_images


def _chain(model: Model, labels: NDArray[np.integer[Any]] | None) -> Any:
    network = model.network(tiles.fastest_ops())
    return network if labels is None else network.given(labels)


def _means(chain: Any, z: NDArray[np.int64], model: Model, seed: int) -> Pixels:
    likelihood = chain.likelihood(0, z)
    draws = np.stack(
        [sampling.sample_distribution(likelihood, (seed, 1, i)) for i in range(MEAN_DRAWS)]
    )
    return _images(draws.mean(0), model)


def _images(x: NDArray[Any], model: Model) -> Pixels:
    """Samples, or means of them, as pictures; those of few bits are stretched over 0..255."""
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
