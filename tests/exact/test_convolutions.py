"""Which ways of convolving are known to be exact, under every switch of torch that chooses among
them.
"""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bbans.exact import convolutions
from bbans.exact.convolutions import (
    integers,
    known_exact,
    library,
    products,
    switches,
    wide_products,
)
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import TorchOps
from tests.exact.test_backends import extreme_layer, reference

KERNELS = [(48, 51, 3), (50, 48, 1), (5, 3, 5), (1, 1, 3)]
MAPS = [(1, 1, 1), (1, 32, 8), (3, 7, 13), (20, 4, 4), (1, 16, 33)]


@contextmanager
def mkldnn(enabled):
    """oneDNN on or off, as in a build without it; torch warns of what else these flags could be on
    GPUs.
    """
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(enabled)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


@contextmanager
def nnpack(enabled):
    with torch.backends.nnpack.flags(enabled=enabled):
        yield


@contextmanager
def neither():
    with mkldnn(False), nnpack(False):
        yield


@contextmanager
def assigned(holder, name, value):
    before = getattr(holder, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


@contextmanager
def called(setter, value, before):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setter(value)
    try:
        yield
    finally:
        setter(before)


SWITCHES = {
    "as it is": lambda: called(lambda value: None, None, None),
    "without oneDNN": lambda: mkldnn(False),
    "without NNPACK": lambda: nnpack(False),
    "with neither": neither,
    "deterministic": lambda: called(torch.use_deterministic_algorithms, True, False),
    "oneDNN deterministic": lambda: assigned(torch.backends.mkldnn, "deterministic", True),
    "medium precision": lambda: called(torch.set_float32_matmul_precision, "medium", "highest"),
    "high precision": lambda: called(torch.set_float32_matmul_precision, "high", "highest"),
    "double by default": lambda: called(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16 by default": lambda: called(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "one thread": lambda: called(torch.set_num_threads, 1, torch.get_num_threads()),
    "three threads": lambda: called(torch.set_num_threads, 3, torch.get_num_threads()),
    "cuDNN off": lambda: assigned(torch.backends.cudnn, "enabled", False),
    "cuDNN's TF32": lambda: assigned(torch.backends.cudnn, "allow_tf32", True),
    "CUDA's TF32": lambda: assigned(torch.backends.cuda.matmul, "allow_tf32", True),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference mode": torch.inference_mode,
    **(
        {
            "bf16 convolutions": lambda: assigned(
                torch.backends.mkldnn.conv, "fp32_precision", "bf16"
            ),
            "bf16 products": lambda: assigned(
                torch.backends.mkldnn.matmul, "fp32_precision", "bf16"
            ),
            "TF32 convolutions": lambda: assigned(
                torch.backends.mkldnn.conv, "fp32_precision", "tf32"
            ),
        }
        if hasattr(torch.backends.mkldnn, "conv")
        else {}
    ),
}


def given(kernel, shape, seed=0):
    """A layer near the bound and a map `(B, I, h, w)` for it, with the int64 answer at output
    scale.
    """
    rng = np.random.default_rng(seed)
    outputs, inputs, k = kernel
    images, h, w = shape
    layer, x = extreme_layer(rng, outputs, inputs, k), rng.integers(0, 1024, (images, inputs, h, w))
    sums = np.stack([reference(layer, image) for image in x]).astype(np.float64)
    return layer, x, np.ldexp(sums, -layer.shift.astype(int)[:, None, None])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", MAPS)
@pytest.mark.parametrize("way", [products, wide_products, integers])
def test_products_and_integers_are_the_convolution(way, kernel, shape):
    layer, x, expected = given(kernel, shape)
    for wide in (False, True):
        ops = TorchOps(wide=wide)
        prepared = ops.prepare(layer)
        y = way(ops.load(x), prepared.weight, prepared.bias, prepared.shift)
        assert y.dtype == ops.dtype and np.array_equal(y.numpy().astype(np.float64), expected)


@pytest.mark.parametrize("name", SWITCHES)
def test_convolutions_are_exact_under_every_switch(name):
    """What oneDNN alone off does was found in the wild: NNPACK then multiplies batches of 16 and
    more, inexactly.
    """
    for kernel in KERNELS:
        for shape in MAPS:
            layer, x, expected = given(kernel, shape)
            with SWITCHES[name]():
                before = switches("cpu")
                for ops in (TorchOps(), TorchOps(independent=True), TorchOps(wide=True)):
                    y = np.asarray(ops.conv(ops.prepare(layer), ops.load(x)))
                    assert np.array_equal(y.astype(np.float64), expected), (ops, kernel, shape)
                assert switches("cpu") == before


def test_a_switch_that_is_turned_between_two_calls_is_seen():
    layer, x, expected = given((50, 48, 1), (1, 32, 8))
    ops = TorchOps()
    prepared, loaded = ops.prepare(layer), ops.load(x)
    for enabled in (True, False, True):
        with mkldnn(enabled):
            assert np.array_equal(
                np.asarray(ops.conv(prepared, loaded)).astype(np.float64), expected
            )


def rounded_to(x, bits):
    """x with a mantissa of so many bits, the leading one included."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp((mantissa * 2.0**bits).round() * 2.0**-bits, exponent)


def reduced(bits):
    def way(x, weight, bias, shift):
        return library(rounded_to(x, bits), rounded_to(weight, bits), bias, shift)

    return way


def by_fft(x, weight, bias, shift):
    """A convolution theorem: no plain sum."""
    k = weight.shape[-1]
    h, w = x.shape[-2] + k - 1, x.shape[-1] + k - 1
    spectrum = torch.einsum(
        "bihw,oihw->bohw", torch.fft.rfft2(x, (h, w)), torch.fft.rfft2(weight.flip(-1, -2), (h, w))
    )
    edge = k // 2
    y = torch.fft.irfft2(spectrum, (h, w))[
        ..., edge : edge + x.shape[-2], edge : edge + x.shape[-1]
    ]
    return y + bias[:, None, None]


def by_winograd(x, weight, bias, shift):
    """F(2, 3) along rows (Lavin and Gray 2016, arXiv:1509.09308) with G scaled by 1/3, as kernels
    for larger tiles have to.
    """
    if weight.shape[-1] != 3:
        return by_fft(x, weight, bias, shift)
    h, w = x.shape[-2:]
    padded = F.pad(x, (1, 1 + w % 2, 1, 1))
    g = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]).to(weight) / 3
    d = torch.stack([padded[..., i : i + w + w % 2 - 1 : 2] for i in range(4)])
    t = torch.stack([d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]])
    u = torch.einsum("tk,oijk->toij", g, weight)
    m = sum(torch.einsum("toi,tbihw->tbohw", u[..., j], t[..., j : j + h, :]) for j in range(3))
    pairs = torch.stack([m[0] + m[1] + m[2], m[1] - m[2] - m[3]], -1)
    return 3 * pairs.flatten(-2)[..., :w] + bias[:, None, None]


def a_little_off(x, weight, bias, shift):
    """One part in 2^23, as a sum that is rounded once."""
    return library(x, weight, bias, shift) * (1 + 2.0**-23)


def unavailable(x, weight, bias, shift):
    raise RuntimeError("this build has no such kernel")


@pytest.mark.parametrize(
    "way", [reduced(8), reduced(11), by_fft, by_winograd, a_little_off, unavailable]
)
@pytest.mark.parametrize("kernel", [(48, 48, 3), (50, 48, 1)])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 8), (1, 54, 128), (32, 4, 4)])
def test_what_rounds_is_found_out(way, kernel, shape):
    """bf16 (8 bits), TF32 (11 bits), FFT, Winograd, one rounding: none gives the known answer.

    On one position an FFT of a 1 x 1 kernel is a plain sum.
    """
    outputs, inputs, k = kernel
    images, h, w = shape
    case = (
        switches("cpu"),
        "cpu",
        torch.float32,
        (outputs, inputs, k, k),
        (images, inputs, h, w),
        True,
    )
    assert (
        known_exact(products, *case)
        and known_exact(wide_products, *case)
        and known_exact(integers, *case)
    )
    if way not in (by_fft, by_winograd) or h * w * k > 1:
        assert not known_exact(way, *case)


def test_what_is_not_exact_is_not_used(monkeypatch):
    layer, x, expected = given((48, 51, 3), (1, 24, 40))
    for wrong in (["library"], ["library", "products"], ["library", "products", "wide_products"]):
        with monkeypatch.context() as patch:
            monkeypatch.setattr("bbans.exact.torch_ops.library", a_little_off)
            for name in wrong[1:]:
                patch.setattr(f"bbans.exact.torch_ops.{name}", lambda *parts: a_little_off(*parts))
            ops = TorchOps()
            assert np.array_equal(
                np.asarray(ops.conv(ops.prepare(layer), ops.load(x))).astype(np.float64), expected
            )


def test_a_kernel_is_questioned_once():
    layer, x, _ = given((48, 51, 3), (1, 9, 11))
    ops = TorchOps()
    prepared, loaded = ops.prepare(layer), ops.load(x)
    ops.conv(prepared, loaded)
    before = known_exact.cache_info()
    for _ in range(3):
        ops.conv(prepared, loaded)
    after = known_exact.cache_info()
    assert after.misses == before.misses and after.hits == before.hits + 3


def test_the_probe_reaches_the_bound():
    """Sums within 4 in a hundred of 2^24 for each kind of row: all inputs, few, one (bounded by the
    weight's 15 bits), one sign.
    """
    for kernel in ((48, 51, 3, 3), (50, 48, 1, 1)):
        weight, _ = convolutions._probe_layer(torch.float32, kernel)
        sums = np.abs(weight).sum((1, 2, 3)) * convolutions.LARGEST_INPUT[torch.float32]
        assert sums.max() <= 2**24 and sums.min() > 0.9 * 2**24
        assert {int(count) for count in (weight != 0).sum((1, 2, 3))} == {
            kernel[1] * kernel[2] ** 2,
            4,
            1,
        }


def test_other_arithmetic():
    assert TorchOps().independently() == TorchOps(independent=True)
    assert TorchOps(wide=True).independently() == TorchOps(wide=True, independent=True)
    assert TorchOps(independent=True).independently() == NumpyOps(np.float64)
    assert (
        library in TorchOps().ways
        and library not in TorchOps(independent=True).ways
        and library not in TorchOps("cuda").ways
    )
