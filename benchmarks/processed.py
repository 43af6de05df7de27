"""One photograph as people's tools leave it, and images made from scratch: samples of which many
values never occur, dithers, mosaics, masks, planes, pages.
"""

import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "tea-gardens.png"
PAPER, INK, SCREEN, LIGHT = (235,) * 3, (20,) * 3, (30, 30, 34), (200, 200, 210)


def bayer(side: int) -> NDArray[np.int64]:
    """Bayer's matrix of thresholds, 0 to side^2 - 1."""
    matrix = np.zeros((1, 1), np.int64)
    while len(matrix) < side:
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return matrix


def halftone(grey: Pixels, side: int) -> Pixels:
    """Black and white by ordered dither."""
    thresholds = (bayer(side) + 0.5) * 256 / side**2
    h, w = grey.shape
    return np.where(
        grey > np.tile(thresholds, (-(-h // side), -(-w // side)))[:h, :w], 255, 0
    ).astype(np.uint8)


def mosaic(rgb: Pixels) -> Pixels:
    """What a sensor behind a red, green, green, blue filter sees."""
    seen = rgb[:, :, 1].copy()
    seen[::2, ::2], seen[1::2, 1::2] = rgb[::2, ::2, 0], rgb[1::2, 1::2, 2]
    return seen


def twelve_bits(values: Pixels, rng: np.random.Generator) -> Pixels:
    """8-bit values as a sensor of 12 bits sees them, with its noise."""
    noisy = values.astype(float) * 16 + rng.normal(0, 6, values.shape)
    return np.clip(noisy, 0, 4095).astype(np.uint16)


def text(
    size: tuple[int, int], lines: int, paper: tuple[int, ...], ink: tuple[int, ...]
) -> Image.Image:
    """Lines of words of random letters with smooth edges."""
    page, rng = Image.new("RGB", size, paper), random.Random(1)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for line in range(lines):
        words = ("".join(rng.choices("aeiourstlnmdkp", k=rng.randint(1, 9))) for _ in range(12))
        draw.text((20, 12 + 18 * line), " ".join(words), fill=ink, font=font)
    return page


def spheres(side: int, rng: np.random.Generator) -> Pixels:
    """A render with smooth shading on black."""
    y, x = np.mgrid[:side, :side]
    image = np.zeros((side, side, 3))
    for _ in range(8):
        cx, cy, radius = *rng.integers(30, side - 30, 2), 20 + rng.integers(40)
        inside = 1 - ((x - cx) ** 2 + (y - cy) ** 2) / radius**2
        shade = np.clip(0.7 * np.sqrt(np.clip(inside, 0, 1)) + 0.5 * (x - cx) / radius, 0, 1)
        colour = (0.2 + 0.8 * shade)[..., None] * rng.random(3) * 255
        image = np.where((inside > 0)[..., None], colour, image)
    return np.clip(image, 0, 255).astype(np.uint8)


def labels(side: int, rng: np.random.Generator) -> Pixels:
    """Discs with a number each, as segmentation makes them."""
    y, x = np.mgrid[:side, :side]
    image = np.zeros((side, side), np.uint8)
    for number in range(1, 31):
        cx, cy, radius = *rng.integers(0, side, 2), rng.integers(5, 40)
        image[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = number
    return image


def from_a_photograph(rng: np.random.Generator) -> dict[str, Pixels]:
    """A crop of 320 x 240."""
    with Image.open(SAMPLE) as opened:
        crop = opened.convert("RGB").crop((100, 100, 420, 340))
    grey = crop.convert("L")
    rgb, levels = np.asarray(crop), np.asarray(grey)
    dither, none = Image.Dither.FLOYDSTEINBERG, Image.Dither.NONE
    two = np.asarray(grey.convert("1").convert("L"))
    few = Image.new("P", (1, 1))
    few.putpalette([17 * k for k in range(16) for _ in range(3)])

    def of_colours(n: int, dithered: bool) -> Pixels:
        found = crop.quantize(n, palette=crop.quantize(n), dither=dither if dithered else none)
        return np.asarray(found.convert("RGB"))

    return {
        "8 bits in 16, times 257": rgb.astype(np.uint16) * 257,
        "8 bits in 16, shifted": rgb.astype(np.uint16) << 8,
        "8 bits in 16, grey": levels.astype(np.uint16) * 257,
        "Floyd-Steinberg, grey": two,
        "Floyd-Steinberg, RGB": np.dstack([two] * 3),
        "halftone 4 x 4": halftone(levels, 4),
        "halftone 8 x 8": halftone(levels, 8),
        "16 greys, dithered": np.asarray(crop.quantize(palette=few, dither=dither).convert("L")),
        "64 colours": of_colours(64, dithered=False),
        "64 colours, dithered": of_colours(64, dithered=True),
        "256 colours": of_colours(256, dithered=False),
        "256 colours, dithered": of_colours(256, dithered=True),
        "64 levels": levels >> 2 << 2,
        "contrast doubled": np.clip((levels.astype(int) - 64) * 2, 0, 255).astype(np.uint8),
        "4 bits a channel": rgb >> 4 << 4,
        "5 bits a channel": rgb >> 3 << 3,
        "pixels doubled": rgb[:120, :160].repeat(2, 0).repeat(2, 1),
        "mosaic, 8 bits": mosaic(rgb),
        "mosaic, 12 bits": twelve_bits(mosaic(rgb), rng),
        "12 bits": twelve_bits(levels, rng),
        "12 bits, shifted by 4": twelve_bits(levels, rng) << 4,
        "disparity times 256": (levels.astype(np.uint16) * 200 // 255) << 8,
        **of_a_scanner(levels, rng),
    }


def of_a_scanner(levels: Pixels, rng: np.random.Generator) -> dict[str, Pixels]:
    """CT numbers below zero and a padding value, in a disc."""
    ct = (levels.astype(int) * 8 + rng.normal(0, 4, levels.shape) - 700).astype(np.int16)
    y, x = np.mgrid[: len(ct), : ct.shape[1]]
    outside = (x - 160) ** 2 + (y - 120) ** 2 > 115**2
    padded = np.where(outside, 63536, np.clip(ct.astype(int) + 1024, 0, 4095))
    return {"CT, wrapped": ct.astype(np.uint16), "CT, padded": padded.astype(np.uint16)}


def from_scratch(rng: np.random.Generator) -> dict[str, Pixels]:
    """Planes, pages, renders, maps, noise, most of them of 256 x 256."""
    y, x = np.mgrid[:256, :256]
    plane = (800 + 5 * x + 3 * y).astype(np.uint16)
    page = text((640, 800), 26, PAPER, INK)
    scan = np.asarray(page.convert("L"))[:480] + rng.normal(0, 2.5, (480, 640))
    with Image.open(SAMPLE) as opened:
        page.paste(opened.convert("RGB").crop((100, 100, 400, 380)), (160, 500))
    map_of_labels = labels(256, rng)
    return {
        "gradient": np.dstack([x, y, (x + y) // 2]).astype(np.uint8),
        "plane of 16 bits": plane,
        "plane with holes": np.where(rng.random(plane.shape) < 0.05, 0, plane).astype(np.uint16),
        "text and a photograph": np.asarray(page),
        "dark text": np.asarray(text((640, 400), 20, SCREEN, LIGHT)),
        "scanned page": np.clip(scan, 0, 255).astype(np.uint8),
        "shaded render": spheres(256, rng),
        "slide background": (240 + rng.integers(-1, 2, (256, 256, 3))).astype(np.uint8),
        "label map": map_of_labels,
        "label map, 16 bits": map_of_labels.astype(np.uint16) * 1000,
        "mask": np.where(map_of_labels > 0, 255, 0).astype(np.uint8),
        "noise of 1 bit": (rng.integers(0, 2, (256, 256)) * 255).astype(np.uint8),
    }


def processed() -> dict[str, Pixels]:
    """All images by name."""
    rng = np.random.default_rng(0)
    return from_a_photograph(rng) | from_scratch(rng)
