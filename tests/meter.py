"""bits = sum of (precision - log2 freq) over intervals, kept by the name of a term: the exact cost
of each part of a coding scheme.

A push adds to its term and a pop subtracts from it, so that a bits-back encoder's terms read prior
+ likelihood - posterior. Their sum is the growth of the message, up to rANS's rounding
(2^(precision - 29) bits an interval at most, of either sign).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from bbans.coding.codec import Codec, Record, interval_codec
from bbans.coding.rans import Message, Precision, message_bits


def interval_bits(freqs: Any, precision: Precision) -> float:
    """Returns the sum of -log2(freq / 2^precision), in bits, computed in float64.

    `freqs` and `precision` are arrays of one shape, or scalars that apply to all intervals.

    Examples:
        >>> interval_bits([1, 4], precision=3)
        4.0
    """
    f, p = np.broadcast_arrays(np.asarray(freqs, np.float64), np.asarray(precision, np.float64))
    return float((p - np.log2(f)).sum())


@dataclass(frozen=True)
class Meter:
    """Code lengths in bits by the name of their term. An instance belongs to one run of a scheme.

    Examples:
        >>> meter = Meter()
        >>> meter.add("likelihood", [1, 1], precision=8)
        >>> meter.add("posterior", [4], precision=8, sign=-1)
        >>> dict(meter.terms), meter.total
        ({'likelihood': 16.0, 'posterior': -6.0}, 10.0)
    """

    _bits: dict[str, float] = field(default_factory=dict)

    @property
    def terms(self) -> Mapping[str, float]:
        """Net bits of each term, in the order of first use, as a read-only view."""
        return MappingProxyType(self._bits)

    @property
    def total(self) -> float:
        """Net bits of all terms together."""
        return sum(self._bits.values())

    def add(self, name: str, freqs: Any, precision: Precision, sign: int = 1) -> None:
        """Adds the code length of intervals to a term: with sign 1 when they are pushed, with -1
        when they are popped.
        """
        self.add_bits(name, sign * interval_bits(freqs, precision))

    def add_bits(self, name: str, bits: float) -> None:
        """Adds a code length in bits to a term."""
        self._bits[name] = self._bits.get(name, 0.0) + bits

    def term(self, name: str) -> Record:
        """Returns a `Record` for `interval_codec` that adds every coded interval to this term."""

        def record(freqs: Any, precision: Precision, sign: int) -> None:
            self.add(name, freqs, precision, sign)

        return record

    def interval_codec(
        self,
        name: str,
        interval: Callable[[Any], tuple[Any, Any]],
        symbol: Callable[[Any], tuple[Any, Any, Any]],
        precision: int,
    ) -> Codec:
        """Returns the codec of a distribution given by its intervals, as `codec.interval_codec`
        does, and adds every coded interval to this term.
        """
        return interval_codec(interval, symbol, precision, self.term(name))

    def growth(self, name: str, codec: Codec) -> Codec:
        """Wraps any codec and adds the growth of the message, in bits, to this term.

        This measures codecs whose intervals are not visible, and includes rANS's rounding.
        """

        def push_metered(message: Message, x: Any) -> tuple[Message]:
            before = message_bits(message)
            (message,) = codec.push(message, x)
            self.add_bits(name, message_bits(message) - before)
            return (message,)

        def pop_metered(message: Message) -> tuple[Message, Any]:
            before = message_bits(message)
            message, x = codec.pop(message)
            self.add_bits(name, message_bits(message) - before)
            return message, x

        return Codec(push_metered, pop_metered)
