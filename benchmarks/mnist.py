"""Test sets of MNIST through real archives: ideal and measured rates of a model, bytes on disk, restored and compared.

python benchmarks/mnist.py MODEL ../shared/data --json benchmarks/results/mnist.json

The set is chosen by the model: its fixed binarisation for a model of two levels, 8 bits for one of 256. A run replaces the row of
its own model in the JSON. `python benchmarks/tables.py` writes the table in docs/models.md from it.
"""

import argparse
import gzip
import json
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bbans
from bbans import archives, evaluation

# bits per dimension on the test set: BB-ANS (Townsend et al. 2019, arXiv:1901.04866, table 2), Bit-Swap (arXiv:1906.08691's README)
PUBLISHED = {2: {"BB-ANS": 0.19}, 256: {"BB-ANS": 1.41, "Bit-Swap": 1.273}}
TARGETS = {2: 0.185, 256: 1.39}


def test_set(data: Path, levels: int) -> NDArray[np.uint8]:
    """`(10000, 28, 28)`."""
    if levels == 2:
        with np.load(data / "binarized_mnist" / "binarized_mnist_larochelle.npz") as sets:
            return np.unpackbits(sets["test"], axis=1)[:, :784].reshape(-1, 28, 28)
    with gzip.open(data / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)


def archived(images: NDArray[np.uint8], levels: int, model: Path, group: int) -> int:
    """Bytes of an archive of the images, without the model, once it has been read back and compared."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "set.npy"), Path(folder, "set.bba")
        np.save(source, images.astype(bool) if levels == 2 else images)
        archives.create_archive(target, source, model=model, group=group, verify=False)
        back = [image.pixels for _, image in archives.read_archive(target, model=model)]
        assert np.array_equal(np.stack(back), images)
        return target.stat().st_size


def measure(model: Path, data: Path, count: int, group: int) -> dict[str, object]:
    """One row."""
    chosen = bbans.load_model(model)
    levels = chosen.config.levels
    images = test_set(data, levels)[:count]
    start = time.monotonic()
    found = evaluation.evaluate([(str(i), image) for i, image in enumerate(images)], chosen, draws=1)
    size = archived(images, levels, model, group)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "data": "binarised MNIST" if levels == 2 else "MNIST, 8 bits",
        "model": f"{chosen.family}, latents {', '.join(map(str, chosen.config.latents))}",
        "published": PUBLISHED[levels],
        "target": TARGETS[levels],
        "measured": {**found.rates(), "archive": 8 * size / images.size, "archive_bytes": size},
        "images": len(images),
        "group": group,
        "seed": 0,
        "commit": commit,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seconds": time.monotonic() - start,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--group", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    row = measure(options.model, options.data, options.count, options.group)
    print(json.dumps(row, indent=1))
    if options.json:
        rows = json.loads(options.json.read_text()) if options.json.exists() else {}
        rows[options.model.stem] = row
        options.json.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
