"""Contents of a report: an evaluation, the best and worst images with heat maps and
reconstructions, and samples of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import tiles
from bbans.errors import InputError
from bbans.evaluation import inputs, pictures
from bbans.evaluation.rates import Evaluation, ImageRate
from bbans.files import encoder
from bbans.files.info import info
from bbans.models.base import ANY_SIZE
from bbans.models.library import ModelLike, load_model
from bbans.models.model_file import Model
from bbans.schemes import bounds, posterior_refinement

Pixels = NDArray[Any]
Named = Sequence[tuple[str, Pixels]]
MOST = 6
"""Largest number of best images, and of worst images."""
DRAWS = 16
"""Draws of the latents over which a heat map is the mean."""
SAMPLES, PHOTO_SAMPLES = 32, 6
"""Number of samples of a model of whole images, and of a photograph model, whose samples are
larger.
"""


@dataclass(frozen=True)
class Shown:
    """An image in a report.

    original: uint8 or uint16 `(h, w)` or `(h, w, channels)`. bits: bits per pixel `(h, w)`.
    reconstruction: the mean of p(x | z), z ~ q(z | x). The last two are None if the model does not
    give them.
    """

    rate: ImageRate
    original: Pixels
    bits: NDArray[np.float64] | None
    reconstruction: Pixels | None


@dataclass(frozen=True)
class Report:
    """The contents of a report.

    best: images of the lowest rates, lowest first. worst: images of the highest rates, highest
    first. samples: draws from the model; None for a conditional model.
    """

    evaluation: Evaluation
    best: tuple[Shown, ...]
    worst: tuple[Shown, ...]
    samples: tuple[Pixels, ...] | None


def gather(
    evaluation: Evaluation, named: Named, model: ModelLike = None, *, seed: int = 0
) -> Report:
    """Collect the contents of the report of an evaluation.

    named, model: the images and the model that were evaluated. seed: of the draws for heat maps,
    reconstructions and samples. Raises InputError on other images, and ModelError.

    Examples:
        >>> from bbans.evaluation.evaluate import evaluate
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VaeConfig(4, 4, 1, 2, "bernoulli", 0, latents=(3,), hidden=8)
        >>> model = Model("untrained", config, export(float_network(config)), {}, bytes(32))
        >>> named = [("a", np.zeros((4, 4), np.uint8)), ("b", np.ones((4, 4), np.uint8))]
        >>> report = gather(evaluate(named, model), named, model)
        >>> len(report.best), len(report.worst), len(report.samples)
        (1, 1, 32)
    """
    if [name for name, _ in named] != [image.name for image in evaluation.images]:
        raise InputError("a report shows the images that were evaluated; give the same ones")
    loaded = load_model(model)
    order = sorted(range(len(named)), key=lambda i: rate_of(evaluation.images[i]))
    best_count, worst_count = min(MOST, -(-len(order) // 2)), min(MOST, len(order) // 2)
    best, worst = order[:best_count], order[: -worst_count - 1 : -1] if worst_count else []
    shown = _shown(evaluation, named, [*best, *worst], loaded, seed)
    return Report(
        evaluation, tuple(shown[: len(best)]), tuple(shown[len(best) :]), _samples(loaded, seed)
    )


def rate_of(image: ImageRate) -> float:
    """Return the rate by which images are ranked, in bits per dimension: total, or else net, or
    else ideal.

    Examples:
        >>> rate_of(ImageRate("a", 10, ideal=20.0, prior=0, likelihood=20.0, posterior=0, net=21.0))
        2.1
    """
    bits = next(bits for bits in (image.total, image.net, image.ideal) if bits is not None)
    return bits / image.dimensions


def _shown(
    evaluation: Evaluation, named: Named, positions: Sequence[int], model: Model, seed: int
) -> list[Shown]:
    """Return the images at the given positions with heat maps and reconstructions."""
    selected, rates = [named[i] for i in positions], [evaluation.images[i] for i in positions]
    if model.capabilities.media == ANY_SIZE:
        maps = [_photograph_bits(pixels, model) for _, pixels in selected]
        return [
            Shown(rate, pixels, bits, None)
            for rate, (_, pixels), bits in zip(rates, selected, maps, strict=True)
        ]
    if not model.capabilities.whole_images:  # the model needs side information
        return [
            Shown(rate, pixels, None, None)
            for rate, (_, pixels) in zip(rates, selected, strict=True)
        ]
    network = model.network(tiles.fastest_ops())
    latent_model = posterior_refinement.refined(network, evaluation.refinement)
    bits = bounds.sample_bits(latent_model, inputs.samples(selected, model), DRAWS, seed)
    reconstructions = pictures.reconstruct(list(selected), model, seed=seed)
    originals = pictures.beside(list(selected), reconstructions, model)[: len(selected)]
    shown = []
    for rate, pixels, image_bits, reconstruction in zip(
        rates, originals, bits, reconstructions, strict=True
    ):
        pixel_bits = image_bits.reshape(*pixels.shape[:2], -1).sum(2)
        latent_bits = (rate.prior + rate.posterior) / pixel_bits.size  # spread evenly over pixels
        shown.append(Shown(rate, pixels, pixel_bits + latent_bits, reconstruction))
    return shown


def _photograph_bits(pixels: Pixels, model: Model) -> NDArray[np.float64] | None:
    costs = info(
        encoder.compress(pixels, model=model, verify=False, model_only=True),
        model=model,
        costs=True,
    ).costs
    return None if costs is None else costs.bits


def _samples(model: Model, seed: int) -> tuple[Pixels, ...] | None:
    if not (model.capabilities.media == ANY_SIZE or model.capabilities.whole_images):
        return None
    return tuple(
        pictures.sample(
            model, PHOTO_SAMPLES if model.capabilities.media == ANY_SIZE else SAMPLES, seed=seed
        )
    )
