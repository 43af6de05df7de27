"""Item 18: variational EM never lowers the ELBO, on a mixture and on PPCA, and a fitted mixture
shortens the codec's messages.
"""

import numpy as np
import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.models.analytic import finite_mixture
from bbans.schemes import bits_back
from bbans.schemes.bounds import push_measured
from bbans.schemes.sampling import sample_items
from tests.methods.toys import mixture
from tests.methods.variational_em import (
    Mixture,
    Posterior,
    Ppca,
    mixture_step,
    ppca_elbo,
    ppca_log_evidence,
    ppca_model_step,
    ppca_posterior_step,
)


def net_bits(model, x):
    chain = finite_mixture(
        *(np.round(part * 2**30).astype(np.int64) + 1 for part in (model.likelihood, model.prior))
    )
    account = push_measured(bits_back.codec, chain, pseudo_random_message((64,), 200, 0), x)[1]
    return account.net


def test_mixture():
    x = sample_items(mixture(3, 3, 4, 4), 1000, 0)
    rng = np.random.default_rng(0)
    model = Mixture(np.full(3, 1 / 3), rng.dirichlet(np.ones(4), (3, 4)))
    elbos, nets = [], []
    for step in range(40):
        if step % 8 == 0:
            nets.append(net_bits(model, x))
        model, elbo = mixture_step(model, x)
        elbos.append(elbo)
        if step % 8 == 0:
            assert nets[-1] == pytest.approx(-elbo / np.log(2), rel=1e-3)
    assert (np.diff(elbos) > -1e-9).all() and (np.diff(nets) < 0).all()
    assert nets[0] - nets[-1] > 0.1 * nets[0]
    assert (
        elbos[-1] > -np.log(2) * mixture(3, 3, 4, 4).evidence_bits(x).sum()
    )  # at least as good as the model that made x


def test_a_pseudo_count_leaves_no_symbol_impossible():
    x = np.zeros((50, 2), np.int64)
    model = Mixture(np.full(2, 0.5), np.random.default_rng(0).dirichlet(np.ones(3), (2, 2)))
    assert mixture_step(model, x, 0.5)[0].likelihood.min() > 0
    assert mixture_step(model, x)[0].likelihood.min() == 0


def test_ppca():
    """With the posterior's covariance diagonal at the optimum, variational EM finds Tipping and
    Bishop's solution.
    """
    rng = np.random.default_rng(1)
    x = (
        rng.normal(size=(500, 2)) @ np.array([[3, 1, 0, 2, 0], [0, 1, 2, -1, 1.0]])
        + rng.normal(size=(500, 5)) * 0.5
    )
    q = Posterior(np.zeros((500, 2)), np.ones(2))
    model = Ppca(rng.normal(size=(5, 2)), x.mean(0), 1.0)
    elbos = [ppca_elbo(model, x, q)]
    for _ in range(2000):
        q = ppca_posterior_step(model, x, q)
        elbos.append(ppca_elbo(model, x, q))
        model = ppca_model_step(model, x, q)
        elbos.append(ppca_elbo(model, x, q))
        assert elbos[-1] <= ppca_log_evidence(model, x) + 1e-8
    assert (np.diff(elbos) > -1e-8).all()
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    noise = values[:3].mean()
    best = Ppca(vectors[:, 3:] * np.sqrt(values[3:] - noise), x.mean(0), float(noise))
    assert model.variance == pytest.approx(noise, rel=1e-4)
    assert elbos[-1] == pytest.approx(ppca_log_evidence(best, x), abs=1e-3)
