"""bits = starters + sum of net bits + flush: items of one shape in one message, where each is paid
for by those before it.

A bits-back scheme pops before it pushes, and an empty message holds nothing to pop. So the first
items pushed, the starters, go under p(x | z_1 = idle) alone, which pops nothing. Once the message
holds enough, items follow in batches of 1, 2, 4, ... with the scheme proper, and lanes grow between
batches as the message fills. Initial bits are 0, and only the group's starters pay.

Items are pushed from the last to the first, so that they pop in their order and the starters are
the last ones. Where the message could pay depends on the content: the encoder tries, goes back to
the message before where a pop fails, and notes what succeeded. The decoder is told by the
`Schedule`, and checks it before it believes it.

Sources: chaining is that of Townsend, Bird and Barber 2019 (arXiv:1901.04866), unordered groups are
Severo et al. 2023 (arXiv:2107.09202); starters and the schedule are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding import lanes
from bbans.coding.blocks import GROWTH_WORDS, RUNGS
from bbans.coding.codec import Codec
from bbans.coding.rans import WORD_BITS, Message, Words, base_message, message_bits, tail_words
from bbans.distributions.distribution import Ints
from bbans.errors import FormatError, TooFlatError, UnderflowError
from bbans.models.base import LatentModel
from bbans.schemes import multiset
from bbans.schemes.metering import EMPTY_BITS

MAX_ITEMS = multiset.MAX_ITEMS
MAX_SAMPLES = 2**26  # of a group: bounds the decoder's memory
MAX_ROWS = (
    2**18
)  # of a group, of which each takes some 20 to 200 microseconds: bounds the decoder's time
MAX_STRETCHES = 255
MAX_BATCH, MAX_BATCH_SAMPLES = (
    256,
    2**20,
)  # of a batch: bounds the memory of a network's activations
STARTER_SHARE = 8  # starters grow by an eighth at a time where many are needed
RETRY_GROWTH = 1.25  # of the message, before what it could not pay is tried again

STARTERS, CHAINED, DRAWN = range(3)
"""Kinds of stretches: under the idle latents, with the scheme, and with the scheme after a draw
from an unordered group.
"""

Scheme: TypeAlias = Callable[[LatentModel, int], Codec]
"""`scheme(chain, items)`: the codec of x int64 `(items, dims)`, such as `bits_back.codec`."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """`batches` batches of `batch` items each over `lanes` lanes, all of one kind."""

    batches: int
    batch: int
    lanes: int
    kind: int

    @property
    def items(self) -> int:
        """Items of all its batches."""
        return self.batches * self.batch


Schedule: TypeAlias = tuple[Stretch, ...]
"""Stretches in the order of pushing."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Bits that the message grew by, measured: of starters, of the others (their net bits), of
    lanes, of the final flush.
    """

    starters: float = 0.0
    chained: float = 0.0
    lanes: float = 0.0
    flush: float = 0.0

    @property
    def total(self) -> float:
        """Bits of the payload."""
        return self.starters + self.chained + self.lanes + self.flush


@dataclass(frozen=True, slots=True)
class Encoded:
    """A group. `order[k]` is the row that comes k-th out of the decoder: 0, 1, 2, ... unless the
    group is unordered.
    """

    words: Words
    schedule: Schedule
    order: tuple[int, ...]
    spent: Spent


@dataclass(frozen=True, slots=True)
class _State:
    """A message in progress; `pool` and `left` are what remains, the one of an unordered group, the
    other of an ordered one.
    """

    message: Message
    pool: multiset.Pool | None
    left: int
    order: tuple[tuple[int, ...], ...] = ()  # batches, in the order of pushing


def max_batch(dims: int) -> int:
    """Items that are coded at once at most."""
    return max(1, min(MAX_BATCH, MAX_BATCH_SAMPLES // dims))


def encode(
    chain: LatentModel,
    scheme: Scheme,
    x: NDArray[np.integer[Any]],
    *,
    unordered: bool = False,
    limit: int = MAX_BATCH,
) -> Encoded:
    """Code items x, integers `(items, dims)`, as one message of at most `limit` items at once.

    `unordered` gives up the order for log2 items! bits. Raises ValueError on x that is no group,
    and TooFlatError where the items hold so little that a decoder would need more than MAX_ROWS
    rows.
    """
    n, dims = x.shape
    check_size(n, dims)
    largest = min(limit, max_batch(dims))
    state = _State(base_message((1,)), sorted(multiset.keys(x)) if unordered else None, n)
    schedule: list[Stretch] = []
    spent = Spent()
    starters, retry_at, rows = 0, 0.0, 0
    while state.left:
        held = tail_words(state.message[1])
        plans = list(_plans(schedule, state, dims, largest, held, held >= retry_at))
        after, stretch = _first_paid(chain, scheme, x, state, plans)
        if stretch != plans[0] and stretch is not None:
            retry_at = RETRY_GROWTH * held + 1
        if stretch is None:
            size = min(state.left, largest, max(1, starters // STARTER_SHARE))
            stretch = Stretch(1, size, len(state.message[0]), STARTERS)
            after = _push(chain, scheme, x, state, stretch)
            starters += size
        assert after is not None
        rows += -(-stretch.batch * dims // stretch.lanes)
        if rows > MAX_ROWS:
            raise TooFlatError(
                f"the items hold too little to fill lanes: {rows} rows of symbols, {MAX_ROWS} "
                "allowed; code them one by one"
            )
        spent = _add(spent, state.message, after.message, stretch)
        state = after
        schedule = _noted(schedule, stretch)
    words = lanes.finish(state.message)
    flush = WORD_BITS * len(words) - (message_bits(state.message) - EMPTY_BITS)
    order = tuple(i for batch in reversed(state.order) for i in batch)
    found = tuple(schedule)
    check_schedule(found, n, dims, unordered)
    return Encoded(words, found, order, replace(spent, flush=flush))


def decode(
    chain: LatentModel,
    scheme: Scheme,
    words: NDArray[np.uint32],
    schedule: Schedule,
    items: int,
    dims: int,
    *,
    unordered: bool = False,
) -> Iterator[Ints]:
    """Inverse of `encode`: batches of items, int64 `(batch, dims)`, in order.

    After the last the message is empty.

    Raises FormatError on a schedule that cannot be, UnderflowError and TrailingDataError on a
    message that is damaged.
    """
    check_schedule(schedule, items, dims, unordered)
    message = lanes.grow(lanes.start(words), schedule[-1].lanes)
    pool: multiset.Pool | None = [] if unordered else None
    for stretch, below in zip(
        reversed(schedule), [*(s.lanes for s in schedule[-2::-1]), 1], strict=True
    ):
        codec = _codec(chain, scheme, stretch)
        for _ in range(stretch.batches):
            message, x = codec.pop(message)
            if pool is not None:
                message = _push_choice(message, pool, multiset.keys(x), stretch.kind)
            yield x
        message = lanes.fold(message, below)
    lanes.check_empty(message)


def check_size(items: int, dims: int) -> None:
    """Raise FormatError unless a group may have so many items of so many samples."""
    if not 1 <= items <= MAX_ITEMS:
        raise FormatError(f"a group has 1 to {MAX_ITEMS} items; found {items}")
    if dims < 1 or items * dims > MAX_SAMPLES:
        raise FormatError(f"a group has up to {MAX_SAMPLES} samples; found {items} items of {dims}")


def check_schedule(schedule: Sequence[Stretch], items: int, dims: int, unordered: bool) -> None:
    """Raise FormatError unless a group of so many items, each of so many samples, may have this
    schedule.
    """
    check_size(items, dims)
    if not 1 <= len(schedule) <= MAX_STRETCHES:
        raise FormatError(f"a group has 1 to {MAX_STRETCHES} stretches; found {len(schedule)}")
    largest = max_batch(dims)
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


def _plans(
    schedule: list[Stretch], state: _State, dims: int, largest: int, held: int, eager: bool
) -> Iterator[Stretch]:
    """What could come next, the most wanted first: a larger batch over more lanes, down to a single
    item.
    """
    width = len(state.message[0])
    kind = CHAINED if state.pool is None else DRAWN
    chained = [s.batch for s in schedule if s.kind == kind]
    batch = min(chained[-1] if chained else 1, state.left)
    double = min(2 * batch if chained else 1, largest, state.left)
    if eager:
        wider = _wider(width, held, min(largest, state.left) * dims)
        for size, over in ((double, wider), (double, width), (batch, wider)):
            if over and (size, over) != (batch, width):
                yield Stretch(1, size, over, kind)
    while batch:
        yield Stretch(1, batch, width, kind)
        batch //= 2
    if kind == DRAWN:
        yield Stretch(1, 1, width, CHAINED)


def _wider(width: int, held: int, samples: int) -> int | None:
    """The next rung, where the message fills it and a batch does too."""
    rung = RUNGS.index(width) + 1
    return (
        RUNGS[rung]
        if rung < len(RUNGS) and held >= GROWTH_WORDS * RUNGS[rung] and samples >= RUNGS[rung]
        else None
    )


def _first_paid(
    chain: LatentModel,
    scheme: Scheme,
    x: NDArray[np.integer[Any]],
    state: _State,
    plans: Sequence[Stretch],
) -> tuple[_State | None, Stretch | None]:
    for plan in plans:
        try:
            return _push(chain, scheme, x, state, plan), plan
        except UnderflowError:
            continue
    return None, None


def _push(
    chain: LatentModel, scheme: Scheme, x: NDArray[np.integer[Any]], state: _State, stretch: Stretch
) -> _State:
    """One batch. Raises UnderflowError where the message cannot pay for it."""
    message = lanes.grow(state.message, stretch.lanes)
    left, size, pool = state.left, stretch.batch, state.pool
    if pool is None:
        chosen = list(range(left - size, left))
    elif stretch.kind != DRAWN:
        chosen, pool = [i for _, i in pool[-size:]], pool[:-size]
    else:
        message, drawn, pool = multiset.draw(message, pool, size)
        chosen = [i for _, i in drawn]
    (message,) = _codec(chain, scheme, stretch).push(
        message, np.ascontiguousarray(x[chosen], np.int64)
    )
    return _State(message, pool, left - size, (*state.order, tuple(chosen)))


def _push_choice(message: Message, pool: multiset.Pool, drawn: multiset.Pool, kind: int) -> Message:
    """What the encoder popped to choose these items, if it did."""
    if kind == DRAWN:
        return multiset.put_back(message, pool, drawn)
    pool.extend(drawn)
    pool.sort()
    return message


def _codec(chain: LatentModel, scheme: Scheme, stretch: Stretch) -> Codec:
    if stretch.kind != STARTERS:
        return scheme(chain, stretch.batch)
    found = chain.likelihood(0, chain.default_latent(stretch.batch))
    return Codec(found.push, found.pop)


def _alike(a: Stretch, b: Stretch) -> bool:
    return (a.batch, a.lanes, a.kind) == (b.batch, b.lanes, b.kind)


def _noted(schedule: list[Stretch], new: Stretch) -> list[Stretch]:
    """The schedule with one more batch."""
    if schedule and _alike(schedule[-1], new):
        return [*schedule[:-1], replace(new, batches=schedule[-1].batches + 1)]
    return [*schedule, new]


def _add(spent: Spent, before: Message, after: Message, stretch: Stretch) -> Spent:
    grown = message_bits(lanes.grow(before, stretch.lanes)) - message_bits(before)
    coded = message_bits(after) - message_bits(before) - grown
    if stretch.kind == STARTERS:
        return replace(spent, starters=spent.starters + coded, lanes=spent.lanes + grown)
    return replace(spent, chained=spent.chained + coded, lanes=spent.lanes + grown)
