"""Item 3: pop z ~ p(z | x), push x given z, push z: the net length is -log2 p(x), and everything
comes back.
"""

import numpy as np
import pytest

from bbans.coding.rans import message_equal, pseudo_random_message
from bbans.models.analytic import LinearGaussian
from bbans.schemes import bits_back
from bbans.schemes.bounds import push_measured
from bbans.schemes.sampling import sample_items
from tests.methods.toys import markov, mixture

SIDE = pseudo_random_message((1,), 2000, 7)


@pytest.mark.parametrize(
    "chain",
    [mixture(), mixture(1, 3, 4, 4), markov(2), markov(3)],
    ids=["4x5", "4 symbols", "2 layers", "3 layers"],
)
def test_finite_models(chain):
    x = chain.configurations()
    message, account = push_measured(bits_back.codec, chain, SIDE, x)
    assert account.net - account.coder == pytest.approx(chain.evidence.sum(), abs=1e-5 * len(x))
    assert account.net == pytest.approx(chain.evidence.sum(), rel=1e-4)
    back, found = bits_back.codec(chain, len(x)).pop(message)
    assert np.array_equal(found, x) and message_equal(back, SIDE)


@pytest.mark.parametrize("k", [1, 2])
def test_linear_gaussian_model(k):
    chain = LinearGaussian(k=k, latent_precision=10)
    x = sample_items(chain, 300, 3)
    y = (
        (x - 512) / 32
    )  # within 6 sigma and where bins are narrow, the floor of one and the bins' widths do not show
    x = x[(np.abs(y).max(1) < 6) & (np.abs(y.reshape(len(x), 2, -1).sum(2)).max(1) < 2 * 4**k)]
    assert len(x) > 250
    assert chain.evidence_bits(x).sum() == pytest.approx(chain.density_bits(x).sum(), rel=3e-4)
    message, account = push_measured(bits_back.codec, chain, SIDE, x)
    assert account.net == pytest.approx(chain.evidence_bits(x).sum(), rel=1e-4)
    assert account.posterior < -0.05 * account.net  # so that getting bits back is what makes it
    back, found = bits_back.codec(chain, len(x)).pop(message)
    assert np.array_equal(found, x) and message_equal(back, SIDE)
