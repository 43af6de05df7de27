"""Item 63: E_psi E_q(z | psi) log p(x, z) / q(z | psi) <= ELBO is linear in the law of psi, so that
its maximum is a single psi.
"""

import numpy as np

from tests.methods.semi_implicit import PSI, implicit, surrogate


def ascended(draws, steps=300):
    """The law of psi after gradient ascent on the mean of the bound of K + 1 draws, by its
    logits.
    """
    logits = np.array([0.1, 0.0, -0.1, 0.05])
    for _ in range(steps):
        pi = softmax(logits)
        values = np.array(
            [surrogate(draws, softmax(logits + 1e-4 * unit)).mean() for unit in np.eye(PSI)]
        )
        logits = logits - 2 * (values - surrogate(draws, pi).mean()) / 1e-4
    return softmax(logits)


def softmax(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum()


def test_it_is_a_lower_bound():
    """Of rates. Above that of the implicit posterior for all x; equal where psi is a point mass."""
    assert (surrogate(1) > implicit() + 1e-3).all()
    one = np.eye(PSI)[2]
    assert np.allclose(surrogate(1, one), implicit(one))


def test_its_maximum_is_degenerate():
    """K = 0 ends in one psi; with K = 2 the law keeps its width, and a better rate."""
    collapsed, kept = ascended(1), ascended(3, 60)
    assert collapsed.max() > 0.98
    assert implicit(kept).mean() < implicit(collapsed).mean() - 0.01 and kept.max() < 0.9
