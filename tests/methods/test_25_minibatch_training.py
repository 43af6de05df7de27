"""Item 25. Minibatch AEVB: training lowers the bits per dimension, and the coder's measured rate
follows.
"""

import numpy as np

from bbans.coding.rans import pseudo_random_message
from bbans.schemes import bits_back
from bbans.schemes.bounds import push_measured
from bbans.training.latent_run import exact_rates
from tests.methods.trained import trained


def test_the_rate_falls_and_the_coder_follows():
    """Smoothed over quarters of the run; the measured net rate within 0.5 % and four standard
    errors of the exact -ELBO.
    """
    measured = []
    for steps in (60, 600):
        _, chain, history, test = trained("vae", steps)
        x = test.x.astype(np.int64)
        accounts = [
            push_measured(bits_back.codec, chain, pseudo_random_message((16,), 4000, seed), x)[1]
            for seed in range(8)
        ]
        net = np.array([account.net for account in accounts]) / x.size
        ideal = np.array([exact_rates(chain, test, 1, seed)["rate"] for seed in range(8)])
        error = np.hypot(net.std(ddof=1), ideal.std(ddof=1)) / 8**0.5
        assert abs(net.mean() - ideal.mean()) < 0.005 * ideal.mean() + 4 * error
        measured.append(net.mean())
    smoothed = np.array([row["rate"] for row in history]).reshape(4, -1).mean(1)
    assert (np.diff(smoothed) < 0).all() and measured[1] < 0.9 * measured[0]
