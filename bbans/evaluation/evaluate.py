"""Ideal, net and total of a model on images: -ELBO, what the coder's message grew by, bytes on
disk, all side by side.

A latent chain codes the images batch after batch into one message that holds pseudo-random words to
begin with, so that each batch's net bits are measured by themselves, and with batches of one each
image's; `total` is then the payload of a real group of these images, which starts from nothing. A
photograph model codes every image into a file of its own. Rates are in bits per dimension.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import images, tiles
from bbans.container import group_schedule
from bbans.container.schemes import BITS_BACK, DETERMINISTIC, TWO_PART, Coding
from bbans.errors import InputError
from bbans.evaluation.rates import Evaluation, ImageRate
from bbans.files import codec
from bbans.models.base import ANY_SIZE, ROWS, LatentModel
from bbans.models.library import ModelLike, load_model
from bbans.models.model_file import Model
from bbans.schemes import bounds, chained_group, posterior_refinement, registry, two_part

ONE_BY_ONE = 500  # images up to which every image's net bits are measured by themselves
FEWEST_BATCHES = (
    200  # of more images: for the standard error of the difference between net and ideal
)


def evaluate(
    members: Iterable[tuple[str, NDArray[Any]]],
    model: ModelLike = None,
    *,
    draws: int = 16,
    importance_draws: int = 0,
    scheme: str | None = None,
    particles: int | None = None,
    refine: int | None = None,
    labels: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
    batch: int | None = None,
) -> Evaluation:
    """Evaluate a model on named images, uint8 `(H, W)` or `(H, W, C)`.

    `importance_draws` K adds -log2 (1 / K) sum w of each image, up to 5000 (latent chains only).
    `scheme` is one of `schemes.registry.SCHEMES`, with `particles` (default 8) where it weights
    several; the default is the model's. `refine` steps of search (`schemes.posterior_refinement`)
    make every image's posterior a better one, in all rates. Two-part codes have the fineness of
    most images; a file chooses it. A chain pushes `batch` images at once, up to `stream.max_batch`:
    by default 1 of up to 500 images, and of more as many as leave 200 batches. Raises InputError on
    no images, on images that a latent chain has not the shape of, and on a scheme that the model
    cannot be coded with.
    """
    chosen, named = load_model(model), list(members)
    if not named:
        raise InputError(
            "no image to evaluate was found; name a folder, .npz, .npy or idx file that holds some"
        )
    if draws < 1 or not 0 <= importance_draws <= 5000:
        raise InputError(
            f"a rate takes 1 draw or more, an importance-weighted one up to 5000; found {draws} "
            f"and {importance_draws}"
        )
    if chosen.capabilities.media == ANY_SIZE:
        if (
            importance_draws
            or any(given is not None for given in (scheme, particles, refine, labels))
            or batch not in (None, 1)
        ):
            raise InputError(
                "importance weights, schemes, labels and batches are for latent chains; leave "
                "them out for a photograph model"
            )
        measured = [_photograph(name, pixels, chosen) for name, pixels in named]
        rates = tuple(rate for rate, _ in measured)
        shares = tiles.together(share for _, image in measured for share in image)
        nets, total = tuple(r.net or 0.0 for r in rates), sum(r.total or 0.0 for r in rates)
        return Evaluation(
            chosen.name,
            chosen.id.hex(),
            chosen.family,
            "bits-back",
            16,
            0,
            rates,
            total,
            1,
            nets,
            shares=shares,
        )
    return _chain(
        named, chosen, draws, importance_draws, scheme, particles, refine, labels, seed, batch
    )


def _photograph(
    name: str, pixels: NDArray[Any], model: Model
) -> tuple[ImageRate, tuple[tiles.Share, ...]]:
    """The account of the image's file, and its levels and terms; framing and flush are in its total
    only.
    """
    data = codec.compress(pixels, model=model, verify=False)
    found = codec.info(data, model=model, costs=True)
    assert (
        found.account is not None
        and found.ideal_bits is not None
        and found.net_bits is not None
        and found.costs is not None
    )
    a = found.account
    ideal, likelihood = found.ideal_bits, found.ideal_bits - a.prior - a.posterior
    rate = ImageRate(
        name,
        pixels.size,
        ideal,
        a.prior,
        likelihood,
        a.posterior,
        found.net_bits,
        total=8.0 * len(data),
    )
    return rate, found.costs.shares


def _chain(
    named: Sequence[tuple[str, NDArray[Any]]],
    model: Model,
    draws: int,
    importance_draws: int,
    scheme: str | None,
    particles: int | None,
    refine: int | None,
    labels: NDArray[np.integer[Any]] | None,
    seed: int,
    batch: int | None,
) -> Evaluation:
    declared = model.capabilities
    name = scheme or registry.named(DETERMINISTIC if declared.deterministic else BITS_BACK)
    if why := registry.incompatibility(name, declared, particles, refine):
        raise InputError(f"family {model.family}: {why}")
    network, two_parts = model.network(tiles.fastest_ops()), name == registry.named(TWO_PART)
    if two_parts and (labels is not None or declared.side_information is not None):
        raise InputError(
            f"{name} takes its cells from samples of the model, and this one has to be told "
            "something; take bits-back"
        )
    particles = registry.particles_of(name, particles)
    coder = (
        two_part.scheme(two_part.FINENESS, two_part.grid(network))
        if two_parts
        else registry.by_name(name, particles)
    )
    x = samples(named, model)
    if declared.side_information == ROWS:  # the first rows of each image, given with the others
        x, labels = x[:, model.config.conditioning :], x[:, : model.config.conditioning]
    largest = group_schedule.max_batch(x.shape[1])
    if batch is None:
        batch = 1 if len(x) <= ONE_BY_ONE else min(largest, len(x) // FEWEST_BATCHES)
    if not 1 <= batch <= largest:
        raise InputError(
            f"1 to {largest} images of {x.shape[1]} samples are pushed at once; found {batch}"
        )

    def given(rows: slice) -> LatentModel:
        return posterior_refinement.refined(
            network if labels is None else network.given(labels[rows]), refine or 0
        )

    ideal = bounds.ideal_bits(given, x, draws, seed)
    weighted = (
        bounds.importance_weighted_bits(given, x, importance_draws, seed)
        if importance_draws
        else None
    )
    batches = [slice(first, first + batch) for first in range(0, len(x), batch)]
    nets = bounds.net_bits(coder, ((given(some), x[some]) for some in batches), seed)
    known = registry.SCHEMES[name].format
    bound = None
    if known.weighted:
        bound = registry.ideal_bits(Coding(known.number, particles), given, x, draws, seed)
    rates = []
    for i, (image_name, _) in enumerate(named):
        total, prior, likelihood, posterior = (
            float(part[i]) for part in (ideal.total, ideal.prior, ideal.likelihood, ideal.posterior)
        )
        weight = None if weighted is None else float(weighted[i])
        net = nets[i] if batch == 1 else None
        limit = None if bound is None else float(bound[i])
        rates.append(
            ImageRate(
                image_name,
                x.shape[1],
                total,
                prior,
                likelihood,
                posterior,
                net,
                weight,
                bound=limit,
            )
        )
    group_bits = math.nan
    if labels is None:
        group_bits = 32.0 * len(
            chained_group.encode(given(slice(None)), lambda c, n: coder(c, n, None), x).words
        )
    head = model.name, model.id.hex(), model.family, name, draws, importance_draws
    return Evaluation(*head, tuple(rates), group_bits, batch, nets, particles, refine or 0)


def named_images(
    path: str | os.PathLike[str], shape: tuple[int, int] | None = None, count: int | None = None
) -> list[tuple[str, NDArray[Any]]]:
    """The first `count` images, or all, of a folder, an image, an `.npy`, `.npz` or idx file
    (`images.open_set`). Raises InputError.
    """
    return list(images.open_set(path, shape=shape)[:count])


def samples(named: Sequence[tuple[str, NDArray[Any]]], model: Model) -> NDArray[np.int64]:
    """Images as a latent chain's samples, int64 `(items, dims)`.

    Raises InputError unless shape and values are the model's.
    """
    c = model.config
    shape = (c.height, c.width) if c.channels == 1 else (c.height, c.width, c.channels)
    for name, pixels in named:
        if pixels.shape != shape or pixels.max(initial=0) >= c.levels:
            raise InputError(
                f"{name}: the model codes images {shape} of values to {c.levels - 1}; found "
                f"{pixels.shape}, up to {pixels.max(initial=0)}"
            )
    return np.stack([pixels.reshape(-1) for _, pixels in named]).astype(np.int64)


def chosen(
    named: Sequence[tuple[str, NDArray[Any]]], positions: Sequence[int]
) -> list[NDArray[Any]]:
    """Images by position. Raises InputError where there are not so many."""
    if not all(0 <= at < len(named) for at in positions):
        raise InputError(
            f"images at {', '.join(map(str, positions))} are wanted, counted from 0; there are "
            f"{len(named)}"
        )
    return [named[at][1] for at in positions]


def save_table(found: Evaluation, path: Path, *, overwrite: bool = False) -> None:
    """Write the CSV. Raises OutputExistsError, OutputError."""
    images.atomic_write(path, found.to_csv().encode(), overwrite=overwrite)
