"""Item 39: a Markov chain from q to the posterior as latents (annealed importance): each step of it
brings net nearer to -log2 p(x).

The encoder pops z_0 with q and z_t with a Metropolis kernel that leaves pi_t = q^(1 - b_t) p(x,
z)^(b_t) as it is, then pushes z_(t - 1) given z_t with the same kernel, which is its own reversal
under pi_t, x given z_T, and z_T. BB-AIS of Ruan et al. 2021 (arXiv:2102.11086), on a toy. Neal
2001.
"""

import numpy as np
import pytest

from bbans.coding.rans import message_bits, message_equal, pseudo_random_message
from bbans.distributions import categorical
from tests.methods.toys import enumerated, mixture

CHAIN = mixture(0, dims=2, wrong=True)
PRIOR, LIKELIHOOD, Q = enumerated(CHAIN)
STATES = CHAIN.states(1)


def kernels(row, steps):
    """A CDF table for each step: uniform proposals, accepted by Metropolis under pi_t."""
    found = []
    for t in range(1, steps + 1):
        pi = Q[row] ** (1 - t / (steps + 1)) * (PRIOR * LIKELIHOOD[row]) ** (t / (steps + 1))
        moves = np.minimum(1, pi[None, :] / pi[:, None]) / STATES
        np.fill_diagonal(moves, 0)
        np.fill_diagonal(moves, 1 - moves.sum(1))
        found.append(categorical.from_weights(np.rint(moves * 2.0**30).astype(np.int64)))
    return found


def given(table, z):
    return categorical.lookup(table, np.full((1, 1), z))


def push(message, x, steps):
    tables = kernels(int(CHAIN.index(x)[0]), steps)
    message, z = CHAIN.posterior(1, x).pop(message)
    path = [z]
    for table in tables:
        message, z = given(table, int(z[0, 0])).pop(message)
        path.append(z)
    for table, before, after in zip(tables, path, path[1:], strict=False):
        (message,) = given(table, int(after[0, 0])).push(message, before)
    (message,) = CHAIN.likelihood(0, path[-1]).push(message, x)
    return CHAIN.prior(1).push(message, path[-1])[0]


def pop(message, steps):
    message, z = CHAIN.prior(1).pop(message)
    message, x = CHAIN.likelihood(0, z).pop(message)
    tables, path = kernels(int(CHAIN.index(x)[0]), steps), [z]
    for table in reversed(tables):
        message, z = given(table, int(path[-1][0, 0])).pop(message)
        path.append(z)
    for table, after, before in zip(reversed(tables), path, path[1:], strict=False):
        (message,) = given(table, int(before[0, 0])).push(message, after)
    return CHAIN.posterior(1, x).push(message, path[-1])[0], x


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_it_decodes(steps):
    for seed, x in enumerate(CHAIN.configurations()):
        side = pseudo_random_message((1,), 60, seed)
        back, found = pop(push(side, x[None], steps), steps)
        assert np.array_equal(found, x[None]) and message_equal(back, side)


def test_steps_close_the_gap():
    """Means over 300 messages each: 32 steps leave under a third of what q alone costs over -log2
    p(x), and no less than nothing.
    """
    gaps = []
    for steps in (0, 4, 32):
        total = 0.0
        for seed in range(300):
            x = CHAIN.configurations()[seed % 25][None]
            side = pseudo_random_message((1,), 100, seed)
            total += (
                message_bits(push(side, x, steps)) - message_bits(side) - CHAIN.evidence_bits(x)[0]
            )
        gaps.append(total / 300)
    assert gaps[0] > gaps[1] > gaps[2] > -0.05 and gaps[2] < gaps[0] / 3
