"""Speed of decoding the sample photograph with every engine that this machine has.

python benchmarks/backends.py
"""

import os
import time
from pathlib import Path

import numpy as np

import bbans
from bbans import images
from bbans.exact import engines

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "tea-gardens.png"


def main() -> None:
    """One line an engine: megapixels a second, the best of three."""
    pixels = images.read_image(SAMPLE).pixels
    data = bbans.compress(pixels, verify=False)
    core = engines.native()
    speeds: dict[str, float] = {}
    for name in [engines.REFERENCE, *([] if core is None else core.levels())]:
        os.environ[engines.VARIABLE] = name
        times = []
        for _ in range(3):
            start = time.monotonic()
            assert np.array_equal(bbans.decompress(data), pixels)
            times.append(time.monotonic() - start)
        speeds[name] = pixels.shape[0] * pixels.shape[1] / 1e6 / min(times)
        ratio = speeds[name] / speeds[engines.REFERENCE]
        print(f"{name}: {speeds[name]:.2f} MP/s, {ratio:.1f} times the reference")


if __name__ == "__main__":
    main()
