"""Row: Fashion-MNIST as a catalogue: an archive of its 10,000 test images beside other codecs, on
one mosaic of them and file by file.

python -m benchmarks.tables.fashion --model best-fashion.safetensors python -m
benchmarks.tables.fashion --others            only what the other codecs make, about five minutes;
kept in the JSON
"""

import io
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

import bbans
from benchmarks.tables import rows, sets
from benchmarks.tables.sets import Pixels

NAME, MODEL = "fashion", "best-fashion.safetensors"
TARGETS = {"under_best_mosaic": 0.15, "under_jpeg_xl_files": 0.40}
JPEG_XL = ("JPEG XL e7", "JPEG XL e9")

Codec = tuple[Callable[[Pixels], bytes], Callable[[bytes], Pixels]]


def webp(pixels: Pixels) -> bytes:
    """Lossless WebP at its slowest.

    It has no grey kind: three equal channels cost next to nothing.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(
        buffer, "WEBP", lossless=True, quality=100, method=6
    )
    return buffer.getvalue()


def from_webp(data: bytes) -> Pixels:
    """Its first channel, once the others are found to equal it."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def jpeg_xl(effort: int) -> Codec:
    """Lossless JPEG XL."""
    return lambda pixels: imagecodecs.jpegxl_encode(
        pixels, lossless=True, effort=effort
    ), imagecodecs.jpegxl_decode


CODECS: dict[str, Codec] = {
    "PNG": (lambda pixels: imagecodecs.png_encode(pixels, level=9), imagecodecs.png_decode),
    "WebP": (webp, from_webp),
    "JPEG XL e7": jpeg_xl(7),
    "JPEG XL e9": jpeg_xl(9),
}


def mosaic(images: Pixels) -> Pixels:
    """N images side by side, in as square a grid as N allows, row by row."""
    n, h, w = images.shape
    across = next(k for k in range(int(n**0.5), 0, -1) if n % k == 0)
    return np.ascontiguousarray(
        images.reshape(n // across, across, h, w)
        .swapaxes(1, 2)
        .reshape(n // across * h, across * w)
    )


def size(codec: Codec, pixels: Pixels) -> int:
    """Bytes, once decoded and compared."""
    encode, decode = codec
    data = encode(pixels)
    if not np.array_equal(np.asarray(decode(data)).reshape(pixels.shape), pixels):
        raise SystemExit("an image did not come back")
    return len(data)


def others(images: Pixels) -> dict[str, dict[str, int]]:
    """Bytes of the mosaic, and of all files together, by codec."""
    whole = mosaic(images)
    found = {"mosaic": {name: size(codec, whole) for name, codec in CODECS.items()}}
    each = {name: [size(codec, image) for image in images] for name, codec in CODECS.items()}
    smaller = [min(pair) for pair in zip(*(each[name] for name in JPEG_XL), strict=True)]
    found["files"] = {name: sum(sizes) for name, sizes in {**each, "JPEG XL": smaller}.items()}
    return found


def main() -> None:
    """See the module's docstring."""
    parser = rows.parser(__doc__)
    parser.add_argument("--data", type=Path, default=sets.FASHION, help="the folder of the set")
    parser.add_argument("--model", type=Path)
    parser.add_argument(
        "--others", action="store_true", help="measure the other codecs again, and no model"
    )
    options = parser.parse_args()
    start = time.monotonic()
    images = sets.fashion_mnist(options.data)[: options.count]
    row = rows.saved(NAME, options.results)
    if options.others or row.get("images") != len(images):
        row = {
            **row,
            "data": "Fashion-MNIST",
            "images": len(images),
            "raw_bytes": images.size,
            "published": {},
            "target": TARGETS,
        }
        versions = {
            name: imagecodecs.version(dict)[name] for name in ("libjxl", "libwebp", "libpng")
        }
        row |= {"others": others(images), "others_versions": versions}
        row |= {"others_made": rows.circumstances(start)}
    model = options.model or options.models / MODEL
    if model.exists() and not options.others:
        measured = rows.measure(model, images, options.group, options.draws)
        measured["embedded_bytes"] = rows.archived(model, images, options.group, embed_model=True)
        row |= {
            "measured": measured,
            **rows.described(bbans.load_model(model), model),
            **rows.circumstances(start),
        }
    if "measured" in row:
        best, files = min(row["others"]["mosaic"].values()), row["others"]["files"]["JPEG XL"]
        for kind, used in (("archive", "archive_bytes"), ("embedded", "embedded_bytes")):
            ours = row["measured"][used]
            row["measured"][f"{kind}_savings"] = {
                "under_best_mosaic": 1 - ours / best,
                "under_jpeg_xl_files": 1 - ours / files,
            }
    rows.save(NAME, row, options)


if __name__ == "__main__":
    main()
