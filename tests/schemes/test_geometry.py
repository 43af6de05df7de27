"""The integer pyramid is the float one of training, and phases tile the image at every size."""

import numpy as np
import pytest
import torch

from bbans.schemes.pyramid import polyphase
from bbans.training.networks import planes


@pytest.mark.parametrize("h", [2, 4, 10])
@pytest.mark.parametrize("w", [2, 6, 16])
@pytest.mark.parametrize("phase", [0, 1, 2])
def test_predictions_are_those_of_training(h, w, phase):
    x = np.random.default_rng(h * w).integers(0, 256, (3, h, w), dtype=np.int32)
    phases = planes.split_phases(torch.from_numpy(x))
    expected = planes.neighbour_sums(phase, list(phases[: phase + 1]))
    found = polyphase.neighbour_sums(phase, [p.numpy() for p in phases[: phase + 1]])
    assert np.array_equal(found, expected.numpy())


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (13, 1), (9, 9), (17, 64), (97, 101), (2, 1000)])
def test_every_pixel_belongs_to_one_phase_of_one_level(shape):
    shapes = polyphase.level_shapes(*shape)
    assert max(shapes[-1]) <= polyphase.COARSEST_SIDE
    count = shapes[-1][0] * shapes[-1][1]
    for h, w in shapes[:-1]:
        seen = np.zeros((h, w), int)
        seen[0::2, 0::2] += 1
        for phase, (row, column) in enumerate(polyphase.OFFSETS):
            assert seen[row::2, column::2].shape == polyphase.phase_shape(h, w, phase)
            seen[row::2, column::2] += 1
            count += np.prod(polyphase.phase_shape(h, w, phase))
        assert (seen == 1).all()
    assert count == shape[0] * shape[1]


def test_positions_are_inverse():
    x = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.int32)
    assert np.array_equal(
        polyphase.from_positions(polyphase.to_positions(x, (4, 6)), (4, 6)), x[:, :4, :6]
    )
    rows = np.arange(5 * 7 * 2).reshape(35, 2)
    assert np.array_equal(
        polyphase.positions(rows, (5, 7), (4, 6)), rows.reshape(5, 7, 2)[:4, :6].reshape(-1, 2)
    )
