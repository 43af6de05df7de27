"""Speed of decoding the sample photograph with the torch backend and with the plain numpy one,
which a machine without torch uses.

python benchmarks/backends.py
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import bbans
from bbans import images, tiles
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import torch_ops

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "tea-gardens.png"
BACKENDS: dict[str, Callable[..., Any]] = {
    "torch": torch_ops,
    "numpy": lambda device="cpu": NumpyOps(np.float32),
}


def main() -> None:
    """One line a backend: megapixels a second, the best of three."""
    pixels = images.read_image(SAMPLE).pixels
    data = bbans.compress(pixels, verify=False)
    speeds = {}
    for name, ops in BACKENDS.items():
        tiles.fastest_ops = ops
        times = []
        for _ in range(3):
            start = time.monotonic()
            assert np.array_equal(bbans.decompress(data), pixels)
            times.append(time.monotonic() - start)
        speeds[name] = pixels.shape[0] * pixels.shape[1] / 1e6 / min(times)
        print(f"{name}: {speeds[name]:.2f} MP/s, {speeds[name] / speeds['torch']:.2f} of torch's")


if __name__ == "__main__":
    main()
