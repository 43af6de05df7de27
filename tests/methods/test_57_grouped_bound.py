"""Item 57: MIWAE, the mean over M groups of log of the mean of K weights, lies between the ELBO and
IWAE of all, and so does its q.
"""

import pytest
import torch

from bbans.training.objectives import elbo, iwae, miwae
from tests.methods.overdispersed import GROUPS, log_weights, optimum

LOG_W = log_weights(torch.tensor(-0.8, dtype=torch.float64), 20_000, 2)


def test_it_is_the_bound_of_a_group_with_less_noise():
    """In expectation that of one group, 4 standard errors of 20,000 items; its variance is a
    quarter.
    """
    grouped = LOG_W.reshape(GROUPS, -1, LOG_W.shape[1])
    alone, together = iwae(grouped[0]), miwae(grouped)
    assert float(together.mean()) == pytest.approx(
        float(alone.mean()), abs=4 * float(alone.std()) / 20_000**0.5
    )
    assert float(together.var() / alone.var()) == pytest.approx(1 / GROUPS, rel=0.1)
    assert float(elbo(LOG_W).mean()) < float(together.mean()) < float(iwae(LOG_W).mean()) < 0


def test_its_posterior_lies_between():
    assert optimum("elbo") + 0.02 < optimum("miwae") < optimum("iwae") - 0.02
