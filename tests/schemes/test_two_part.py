"""Two-part codes: what they cost is what the two parts cost, within the theory's quarter bit a
latent of -log2 p(x).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from bbans.coding.rans import base_message, message_bits, pseudo_random_message
from bbans.container import schemes
from bbans.distributions import gaussian_bins
from bbans.models.analytic import LinearGaussian
from bbans.models.base import Capabilities
from bbans.schemes import bounds, posterior_refinement, registry, sampling, single_message, two_part
from tests.chains import BACKENDS, CONFIGS, exact, fresh, samples
from tests.laws import check_bits, check_codec
from tests.methods.toys import markov

LOSS = math.log2(2 * math.pi * math.e / 12) / 2  # of even cells, bits a latent
FINENESSES = range(two_part.FINENESSES)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_loss_is_that_of_scalar_quantisation(k: int) -> None:
    """-log2 p(x) of the exact model and 0.2546 bits a latent, where cells are sqrt(12) posterior
    widths; more at every other fineness.

    200 items of 8 latents: the mean's standard error is 0.02, the bounds are four of them and the
    step between finenesses.
    """
    chain = LinearGaussian(latents=8, k=k)
    x = sampling.sample_items(chain, 200, 0)
    grid, mean, evidence = two_part.grid(chain), chain.gaussians(x)[0], chain.evidence_bits(x)
    losses = []
    for fineness in FINENESSES:
        cells = grid.cells(mean, fineness)
        bits = chain.likelihood(0, grid.centres(cells, fineness)).bits(x) + grid.prior(
            len(x), fineness
        ).bits(cells)
        losses.append(float((bits - evidence).mean()) / 8)
    best = int(np.argmin(losses))
    assert abs(128 * math.sqrt(12) / 2**k / grid.steps(best)[0] - 1) < 0.2
    assert LOSS - 0.08 < losses[best] < LOSS + 0.08
    assert (np.diff(losses[:best]) < 0).all() and (np.diff(losses[best + 1 :]) > 0).all()
    fine = math.log2(math.sqrt(2 * math.pi * math.e) * 128 / 2**k / grid.steps(15)[0]) - 1 / (
        2 * math.log(2)
    )
    assert losses[15] == pytest.approx(
        fine, abs=0.1
    )  # the likelihood loses nothing then, the draw from q is paid for


def test_one_item_takes_the_best_fineness() -> None:
    """Their minimum for each item is less than any one's mean, and what the coder takes is what was
    promised.
    """
    chain = LinearGaussian(latents=4, k=2)
    x = sampling.sample_items(chain, 30, 1)
    total = 0.0
    for one in x[:, None]:
        found = two_part.best(chain, one)
        data = single_message.encode(chain, two_part.scheme(found.fineness, found.grid), one)
        decoded = single_message.decode(chain, two_part.scheme(found.fineness), data)
        assert np.array_equal(decoded.x, one)
        assert decoded.account.prior + decoded.account.likelihood == pytest.approx(found.bits)
        assert decoded.account.posterior == decoded.account.initial == 0
        total += found.bits
    assert total / 30 < float(bounds.ideal_bits(chain, x, 64).total.mean()) + 4 * LOSS


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, config in CONFIGS.items()
        if exact(config, fresh(config)[1]).capabilities.refinable
    ],
)
@pytest.mark.parametrize("fineness", [0, 5, 15])
def test_every_chain_of_gaussians(name: str, fineness: int) -> None:
    """Nothing is popped; the message grows by what is recorded; every backend makes the same
    words.
    """
    config = CONFIGS[name]
    _, layers = fresh(config, gain=3.0)  # posteriors that are not the prior
    x, words = samples(config, 5), []
    for ops in BACKENDS:
        chain, seen = exact(config, layers, ops), []
        codec = two_part.codec(
            chain, len(x), lambda term, bits, seen=seen: seen.append((term, bits)), fineness
        )
        message = check_codec(codec, base_message((8,)), x)
        assert [term for term, _ in seen] == ["likelihood", "prior", "prior", "likelihood"]
        check_bits(base_message((8,)), message, seen[0][1] + seen[1][1], 24, 500)
        words.append(message_bits(message))
        assert two_part.grid(chain).widths.shape == (sum(config.latents),)
    assert len(set(words)) == 1


def test_latents_that_say_nothing_cost_nothing() -> None:
    """q = p of the second half of the latents: they have one cell, at u = 0."""

    class Half(LinearGaussian):
        def gaussians(self, below):
            mean, sigma, precision = super().gaussians(below)
            mean[:, 2:], sigma[:, 2:] = 77, 48
            return mean, sigma, precision

    chain = Half(latents=4, k=2)
    grid = two_part.grid(chain)
    assert grid.widths.tolist() == [32, 32, -1, -1]
    mean = chain.gaussians(sampling.sample_items(chain, 3))[0]
    for fineness in FINENESSES:
        cells = grid.cells(mean, fineness)
        assert (
            not cells[:, 2:].any() and not grid.prior(3, fineness).symbol_bits(cells)[:, 2:].any()
        )
        assert not gaussian_bins.value(12, grid.centres(cells, fineness)[:, 2:]).any()


def test_refinement_is_the_encoders() -> None:
    """Better means make a code that is no longer, and the unrefined chain decodes it."""
    chain = LinearGaussian(latents=4, k=2, mean_offset=30)
    better = posterior_refinement.refined(chain, 3)
    x = sampling.sample_items(chain, 20, 2)
    plain, found = (
        sum(two_part.best(one, row).bits for row in x[:, None]) for one in (chain, better)
    )
    assert found < plain - 10
    (message,) = two_part.codec(better, len(x)).push(pseudo_random_message((4,), 5, 0), x)
    assert np.array_equal(two_part.codec(chain, len(x)).pop(message)[1], x)
    assert np.array_equal(two_part.grid(better).widths, two_part.grid(chain).widths)


def test_what_has_no_gaussians_is_refused() -> None:
    assert "two-part codes one layer" in str(
        registry.incompatibility("two-part", markov(2).capabilities, None)
    )
    assert "take one of deterministic" in str(
        registry.incompatibility("two-part", Capabilities("point"), None)
    )
    assert "has one particle" in str(
        registry.incompatibility("two-part", LinearGaussian().capabilities, 3)
    )
    assert registry.incompatibility("two-part", LinearGaussian().capabilities, None, 3) is None
    for fineness in (-1, 16):
        with pytest.raises(ValueError, match="0 to 15"):
            two_part.scheme(fineness)


def test_the_formats_have_the_same_limits() -> None:
    assert schemes.MAX_FINENESS == two_part.FINENESSES - 1
    assert schemes.MAX_REFINEMENT == posterior_refinement.MAX_STEPS
    rows = [(row.name, row.format.number) for row in registry.SCHEMES.values()]
    assert rows == [(known.name, number) for number, known in schemes.SCHEMES.items()]
