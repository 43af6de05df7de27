"""Drawn images against lossless WebP: generated icons and screenshots, or the PNG files of a
folder.

python benchmarks/graphics.py --json benchmarks/results/graphics.json
python benchmarks/graphics.py my-screenshots/
"""

import argparse
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import bbans

Pixels = NDArray[np.uint8]
OVERSAMPLING = 4
ICONS = (16, 24, 32, 48, 64, 72, 96, 128, 136, 160)
SCREENS = ((320, 200), (640, 360), (1024, 640))


def icon(side: int, seed: int) -> Pixels:
    """Overlapping shapes with smooth edges and transparent surroundings, as emoji have: RGBA."""
    rng = random.Random(f"icon {side} {seed}")
    large = side * OVERSAMPLING
    canvas = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    draw = ImageDraw.Draw(canvas)
    for _ in range(rng.randint(3, 9)):
        colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256), 255)
        x, y = rng.randint(0, large // 2), rng.randint(0, large // 2)
        box = (x, y, x + rng.randint(side, large // 2), y + rng.randint(side, large // 2))
        rng.choice((draw.ellipse, draw.rectangle))(box, fill=colour)
    return np.asarray(canvas.resize((side, side), Image.Resampling.LANCZOS))


def screen(width: int, height: int, seed: int) -> Pixels:
    """Windows with frames, title bars with gradients, and lines of text with smooth edges: RGB."""
    rng = random.Random(f"screen {width} {seed}")
    canvas = Image.new("RGB", (width, height), tuple(rng.randrange(160, 256) for _ in range(3)))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(12)
    for _ in range(4):
        x, y = rng.randint(0, width // 2), rng.randint(0, height // 2)
        right, bottom = x + width * 2 // 5, y + height * 2 // 5
        draw.rectangle((x, y, right, bottom), fill=(250, 250, 252), outline=(90, 90, 100))
        for i in range(18):
            draw.line(
                (x + 1, y + 1 + i, right - 1, y + 1 + i), fill=(60 + 3 * i, 90 + 4 * i, 170 + 2 * i)
            )
        for line in range(y + 24, bottom - 14, 15):
            words = " ".join(
                "".join(rng.choice("aeiourstlnmdkp") for _ in range(rng.randint(1, 9)))
                for _ in range(width // 100)
            )
            draw.text((x + 6, line), words, fill=(20, 20, 30), font=font)
    return np.asarray(canvas)


def generated(seeds: int) -> Iterator[tuple[str, Pixels]]:
    """Named images; the text needs Pillow's FreeType, which its wheels have."""
    for seed in range(seeds):
        yield from ((f"icon {side} {seed}", icon(side, seed)) for side in ICONS)
        yield from ((f"screen {w} x {h} {seed}", screen(w, h, seed)) for w, h in SCREENS)


def opened(folder: Path) -> Iterator[tuple[str, Pixels]]:
    """The folder's PNG files of 8-bit grey, RGB and RGBA, and palettes as what they stand for."""
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            mode = "RGBA" if "A" in image.mode or "transparency" in image.info else "RGB"
            yield path.name, np.asarray(image.convert(mode))


def webp_bytes(pixels: Pixels) -> int:
    """Lossless WebP at its best: method 6, quality 100, colour under transparent pixels kept."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, exact=True, method=6, quality=100)
    return len(buffer.getvalue())


def compare(images: Iterator[tuple[str, Pixels]]) -> list[dict[str, object]]:
    """Bytes of both for each image."""
    return [
        {
            "name": name,
            "bbans": len(bbans.compress(pixels, verify=False)),
            "webp": webp_bytes(pixels),
            "raw": pixels.nbytes,
        }
        for name, pixels in images
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = compare(opened(options.folder) if options.folder else generated(options.seeds))
    ratios = {str(row["name"]): row["bbans"] / row["webp"] for row in rows}  # type: ignore[operator]
    worst = sorted(ratios, key=lambda name: -ratios[name])
    for name in worst[:8]:
        print(f"{ratios[name]:.4f}  {name}")
    ours, theirs = (sum(int(str(row[key])) for row in rows) for key in ("bbans", "webp"))
    print(
        f"{len(rows)} images: {ours} bytes, WebP {theirs}: {ours / theirs:.4f}; largest ratio "
        f"{max(ratios.values()):.4f}"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"images": rows, "largest_ratio": max(ratios.values())}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
