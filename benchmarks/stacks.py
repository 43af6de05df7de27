"""Chunks of stacks of grey planes: ratio and speed of our zarr codec beside Blosc-zstd, JPEG XL and
JPEG 2000, in one run.

    python benchmarks/stacks.py --mri ch2.nii.gz --json benchmarks/results/stacks.json

Two stacks. `microscopy` is simulated: fluorescent beads and clouds blurred as by a confocal
microscope, photon noise (Poisson, gain 2.2) and read-out noise (Gaussian, 3) over a pedestal of
100, uint16. `mri` is planes of a head's T1 scan, uint8, the mean of 27 scans registered to each
other: `ch2.nii.gz` of Debian's package mricron-data (weak evidence for single scans, which are
noisier). Chunks are 12 planes. Image codecs code them one by one, or three by three as colours, as
ours may. MB are 10^6 bytes of raw samples; times are wall-clock on one thread, after one chunk of
warm-up.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import torch
from numcodecs import Blosc, blosc

from bbans.integrations.chunks import chunk_coder, decode_chunk, encode_chunk

SEED, PLANES, MRI_FIRST = 0, 12, 60
NIFTI_DTYPES = {2: "u1", 512: "u2"}

Array = np.ndarray[Any, Any]
Codec = tuple[Callable[[Array], Any], Callable[[Any, Array], Array]]


def microscopy(planes: int = 2 * PLANES, side: int = 256, seed: int = SEED) -> Array:
    """A simulated stack `(planes, side, side)`, uint16."""
    rng, shape = np.random.default_rng(seed), (planes, side, side)
    beads = np.zeros(shape)
    count = beads.size // 4000
    beads[tuple(rng.integers(0, n, count) for n in shape)] = rng.gamma(1.0, 1.0, count)
    fz, fy, fx = np.meshgrid(
        np.fft.fftfreq(planes), np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"
    )

    def blur(across: float, along: float) -> Array:
        return np.exp(-2 * np.pi**2 * (across**2 * (fx**2 + fy**2) + along**2 * fz**2))

    light = np.fft.irfftn(
        np.fft.rfftn(beads) * (blur(2, 1.5) + 10 * blur(8, 2)), shape, axes=(0, 1, 2)
    ).clip(0)
    counts = rng.poisson(20 + 800 * light / light.max())
    return (100 + 2.2 * counts + rng.normal(0, 3, shape)).clip(0, 65535).round().astype(np.uint16)


def nifti(path: Path) -> Array:
    """The unsigned samples of a NIfTI-1 file, slowest axis first."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    order = "<" if raw[:4] == struct.pack("<i", 348) else ">"
    axes, *sides = struct.unpack(f"{order}8h", raw[40:56])
    (kind,), (offset,) = (
        struct.unpack(f"{order}h", raw[70:72]),
        struct.unpack(f"{order}f", raw[108:112]),
    )
    shape = tuple(reversed(sides[:axes]))
    return np.frombuffer(raw, order + NIFTI_DTYPES[kind], int(np.prod(shape)), int(offset)).reshape(
        shape
    )


def plane_by_plane(encode: Callable[[Array], bytes], decode: Callable[[bytes], Array]) -> Codec:
    """An image codec on every plane."""
    return lambda chunk: [encode(plane) for plane in chunk], lambda coded, _: np.stack(
        [decode(data) for data in coded]
    )


def three_by_three(encode: Callable[[Array], bytes], decode: Callable[[bytes], Array]) -> Codec:
    """An image codec on planes as colours."""

    def coded(chunk: Array) -> list[bytes]:
        return [
            encode(np.ascontiguousarray(np.moveaxis(chunk[i : i + 3], 0, -1)))
            for i in range(0, len(chunk), 3)
        ]

    return coded, lambda found, _: np.concatenate(
        [np.moveaxis(decode(data), -1, 0) for data in found]
    )


def ours(effort: str) -> Codec:
    """Our codec, which does not compare what it wrote: no other does."""
    coder = chunk_coder(None, effort, None, False)
    return lambda chunk: encode_chunk(coder, chunk), lambda data, chunk: decode_chunk(data).reshape(
        chunk.shape
    )


def codecs() -> dict[str, Codec]:
    """Encoders and decoders of chunks by name."""
    zstd = Blosc("zstd", 9, Blosc.BITSHUFFLE)
    jpegxl = (
        lambda a: imagecodecs.jpegxl_encode(a, lossless=True, effort=7),
        imagecodecs.jpegxl_decode,
    )
    jpeg2000 = (
        lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True),
        imagecodecs.jpeg2k_decode,
    )
    return {
        "Blosc-zstd, bits shuffled": (
            zstd.encode,
            lambda data, chunk: np.frombuffer(zstd.decode(data), chunk.dtype).reshape(chunk.shape),
        ),
        "JPEG 2000": plane_by_plane(*jpeg2000),
        "JPEG XL e7": plane_by_plane(*jpegxl),
        "JPEG XL e7, three planes as colours": three_by_three(*jpegxl),
        "bbans, fast": ours("fast"),
        "bbans": ours("default"),
    }


def measure(codec: Codec, stack: Array) -> dict[str, float]:
    """Ratio and speed on a stack, chunk by chunk; every chunk is decoded and compared."""
    encode, decode = codec
    chunks = [np.ascontiguousarray(stack[i : i + PLANES]) for i in range(0, len(stack), PLANES)]
    decode(encode(chunks[0]), chunks[0])
    size, encoding, decoding = 0, 0.0, 0.0
    for chunk in chunks:
        started = time.perf_counter()
        coded = encode(chunk)
        middle = time.perf_counter()
        back = decode(coded, chunk)
        encoding, decoding = encoding + middle - started, decoding + time.perf_counter() - middle
        if back.dtype != chunk.dtype or not np.array_equal(back, chunk):
            raise SystemExit("a chunk did not come back")
        size += sum(map(len, coded)) if isinstance(coded, list) else len(coded)
    return {
        "bytes": size,
        "ratio": stack.nbytes / size,
        "encode_mbs": stack.nbytes / encoding / 1e6,
        "decode_mbs": stack.nbytes / decoding / 1e6,
    }


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--mri",
        type=Path,
        help="a NIfTI file of unsigned samples; 24 planes from the 60th are taken",
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    blosc.set_nthreads(1)
    started = time.time()
    stacks = {"microscopy": microscopy()}
    if arguments.mri:
        stacks["mri"] = nifti(arguments.mri)[MRI_FIRST : MRI_FIRST + 2 * PLANES]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    results: dict[str, Any] = {"published": {}, "measured": {}, "seed": SEED, "commit": commit}
    results["machine"] = (
        f"{os.cpu_count()} cores, {platform.machine()}, one thread, Python "
        f"{platform.python_version()}"
    )
    results["stacks"] = {
        name: {"shape": stack.shape, "dtype": stack.dtype.name} for name, stack in stacks.items()
    }
    for name, codec in codecs().items():
        row = results["measured"][name] = {s: measure(codec, stack) for s, stack in stacks.items()}
        said = (
            f"{s} {m['ratio']:.3f}, {m['encode_mbs']:.2f} and {m['decode_mbs']:.2f} MB/s"
            for s, m in row.items()
        )
        print(f"{name:36}", *said, flush=True)
    results["seconds"] = time.time() - started
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
