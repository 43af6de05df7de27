"""Evaluation of a model on images: ideal (-ELBO), net (growth of the coder's message) and total
(bytes of the files), in bits per dimension.

A latent model of whole images codes them batch by batch into one message that initially holds
pseudo-random words, so that the net bits of each batch are measured separately; total is the
payload of a real chained group of these images, which starts from an empty message. A photograph
model codes every image into a file of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans import images, tiles
from bbans.container import group_schedule
from bbans.container.schemes import BITS_BACK, DETERMINISTIC, TWO_PART, Coding
from bbans.errors import InputError
from bbans.evaluation.inputs import samples
from bbans.evaluation.rates import Evaluation, ImageRate
from bbans.files import encoder
from bbans.files.info import info
from bbans.models.base import ANY_SIZE, ROWS, LatentModel
from bbans.models.library import ModelLike, load_model
from bbans.models.model_file import Model
from bbans.schemes import bounds, chained_group, posterior_refinement, registry, two_part

ONE_BY_ONE = 500
"""Largest number of images whose net bits are measured one by one by default."""
FEWEST_BATCHES = 200
"""Number of batches of more images, for the standard error of the difference of net and ideal."""


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
    """Evaluate a model on named images, uint8 or uint16 `(H, W)` or `(H, W, C)`.

    model: a name, file or value; None: the default photograph model. draws: draws of the latents
    per image for ideal; photograph models always take 16. seed: of all draws.

    The other options are for latent models of whole images. importance_draws: K from 0 to 5000 also
    estimates -log2 (1 / K) sum_k w_k of each image. scheme: one of `schemes.registry.SCHEMES`
    (default: the model's), with `particles` importance samples (default 8) if it takes them.
    Two-part codes are measured at one fineness, whereas files choose theirs. refine: steps of
    posterior refinement, which affects all rates. labels: integers `(N,)` for a conditional model.
    batch: images that are pushed together, up to `group_schedule.max_batch`; the default is 1 for
    up to 500 images, and 1/200 of a larger number.

    Raises InputError on no images, on images of another shape than the model's, and on options that
    the model does not support, and ModelError.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VaeConfig(4, 4, 1, 2, "bernoulli", 0, latents=(3,), hidden=8)
        >>> model = Model("untrained", config, export(float_network(config)), {}, bytes(32))
        >>> rates = evaluate([("a", np.zeros((4, 4), np.uint8))], model).rates()
        >>> rates["ideal"] < rates["total"]
        True
    """
    loaded, named = load_model(model), list(members)
    if not named:
        raise InputError(
            "no image to evaluate was found; name a folder, .npz, .npy or idx file that holds some"
        )
    if draws < 1 or not 0 <= importance_draws <= 5000:
        raise InputError(
            f"a rate takes 1 draw or more, an importance-weighted one up to 5000; found {draws} "
            f"and {importance_draws}"
        )
    if loaded.capabilities.media == ANY_SIZE:
        if (
            importance_draws
            or any(option is not None for option in (scheme, particles, refine, labels))
            or batch not in (None, 1)
        ):
            raise InputError(
                "importance weights, schemes, labels and batches are for latent chains; leave "
                "them out for a photograph model"
            )
        measured = [_photograph(name, pixels, loaded) for name, pixels in named]
        rates = tuple(rate for rate, _ in measured)
        shares = tiles.together(share for _, image_shares in measured for share in image_shares)
        nets, total = tuple(r.net or 0.0 for r in rates), sum(r.total or 0.0 for r in rates)
        return Evaluation(
            loaded.name,
            loaded.id.hex(),
            loaded.family,
            "bits-back",
            16,
            0,
            rates,
            total,
            1,
            nets,
            shares=shares,
        )
    return _latent_model(
        named, loaded, draws, importance_draws, scheme, particles, refine, labels, seed, batch
    )


def _photograph(
    name: str, pixels: NDArray[Any], model: Model
) -> tuple[ImageRate, tuple[tiles.Share, ...]]:
    """Return the rates of the image's file and the bits of its levels and terms.

    Framing and flush are part of the total only.
    """
    data = encoder.compress(pixels, model=model, verify=False, model_only=True)
    facts = info(data, model=model, costs=True)
    assert (
        facts.account is not None
        and facts.ideal_bits is not None
        and facts.net_bits is not None
        and facts.costs is not None
    )
    a = facts.account
    ideal, likelihood = facts.ideal_bits, facts.ideal_bits - a.prior - a.posterior
    rate = ImageRate(
        name,
        pixels.size,
        ideal,
        a.prior,
        likelihood,
        a.posterior,
        facts.net_bits,
        total=8.0 * len(data),
    )
    return rate, facts.costs.shares


def _latent_model(
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
    """Evaluate a latent model of whole images on named images of its shape."""
    declared = model.capabilities
    name = scheme or registry.named(DETERMINISTIC if declared.deterministic else BITS_BACK)
    if why := registry.incompatibility(name, declared, particles, refine):
        raise InputError(f"family {model.family}: {why}")
    network, is_two_part = model.network(tiles.fastest_ops()), name == registry.named(TWO_PART)
    if is_two_part and (labels is not None or declared.side_information is not None):
        raise InputError(
            f"{name} takes its cells from samples of the model, and this one is conditioned "
            "on side information; take bits-back"
        )
    particles = registry.particles_of(name, particles)
    scheme_of = (
        two_part.scheme(two_part.FINENESS, two_part.grid(network))
        if is_two_part
        else registry.by_name(name, particles)
    )
    x = samples(named, model)
    if declared.side_information == ROWS:  # the first rows of an image condition the others
        x, labels = x[:, model.config.conditioning :], x[:, : model.config.conditioning]
    largest = group_schedule.max_batch(x.shape[1])
    if batch is None:
        batch = 1 if len(x) <= ONE_BY_ONE else min(largest, len(x) // FEWEST_BATCHES)
    if not 1 <= batch <= largest:
        raise InputError(
            f"1 to {largest} images of {x.shape[1]} samples are pushed at once; found {batch}"
        )

    def conditioned(rows: slice) -> LatentModel:
        """Return the model for these images: conditioned on their labels, and refined."""
        return posterior_refinement.refined(
            network if labels is None else network.given(labels[rows]), refine or 0
        )

    ideal = bounds.ideal_bits(conditioned, x, draws, seed)
    weighted = (
        bounds.importance_weighted_bits(conditioned, x, importance_draws, seed)
        if importance_draws
        else None
    )
    batches = [slice(first, first + batch) for first in range(0, len(x), batch)]
    nets = bounds.net_bits(scheme_of, ((conditioned(rows), x[rows]) for rows in batches), seed)
    scheme_format = registry.SCHEMES[name].format
    bound = None
    if scheme_format.weighted:
        coding = Coding(scheme_format.number, particles)
        bound = registry.ideal_bits(coding, conditioned, x, draws, seed)
    rates = []
    for i, (image_name, _) in enumerate(named):
        image_ideal, prior, likelihood, posterior = (
            float(part[i]) for part in (ideal.total, ideal.prior, ideal.likelihood, ideal.posterior)
        )
        importance_weighted = None if weighted is None else float(weighted[i])
        net = nets[i] if batch == 1 else None
        image_bound = None if bound is None else float(bound[i])
        rates.append(
            ImageRate(
                image_name,
                x.shape[1],
                image_ideal,
                prior,
                likelihood,
                posterior,
                net,
                importance_weighted,
                bound=image_bound,
            )
        )
    group_bits = math.nan
    if labels is None:
        group = chained_group.encode(
            conditioned(slice(None)), lambda m, n: scheme_of(m, n, None), x
        )
        group_bits = 32.0 * len(group.words)
    head = model.name, model.id.hex(), model.family, name, draws, importance_draws
    return Evaluation(*head, tuple(rates), group_bits, batch, nets, particles, refine or 0)


def save_table(evaluation: Evaluation, path: Path, *, overwrite: bool = False) -> None:
    """Write the rates of every image as CSV, in bits.

    Raises OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile
        >>> evaluation = Evaluation("model", "00", "vae", "bits-back", 1, 0, (), 0.0, 1, ())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_table(evaluation, Path(folder, "rates.csv"))
        ...     Path(folder, "rates.csv").read_text().split(",")[:3]
        ['name', 'dimensions', 'ideal']
    """
    images.atomic_write(path, evaluation.to_csv().encode(), overwrite=overwrite)
