"""Make golden files that are not there yet.

Those that are there change only with the format version; another model gets files of its own.

python tests/frozen/make.py
"""

import hashlib
import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import bbans
from bbans import images
from bbans.images.formats.tiff_stack import tiff_stack
from bbans.images.page import Layout, Page, grey_images
from bbans.tiles.transforms import ycc_lattice

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def pictures() -> dict[str, images.Image]:
    """Photographs with metadata, grey, of 16 bits, with alpha, for the fixed predictor; a drawing,
    a palette, a plain area, noise; signed samples, samples of 12 bits, truth values, premultiplied
    alpha.
    """
    with Image.open(ROOT / "samples" / "tea-gardens.png") as opened:
        photo = np.asarray(opened.convert("RGB"))
    note = images.PngChunk("tEXt", b"Comment\0golden")
    fade = (np.add.outer(np.arange(100), np.arange(101)) % 256).astype(np.uint8)
    green = photo[210:340, 110:260, 1].astype(np.uint16)
    deep = (green[1:, 1:] + green[:-1, 1:]) * 61 + (green[1:, :-1] + green[:-1, :-1]) * 53 + 300
    drawing = np.zeros((150, 200, 3), np.uint8)
    drawing[20:90, 30:160] = (250, 130, 20)
    drawing[50:140:3, 90:180] = (0, 90, 200)
    crop = photo[240:340, 300:420].astype(np.int32)
    chroma = crop - crop[:, :, 1:2]  # original in odd rows and even columns, interpolated elsewhere
    chroma[2::2] = (chroma[1:-1:2] + chroma[3::2]) >> 1
    chroma[:, 1:-1:2] = (chroma[:, :-2:2] + chroma[:, 2::2]) >> 1
    halved = np.clip(chroma + crop[:, :, 1:2], 0, 255).astype(np.uint8)
    mosaic = np.ascontiguousarray(photo[260:360, 120:260, 1])
    mosaic[::2, ::2], mosaic[1::2, 1::2] = (
        photo[260:360:2, 120:260:2, 0],
        photo[261:360:2, 121:260:2, 2],
    )
    y, x = np.mgrid[:90, :110]
    noise = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return {
        "photo": images.from_array(photo[200:360, 100:324], (note,)),
        "grey": images.from_array(np.ascontiguousarray(photo[301:400, 50:181, 1])),
        "fixed": images.from_array(photo[40:137, 260:419]),
        "deep": images.from_array(deep),
        "alpha": images.from_array(np.dstack([photo[60:160, 30:131], fade])),
        "drawing": images.from_array(drawing),
        "deep-drawing": images.from_array(drawing.astype(np.uint16) * 257),
        "palette": images.make_image(
            drawing[:, :, 0] // 64, (images.PngChunk("PLTE", bytes(range(12))),), 2, True
        ),
        "plain": images.from_array(np.full((30, 50, 4), 7, np.uint16)),
        "photo-2": images.from_array(photo[380:500, 400:560]),
        "photo-fast-1": images.from_array(photo[20:140, 200:350]),
        "turned": images.from_array(halved),
        "jpeg": images.from_array(on_lattice(photo[100:230, 330:440], ycc_lattice.JPEG)),
        "photo-ycc": images.from_array(on_lattice(photo[333:420, 222:350], ycc_lattice.PHOTO_YCC)),
        "stored": images.from_array(noise),
        "wide": images.from_array(photo[100:228, 100:228].astype(np.uint16) * 257),
        "mosaic": images.from_array(mosaic),
        "merged": images.from_array(
            np.dstack([photo[300:420, 60:190, 1].astype(np.uint16) * 257] * 3)
        ),
        "gradient": images.from_array(np.dstack([x, y, (x + y) // 2]).astype(np.uint8)),
        "doubled": images.from_array(photo[80:130, 20:90].repeat(2, 0).repeat(2, 1)),
        "tagged": tagged(photo[120:160, 80:130, 1]),
        "signed": images.from_array(
            deep[:60, :70].astype(np.int32).astype(np.int16) - 20000, (note,)
        ),
        "twelve-bits": images.make_image(
            (deep[20:90, :60] >> 4).astype(np.uint16),
            (),
            16,
            samples=images.SampleKind(largest=4095),
        ),
        "boolean": images.from_array(photo[210:260, 110:180, 1] > 102),
        "premultiplied": images.make_image(
            np.dstack([photo[60:100, 30:70] // 2, fade[:40, :40] | 128]),
            samples=images.SampleKind(last_channel="premultiplied"),
        ),
    }


def tagged(pixels: np.ndarray) -> images.Image:
    """A grey image as if from a little-endian TIFF: a description, a resolution without a unit, a
    profile that is in a PNG chunk too, a place on Earth, EXIF; white was zero.
    """
    profile = bytes(range(200))
    tags = (
        images.TiffTag(262, 3, 1, bytes(2)),
        images.TiffTag(270, 2, 9, b"tea tree\0"),
        images.TiffTag(282, 5, 1, struct.pack("<II", 37, 10)),
        images.TiffTag(296, 3, 1, b"\1\0"),
        images.TiffTag(33550, 12, 3, struct.pack("<3d", 10.0, 10.0, 0.0)),
        images.TiffTag(34665, 0, directory=(images.TiffTag(36864, 7, 4, b"0231"),)),
        images.TiffTag(34675, 7, 200, profile),
    )
    chunk = images.PngChunk("iCCP", b"golden\0\0" + zlib.compress(profile, 0))
    image = images.make_image(np.ascontiguousarray(pixels), (chunk,))
    return replace(image, tiff=images.TiffTags(False, tags))


def stack() -> bytes:
    """A TIFF of three pages: grey, colours, and five bands stored one after the other."""
    with Image.open(ROOT / "samples" / "tea-gardens.png") as opened:
        photo = np.asarray(opened.convert("RGB"))
    bands = np.concatenate([photo[100:130, 100:140], photo[101:131, 101:141, :2]], axis=2)
    parts = images.from_array(np.ascontiguousarray(bands[..., :3])), *grey_images(bands[..., 3:], 8)
    pages = [
        Page((tagged(photo[10:50, 10:60, 1]),)),
        Page((images.from_array(photo[50:80, 10:60]),)),
        Page(parts, Layout(5, 2, True, (0, 0))),
    ]
    return b"".join(tiff_stack(iter(pages), len(pages), 0))


def on_lattice(rgb: np.ndarray, number: int) -> np.ndarray:
    """A photograph as if it had been stored as 8-bit luma and chroma; three pixels are
    exceptions.
    """
    red, green, blue = (rgb[:, :, i].astype(np.int64) for i in range(3))
    luma = (19595 * red + 38470 * green + 7471 * blue) >> (
        17 if number == ycc_lattice.PHOTO_YCC else 16
    )
    found = ycc_lattice.to_rgb(
        np.stack([luma + (red - green) // 4, luma, luma + (blue - green) // 4], -1) & 255, number
    )
    found[[0, 50, 50], [7, 0, 1]] = (1, 2, 3), (250, 3, 4), (77, 78, 99)
    return found


def model_of(name: str) -> str:
    """The model that a golden file is made with: by its own name, since the default may be another
    one day.
    """
    of_photo_2 = ("photo-2", "wide", "mosaic", "merged", "gradient", "doubled")
    modelless = ("fixed", "tagged", "signed", "twelve-bits", "boolean", "premultiplied")
    named = dict.fromkeys(of_photo_2, "photo-2") | dict.fromkeys(modelless, "none")
    return (named | {"photo-fast-1": "photo-fast-1"}).get(name, "photo-1")


MODEL_ONLY = ("fixed", "photo", "photo-2", "photo-fast-1", "signed", "twelve-bits")
"""Files that are made with `model_only`: made before there was JPEG XL, which is shorter."""
DECODED_ONLY = ("deep-drawing",)
"""Files whose images the encoder codes otherwise, and shorter, since there are transforms."""


def pixel_hash(pixels: np.ndarray) -> str:
    """SHA-256 of shape and samples."""
    return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def main() -> None:
    """Write the files and their hashes."""
    listed = HERE / "hashes.json"
    hashes = json.loads(listed.read_text()) if listed.exists() else {}
    for name, picture in pictures().items():
        if (HERE / f"{name}.bbans").exists():
            continue
        data = bbans.compress(picture, model=model_of(name), model_only=name in MODEL_ONLY)
        (HERE / f"{name}.bbans").write_bytes(data)
        hashes[name] = {
            "pixels": pixel_hash(picture.pixels),
            "file": hashlib.sha256(data).hexdigest(),
        }
    if not (HERE / "stack.bbar").exists():
        bbans.compress_stack(stack(), HERE / "stack.bbar", model="none")
    listed.write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
