"""Parts that other libraries code: JPEG XL, WebP and LZMA, whichever is shortest."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from bbans.container.part_records import TilePart
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_codecs import JPEGXL, LZMA, WEBP
from bbans.container.tile_grid import to_raw
from bbans.tiles.codec import Samples
from bbans.tiles.codecs import jpegxl as jxl
from bbans.tiles.codecs.lzma import encode_lzma
from bbans.tiles.codecs.webp import (
    HIGH_EFFORT,
    LOW_EFFORT,
    MIDDLE_EFFORT,
    WEBP_SIDE,
    encode_webp,
)

REPETITIVE = 2.0
"""Bits of a sample, by JPEG XL, below which LZMA is tried: it finds distant repetitions."""
SHORT, HIGH_PIXELS = 2**12, 2**18
"""JPEG XL's high effort is tried where the other makes fewer than SHORT bytes of up to HIGH_PIXELS
pixels: there it is quick, and a few bytes are a large share.
"""
FAR = 1.15
"""JPEG XL's first effort is this much longer than the model, of samples of more than REPETITIVE
bits, where no library is tried further: its high effort saves up to 4 % of small photographs, and
WebP is as far off.
"""
WEBP_CLOSE = 1.03
"""WebP's high effort, which saves up to 4 %, is tried where the others are at most this much
shorter than its middle effort.
"""
WEBP_NOISY = 4.0
"""Bits of a sample above which WebP's high effort is not tried: on noise it takes 100 s a megapixel
and saves at most 2.5 %.
"""
WEBP_SAVINGS = 0.04, 0.015
"""What WebP's higher efforts save of its lowest at most: up to REPETITIVE bits a sample, above."""
WEBP_HIGH_PIXELS = 2**19
"""Most pixels of a tile for WebP's high effort, which takes 10 to 60 s a megapixel."""


def by_libraries(
    samples: Samples,
    pixel_format: PixelFormat,
    thorough: bool,
    limit: int | None = None,
    tried: Collection[int] = (JPEGXL, WEBP),
) -> TilePart:
    """Code all channels of samples `(h, w, channels)` by the library that codes them shortest.

    thorough: also with high efforts, and with LZMA, which take ten times as long. limit: bytes of
    another coding; what cannot become shorter is not tried. tried: JPEGXL, WEBP or both; JPEG XL
    takes the place of a WebP that cannot hold the samples.

    Examples:
        >>> from bbans.container import FORMATS
        >>> samples = np.eye(64, dtype=np.uint8)[:, :, None]
        >>> by_libraries(samples, FORMATS[0], thorough=False).channels
        1
    """
    channels, depth = samples.shape[2], pixel_format.bit_depth
    pixels = samples.shape[0] * samples.shape[1]
    fits_webp = depth <= 8 and max(samples.shape[:2]) <= WEBP_SIDE
    coded: list[tuple[int, bytes]] = []
    if JPEGXL in tried or not fits_webp:
        jpegxl = jxl.encode_jpegxl(samples)
        far = limit is not None and len(jpegxl) > FAR * limit
        if far and 8 * len(jpegxl) >= REPETITIVE * samples.size:
            return TilePart(JPEGXL, channels, jpegxl)
        if thorough or (len(jpegxl) < SHORT and pixels <= HIGH_PIXELS):
            jpegxl = min(jxl.encode_jpegxl(samples, jxl.HIGH_EFFORT), jpegxl, key=len)
        coded.append((JPEGXL, jpegxl))
        if thorough or 8 * len(jpegxl) < REPETITIVE * samples.size:
            coded.append((LZMA, encode_lzma(to_raw(samples, depth), channels * max(1, depth // 8))))
    if WEBP in tried and fits_webp:
        plain = samples.astype(np.uint8)
        webp = encode_webp(plain, (LOW_EFFORT,))
        saving = WEBP_SAVINGS[8 * len(webp) > REPETITIVE * samples.size]
        if limit is None or len(webp) * (1 - saving) < limit:
            webp = min(encode_webp(plain, (MIDDLE_EFFORT,)), webp, key=len)
            others = min(map(len, dict(coded).values()), default=len(webp))
            high = len(webp) <= WEBP_CLOSE * others and pixels <= WEBP_HIGH_PIXELS
            noisy = 8 * len(webp) > WEBP_NOISY * samples.size
            hopeless = limit is not None and len(webp) * (1 - saving) >= limit
            if (thorough or high) and not (noisy or hopeless):
                webp = min(encode_webp(plain, (HIGH_EFFORT,)), webp, key=len)
        coded.insert(0, (WEBP, webp))  # taken where others are equally short
    codec, payload = min(coded, key=lambda candidate: len(candidate[1]))
    return TilePart(codec, channels, payload)
