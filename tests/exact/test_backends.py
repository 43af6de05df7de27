"""Every backend, carrier, thread count and memory format computes the same integers, at the edge of
the bound too.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from bbans.exact.layers import IntConv, worst_case
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import TorchOps, torch_ops

BACKENDS = [
    TorchOps(),
    TorchOps(wide=True),
    TorchOps(independent=True),
    TorchOps(wide=True, independent=True),
    NumpyOps(np.float32),
    NumpyOps(np.float64),
]


def extreme_layer(rng, outputs, inputs, k, top=1023):
    """Weights whose worst case comes within a few per cent of 2^24: rounding anywhere would
    show.
    """
    weight = rng.integers(-2000, 2001, (outputs, inputs, k, k))
    scale = 2**24 * 0.98 / (np.abs(weight).sum((1, 2, 3)) * top)
    weight = np.trunc(weight * np.minimum(scale, 1)[:, None, None, None]).astype(np.int16)
    return IntConv(
        weight,
        rng.integers(-1000, 1000, outputs).astype(np.int32),
        rng.integers(0, 12, outputs).astype(np.int8),
    )


def reference(layer, x):
    """int64 convolution, one tap at a time."""
    outputs, _, k, _ = layer.weight.shape
    padded = np.pad(x.astype(np.int64), ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    _, h, w = x.shape
    total = np.broadcast_to(layer.bias.astype(np.int64)[:, None, None], (outputs, h, w)).copy()
    for i in range(k):
        for j in range(k):
            total += np.einsum(
                "oi,ihw->ohw",
                layer.weight[:, :, i, j].astype(np.int64),
                padded[:, i : i + h, j : j + w],
            )
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (24, 40)])
@pytest.mark.parametrize("k", [1, 3])
def test_convolutions_are_exact(seed, shape, k):
    rng = np.random.default_rng(seed)
    layer = extreme_layer(rng, 48, 51, k)
    x = rng.integers(0, 1024, (51, *shape))
    if seed == 0:
        x[:] = (
            1023 * (layer.weight[0].sum((1, 2)) > 0)[:, None, None]
        )  # all the mass on one sign: sums reach the bound
    assert worst_case([layer], [np.full(51, 1023)], 0).max() > 0.9 * 2**24
    expected = np.ldexp(
        reference(layer, x).astype(np.float64), -layer.shift.astype(int)[:, None, None]
    )
    for ops in BACKENDS:
        y = np.asarray(ops.conv(ops.prepare(layer), ops.load(x)))[0]
        assert np.array_equal(y.astype(np.float64), expected), ops


def test_contiguous_and_channels_last_agree():
    rng = np.random.default_rng(5)
    layer, ops = extreme_layer(rng, 32, 48, 3), TorchOps()
    x = ops.load(rng.integers(0, 1024, (48, 33, 47)))
    prepared = ops.prepare(layer)
    assert torch.equal(
        ops.conv(prepared, x),
        ops.conv(prepared._replace(weight=prepared.weight.contiguous()), x.contiguous()),
    )


def modulated(ops, x, factors, block):
    """x f + t over blocks, rounded after it."""
    h, w = x.shape[1:]
    scale, shift = (ops.load(part[:, : -(-h // block), : -(-w // block)]) for part in factors)
    return ops.round_clip(ops.modulate(ops.load(x), scale * 2.0**-6, shift, block), -4095, 4095)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 17), (5, 30)])
def test_other_operations_agree(shape):
    rng = np.random.default_rng(6)
    x = rng.integers(-1020, 1021, (5, *shape))
    table = rng.integers(0, 1281, 1021)
    factors = rng.integers(0, 256, (2, 5, *shape))
    results = []
    for ops in BACKENDS:
        a = ops.load(x)
        half = ops.round_clip(ops.load(x) * 2.0**-3, -100, 90)  # halves round to even
        parts = [
            ops.store(v)
            for v in (
                half,
                ops.table(a, table),
                ops.pool(a, 8),
                ops.spread(a, 8, 8 * shape[0] - 3, 8 * shape[1] - 5),
            )
        ]
        parts += [ops.store(ops.concat([a, ops.zeros(2, *shape)]))]
        low, high = (ops.load(np.arange(first, first + 5)[:, None, None]) for first in (-200, 50))
        parts += [ops.store(ops.round_clip(ops.load(x) * 2.0**-3, low, high))]
        cuts = [slice(0, 1), slice(1, shape[0])] if shape[0] > 1 else [slice(0, 1)]
        kept = ops.keep([(rows, a[..., rows, :]) for rows in cuts], shape[0])
        parts += [ops.store(ops.take(kept, slice(None))), ops.store(ops.take(kept, slice(0, 1)))]
        parts += [
            ops.store(ops.take(ops.spread(kept, 2, 2 * shape[0] - 1, 2 * shape[1]), slice(None)))
        ]
        parts += [ops.store(modulated(ops, x, factors, block)) for block in (1, 8)]
        results.append(parts)
    h, w = shape
    expected_half = np.rint(x / 8).clip(-100, 90).transpose(1, 2, 0).reshape(h * w, 5)
    assert np.array_equal(results[0][0], expected_half)
    expected_affine = np.rint(x * factors[0] / 64 + factors[1]).transpose(1, 2, 0).reshape(h * w, 5)
    assert np.array_equal(results[0][9], expected_affine)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("block", [(1, 1), (2, 2), (2, 1), (1, 3)])
@pytest.mark.parametrize("shape", [(1, 1), (4, 6), (7, 5)])
def test_positions_become_channels_and_back(shape, block):
    """Against slices of the map; blocks at the edges are completed by zeros."""
    (h, w), (rows, columns) = shape, block
    x = np.random.default_rng(9).integers(-1020, 1021, (3, 4, h, w))
    full = np.zeros((3, 4, -(-h // rows) * rows, -(-w // columns) * columns), np.int64)
    full[:, :, :h, :w] = x
    slices = np.concatenate(
        [full[:, :, i::rows, j::columns] for i in range(rows) for j in range(columns)], 1
    )
    for ops in BACKENDS:
        deep = ops.to_depth(ops.load(x), rows, columns)
        assert deep.shape == slices.shape and np.array_equal(np.asarray(deep), slices), ops
        back = ops.to_space(deep, rows, columns, h, w)
        assert back.shape == x.shape and np.array_equal(np.asarray(back), x), ops
        assert back.dtype == ops.load(x).dtype


def test_a_batch_is_its_images():
    rng = np.random.default_rng(8)
    x, layer, table = (
        rng.integers(-1020, 1021, (3, 5, 9, 14)),
        extreme_layer(rng, 6, 5, 3),
        rng.integers(0, 1281, 1021),
    )
    for ops in BACKENDS:
        prepared = ops.prepare(layer)

        def results(load, ops=ops, prepared=prepared):
            spread = ops.spread(ops.pool(ops.load(load), 4), 4, 9, 14)
            joined = ops.concat([ops.load(load), ops.zeros(2, 9, 14, spread.shape[0])])
            return [
                ops.store(v)
                for v in (
                    ops.conv(prepared, ops.load(load)),
                    ops.table(ops.load(load), table),
                    spread,
                    joined,
                )
            ]

        for together, *apart in zip(results(x), *(results(image) for image in x), strict=True):
            assert np.array_equal(together, np.concatenate(apart)), ops


def network_digest():
    """Hash of a stack of extreme layers' outputs; run again in subprocesses under other instruction
    sets and thread counts.
    """
    import hashlib

    rng = np.random.default_rng(7)
    ops = torch_ops()
    digest = hashlib.sha256()
    x = ops.load(rng.integers(0, 1024, (48, 37, 53)))
    for k, outputs in ((3, 48), (1, 64), (3, 48), (3, 96), (1, 50)):
        layer = extreme_layer(rng, outputs, x.shape[1], k)
        y = ops.conv(ops.prepare(layer), x)
        digest.update(np.ascontiguousarray(y.numpy()).astype("<f8").tobytes())
        x = ops.round_clip(y * 2.0**-6, 0, 1023)
    return digest.hexdigest()


@pytest.mark.parametrize(
    "variables",
    [
        {"OMP_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "2"},
        {
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "ATEN_CPU_CAPABILITY": "default",
            "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3",
        },
        {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    ],
    ids=["1 thread", "2 threads", "SSE4.1", "AVX2"],
)
def test_instruction_sets_and_threads_agree(variables):
    code = (
        "import json; from tests.exact.test_backends import network_digest; "
        "print(json.dumps(network_digest()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == network_digest()


def process_state():
    return (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_autocast_enabled("cpu")
        if hasattr(torch, "get_autocast_dtype")
        else torch.is_autocast_cpu_enabled(),
        torch.get_float32_matmul_precision(),
        torch.backends.mkldnn.enabled,
        torch.is_grad_enabled(),
    )


def test_exact_under_the_callers_autocast_and_fast_math():
    expected, before = network_digest(), process_state()
    with torch.autocast("cpu", torch.bfloat16):
        inside = process_state()
        assert network_digest() == expected
        assert process_state() == inside
    assert process_state() == before
    torch.set_float32_matmul_precision("medium")
    try:
        assert network_digest() == expected
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert process_state() == before


@pytest.mark.skipif(
    not hasattr(torch.backends.mkldnn, "conv"),
    reason="this torch has no per-operation precision setting",
)
def test_exact_under_bf16_convolutions():
    expected = network_digest()
    old = torch.backends.mkldnn.conv.fp32_precision
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    try:
        assert network_digest() == expected
    finally:
        torch.backends.mkldnn.conv.fp32_precision = old
