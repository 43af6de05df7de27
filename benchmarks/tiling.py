"""What tiles cost: bytes of the same photographs in tiles of several sides, and the peak memory of
the process.

    python benchmarks/tiling.py IMAGES --sides 256 512 1024 --json benchmarks/results/tiling.json

IMAGES is a folder; images with both sides of 1024 pixels or more count. With `--memory MEGAPIXELS`
a photograph is repeated to an image of that size instead, and compressed and restored in a process
of its own for each number of threads.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import bbans
from bbans.files import tiling
from bbans.images import load_folder, read_image

CHILD = """
import resource, sys
import numpy as np
import bbans
image, threads = np.load(sys.argv[1]), int(sys.argv[2])
data = bbans.compress(image, threads=threads, verify=False)
one = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
back = bbans.decompress(data, threads=threads)
assert np.array_equal(back, image)
print(one, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(data))
"""


def memory(megapixels: float, folder: Path) -> list[dict[str, float]]:
    """Peak resident memory in MiB after compressing, and after restoring too."""
    photo = read_image(
        Path(__file__).resolve().parent.parent / "samples" / "tea-gardens.png"
    ).pixels
    columns = round(np.sqrt(megapixels * 1e6 * 4 / 3))
    rows = round(megapixels * 1e6 / columns)
    image = np.tile(photo, (-(-rows // photo.shape[0]), -(-columns // photo.shape[1]), 1))[
        :rows, :columns
    ]
    path = folder / "memory.npy"
    np.save(path, image)
    found = []
    for threads in (1, 2) if megapixels < 50 else (2,):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(path), str(threads)],
            capture_output=True,
            text=True,
            check=True,
        )
        first, second, size = map(int, done.stdout.split())
        row = {
            "megapixels": megapixels,
            "threads": threads,
            "compress_mib": first / 1024,
            "both_mib": second / 1024,
            "bytes": size,
        }
        found.append(row)
        print(row, flush=True)
    path.unlink()
    return found


def rates(images: Path, sides: list[int]) -> list[dict[str, float]]:
    """Bits per subpixel for each side of the tiles."""
    pictures = [a for _, a in load_folder(images) if min(a.shape[:2]) >= 1024]
    found = []
    for side in sides:
        tiling.TILE_SIDE = side
        size = sum(len(bbans.compress(a, verify=False)) for a in pictures)
        found.append(
            {
                "side": side,
                "images": len(pictures),
                "bpsp": 8 * size / sum(a.size for a in pictures),
            }
        )
        print(found[-1], flush=True)
    return found


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--memory", type=float, metavar="MEGAPIXELS")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = (
        memory(arguments.memory, arguments.images)
        if arguments.memory
        else rates(arguments.images, arguments.sides)
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
