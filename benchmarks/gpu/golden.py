"""Whether the exact networks on a device give the CPU's integers: layers, networks, golden files;
with TF32 allowed as without.

python -m benchmarks.gpu.golden cuda

Prints a line of JSON a part. The oracle is numpy in float64, by unfolding and matrix products. A
process of its own, so that an error of the device does not reach the training.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bbans import tiles
from bbans.exact.layers import FLOAT32_BOUND, IntConv
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import torch_ops
from bbans.models import model_file
from bbans.models.model_file import Model
from bbans.models.photo import PHASES, PhotoConfig

ROOT = Path(__file__).resolve().parent.parent.parent
ACT = 1023  # the largest activation
SHAPES = ((1, 17, 23), (4, 32, 32))  # images, rows and columns
GRID = (56, 40)  # half-resolution positions of a network's input


@contextmanager
def short_mantissas(allowed: bool) -> Iterator[None]:
    """TF32 as a caller may have allowed it, and as it was afterwards."""
    if not allowed:
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = True
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def models() -> dict[str, Model]:
    """Those that are shipped and those of the golden files, by name."""
    folders = (
        ROOT / "bbans" / "weights",
        ROOT / "tests" / "frozen" / "chains",
        ROOT / "tests" / "frozen" / "told",
    )
    return {
        path.stem: model_file.load_file(path)
        for folder in folders
        for path in sorted(folder.glob("*.safetensors"))
    }


def layer_equal(layer: IntConv, device: str, rng: np.random.Generator) -> bool:
    """Whether a layer's sums are the oracle's, of random activations that its bound allows."""
    sums = int(np.abs(layer.weight.astype(np.int64)).sum((1, 2, 3)).max())
    room = FLOAT32_BOUND - int(np.abs(layer.bias.astype(np.int64)).max())
    wide = room < sums  # a layer of the float64 carrier
    top = ACT if wide else min(ACT, room // max(1, sums))
    row = None if layer.bias.ndim == 1 else 0
    for images, h, w in SHAPES:
        x = rng.integers(-top, top + 1, (images, layer.weight.shape[1], h, w))
        sums_of = []
        exact: Any = torch_ops(device)
        for ops in (NumpyOps(np.float64), exact.widened() if wide else exact):
            found: Any = ops.conv(ops.prepare(layer), ops.load(x), row)
            # whole numbers again: those of a layer are multiples of 2^-shift
            sums_of.append(
                np.asarray(found if isinstance(found, np.ndarray) else found.double().cpu())
            )
        if not np.array_equal(*sums_of):
            return False
    return True


class Level(NamedTuple):
    """One level of random pixels: phases and sums `(3, h, w)` each, latents `(channels, rows,
    columns)`.
    """

    known: list[NDArray[np.int32]]
    sums: list[NDArray[np.int32]]
    u: NDArray[np.int32]


def random_level(net: Any, h: int, w: int) -> Level:
    """Inputs of a photograph model's networks, the same for the same network."""
    rng = np.random.default_rng(0)
    known = [rng.integers(0, 256, (3, h, w), np.int32) for _ in PHASES]
    sums = [(4 * k + rng.integers(-60, 61, k.shape, np.int32)).clip(0, 1020) for k in known]
    return Level(known, sums, rng.integers(-300, 301, net.latent_shape(h, w), np.int32))


def photo_integers(net: Any, level: Level) -> list[NDArray[np.integer]]:
    """Everything that a photograph model's networks give for a level."""
    carried, found, trunks = net.start(*level.sums[0].shape[1:]), [], []
    for phase, sums in enumerate(level.sums):
        carried = net.trunk(phase, level.known[: phase + 1], sums, carried, 1)
        trunks.append(carried)
        found.append(net.ops.store(net.ops.take(carried, slice(None))))
    if net.config.latents:
        found += net.posterior(trunks[1], [4 * level.known[i] - level.sums[i] for i in (1, 2)])
    return found + [net.outputs(phase, trunk, level.u) for phase, trunk in enumerate(trunks)]


def checked_networks(device: str, few: bool) -> dict[str, Any]:
    """Every model's layers, and the photograph models' networks: how many, and which differ."""
    rng, wrong, layers, networks = np.random.default_rng(0), [], 0, 0
    for name, model in models().items():
        for key, layer in list(model.layers.items())[: 3 if few else None]:
            layers += 1
            if not layer_equal(layer, device, rng):
                wrong.append(f"{name}: {key}")
        if isinstance(model.config, PhotoConfig):
            networks += 1
            nets = [model.network(ops) for ops in (NumpyOps(np.float64), torch_ops(device))]
            level = random_level(nets[0], *GRID)
            pairs = zip(*(photo_integers(net, level) for net in nets), strict=True)
            if not all(np.array_equal(a, b) for a, b in pairs):
                wrong.append(f"{name}: network")
    return {"layers": layers, "networks": networks, "wrong": wrong}


def checked_files(device: str, few: bool) -> dict[str, Any]:
    """Golden files and messages, decoded by networks on the device: how many, and which differ or
    fail.
    """
    from tests.frozen.decode import decoded, expected

    before, wanted = tiles.fastest_ops, expected()[: 3 if few else None]
    tiles.fastest_ops = lambda: torch_ops(device)
    done, wrong = 0, []
    try:
        for (name, pixels), found in zip(
            wanted, itertools.islice(decoded(), len(wanted)), strict=True
        ):
            done += 1
            if found != (name, pixels):
                wrong.append(name)
    except Exception as error:
        wrong.append(f"{wanted[min(done, len(wanted) - 1)][0]}: {type(error).__name__}: {error}")
    finally:
        tiles.fastest_ops = before
    return {"files": done, "wrong": wrong}


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("device")
    parser.add_argument("--few", action="store_true", help="some of each, to see that it runs")
    options = parser.parse_args()
    for part, check in (("networks", checked_networks), ("files", checked_files)):
        for allowed in (False, True):
            start = time.monotonic()
            with short_mantissas(allowed):
                found = check(options.device, options.few)
            row = {
                "part": part,
                "tf32_allowed": allowed,
                **found,
                "seconds": round(time.monotonic() - start, 1),
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
