"""Memory from a PNG to a .bbans file and back: 1.1 GiB and 8 bytes a pixel of 8-bit RGB, on two
threads with the tiles of large images.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

resource = pytest.importorskip("resource")

CODE = """
import resource, sys
import bbans
from bbans.files import tiling
tiling.LARGE_PIXELS = 0
bbans.compress_file("large.png", "large.bbans", threads=2, verify=False)
bbans.decompress_file("large.bbans", "back.png", threads=2)
if sys.platform == "linux":  # its ru_maxrss outlives exec: it would count what started this process
    with open("/proc/self/status") as status:
        print(1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")))
else:
    unit = 1 if sys.platform == "darwin" else 1024
    print(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_peak_memory_is_bounded(repository, tmp_path):
    with Image.open(repository / "samples" / "tea-gardens.png") as photo:
        image = np.tile(np.asarray(photo.convert("RGB")), (4, 4, 1))
    Image.fromarray(image).save(tmp_path / "large.png")
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    pixels = image.shape[0] * image.shape[1]
    assert pixels > 6_000_000
    assert int(done.stdout) <= 1.1 * 2**30 + 8 * pixels
    with Image.open(tmp_path / "back.png") as back:
        assert np.array_equal(np.asarray(back), image)
