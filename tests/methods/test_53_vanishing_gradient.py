"""Item 53: what is wrong with IWAE: |E gradient by phi| falls as 1 / K."""

import numpy as np

from tests.methods.enumerated_gradient import bound_gradient


def test_one_over_particles():
    counts = (25, 50, 100, 200)
    sizes = [float(bound_gradient(k).norm()) for k in counts]
    assert abs(np.polyfit(np.log(counts), np.log(sizes), 1)[0] + 1) < 0.03
    assert sizes[0] < float(bound_gradient(1).norm()) / 10
