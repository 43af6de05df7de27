"""The interface of a tile codec: `TileCodec`, a row of the table in `tiles.registry`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bbans.container.part_records import TilePart
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_codecs import CodecFormat
from bbans.schemes.metering import Account, Symbols, Watch
from bbans.tiles.bit_map import Costs, spread_evenly
from bbans.tiles.context import Context

Samples = NDArray[Any]
"""Samples of any unsigned type, `(h, w)` or `(h, w, channels)`."""


@dataclass(frozen=True)
class Place:
    """Context of a part besides its bytes: the tile's shape `(h, w)`, the pixel format, and the
    models.
    """

    shape: tuple[int, int]
    pixel_format: PixelFormat
    context: Context


Decode = Callable[[TilePart, Place, "Watch | None", bool], tuple[Samples, Account]]
Preview = Callable[[TilePart, Place, int], Samples]
IdealBits = Callable[[TilePart, Samples, Place, int], float]
Map = Callable[[TilePart, Sequence[Symbols], Account, Place], Costs]
Offer = Callable[[Samples, Place], "TilePart | None"]
"""Codes all channels of a tile, or returns None."""


def all_that_it_takes(part: TilePart, samples: Samples, place: Place, draws: int) -> float:
    """Return the bits of the payload: the ideal code length of a codec without a model.

    Examples:
        >>> import numpy as np
        >>> from bbans.container import FORMATS, STORED
        >>> samples = np.zeros((1, 3, 1), np.uint8)
        >>> place = Place((1, 3), FORMATS[0], Context())
        >>> all_that_it_takes(TilePart(STORED, 1, bytes(3)), samples, place, draws=1)
        24.0
    """
    return 8.0 * len(part.payload)


@dataclass(frozen=True)
class TileCodec:
    """A codec of some channels of a tile.

    decode: `(part, place, watch, accounted)` -> samples `(h, w, channels)` and the account of the
    payload in bits. The account may be empty unless `accounted`; `watch` receives the bits of every
    symbol. Raises FormatError or UnderflowError on damaged data.

    preview: `(part, place, level)` -> every 2^level-th row and column; None: the whole part is
    decoded and subsampled.

    ideal_bits: `(part, samples, place, draws)` -> expected bits of the payload under the exact
    model.

    map: `(part, symbols, account, place)` -> bits of every pixel; None: spread evenly.

    offer: `(samples, place)` -> a part for all channels of a tile `(h, w, channels)`, which is used
    where it is the shortest, or None. Without this function the codec is only tried where the
    encoder names it.
    """

    format: CodecFormat
    decode: Decode
    preview: Preview | None = None
    ideal_bits: IdealBits = all_that_it_takes
    map: Map | None = None
    offer: Offer | None = None

    @property
    def watched(self) -> bool:
        """Return whether the decoder reports the bits of its symbols."""
        return self.map is not None

    def costs(
        self, part: TilePart, symbols: Sequence[Symbols], account: Account, place: Place
    ) -> Costs:
        """Return the bits of every pixel, from the symbols and the account of a decoded part."""
        if self.map is None:
            return spread_evenly(self.format.name, account.likelihood, place.shape)
        return self.map(part, symbols, account, place)
