"""Memory from samples to bytes and back: 1.1 GiB and 8 bytes a pixel of 8-bit RGB, on two threads with the tiles of large images."""

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource")

CODE = """
import resource, sys
import numpy as np
import bbans
from bbans import assembly, images
assembly.LARGE_PIXELS = 0
photo = images.read_image(sys.argv[1]).pixels
image = np.tile(photo, (4, 4, 1))
assert np.array_equal(bbans.decompress(bbans.compress(image, threads=2, verify=False), threads=2), image)
scale = 1 if sys.platform == "darwin" else 1024
print(image.shape[0] * image.shape[1], scale * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_peak_memory_is_bounded(repository):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(repository / "samples" / "tea-gardens.png")], capture_output=True, text=True, check=True
    )
    pixels, peak = map(int, done.stdout.split())
    assert pixels > 6_000_000
    assert peak <= 1.1 * 2**30 + 8 * pixels
