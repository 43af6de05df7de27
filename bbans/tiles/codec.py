"""What a tile codec is: a row of the table of `tiles.registry`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bbans.container.file_records import TilePart
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_codecs import CodecFormat
from bbans.schemes.metering import Account, Symbols, Watch
from bbans.tiles.bit_map import Costs, spread_evenly
from bbans.tiles.context import Context

Samples = NDArray[Any]


@dataclass(frozen=True)
class Place:
    """What a part's coder knows besides the part: its tile's shape `(h, w)`, the pixel format, and
    the models at hand.
    """

    shape: tuple[int, int]
    pixel_format: PixelFormat
    context: Context


Decode = Callable[[TilePart, Place, "Watch | None", bool], tuple[Samples, Account]]
Preview = Callable[[TilePart, Place, int], Samples]
IdealBits = Callable[[TilePart, Samples, Place, int], float]
Map = Callable[[TilePart, Sequence[Symbols], Account, Place], Costs]
Offer = Callable[[Samples, Place], "TilePart | None"]


def all_that_it_takes(part: TilePart, samples: Samples, place: Place, draws: int) -> float:
    """Bits of the payload: the ideal of a codec without a model."""
    return 8.0 * len(part.payload)


@dataclass(frozen=True)
class TileCodec:
    """A codec of some channels of a tile, with all that is known of it.

    `decode(part, place, watch, accounted)`: samples `(h, w, channels)` and the account of the
    payload, which may be empty unless it is asked for; `watch` is told the bits of every symbol.
    Raises FormatError, UnderflowError on damage. `preview(part, place, level)`: every 2^level-th
    row and column; None: of all that is decoded. `ideal_bits(part, samples, place, draws)`: what
    the payload should take under the exact model. `map(part, symbols, account, place)`: bits of
    every pixel; None: spread evenly. `offer(samples, place)`: a part for all channels of a tile
    `(h, w, channels)`, which is taken where it is the shortest, or None; None: the encoder knows
    when it tries this codec.
    """

    format: CodecFormat
    decode: Decode
    preview: Preview | None = None
    ideal_bits: IdealBits = all_that_it_takes
    map: Map | None = None
    offer: Offer | None = None

    @property
    def watched(self) -> bool:
        """Whether its decoder tells the bits of symbols."""
        return self.map is not None

    def costs(
        self, part: TilePart, symbols: Sequence[Symbols], account: Account, place: Place
    ) -> Costs:
        """Bits of every pixel."""
        if self.map is None:
            return spread_evenly(self.format.name, account.likelihood, place.shape)
        return self.map(part, symbols, account, place)
