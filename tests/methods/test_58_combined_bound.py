"""Item 58: CIWAE = share ELBO + (1 - share) IWAE: the ends are the two, and so is the posterior
between them.
"""

import torch

from bbans.training.objectives import ciwae, elbo, iwae
from tests.methods.overdispersed import log_weights, optimum

LOG_W = log_weights(torch.tensor(-0.8, dtype=torch.float64), 500, 2)


def test_its_ends():
    assert torch.equal(ciwae(LOG_W, 1.0), elbo(LOG_W)) and torch.equal(
        ciwae(LOG_W, 0.0), iwae(LOG_W)
    )
    assert torch.allclose(ciwae(LOG_W, 0.25), 0.25 * elbo(LOG_W) + 0.75 * iwae(LOG_W))
    assert (elbo(LOG_W) < ciwae(LOG_W, 0.5)).all() and (ciwae(LOG_W, 0.5) < iwae(LOG_W)).all()


def test_its_posterior_lies_between():
    assert optimum("elbo") + 0.01 < optimum("ciwae") < optimum("iwae") - 0.02
