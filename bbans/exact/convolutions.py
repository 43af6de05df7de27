"""y = W * a in integers, by whichever of torch's implementations of a convolution is verified to be
exact in this process.

Which library computes a convolution depends on the build of torch, on global settings that any code
of the process may change, and on shapes. Some of these libraries do not compute a plain sum
(Winograd, FFT), or not in float32 (bf16, TF32). So an implementation, here called a way, is used
for kernels of a shape only after it has reproduced a known result for that shape under the present
settings (`known_exact`; the outcome is cached). The ways, fastest first:

| way | computes | precision |
|---|---|---|
| `library` | torch's own convolution; never on CUDA | that of the carrier |
| `products` | a matrix product for each position of the kernel | that of the carrier |
| `wide_products` | the same | float64 |
| `integers` | numpy's integers, one position of the kernel after the other | int64, always exact |

The carrier is the float type, float32 or float64, that holds the integers. Arrays are `(B, C, h,
w)`, channels-last. Settings are read, never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bbans.exact.layers import FLOAT32_BOUND, FLOAT64_BOUND, MAX_WEIGHT
from bbans.exact.threads import one_openmp_thread

NOTHING = nullcontext()
SMALL_WORK = 2**24  # multiplications: a layer of fewer runs on one thread
PROBED_POSITIONS = 8  # positions that are compared with the reference, besides corners
LARGEST_INPUT = {torch.float32: 1023, torch.float64: 2**29 - 1}

State: TypeAlias = tuple[Any, ...]


class Kernel(NamedTuple):
    """The parameters of a layer in the carrier: weights `(O, I, k, k)`, biases `(O,)` or `(levels,
    O)`, both multiplied by 2^-shift, and shifts int8 `(O,)`.
    """

    weight: Tensor
    bias: Tensor
    shift: NDArray[np.int8]


Way: TypeAlias = Callable[[Tensor, Tensor, Tensor, NDArray[np.int8]], Tensor]
"""`way(x, weight, bias (O,), shift) -> y`: a convolution with zero padding k // 2; y has the type
of x.
"""


def library(x: Tensor, weight: Tensor, bias: Tensor, shift: NDArray[np.int8]) -> Tensor:
    """Computes a convolution with torch's own function.

    Examples:
        >>> x, weight, zero = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), torch.zeros(1)
        >>> library(x, weight, zero, np.zeros(1, np.int8))[0, 0, 1]
        tensor([6., 9., 6.])
    """
    if weight.shape[-1] > 1:
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
    # image rows as a batch: a 1 x 1 kernel on large maps then takes a half to a third of the time
    # on a CPU
    images, channels, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(images * h, 1, w, channels).permute(0, 3, 1, 2)
    y = F.conv2d(rows, weight, bias)
    return y.permute(0, 2, 3, 1).reshape(images, h, w, len(weight)).permute(0, 3, 1, 2)


def products(x: Tensor, weight: Tensor, bias: Tensor, shift: NDArray[np.int8]) -> Tensor:
    """Computes a convolution as the sum over the kernel's positions of (shifted map) @ (weights
    there), on views of one padded copy of the map.

    The rows of all images form one matrix, each with its margin; results that mix values across
    margins are cut off at the end.

    Examples:
        >>> x, weight, zero = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), torch.zeros(1)
        >>> products(x, weight, zero, np.zeros(1, np.int8))[0, 0, 1]
        tensor([6., 9., 6.])
    """
    outputs, inputs, k, _ = weight.shape
    images, _, h, w = x.shape
    rows = x.permute(0, 2, 3, 1)
    taps = weight.permute(2, 3, 1, 0).reshape(k * k, inputs, outputs)
    if k == 1:
        y = torch.addmm(bias, rows.reshape(-1, inputs), taps[0])
        return y.view(images, h, w, outputs).permute(0, 3, 1, 2)
    edge = k // 2
    padded = F.pad(rows, (0, 0, edge, edge, edge, edge))
    height, width = h + 2 * edge, w + 2 * edge
    flat = padded.reshape(-1, inputs)
    # the last of these rows is the last position of the last image
    count = len(flat) - (k - 1) * (width + 1)
    y = bias.expand(len(flat), outputs).contiguous()
    for tap, matrix in enumerate(taps):
        first = tap // k * width + tap % k
        y[:count].addmm_(flat[first : first + count], matrix)
    cut = y.view(images, height, width, outputs)[:, :h, :w]
    return cut.contiguous().permute(0, 3, 1, 2)


def wide_products(x: Tensor, weight: Tensor, bias: Tensor, shift: NDArray[np.int8]) -> Tensor:
    """Computes a convolution as `products` does, in float64.

    Examples:
        >>> x, weight, zero = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), torch.zeros(1)
        >>> wide_products(x, weight, zero, np.zeros(1, np.int8))[0, 0, 1]
        tensor([6., 9., 6.])
    """
    return products(x.double(), weight.double(), bias.double(), shift).to(x.dtype)


def integers(x: Tensor, weight: Tensor, bias: Tensor, shift: NDArray[np.int8]) -> Tensor:
    """Computes a convolution in int64 with numpy: slow, and exact by construction.

    Examples:
        >>> x, weight, zero = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), torch.zeros(1)
        >>> integers(x, weight, zero, np.zeros(1, np.int8))[0, 0, 1]
        tensor([6., 9., 6.])
    """
    kernel = np.ldexp(
        weight.double().cpu().numpy(), shift[:, None, None, None].astype(np.int32)
    ).astype(np.int64)
    offset = np.ldexp(bias.double().cpu().numpy(), shift.astype(np.int32)).astype(np.int64)
    k = weight.shape[-1]
    rows = x.permute(0, 2, 3, 1).double().cpu().numpy().astype(np.int64)
    _, h, w, _ = rows.shape
    edge = k // 2
    padded = np.pad(rows, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    total = np.broadcast_to(offset, (*rows.shape[:3], len(kernel))).copy()
    for i in range(k):
        for j in range(k):
            total += padded[:, i : i + h, j : j + w] @ kernel[:, :, i, j].T
    exact = np.ldexp(total.astype(np.float64), -shift.astype(np.int32))
    return torch.from_numpy(exact).to(x.device, x.dtype).permute(0, 3, 1, 2)


def convolve(x: Tensor, kernel: Kernel, bias: Tensor, ways: Sequence[Way]) -> Tensor:
    """Returns the unrounded sum `(B, O, h, w)` by the first of these ways that is verified to be
    exact for the shapes and settings at hand, or else by `integers`.

    Examples:
        >>> weight = torch.full((1, 1, 1, 1), 3.0)
        >>> kernel = Kernel(weight, torch.ones(1), np.zeros(1, np.int8))
        >>> convolve(torch.full((1, 1, 1, 2), 5.0), kernel, kernel.bias, (products,))
        tensor([[[[16., 16.]]]])
    """
    device, small = x.device.type, x.numel() * kernel.weight[:, 0].numel() < SMALL_WORK
    with one_openmp_thread(small), _without_autocast(device):
        state = switches(device)
        layout = bool(x.is_contiguous(memory_format=torch.channels_last))
        for way in ways:
            if known_exact(
                way,
                state,
                str(x.device),
                x.dtype,
                tuple(kernel.weight.shape),
                tuple(x.shape),
                layout,
            ):
                return way(x, kernel.weight, bias, kernel.shift)
        return integers(x, kernel.weight, bias, kernel.shift)


def _without_autocast(device: str) -> AbstractContextManager[Any]:
    """A context without the caller's autocast; the null context, which is faster, if there is
    none.
    """
    return torch.autocast(device, enabled=False) if _autocast_reader(device)() else NOTHING


@lru_cache(maxsize=4)
def _autocast_reader(device: str) -> Callable[[], bool]:
    """A function that returns whether autocast is on; before torch 2.4 there is one for each
    device.
    """
    try:
        torch.is_autocast_enabled(device)
    except TypeError:
        return torch.is_autocast_cpu_enabled if device == "cpu" else torch.is_autocast_enabled
    return partial(torch.is_autocast_enabled, device)


def switches(device: str) -> State:
    """Returns the settings of the process that select how torch multiplies on a kind of device and
    can change while it runs.

    Examples:
        >>> torch.get_num_threads() in switches("cpu")
        True
    """
    return tuple([_setting(read) for read in _readers(device)])


def _setting(read: Callable[[], Any]) -> Any:
    """The value of a setting, or RuntimeError if torch refuses to read it (set in two ways)."""
    try:
        return read()
    except RuntimeError:
        return RuntimeError


@lru_cache(maxsize=4)
def _readers(device: str) -> tuple[Callable[[], Any], ...]:
    """Functions that read the settings that this build of torch has."""
    backends: Any = torch.backends
    readers: list[Callable[[], Any]] = [
        torch.get_num_threads,
        torch.get_default_dtype,
        torch.are_deterministic_algorithms_enabled,
        torch.get_float32_matmul_precision,
    ]
    holders: list[tuple[Any, tuple[str, ...]]] = [(backends, ("fp32_precision",))]
    if device == "cuda":
        cudnn, matmul = backends.cudnn, backends.cuda.matmul
        holders += [
            (cudnn, ("enabled", "benchmark", "deterministic", "allow_tf32")),
            (matmul, ("allow_tf32", "fp32_precision")),
        ]
    else:
        mkldnn = backends.mkldnn
        parts = (getattr(mkldnn, part, None) for part in ("conv", "matmul"))
        holders += [
            (mkldnn, ("enabled", "deterministic", "fp32_precision")),
            *((part, ("fp32_precision",)) for part in parts),
        ]
        names = ("_get_nnpack_enabled", "_is_xnnpack_enabled")
        readers += [getattr(torch._C, name) for name in names if hasattr(torch._C, name)]
    known = {
        (id(holder), name): partial(getattr, holder, name, None)
        for holder, names in holders
        if holder is not None
        for name in names
    }
    return (*readers, *known.values())


@lru_cache(maxsize=2**14)
def known_exact(
    way: Way,
    state: State,
    device: str,
    dtype: torch.dtype,
    kernel: tuple[int, ...],
    shape: tuple[int, ...],
    channels_last: bool,
) -> bool:
    """Whether a way reproduces a known result for a kernel `(O, I, k, k)` on a map `(B, I, h, w)`,
    under these settings.

    The probe has sums within a few per cent of the bound, over all inputs, over few and over one,
    of alternating and of equal signs, so that any rounding shows. The reference is computed in
    int64, at some positions of the map.

    Examples:
        >>> shapes = (2, 3, 3, 3), (1, 3, 8, 8)
        >>> known_exact(products, switches("cpu"), "cpu", torch.float32, *shapes, True)
        True
    """
    weights, sequence = _probe_layer(dtype, kernel)
    x, at = _probe_map(sequence, shape, dtype), _probe_positions(shape)
    activations = torch.from_numpy(x).to(device, dtype)  # (B, h, w, I)
    activations = activations.permute(0, 3, 1, 2)
    if not channels_last:
        activations = activations.contiguous()
    weight = (
        torch.from_numpy(weights).to(device, dtype).contiguous(memory_format=torch.channels_last)
    )
    bias = torch.zeros(kernel[0], dtype=dtype, device=device)
    try:
        y = way(activations, weight, bias, np.zeros(kernel[0], np.int8))
    except RuntimeError:  # not available in this build or under these settings
        return False
    sums = (
        y.permute(0, 2, 3, 1)[tuple(torch.from_numpy(part).to(device) for part in at)]
        .double()
        .cpu()
        .numpy()
    )
    return bool(np.array_equal(sums, _exact_sums(weights, x, at)))


@lru_cache(maxsize=64)
def _probe_layer(
    dtype: torch.dtype, kernel: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights `(O, I, k, k)` of the probe, and a sequence of activations to fill a map with."""
    rng = np.random.default_rng(0)
    outputs, inputs, k, _ = kernel
    bound, top = (FLOAT32_BOUND if dtype == torch.float32 else FLOAT64_BOUND), LARGEST_INPUT[dtype]
    taps = inputs * k * k
    most = min(taps, int(0.98 * bound / top))
    kind = np.arange(outputs) % 4
    used = np.array([most, min(taps, 4), 1, most])[kind]  # number of weights that are not zero
    size = np.minimum(MAX_WEIGHT, 0.98 * bound / (used * top))
    weight = np.trunc(size[:, None] * rng.uniform(0.97, 1, (outputs, taps))).astype(np.int64)
    weight = (
        np.maximum(weight, 1)
        * np.where(kind == 3, 1, rng.integers(0, 2, (taps, outputs)) * 2 - 1).T
    )
    weight[
        rng.permuted(np.broadcast_to(np.arange(taps), weight.shape), axis=1) >= used[:, None]
    ] = 0
    return weight.reshape(kernel), rng.integers(0, top + 1, 4099)


