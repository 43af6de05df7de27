"""JPEG files through what can restore them byte for byte: bytes, refusals and speed.

    python benchmarks/jpegs.py --json benchmarks/results/jpegs.json

About two hundred files are made of the sample photographs by the encoders at hand: Pillow and
imagecodecs (libjpeg-turbo of two versions), and `cjpeg` where it is installed (arithmetic codes,
unusual sampling). A codec that is not installed is left out: brunsli and Lepton, mostly. Of a file
that a codec refuses or does not restore, the bytes of the file itself are counted. Speeds are in
10^6 bytes of the JPEGs that it takes, per second of processor time.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import os
import platform
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

import bbans

SAMPLES = sorted((Path(__file__).resolve().parent.parent / "samples").glob("*.png"))
QUALITIES = (30, 40, 60, 75, 85, 92, 98)
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
CJPEG = {  # what neither of the two libraries offers from Python
    "arithmetic": ("-arithmetic",),
    "arithmetic, progressive": ("-arithmetic", "-progressive"),
    "sampling 4:1:0": ("-sample", "4x2"),
    "sampling 3 x 1": ("-sample", "3x1"),
    "a restart a row": ("-restart", "1"),
}


def encoded(image: Image.Image, **options) -> bytes:
    """A JPEG by Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def by_pillow(photo: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Group and bytes: qualities, samplings, grey, CMYK, progressive, restarts, sizes."""
    for quality in QUALITIES:
        for number, sampling in enumerate(SAMPLINGS):
            for progressive in (False, True):
                group = "progressive" if progressive else "baseline"
                yield (
                    f"{group}, {sampling}",
                    encoded(photo, quality=quality, subsampling=number, progressive=progressive),
                )
    for quality in (60, 90):
        yield "optimised", encoded(photo, quality=quality, optimize=True)
        yield "restarts", encoded(photo, quality=quality, restart_marker_blocks=8)
        for progressive in (False, True):
            options = {"quality": quality, "progressive": progressive}
            yield "grey", encoded(photo.convert("L"), **options)
            yield "CMYK", encoded(photo.convert("CMYK"), **options)
    for side in (16, 64, 200):
        yield "small", encoded(photo.crop((100, 100, 100 + side, 100 + side)), quality=85)
    yield "large", encoded(photo.resize((2400, 1600), Image.Resampling.LANCZOS), quality=85)


def by_imagecodecs(photo: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Group and bytes: other samplings, RGB, 12 bits, lossless."""
    pixels = np.asarray(photo)
    for quality in (40, 75, 90):
        for sampling in ("444", "420", "440", "411"):
            data = imagecodecs.jpeg8_encode(pixels, quality, subsampling=sampling)
            yield f"imagecodecs, {':'.join(sampling)}", bytes(data)
        rgb = imagecodecs.jpeg8_encode(pixels, quality, colorspace="rgb", outcolorspace="rgb")
        yield "RGB", bytes(rgb)
    deep = imagecodecs.jpeg8_encode(pixels.astype(np.uint16) * 16, 85, bitspersample=12)
    yield "12 bits", bytes(deep)
    yield "lossless JPEG", bytes(imagecodecs.jpeg8_encode(pixels, lossless=True))


def with_metadata(photo: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Group and bytes: what cameras and programs put around an image, and accidents."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0112] = "maker", "model of a camera", 6
    thumbnail = encoded(photo.resize((160, 107)), quality=70)
    plain = encoded(photo, quality=85)
    for options in (
        {"exif": tags.tobytes()},
        {"icc_profile": profile},
        {"comment": b"made by a program"},
        {"exif": b"Exif\0\0" + thumbnail, "icc_profile": profile},
    ):
        yield "metadata", encoded(photo, quality=85, **options)
    yield "damaged profile", encoded(photo, quality=85, icc_profile=profile[:300])
    yield "bytes after the end", plain + bytes(1000)
    yield "two images in a file", plain + thumbnail
    yield "without its end", plain[:-2]
    yield "without its end", encoded(photo, quality=85, progressive=True)[:-1]
    yield "cut in the middle", plain[: len(plain) // 2]


def by_cjpeg(photo: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Group and bytes, where the program is installed."""
    if shutil.which("cjpeg") is None:
        return
    buffer = io.BytesIO()
    photo.save(buffer, "PPM")
    for group, options in CJPEG.items():
        for quality in ("60", "90"):
            command = ["cjpeg", "-quality", quality, *options]
            done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=True)
            yield group, done.stdout


def files() -> list[tuple[str, bytes]]:
    """All files, by groups."""
    made = []
    for path in SAMPLES:
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        for maker in (by_pillow, by_imagecodecs, with_metadata, by_cjpeg):
            made += list(maker(photo))
    return made


Coder = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


def coders() -> dict[str, Coder]:
    """Encode and decode of what is installed, by name."""
    found: dict[str, Coder] = {
        "bbans": (bbans.compress_jpeg, bbans.restore_jpeg),
        "JPEG XL, whole file": (
            lambda data: bytes(imagecodecs.jpegxl_encode_jpeg(data)),
            lambda data: bytes(imagecodecs.jpegxl_decode_jpeg(data, numthreads=1)),
        ),
        "LZMA": (lzma.compress, lzma.decompress),
    }
    if imagecodecs.BRUNSLI.available:
        found["brunsli"] = (
            lambda data: bytes(imagecodecs.brunsli_encode(data)),
            lambda data: bytes(imagecodecs.brunsli_decode(data, asjpeg=True)),
        )
    try:
        lepton = import_module("lepton_jpeg_python")
    except ImportError:
        return found
    found["Lepton"] = (lepton.compress_bytes, lepton.decompress_bytes)
    return found


@dataclass
class Tally:
    """Sums over files."""

    files: int = 0
    jpeg_bytes: int = 0
    bytes: int = 0
    refused: int = 0
    longest: int = 0
    """The most bytes by which a file was longer than its JPEG."""


def measured(coder: Coder, made: list[tuple[str, bytes]]) -> dict[str, object]:
    """What a coder makes of all files, in all and by groups."""
    encode, decode = coder
    groups: dict[str, Tally] = defaultdict(Tally)
    encoding = decoding = 0.0
    taken = 0
    for group, data in made:
        tally = groups[group]
        try:
            start = time.process_time()
            coded = encode(data)
            middle = time.process_time()
            same = decode(coded) == data
            decoding += time.process_time() - middle
            encoding += middle - start
            taken += len(data)
        except Exception:  # libraries' errors share no class
            same, coded = False, b""
        size = len(coded) if same else len(data)
        tally.files += 1
        tally.jpeg_bytes += len(data)
        tally.bytes += size
        tally.refused += not same
        tally.longest = max(tally.longest, size - len(data))
    total = sum(tally.jpeg_bytes for tally in groups.values())
    return {
        "share": sum(tally.bytes for tally in groups.values()) / total,
        "refused": sum(tally.refused for tally in groups.values()),
        "longest": max(tally.longest for tally in groups.values()),
        "encode_mb_per_s": taken / encoding / 1e6,
        "decode_mb_per_s": taken / decoding / 1e6,
        "groups": {
            name: {
                "files": tally.files,
                "share": tally.bytes / tally.jpeg_bytes,
                "refused": tally.refused,
            }
            for name, tally in groups.items()
        },
    }


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    made = files()
    found = {name: measured(coder, made) for name, coder in coders().items()}
    for name, facts in found.items():
        print(
            f"{name:20} {facts['share']:7.2%} of the JPEGs, {facts['refused']:3} of {len(made)} "
            f"refused, at most {facts['longest']} bytes longer; {facts['encode_mb_per_s']:.1f} and "
            f"{facts['decode_mb_per_s']:.1f} MB/s"
        )
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    versions = {"imagecodecs": imagecodecs.__version__, "cjpeg": shutil.which("cjpeg") is not None}
    figures = {
        "machine": machine,
        "versions": versions,
        "files": len(made),
        "jpeg_bytes": sum(len(data) for _, data in made),
        "codecs": found,
    }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
