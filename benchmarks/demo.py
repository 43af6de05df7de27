"""`make demo`: a sample photograph through the command line and back, and the sizes that other
lossless codecs make of its pixels.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

Pixels = NDArray[np.uint8]
SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "tea-gardens.png"


def main() -> int:
    """Print the table; 0 if the restored pixels are those of the sample."""
    original = read(SAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        compressed, restored = Path(folder, "photo.bbans"), Path(folder, "photo.png")
        # --strip: the others are given pixels only
        bbans("compress", "--strip", str(SAMPLE), "-o", str(compressed))
        bbans("decompress", str(compressed), "-o", str(restored))
        rows = [*others(original), ("bbans", compressed.stat().st_size)]
        identical = np.array_equal(read(restored), original)
    height, width, channels = original.shape
    print(f"{SAMPLE.name}: {width} x {height}, {original.nbytes:,} bytes of pixels\n")
    print(f"{'':22}{'bytes':>9}  {'bits/subpixel':>13}")
    for name, size in rows:
        print(f"{name:22}{size:>9,}  {8 * size / (height * width * channels):>13.3f}")
    print("\nidentical pixels" if identical else "\nthe restored pixels DIFFER from the original")
    return 0 if identical else 1


def others(pixels: Pixels) -> Iterator[tuple[str, int]]:
    """Name and file size of each other codec that is installed."""
    image = Image.fromarray(pixels)
    yield "PNG (level 9)", saved_bytes(image, "PNG", compress_level=9)
    if features.check("webp"):
        yield "WebP (method 6)", saved_bytes(image, "WEBP", lossless=True, quality=100, method=6)
    if importlib.util.find_spec("imagecodecs"):
        import imagecodecs

        yield "JPEG XL (effort 7)", len(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=7))


def saved_bytes(image: Image.Image, kind: str, **options: object) -> int:
    """Size of the file that Pillow makes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.tell()


def read(path: Path) -> Pixels:
    """Pixels of an RGB file, `(H, W, 3)`."""
    with Image.open(path) as image:
        return np.asarray(image)


def bbans(*arguments: str) -> None:
    """The command line in a process of its own. SystemExit with its code if it fails."""
    done = subprocess.run([sys.executable, "-m", "bbans_cli", *arguments], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
