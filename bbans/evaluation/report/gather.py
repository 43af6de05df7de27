"""What a report shows besides the figures: images with their heat maps, reconstructions,
samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import tiles
from bbans.errors import InputError
from bbans.evaluation import evaluate, pictures
from bbans.evaluation.rates import Evaluation, ImageRate
from bbans.files import codec
from bbans.models.base import ANY_SIZE
from bbans.models.library import ModelLike, load_model
from bbans.models.model_file import Model
from bbans.schemes import bounds, posterior_refinement

Pixels = NDArray[Any]
Named = Sequence[tuple[str, Pixels]]
MOST = 6  # images at each end
DRAWS = 16  # of the latents, that a heat map is the mean of
SAMPLES, PHOTO_SAMPLES = 32, 6  # those of a photograph model are larger


@dataclass(frozen=True)
class Shown:
    """An image: its rate, its samples as they are shown, bits per pixel `(h, w)`, and what its
    latents alone give back.

    The last two are None where the model has none.
    """

    rate: ImageRate
    original: Pixels
    bits: NDArray[np.float64] | None
    reconstruction: Pixels | None


@dataclass(frozen=True)
class Report:
    """An evaluation; the images of the lowest and of the highest rate, the extreme ones first;
    draws from the model, or None.
    """

    evaluation: Evaluation
    best: tuple[Shown, ...]
    worst: tuple[Shown, ...]
    samples: tuple[Pixels, ...] | None


def gather(found: Evaluation, named: Named, model: ModelLike = None, *, seed: int = 0) -> Report:
    """The report of an evaluation of these images under this model, which are both as
    `evaluation.evaluate` was given them.

    Raises InputError where the images are others.
    """
    if [name for name, _ in named] != [image.name for image in found.images]:
        raise InputError("a report shows the images that were evaluated; give the same ones")
    chosen = load_model(model)
    order = sorted(range(len(named)), key=lambda i: rate_of(found.images[i]))
    ends = min(MOST, -(-len(order) // 2)), min(MOST, len(order) // 2)
    best, worst = order[: ends[0]], order[: -ends[1] - 1 : -1] if ends[1] else []
    shown = _shown(found, named, [*best, *worst], chosen, seed)
    return Report(
        found, tuple(shown[: len(best)]), tuple(shown[len(best) :]), _samples(chosen, seed)
    )


def rate_of(image: ImageRate) -> float:
    """What an image is ranked by, in bits per dimension: its file, what the message grew by, or the
    ideal, whichever there is first.
    """
    bits = next(bits for bits in (image.total, image.net, image.ideal) if bits is not None)
    return bits / image.dimensions


def _shown(
    found: Evaluation, named: Named, positions: Sequence[int], model: Model, seed: int
) -> list[Shown]:
    some, rates = [named[i] for i in positions], [found.images[i] for i in positions]
    if model.capabilities.media == ANY_SIZE:
        maps = [_photograph_bits(pixels, model) for _, pixels in some]
        return [
            Shown(rate, pixels, bits, None)
            for rate, (_, pixels), bits in zip(rates, some, maps, strict=True)
        ]
    if not model.capabilities.whole_images:  # images of which a part is given
        return [
            Shown(rate, pixels, None, None) for rate, (_, pixels) in zip(rates, some, strict=True)
        ]
    chain = posterior_refinement.refined(model.network(tiles.fastest_ops()), found.refinement)
    bits = bounds.sample_bits(chain, evaluate.samples(some, model), DRAWS, seed)
    back = pictures.reconstruct(list(some), model, seed=seed)
    originals = pictures.beside(list(some), back, model)[: len(some)]
    shown = []
    for rate, pixels, image_bits, other in zip(rates, originals, bits, back, strict=True):
        pixel_bits = image_bits.reshape(*pixels.shape[:2], -1).sum(2)
        shown.append(
            Shown(rate, pixels, pixel_bits + (rate.prior + rate.posterior) / pixel_bits.size, other)
        )
    return shown


def _photograph_bits(pixels: Pixels, model: Model) -> NDArray[np.float64] | None:
    costs = codec.info(
        codec.compress(pixels, model=model, verify=False), model=model, costs=True
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
