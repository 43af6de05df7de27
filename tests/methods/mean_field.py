"""KL(N(m, diag s^2) || N(mu, Lambda^-1)) in nats: all that the ELBO of a Gaussian posterior lacks,
with the correlation of `Correlated`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PRECISION: Floats = np.array([[4.0, 3.0], [3.0, 4.0]])
MEAN: Floats = np.array([0.3, -0.8])


def gap(mean: Floats, log_sigma: Floats) -> float:
    """log p(x) - ELBO."""
    d = mean - MEAN
    trace = (np.diag(PRECISION) * np.exp(2 * log_sigma)).sum()
    return float(
        0.5 * (trace + d @ PRECISION @ d - len(d) - np.linalg.slogdet(PRECISION)[1])
        - log_sigma.sum()
    )


def optimum() -> tuple[Floats, Floats]:
    """Means and sigmas of the best product: mu and 1 / sqrt(Lambda_ii)."""
    return MEAN, 1 / np.sqrt(np.diag(PRECISION))
