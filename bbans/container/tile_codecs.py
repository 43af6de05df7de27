"""The table of tile codecs as the format knows them: their numbers, the fields that an entry of the
table of contents has, and the rules that these keep (`docs/format.md`).

What a codec does is in `tiles.registry`; here is what is written of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bbans.container.pixel_formats import PixelFormat

STORED, BITS_BACK, FIXED, CONSTANT, WEBP, LZMA, CHAIN, PREPARED, CODED_CHAIN = range(9)
MAX_NUMBER = 15  # a number has four bits of an entry's first byte

PayloadBytes = Callable[[tuple[int, int], int, PixelFormat], int]


@dataclass(frozen=True)
class CodecFormat:
    """A codec of some channels of a tile, as the format knows it.

    number: in a file's bytes. name: for people. Fields of an entry, in this order: a latent
    precision, an orientation and a lattice if `prepared`, the range of samples and the growth of
    the lanes if `predictive`, which codes 1 or 3 channels, and a scheme if `coded`. latent_model: a
    latent model of whole images codes it, all channels together. max_bit_depth: of samples that it
    holds. `payload_bytes(shape, channels, pixel_format)`: the size of a payload, where that is
    known.
    """

    number: int
    name: str
    latent_precision: bool = False
    prepared: bool = False
    predictive: bool = False
    latent_model: bool = False
    coded: bool = False
    max_bit_depth: int = 16
    payload_bytes: PayloadBytes | None = None

    @property
    def modelled(self) -> bool:
        """Whether the header has to name a model."""
        return self.latent_precision or self.latent_model

    @property
    def in_lanes(self) -> bool:
        """Whether a payload is a message of lanes, whose length bounds a decoder's time."""
        return self.predictive or self.latent_model


CODECS: dict[int, CodecFormat] = {}
"""The codecs by number, in the order of their numbers."""


def register_format(codec: CodecFormat) -> None:
    """Add a codec. Raises ValueError on a number that is taken or has more than four bits."""
    if codec.number in CODECS or not 0 <= codec.number <= MAX_NUMBER:
        raise ValueError(f"tile codec {codec.number}: taken, or over {MAX_NUMBER}; choose another")
    CODECS[codec.number] = codec


def _raw_bytes(shape: tuple[int, int], channels: int, pixel_format: PixelFormat) -> int:
    return pixel_format.raw_bytes(*shape, channels)


def _one_pixel(shape: tuple[int, int], channels: int, pixel_format: PixelFormat) -> int:
    return channels * (2 if pixel_format.bit_depth == 16 else 1)


for _codec in (
    CodecFormat(STORED, "stored", payload_bytes=_raw_bytes),
    CodecFormat(BITS_BACK, "bits-back", latent_precision=True, predictive=True),
    CodecFormat(FIXED, "fixed predictor", predictive=True),
    CodecFormat(CONSTANT, "constant", payload_bytes=_one_pixel),
    CodecFormat(WEBP, "WebP lossless", max_bit_depth=8),
    CodecFormat(LZMA, "LZMA"),
    CodecFormat(CHAIN, "latent chain", latent_model=True),
    CodecFormat(
        PREPARED, "bits-back, prepared", latent_precision=True, prepared=True, predictive=True
    ),
    CodecFormat(CODED_CHAIN, "latent chain, coded", latent_model=True, coded=True),
):
    register_format(_codec)
