"""Colour pixels: the compiled core and the reference give the same integers, what is located is
what was coded, and bad input is named.
"""

from __future__ import annotations

import numpy as np
import pytest

from bbans.coding.blocks import push_block
from bbans.coding.rans import base_message, message_equal
from bbans.distributions import colour, sample_grid
from bbans.exact import engines
from bbans.schemes.pyramid.pixels import pop_pixels
from tests.engines import ENGINES, needs_core


def pixels(
    n: int, K: int, values: sample_grid.Axis, channels: int, extreme: bool
) -> tuple[colour.PixelModel, np.ndarray]:
    rng = np.random.default_rng(n + K)
    tops = (
        ((-2048, 2048), (-8192, 8192), (0, 160), (-256, 256))
        if extreme
        else ((-60, 60), (-90, 90), (30, 110), (-30, 70))
    )
    parts = [
        rng.integers(low, high + 1, (n, K * count))
        for (low, high), count in zip(tops, (1, 3, 3, 3), strict=True)
    ]
    sums = rng.integers(0, 1021, (n, 3)).astype(np.int32)
    x = rng.integers(0, values.n, (n, channels))
    if not extreme:
        x = np.clip(
            sums[:, :channels] * values.n // 1024 + rng.integers(-3, 4, (n, channels)),
            0,
            values.n - 1,
        )
    x[:2] = [[0], [values.n - 1]]
    return colour.PixelModel(np.concatenate(parts, 1).astype(np.int16), sums, values), x


def located(model: colour.PixelModel, x: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
    """Values, starts and freqs of every channel at cf = at, channels before known, asked for in two
    parts.
    """
    found: list[np.ndarray] = []
    values, freqs = np.zeros(x.shape, np.int64), np.zeros(x.shape[::-1], np.int64)
    for c, find in enumerate(colour.locators(model, values, freqs)):
        half = len(x) // 2
        parts = [
            find(at[c, first:last].astype(np.uint64), first, last)
            for first, last in ((0, half), (half, len(x)))
        ]
        found += [np.concatenate(pair) for pair in zip(*parts, strict=True)]
    return found


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        sample_grid.regular(),
        sample_grid.regular(2),
        sample_grid.stretched(5000, sample_grid.SQUARE_ROOT),
    ],
)
@pytest.mark.parametrize(("channels", "K"), [(1, 1), (1, 4), (3, 1), (3, 3), (3, 5), (3, 65)])
@needs_core
def test_engines_agree(
    monkeypatch: pytest.MonkeyPatch, channels: int, K: int, values: sample_grid.Axis, extreme: bool
) -> None:
    model, x = pixels(700, K, values, channels, extreme)
    found = []
    for setting in ENGINES:
        monkeypatch.setenv(engines.VARIABLE, setting)
        starts, freqs = colour.intervals(model, x)
        assert ((starts >= 0) & (freqs >= 1) & (starts + freqs <= 1 << colour.PRECISION)).all()
        back = located(model, x, starts + freqs - 1)
        for c in range(channels):
            assert np.array_equal(back[3 * c], x[:, c])
            assert np.array_equal(back[3 * c + 1], starts[c]) and np.array_equal(
                back[3 * c + 2], freqs[c]
            )
        # what was pushed is popped, by rows of lanes
        message = base_message((37,))
        for c in reversed(range(channels)):
            message = push_block(message, starts[c], freqs[c], colour.PRECISION)
        rest, popped, widths = pop_pixels(message, model, channels)
        assert np.array_equal(popped, x) and np.array_equal(widths, freqs)
        assert message_equal(rest, base_message((37,)))
        found.append([starts, freqs])
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_bits_are_those_of_the_mixture() -> None:
    """Against the same mixture in floating point: its densities, couplings and shared component;
    0.1 % of 3 x 2,000 values.
    """
    K, model, x = 3, *pixels(2000, 3, sample_grid.regular(), 3, False)
    _, freqs = colour.intervals(model, x)
    o, sums = model.outputs.astype(float), model.sums.astype(float)
    log_p = o[:, :K] / 16 * np.log(2)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    location = [8 * sums[:, c, None] + o[:, K * (1 + c) : K * (2 + c)] for c in range(3)]
    error = [32 * x[:, c, None] - location[c] for c in range(3)]
    a = [o[:, K * (7 + j) : K * (8 + j)] / 64 for j in range(3)]
    moved = [0.0, a[0] * error[0], a[1] * error[0] + a[2] * error[1]]
    for c in range(3):
        inverse = 2.0 ** (4 - o[:, K * (4 + c) : K * (5 + c)] / 16)
        edges = [
            (32 * x[:, c, None] + step - location[c] - moved[c]) / 32 * inverse
            for step in (-16, 16)
        ]
        cdf = [1 / (1 + np.exp(-edge)) for edge in edges]
        cdf[0] = np.where(x[:, c, None] == 0, 0.0, cdf[0])
        cdf[1] = np.where(x[:, c, None] == 255, 1.0, cdf[1])
        log_p = log_p + np.log(np.maximum(cdf[1] - cdf[0], 2.0**-24))
    expected = -np.log2(np.exp(log_p).sum(1)).sum()
    bits = freqs.size * colour.PRECISION - np.log2(freqs).sum()
    assert bits == pytest.approx(expected, rel=1e-3)


def test_bad_input() -> None:
    model, x = pixels(10, 2, sample_grid.regular(), 3, False)
    for bad in (x[:5], x[:, :2], x - 256, x + 256):
        with pytest.raises(ValueError, match="values"):
            colour.intervals(model, bad)
    with pytest.raises(ValueError, match="scale indices"):
        colour.PixelModel(np.full((4, 20), 161, np.int16), model.sums[:4])
