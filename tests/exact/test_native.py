"""The compiled core computes the integers of the reference: on every level, for every kind of step,
for sizes that fill no vector, and at the ends of what 16 and 32 bits hold.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bbans.errors import EngineError
from bbans.exact import engines
from bbans.exact.layers import IntConv, quantise
from bbans.exact.native_ops import NativeOps, native_ops
from bbans.exact.network import Affine, Film, Input, Modulate, Step
from bbans.exact.numpy_ops import NumpyOps
from bbans.models.library import load_model
from tests.engines import LEVELS, needs_core

pytestmark = needs_core
REFERENCE = NumpyOps(np.float64)
SIZES = ((1, 1), (1, 9), (2, 3), (7, 5), (8, 16), (33, 18), (70, 31))


def layer(
    rng: np.random.Generator, outputs: int, inputs: int, side: int, top: int, kind: str = "random"
) -> IntConv:
    """Weights whose sums come close to 2^24 for inputs of up to `top`."""
    shape = (outputs, inputs, side, side)
    real = rng.normal(size=shape) if kind == "random" else rng.choice([-1.0, 1.0], shape)
    maxima = [np.full(inputs, top, np.int64)]
    (made,) = quantise([real], rng.normal(size=outputs), maxima)
    return made


def maps(rng: np.random.Generator, channels: int, h: int, w: int, low: int, high: int) -> Any:
    """Values over the range, with many at its ends."""
    x = rng.integers(low, high + 1, (1, channels, h, w))
    ends = rng.choice([low, high], x.shape)
    return np.where(rng.random(x.shape) < 0.3, ends, x)


def check(
    layers: dict[str, IntConv],
    inputs: list[Input],
    steps: list[Step],
    arrays: list[Any],
    shape: tuple[int, int],
    film: Any = None,
    block: int = 1,
    bias_row: int = 0,
) -> None:
    """Every level, with and without Winograd, on one and more threads, against the reference."""

    def found(ops: Any) -> Any:
        scales = None if film is None else Film(ops.load(film), block)
        net = ops.network(layers, inputs, steps)
        return ops.store(net([ops.load(a) for a in arrays], shape, scales, bias_row))

    wanted = found(REFERENCE)
    for level in LEVELS:
        for winograd in (True, False):
            ops = NativeOps(native_ops().core, level, winograd)
            assert np.array_equal(found(ops), wanted), (level, winograd)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 50), (16, 48), (33, 7), (48, 64)])
def test_a_layer(shape, side, inputs, outputs):
    rng = np.random.default_rng(inputs * side + shape[0])
    for kind in ("random", "extreme"):
        layers = {"a": layer(rng, outputs, inputs, side, 1023, kind)}
        x = maps(rng, inputs, *shape, -1023, 1023)
        steps: list[Step] = [Affine((("a", 0),), -32768, 32767)]
        check(layers, [Input(inputs, 1023)], steps, [x], shape)


@pytest.mark.parametrize("shape", SIZES)
def test_layers_that_are_added_to_a_map(shape):
    """Two inputs, a residual, biases by row, limits by channel."""
    rng = np.random.default_rng(shape[1])
    first, second = rng.normal(size=(20, 5, 3, 3)), rng.normal(size=(20, 20, 1, 1))
    maxima = [np.full(5, 1020, np.int64), np.full(20, 1023, np.int64)]
    bias = rng.normal(size=(4, 20)) * 300
    one, two = quantise([first, second], bias, maxima, residual=1023)
    low, high = (
        -rng.integers(0, 500, 20).astype(np.int32),
        rng.integers(0, 900, 20).astype(np.int32),
    )
    steps: list[Step] = [Affine((("one", 0), ("two", 1)), low, high, residual=1)]
    arrays = [maps(rng, 5, *shape, -1020, 1020), maps(rng, 20, *shape, 0, 1023)]
    for row in (0, 2, 9):
        inputs = [Input(5, 1020), Input(20, 1023)]
        check({"one": one, "two": two}, inputs, steps, arrays, shape, bias_row=row)


@pytest.mark.parametrize("shape", [*SIZES, (200, 6)])
@pytest.mark.parametrize("channels", [4, 16, 24])
def test_a_sequence_with_modulation(shape, channels):
    """Rows roll through 3 x 3, 3 x 3 with a residual, modulation and 1 x 1."""
    rng = np.random.default_rng(channels)
    layers = {name: layer(rng, channels, channels, 3, 1023) for name in "ab"}
    layers["c"] = layer(rng, 9, channels, 1, 1023)
    steps: list[Step] = [
        Affine((("a", 0),), 0, 1023),
        Affine((("b", 1),), -4095, 4095, residual=0),
        Modulate(2, 0, 1023),
        Affine((("c", 3),), -3000, 3000),
    ]
    h, w = shape
    grid = -(-h // 8), -(-w // 8)
    film = np.concatenate(
        [maps(rng, channels, *grid, 0, 255), maps(rng, channels, *grid, -4095, 4095)], 1
    )
    x = maps(rng, channels, *shape, 0, 1023)
    check(layers, [Input(channels, 1023)], steps, [x], shape, film, 8)


def test_halves_are_rounded_to_even():
    one = IntConv(np.ones((1, 1, 1, 1), np.int16), np.zeros(1, np.int32), np.ones(1, np.int8))
    x = np.arange(-9, 10).reshape(1, 1, 1, -1)
    for level in LEVELS:
        ops = native_ops(level)
        y = ops.network({"a": one}, [Input(1, 9)], [Affine((("a", 0),), -99, 99)])
        assert (
            ops.store(y([ops.load(x)], (1, 19))).ravel().tolist() == np.rint(x / 2).ravel().tolist()
        )


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("block", [1, 2, 8])
def test_means_of_blocks_and_spread_maps(shape, block):
    rng = np.random.default_rng(block)
    x = maps(rng, 5, *shape, -1023, 1023)
    ops = native_ops()
    means = ops.pool(ops.load(x), block)
    assert np.array_equal(ops.store(means), REFERENCE.store(REFERENCE.pool(x.astype(float), block)))
    one = layer(rng, 3, 5, 3, 1023)
    steps: list[Step] = [Affine((("a", 0),), -999, 999)]
    found = [
        engine.store(
            engine.network({"a": one}, [Input(5, 1023)], steps)(
                [engine.spread(engine.load(np.asarray(means)), block, *shape)], shape
            )
        )
        for engine in (ops, REFERENCE)
    ]
    assert np.array_equal(*found)


def test_what_does_not_fit_is_named():
    """Nothing that a malformed model could hold reaches a loop."""
    good = [(np.ones((2, 3, 3, 3), np.int16), np.zeros((1, 2), np.int32), np.zeros(2, np.int8))]
    weight, bias, shift = good[0]
    core, step = native_ops().core, ([(0, 0)], -1, [0], [9])
    wrong = [
        ([(np.ones((2, 3, 2, 2), np.int16), bias, shift)], [(3, 9)], [step], "odd side"),
        ([(weight, bias[:, :1], shift)], [(3, 9)], [step], "a bias and a shift"),
        ([(weight, bias, shift - 1)], [(3, 9)], [step], "shifts lie in 0..24"),
        (good, [(4, 9)], [step], "as many channels"),
        (good, [(3, 40000)], [step], "16 bits"),
        (good, [(3, 9)], [], "at least one step"),
        (good, [(3, 9)], [([(0, 1)], -1, [0], [9])], "earlier steps"),
        (good, [(3, 9)], [([(1, 0)], -1, [0], [9])], "earlier steps"),
        (good, [(3, 9)], [([(0, 0)], 0, [0], [9])], "channels of the step"),
        (good, [(3, 9)], [([(0, 0)], -1, [0], [40000])], "within 16 bits"),
        (good, [(3, 9)], [([(0, 0)] * 6, -1, [0], [9])], "50 positions"),
        (good, [(3, 9)], [([], -1, [0], [9])], "modulates a source"),
    ]
    for layers, inputs, steps, message in wrong:
        with pytest.raises(ValueError, match=message):
            core.Network(layers, inputs, steps, "portable", True)
    net = core.Network(good, [(3, 9)], [step], "portable", True)
    x, out = np.zeros((4, 5, 3), np.int16), np.zeros((4, 5, 2), np.int16)
    net.run([(x, 1)], None, 1, out, 0, 1)
    for inputs, result in (([], out), ([(x[1:], 1)], out), ([(x, 2)], out), ([(x, 1)], x)):
        with pytest.raises(ValueError):
            net.run(inputs, None, 1, result, 0, 1)


def test_the_environment_chooses_the_engine(repository):
    code = "from bbans.exact import engines; print(engines.engine())"
    for asked in (*LEVELS, engines.REFERENCE):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, engines.VARIABLE: asked},
            cwd=repository,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == asked


def test_an_engine_that_is_not_here_is_named(monkeypatch):
    monkeypatch.setenv(engines.VARIABLE, "abacus")
    with pytest.raises(EngineError, match="BBANS_ENGINE is 'abacus'"):
        engines.engine()


def test_verification_compares_two_ways_of_multiplying():
    ops = native_ops().independently()
    assert ops.winograd and ops.checked and ops.level == native_ops().level
    model, made = load_model("photo-fast-1"), set()

    class Wrong:
        """A core whose networks are off by one where they multiply by Winograd."""

        @staticmethod
        def Network(layers, inputs, steps, level, winograd):
            inner = ops.core.Network(layers, inputs, steps, level, winograd)
            made.add(winograd)

            def run(maps, film, block, out, *rest):
                inner.run(maps, film, block, out, *rest)
                out[0, 0, 0] += winograd

            return SimpleNamespace(run=run)

    rng = np.random.default_rng(0)
    known, sums = rng.integers(0, 256, (3, 9, 7)), rng.integers(0, 1021, (3, 9, 7))
    found = [
        backend.store(net.trunk(0, [known], sums, net.start(9, 7), 0))
        for backend in (ops, replace(ops, core=Wrong), replace(ops, core=Wrong, checked=False))
        for net in [model.network(backend)]
    ]
    assert made == {True, False}
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