def _probe_map(
    sequence: NDArray[np.int64], shape: tuple[int, ...], dtype: torch.dtype
) -> NDArray[np.floating]:
    """A map `(B, h, w, I)` of the carrier's type: the sequence of activations, repeated, but for
    the first rows, which hold the largest activation.
    """
    images, inputs, h, w = shape
    x = np.resize(
        sequence.astype(np.float32 if dtype == torch.float32 else np.float64),
        (images, h, w, inputs),
    )
    x[:, : (h + 1) // 4] = LARGEST_INPUT[dtype]
    return x


def _probe_positions(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], ...]:
    """Indices `(image, row, column)` of the positions that are compared: the corners, and some at
    random.
    """
    images, _, h, w = shape
    count = images * h * w
    flat = [
        0,
        count - 1,
        w - 1,
        count - w,
        *np.random.default_rng(1).integers(0, count, PROBED_POSITIONS),
    ]
    return np.unravel_index(np.array(flat), (images, h, w))


def _exact_sums(weight: NDArray[np.int64], x: Any, at: Any) -> NDArray[np.float64]:
    """Sums in int64 at some positions, `(positions, O)`, as float64."""
    k = weight.shape[-1]
    edge = k // 2
    _, h, w, inputs = x.shape
    image, rows, columns = at
    patches = np.zeros((len(image), inputs, k, k), np.int64)
    for i in range(k):
        for j in range(k):
            r, c = rows + i - edge, columns + j - edge
            inside = (r >= 0) & (r < h) & (c >= 0) & (c < w)
            patches[inside, :, i, j] = x[image[inside], r[inside], c[inside]]
    sums: NDArray[np.int64] = patches.reshape(len(image), -1) @ weight.reshape(len(weight), -1).T
    return sums.astype(np.float64)
