"""Item 14: the gradient through samples alone, E_q grad_phi (log p - log q) = -E_q grad log q, is
nought; the score's is not.
"""

import math

import numpy as np
import pytest

Q = 0.3  # of z = 1
JOINT = np.array([0.07, 0.24])  # p(x, z)
OF_Z = np.array([1 - Q, Q])
SCORE = np.array([-1 / (1 - Q), 1 / Q])  # d log q(z) / dQ
SIGNAL = np.log(JOINT) - np.log(OF_Z)


def test_by_enumeration():
    assert (OF_Z * -SCORE).sum() == pytest.approx(0, abs=1e-15)
    assert (OF_Z * SIGNAL * SCORE).sum() == pytest.approx(2.07944, abs=5e-6)
    h = 1e-6
    bounds = [
        ((1 - q) * math.log(JOINT[0] / (1 - q)) + q * math.log(JOINT[1] / q))
        for q in (Q - h, Q + h)
    ]
    assert (bounds[1] - bounds[0]) / (2 * h) == pytest.approx(2.07944, abs=5e-5)


def test_by_samples():
    """200,000 draws: the naive mean within 4 standard errors of nought and 100 of them off the
    truth, the score's within 4 of it.
    """
    z = (np.random.default_rng(0).random(200_000) < Q).astype(int)
    for values, expected in ((-SCORE[z], 0.0), (SIGNAL[z] * SCORE[z], 2.07944)):
        error = values.std() / math.sqrt(len(z))
        assert abs(values.mean() - expected) < 4 * error
        assert expected or abs(values.mean() - 2.07944) > 100 * error
