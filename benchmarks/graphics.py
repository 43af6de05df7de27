"""Images that are no photographs against the best of lossless WebP, JPEG XL and PNG: one photograph
as tools leave it, images from scratch, generated icons and screenshots; or the PNG files of a
folder.

python -m benchmarks.graphics --json benchmarks/results/graphics.json
python -m benchmarks.graphics my-screenshots/
"""

import argparse
import io
import json
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import bbans
from benchmarks.processed import Pixels, processed

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


def others(pixels: Pixels) -> dict[str, int]:
    """Bytes of JPEG XL at effort 7, PNG at level 9 with libpng's filters, and lossless WebP at
    method 6 and quality 100 with the colour under transparent pixels kept, which has no 16 bits.
    """
    found = {
        "jpegxl": len(
            imagecodecs.jpegxl_encode(pixels, lossless=True, effort=7, usecontainer=False)
        ),
        "png": len(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=9)),
    }
    if pixels.dtype == np.uint8:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(
            buffer, "WEBP", lossless=True, exact=True, method=6, quality=100
        )
        found["webp"] = len(buffer.getvalue())
    return found


def compare(images: Iterator[tuple[str, Pixels]]) -> list[dict[str, object]]:
    """Bytes of all for each image, and bbans' ratio to the best of the others."""
    rows = []
    for name, pixels in images:
        found, ours = others(pixels), len(bbans.compress(pixels, verify=False))
        ratio = round(ours / min(found.values()), 4)
        rows.append({"name": name, "bbans": ours, **found, "raw": pixels.nbytes, "ratio": ratio})
    return rows


def is_over(row: dict[str, Any]) -> bool:
    """Whether a file is more than 1 % and 16 bytes longer than the best of the others."""
    best = min(row[key] for key in ("jpegxl", "png", "webp") if key in row)
    return bool(row["bbans"] > 1.01 * best + 16)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    images = opened(options.folder) if options.folder else generated(options.seeds)
    if not options.folder:
        images = chain(processed().items(), images)
    rows = compare(images)
    for row in rows:
        sizes = "  ".join(
            f"{key} {row.get(key, '-'):>7}" for key in ("bbans", "jpegxl", "webp", "png")
        )
        print(f"{row['ratio']:6.3f} {'over' if is_over(row) else '    '}  {sizes}  {row['name']}")
    print(f"{len(rows)} images, {sum(map(is_over, rows))} over 1 % and 16 bytes")
    if options.json:
        options.json.write_text(json.dumps({"images": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
