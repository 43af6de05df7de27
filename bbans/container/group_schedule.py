"""The schedule of a chained group: in which batches, over how many lanes, and how its items are
coded.

The encoder records the schedule while it codes (`chained_group.encode`); the decoder reads it from
the archive. `check_schedule` bounds a decoder's memory and time before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from bbans.errors import FormatError

MAX_ITEMS = 2**16
RUNGS = (1, 8, 64, 512, 4096, 32768)
"""Numbers of lanes, as in `coding.blocks`."""
MAX_SAMPLES = 2**26
"""Largest number of samples of a group; bounds the decoder's memory."""
MAX_ROWS = 2**18
"""Largest number of rows of symbols of a group. A row has one symbol per lane and takes some 20 to
200 microseconds, so this bounds the decoder's time.
"""
MAX_STRETCHES = 255
MAX_BATCH = 256
"""Largest number of items of a batch; with MAX_BATCH_SAMPLES it bounds the memory of a network's
activations.
"""
MAX_BATCH_SAMPLES = 2**20

STARTERS, CHAINED, DRAWN = range(3)
"""Kinds of stretches: starters are coded with the default latents, chained items with the scheme.
Drawn items are coded with the scheme too, after the encoder has sampled which items of an unordered
group come next.
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of equal batches: `batches` batches of `batch` items each over `lanes` lanes, all of
    one `kind`.
    """

    batches: int
    batch: int
    lanes: int
    kind: int

    @property
    def items(self) -> int:
        """Return the number of items in all batches.

        Examples:
            >>> Stretch(batches=3, batch=4, lanes=1, kind=CHAINED).items
            12
        """
        return self.batches * self.batch


Schedule: TypeAlias = tuple[Stretch, ...]
"""Stretches in the order of pushing, which is the reverse of the order of decoding."""


def max_batch(dims: int) -> int:
    """Return the largest number of items of `dims` samples that are coded in one batch.

    Examples:
        >>> max_batch(784), max_batch(2**20)
        (256, 1)
    """
    return max(1, min(MAX_BATCH, MAX_BATCH_SAMPLES // dims))


def append_batch(schedule: list[Stretch], new: Stretch) -> list[Stretch]:
    """Return the schedule with one more batch, merged into the last stretch if that is like it.

    Examples:
        >>> append_batch([Stretch(1, 4, 1, CHAINED)], Stretch(1, 4, 1, CHAINED))
        [Stretch(batches=2, batch=4, lanes=1, kind=1)]
    """
    if schedule and _alike(schedule[-1], new):
        return [*schedule[:-1], replace(new, batches=schedule[-1].batches + 1)]
    return [*schedule, new]


def check_size(items: int, dims: int) -> None:
    """Raise FormatError unless a group may have `items` items of `dims` samples each.

    Examples:
        >>> check_size(10, 784)
    """
    if not 1 <= items <= MAX_ITEMS:
        raise FormatError(f"a group has 1 to {MAX_ITEMS} items; found {items}")
    if dims < 1 or items * dims > MAX_SAMPLES:
        raise FormatError(f"a group has up to {MAX_SAMPLES} samples; found {items} items of {dims}")


def check_schedule(
    schedule: Sequence[Stretch], items: int, dims: int, unordered: bool, limit: int = MAX_BATCH
) -> None:
    """Raise FormatError unless this can be the schedule of a group of `items` items of `dims`
    samples, in batches of up to `limit` items.

    Examples:
        >>> check_schedule((Stretch(1, 1, 1, STARTERS), Stretch(2, 1, 1, CHAINED)), 3, 784, False)
    """
    check_size(items, dims)
    if not 1 <= len(schedule) <= MAX_STRETCHES:
        raise FormatError(f"a group has 1 to {MAX_STRETCHES} stretches; found {len(schedule)}")
    largest = max(1, min(limit, max_batch(dims)))
    for s in schedule:
        if not 1 <= s.batch <= largest or not 1 <= s.batches <= items:
            raise FormatError(
                f"a stretch has at least one batch of 1 to {largest} items; found {s.batches} of "
                f"{s.batch}"
            )
        if s.lanes not in RUNGS:
            raise FormatError(f"lanes are one of {RUNGS}; found {s.lanes}")
        if not 0 <= s.kind <= (DRAWN if unordered else CHAINED):
            raise FormatError(
                f"kind {s.kind} of a stretch is unknown, or does not go with the group's order"
            )
    if any(b.lanes < a.lanes for a, b in pairwise(schedule)):
        raise FormatError(f"lanes never shrink; found {[s.lanes for s in schedule][:8]}")
    if any(_alike(a, b) for a, b in pairwise(schedule)):
        raise FormatError(
            "stretches that follow each other differ in batch, lanes or kind; found two alike"
        )
    if sum(s.items for s in schedule) != items:
        raise FormatError(
            f"the stretches of a group of {items} items hold {sum(s.items for s in schedule)}"
        )
    if (rows := sum(s.batches * -(-s.batch * dims // s.lanes) for s in schedule)) > MAX_ROWS:
        raise FormatError(f"a group has up to {MAX_ROWS} rows of symbols; found {rows}")


def _alike(a: Stretch, b: Stretch) -> bool:
    """Return whether two stretches differ in the number of batches only."""
    return (a.batch, a.lanes, a.kind) == (b.batch, b.lanes, b.kind)
