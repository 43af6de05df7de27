"""What a photograph's history is worth: files with and without looking for a lattice or an
orientation, beside JPEG XL and WebP.

    python benchmarks/histories.py PHOTOS --json benchmarks/results/histories.json

PHOTOS holds the folders `kodak` (scans that were Photo YCC) and `validation`, of which every fourth
also goes through a JPEG file of each quality and chroma resolution. Rates are file bytes * 8 / (H *
W * 3). Nothing is timed.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import imagecodecs
import numpy as np
from PIL import Image

import bbans
from bbans.images import load_folder
from bbans.tiles.transforms import pipeline, ycc_lattice

QUALITIES, SUBSAMPLINGS = (75, 90, 97), {"4:2:0": 2, "4:4:4": 0}


def blind(pixels: Any) -> bytes:
    """A file by the model alone, whatever the photograph went through."""
    with (
        mock.patch.dict(ycc_lattice.LATTICES, clear=True),
        mock.patch.object(pipeline, "detect_orientation", lambda samples: 0),
    ):
        return bbans.compress(pixels, verify=False)


def webp(pixels: Any) -> bytes:
    """Lossless WebP, method 6 (quality 100 makes it 0.6 % smaller and 20 times slower)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=80, method=6)
    return buffer.getvalue()


CODECS: dict[str, Callable[[Any], bytes]] = {
    "bbans": lambda a: bbans.compress(a, verify=False),
    "bbans, history unknown": blind,
    "JPEG XL e7": lambda a: imagecodecs.jpegxl_encode(a, lossless=True, effort=7),
    "WebP": webp,
}


def decoded(pixels: Any, quality: int, subsampling: int) -> Any:
    """A photograph that has been a JPEG file."""
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(stored))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--every", type=int, default=4, help="of the validation set")
    options = parser.parse_args()
    sets = {"Kodak": [pixels for _, pixels in load_folder(options.photos / "kodak")]}
    some = [pixels for _, pixels in load_folder(options.photos / "validation")][:: options.every]
    sets["CID22 validation"] = some
    for quality in QUALITIES:
        for name, subsampling in SUBSAMPLINGS.items():
            sets[f"the same, decoded JPEG of quality {quality}, {name}"] = [
                decoded(pixels, quality, subsampling) for pixels in some
            ]
    found = {}
    for name, pictures in sets.items():
        samples = sum(pixels.size for pixels in pictures)
        found[name] = {
            codec: 8 * sum(len(encode(pixels)) for pixels in pictures) / samples
            for codec, encode in CODECS.items()
        }
        print(name, {codec: round(rate, 4) for codec, rate in found[name].items()}, flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
