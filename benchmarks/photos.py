"""Kodak and CID22 validation: file bytes of single images and speed, bbans beside PNG, WebP, JPEG
2000 and JPEG XL, in one run.

    python benchmarks/photos.py PHOTOS --json benchmarks/results/photos.json

PHOTOS holds the folders `kodak` and `validation`. Rates are file bytes * 8 / (H * W * 3). Times are
wall-clock sums over a set on the threads that each library takes by itself, after one image of
warm-up; they are noisy, the ratios between rows less so.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from histories import blind, webp
from PIL import Image

import bbans
from bbans.images import load_folder

SETS = {"kodak": "Kodak", "validation": "CID22 validation"}
PUBLISHED = {  # bits per subpixel measured for the project before it began, same images
    "PNG": {"kodak": 4.457, "validation": 3.736},
    "JPEG 2000": {"kodak": 3.192, "validation": 2.973},
    "WebP": {"kodak": 3.180, "validation": 2.777},
    "JPEG XL e7": {"kodak": 2.902, "validation": 2.569},
    "JPEG XL e9": {"kodak": 2.885, "validation": 2.531},
}

Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]


def from_pillow(data: bytes) -> Any:
    """Any format that Pillow reads."""
    return np.asarray(Image.open(io.BytesIO(data)))


def codecs(model: str | None) -> dict[str, Codec]:
    """Encoders and decoders by name; the one called `bbans, verified` is what the command does by
    default.
    """
    return {
        "PNG": (lambda a: imagecodecs.png_encode(a, level=9), imagecodecs.png_decode),
        "JPEG 2000": (
            lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True),
            imagecodecs.jpeg2k_decode,
        ),
        "WebP": (webp, from_pillow),
        "JPEG XL e7": (
            lambda a: imagecodecs.jpegxl_encode(a, lossless=True, effort=7),
            imagecodecs.jpegxl_decode,
        ),
        "JPEG XL e9": (
            lambda a: imagecodecs.jpegxl_encode(a, lossless=True, effort=9),
            imagecodecs.jpegxl_decode,
        ),
        "bbans, no model": (
            lambda a: bbans.compress(a, model="none", verify=False),
            bbans.decompress,
        ),
        "bbans, history unknown": (blind, bbans.decompress),
        "bbans, fast": (lambda a: bbans.compress(a, effort="fast", verify=False), bbans.decompress),
        "bbans": (
            lambda a: bbans.compress(a, model=model, verify=False),
            lambda d: bbans.decompress(d, model=model),
        ),
        "bbans, verified": (
            lambda a: bbans.compress(a, model=model),
            lambda d: bbans.decompress(d, model=model),
        ),
    }


def measure(codec: Codec, pictures: list[Any]) -> dict[str, Any]:
    """Rate and speed of a codec on a set; every image is decoded and compared."""
    encode, decode = codec
    decode(encode(pictures[0]))
    sizes, encoding, decoding = [], 0.0, 0.0
    for picture in pictures:
        started = time.perf_counter()
        data = encode(picture)
        middle = time.perf_counter()
        back = decode(data)
        encoding, decoding = encoding + middle - started, decoding + time.perf_counter() - middle
        if not np.array_equal(back, picture):
            raise SystemExit("an image did not come back")
        sizes.append(len(data))
    pixels = sum(p.shape[0] * p.shape[1] for p in pictures)
    bits = sum(sizes) * 8 / sum(p.size for p in pictures)
    return {
        "bpsp": bits,
        "encode_mps": pixels / encoding / 1e6,
        "decode_mps": pixels / decoding / 1e6,
        "bytes": sizes,
    }


def accounts(pictures: list[Any], model: str | None) -> dict[str, Any]:
    """Files against the ideal: the largest excess, and the summed account in bits per dimension."""
    excess, sums, dimensions, coded = [], {}, 0, 0
    for picture in pictures:
        facts = bbans.info(bbans.compress(picture, model=model, verify=False), model=model)
        assert facts.ideal_bits is not None
        excess.append(8 * facts.file_bytes / facts.ideal_bits - 1)
        content = facts.to_dict()
        for name, bits in content["account_bits"].items():
            sums[name] = sums.get(name, 0.0) + bits
        dimensions += facts.dimensions
        coded += any(name.startswith("bits-back") for name in facts.codecs) and bool(
            facts.latent_precisions
        )
    return {
        "largest_excess_over_ideal": max(excess),
        "mean_excess_over_ideal": float(np.mean(excess)),
        "account_bpsp": {k: v / dimensions for k, v in sums.items()},
        "images_with_bits_back": coded,
        "images": len(pictures),
    }


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=int, help="images a set, for a quick look")
    parser.add_argument("--only", nargs="*", help="codecs to run")
    parser.add_argument("--no-accounts", action="store_true")
    arguments = parser.parse_args()
    started = time.time()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    results: dict[str, Any] = {"published": PUBLISHED, "measured": {}, "seed": 0, "commit": commit}
    results["machine"] = (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    pictures = {
        name: [a for _, a in load_folder(arguments.photos / name)][: arguments.limit]
        for name in SETS
    }
    for name, codec in codecs(arguments.model).items():
        if arguments.only and name not in arguments.only:
            continue
        row = results["measured"][name] = {s: measure(codec, pictures[s]) for s in SETS}
        print(
            f"{name:16}",
            *(
                f"{s} {row[s]['bpsp']:.4f} enc {row[s]['encode_mps']:.2f} dec "
                f"{row[s]['decode_mps']:.2f}"
                for s in SETS
            ),
            flush=True,
        )
    if not arguments.no_accounts:
        results["accounts"] = {"kodak": accounts(pictures["kodak"], arguments.model)}
        for s, a in results["accounts"].items():
            excess = (
                f"{a['mean_excess_over_ideal']:.3%} (largest {a['largest_excess_over_ideal']:.3%})"
            )
            print(f"{SETS[s]}: file over ideal {excess}, account {a['account_bpsp']}")
    results["seconds"] = time.time() - started
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
