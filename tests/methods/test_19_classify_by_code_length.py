"""Item 19. argmin_y R(x | y): a generative model with labels as side information tells digits apart
by their code lengths.
"""

import numpy as np

from bbans.schemes.bounds import ideal_bits
from tests.methods.trained import trained


def test_the_shortest_code_names_the_digit():
    """Ten classes: guessing gets 10 of 100 right, and more than 25 with p < 10^-5."""
    _, chain, _, test = trained("labelled")
    x = test.x.astype(np.int64)
    rates = np.array([ideal_bits(chain.given(np.full(len(x), y)), x, 4).total for y in range(10)])
    assert (rates.argmin(0) == test.labels).sum() > 60
