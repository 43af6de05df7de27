"""The codecs of a tile as the format stores them: their numbers, the fields of an entry in the
table of contents, and the rules for them (`docs/format.md`).

What a codec computes is defined in `tiles.registry`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bbans.container.pixel_formats import PixelFormat

(
    STORED,
    BITS_BACK,
    FIXED,
    CONSTANT,
    WEBP,
    LZMA,
    CHAIN,
    PREPARED,
    CODED_CHAIN,
    JPEGXL,
    TRANSFORMED,
) = range(11)
MAX_NUMBER = 15  # a number takes four bits of an entry's first byte

PayloadBytes = Callable[[tuple[int, int], int, PixelFormat], int]


@dataclass(frozen=True)
class CodecFormat:
    """What the format stores of a codec of some channels of a tile.

    `number`: in a file, 0 to 15. `name`: for people. The next fields say what an entry contains, in
    this order: a latent precision (`latent_precision`); an orientation and a lattice (`prepared`);
    the range of the samples and the growth of the lanes (`predictive`, for 1 or 3 channels); a
    scheme (`coded`); a transform and the parts that code its result (`nests`). `latent_model`: a
    latent model of whole images codes all channels together.
    `max_bit_depth`: of samples that the codec can hold. `payload_bytes(shape, channels,
    pixel_format)`: the size of a payload, if the tile determines it.
    """

    number: int
    name: str
    latent_precision: bool = False
    prepared: bool = False
    predictive: bool = False
    latent_model: bool = False
    coded: bool = False
    nests: bool = False
    max_bit_depth: int = 16
    payload_bytes: PayloadBytes | None = None

    @property
    def modelled(self) -> bool:
        """Whether the header has to name a model."""
        return self.latent_precision or self.latent_model

    @property
    def in_lanes(self) -> bool:
        """Whether a payload is a message over lanes, whose length bounds the time of a decoder."""
        return self.predictive or self.latent_model


CODECS: dict[int, CodecFormat] = {}
"""The codecs by number, in the order of their numbers."""


def register_format(codec: CodecFormat) -> None:
    """Adds a codec to `CODECS`. Raises ValueError if its number is taken or exceeds four bits.

    Examples:
        >>> register_format(CodecFormat(16, "other"))
        Traceback (most recent call last):
        ...
        ValueError: tile codec 16: taken, or over 15; choose another
    """
    if codec.number in CODECS or not 0 <= codec.number <= MAX_NUMBER:
        raise ValueError(f"tile codec {codec.number}: taken, or over {MAX_NUMBER}; choose another")
    CODECS[codec.number] = codec


def _raw_bytes(shape: tuple[int, int], channels: int, pixel_format: PixelFormat) -> int:
    """Size of the payload of `STORED`: that of the raw pixels."""
    return pixel_format.raw_bytes(*shape, channels)


def _one_pixel(shape: tuple[int, int], channels: int, pixel_format: PixelFormat) -> int:
    """Size of the payload of `CONSTANT`: that of one pixel."""
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
    CodecFormat(JPEGXL, "JPEG XL lossless"),
    CodecFormat(TRANSFORMED, "transformed", nests=True),
):
    register_format(_codec)
