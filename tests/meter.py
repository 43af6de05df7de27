"""bits = sum of precision - log2 freq over intervals, by the name of the term: what each part of a
scheme costs, exactly.

A push adds to its term and a pop takes away, so that a bits-back encoder's terms read prior +
likelihood - posterior, and their sum is what the message grows by, up to rANS's rounding
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
    """Sum of -log2(freq / 2^precision) in float64, bits; arrays of one shape, or one frequency or
    precision for all.
    """
    f, p = np.broadcast_arrays(np.asarray(freqs, np.float64), np.asarray(precision, np.float64))
    return float((p - np.log2(f)).sum())


@dataclass(frozen=True)
class Meter:
    """Bits of named terms. An instance belongs to one run of a scheme, which passes it on."""

    _bits: dict[str, float] = field(default_factory=dict)

    @property
    def terms(self) -> Mapping[str, float]:
        """Net bits of each term, in the order of first use."""
        return MappingProxyType(self._bits)

    @property
    def total(self) -> float:
        """Net bits of all terms."""
        return sum(self._bits.values())

    def add(self, name: str, freqs: Any, precision: Precision, sign: int = 1) -> None:
        """Count intervals under a name: sign 1 when they are pushed, -1 when they are popped."""
        self.add_bits(name, sign * interval_bits(freqs, precision))

    def add_bits(self, name: str, bits: float) -> None:
        """Count bits that are known already."""
        self._bits[name] = self._bits.get(name, 0.0) + bits

    def term(self, name: str) -> Record:
        """What `interval_codec` takes as `record`, to count under this name."""

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
        """`codec.interval_codec` that counts under this name."""
        return interval_codec(interval, symbol, precision, self.term(name))

    def growth(self, name: str, codec: Codec) -> Codec:
        """Any codec, by how much the message's content grows: rANS's rounding and the laws of
        foreign codecs included.
        """

        def push_counted(message: Message, x: Any) -> tuple[Message]:
            before = message_bits(message)
            (message,) = codec.push(message, x)
            self.add_bits(name, message_bits(message) - before)
            return (message,)

        def pop_counted(message: Message) -> tuple[Message, Any]:
            before = message_bits(message)
            message, x = codec.pop(message)
            self.add_bits(name, message_bits(message) - before)
            return message, x

        return Codec(push_counted, pop_counted)
