"""Item 9: decoding uniform random bits is sampling.

Chi-square at a false-alarm rate of 1e-4 throughout.
"""

import numpy as np

from bbans.coding.rans import pseudo_random_message
from bbans.distributions import categorical
from bbans.schemes.sampling import sample_items
from tests.methods.toys import chi_square, markov, mixture


def test_symbols_of_a_known_distribution():
    """10^5 symbols over 1000 lanes, 9 degrees of freedom."""
    table = categorical.from_weights(np.array([[1, 2, 3, 5, 8, 13, 21, 34, 55, 89]]))
    _, x = categorical.lookup(table, np.zeros((100_000, 1), np.int64)).pop(
        pseudo_random_message((1000,), 100_000, 3)
    )
    assert chi_square(np.bincount(x[:, 0], minlength=10), np.diff(table[0]) / 2**24) < 33.7


def test_models_are_sampled():
    """25 different x: 24 degrees of freedom.

    Two layers, and one layer of another model as a control.
    """
    chain, other = markov(2), mixture(9, 6, 2)
    x = sample_items(chain, 50_000, 4)
    counts = np.bincount(chain.index(x), minlength=25)
    assert chi_square(counts, np.exp2(-chain.evidence)) < 58.6
    assert chi_square(counts, np.exp2(-other.evidence)) > 1000
    assert np.array_equal(x, sample_items(chain, 50_000, 4)) and not np.array_equal(
        x, sample_items(chain, 50_000, 5)
    )
