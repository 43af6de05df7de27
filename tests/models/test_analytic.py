"""The analytic models: their probabilities sum to one, their posteriors are exact, and densities
agree with discrete sums.
"""

from __future__ import annotations

import numpy as np
import pytest

from bbans.models.analytic import LinearGaussian, discrete_chain, finite_mixture
from bbans.schemes.bounds import ideal_bits
from bbans.schemes.sampling import sample_items
from tests.methods.toys import enumerated, markov, mixture, tilted


@pytest.mark.parametrize("chain", [mixture(), mixture(1, 3, 3, 4), markov(2), markov(4)])
def test_evidences_sum_to_one_and_the_posterior_is_exact(chain) -> None:  # type: ignore[no-untyped-def]
    assert np.exp2(-chain.evidence).sum() == pytest.approx(1, abs=1e-12)
    # with the exact posterior -log2 w is the same for every z, to the rounding of q to 24 bits
    x = chain.configurations()
    assert np.abs(ideal_bits(chain, x, 3).total - chain.evidence_bits(x)).max() < 1e-4


def test_known_masses() -> None:
    """Two coins: p(heads) is 3/4 or 1/4, each coin with 1/2."""
    chain = finite_mixture(np.array([[[3, 1]], [[1, 3]]]), np.array([1, 1]))
    prior, likelihood, q = enumerated(chain)
    assert (
        np.allclose(prior, 0.5)
        and np.allclose(chain.evidence, 1)
        and np.allclose(q, [[0.75, 0.25], [0.25, 0.75]])
    )
    assert np.allclose(likelihood, [[0.75, 0.25], [0.25, 0.75]])


def test_the_order_of_configurations() -> None:
    chain = mixture(dims=3, values=4)
    x = chain.configurations()
    assert x.shape == (64, 3) and x[1].tolist() == [0, 0, 1]
    assert chain.index(x).tolist() == list(range(64))
    assert chain.default_latent(2).shape == (2, 1)


def test_shapes_are_checked() -> None:
    one = np.ones
    with pytest.raises(ValueError, match="column"):
        discrete_chain(one((3, 1, 2), int), [one((4, 2), int)], one(4, int))
    with pytest.raises(ValueError, match="column"):
        finite_mixture(one((3, 1, 2), int), one(4, int))
    with pytest.raises(ValueError, match="posterior"):
        finite_mixture(one((3, 1, 2), int), one(3, int), one((3, 3), int))
    with pytest.raises(ValueError, match="enumerated"):
        finite_mixture(one((3, 17, 2), int), one(3, int))
    with pytest.raises(ValueError, match="scale"):
        LinearGaussian(scale=9)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_densities_and_discrete_sums(k: int) -> None:
    """Within 6 sigma and for posteriors within 2: 1.5e-3 a sample apart, of 7 bits, from the width
    of a grey level, sigma / 32.
    """
    chain = LinearGaussian(latents=1, k=k)
    rng = np.random.default_rng(k)
    z = rng.uniform(-1.8, 1.8, (30, 1))
    x = np.round(512 + 32 * (z + rng.normal(size=(30, chain.copies)))).astype(np.int64)
    difference = chain.evidence_bits(x) - chain.density_bits(x)
    assert np.abs(difference).max() < 2e-3 * chain.copies + 0.01
    assert np.abs(ideal_bits(chain, x, 200).total - chain.evidence_bits(x)).max() < 0.02


@pytest.mark.parametrize(("offset", "steps"), [(0, 0), (32, 0), (0, -6), (-20, 8)])
def test_another_q_costs_its_divergence(offset: int, steps: int) -> None:
    chain = LinearGaussian(latents=2, mean_offset=offset, sigma_steps=steps)
    x = np.random.default_rng(0).integers(490, 535, (100, 6))
    excess = (ideal_bits(chain, x, 400).total - chain.evidence_bits(x)).mean()
    assert excess == pytest.approx(chain.divergence_bits(), rel=0.03, abs=2e-3)


def test_any_sample_can_be_coded() -> None:
    chain = LinearGaussian(k=2, n=300, latent_precision=6)
    x = np.random.default_rng(0).integers(0, 300, (5, 30))
    x[0], x[1] = 0, 299
    assert (
        np.isfinite(ideal_bits(chain, x).total).all() and np.isfinite(chain.evidence_bits(x)).all()
    )
    assert sample_items(chain, 10).max() < 300 and chain.default_latent(3).shape == (3, 2)


def test_tilting_makes_q_worse() -> None:
    chain = mixture(dims=2)
    _, _, q = enumerated(chain)
    assert np.abs(enumerated(tilted(chain))[2] - q).max() > 0.1
