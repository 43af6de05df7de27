"""bits = bits of starters + sum of net bits + flush: many items of one shape in one message, where
earlier items pay the initial bits of later ones.

A bits-back scheme pops before it pushes, and an empty message has nothing to pop. The first items,
the starters, are therefore pushed with p(x | z_1 = default latent) alone, which pops nothing. Once
the message holds enough bits, items follow in batches of 1, 2, 4, ... with the scheme itself, and
the number of lanes grows between batches. There are no initial bits; only the starters cost more
than with the scheme.

Items are pushed from last to first, so that they pop in order and the starters are the last ones.
Whether a message can pay for a batch depends on its content: the encoder tries, returns to the
message before the batch if a pop fails, and records the batches that succeeded in a `Schedule`. The
decoder reads the schedule and checks it before use (`group_schedule`).

Sources: chaining: Townsend, Bird and Barber 2019 (arXiv:1901.04866); unordered groups: Severo et
al. 2023 (arXiv:2107.09202); starters and the schedule are new here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding import lanes
from bbans.coding.blocks import GROWTH_WORDS, RUNGS
from bbans.coding.codec import Codec
from bbans.coding.rans import WORD_BITS, Message, Words, base_message, message_bits, tail_words
from bbans.container.group_schedule import (
    CHAINED,
    DRAWN,
    MAX_BATCH,
    MAX_ROWS,
    STARTERS,
    Schedule,
    Stretch,
    append_batch,
    check_schedule,
    check_size,
    max_batch,
)
from bbans.distributions.distribution import Ints
from bbans.errors import TooFlatError, UnderflowError
from bbans.models.base import LatentModel
from bbans.schemes import multiset
from bbans.schemes.metering import EMPTY_BITS

STARTER_SHARE = 8  # each further batch of starters is an eighth of the starters so far
RETRY_GROWTH = 1.25  # growth of the message before a batch that it could not pay is tried again

Scheme: TypeAlias = Callable[[LatentModel, int], Codec]
"""`scheme(model, items)`: the codec of x int64 `(items, dims)`, for example `bits_back.codec`."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Bits by which the message grew, measured: of the starters, of the chained items (their net
    bits), of new lanes, and of the final flush.
    """

    starters: float = 0.0
    chained: float = 0.0
    lanes: float = 0.0
    flush: float = 0.0

    @property
    def total(self) -> float:
        """Return the bits of the whole payload.

        Examples:
            >>> Spent(starters=100.0, chained=50.0, flush=31.0).total
            181.0
        """
        return self.starters + self.chained + self.lanes + self.flush


@dataclass(frozen=True, slots=True)
class Encoded:
    """A coded group. `order[k]` is the row of x that the decoder returns k-th: 0, 1, 2, ... unless
    the group is unordered.
    """

    words: Words
    schedule: Schedule
    order: tuple[int, ...]
    spent: Spent


@dataclass(frozen=True, slots=True)
class _State:
    """The message so far and the items that remain: their number `left`, and for an unordered group
    also the items themselves, `pool`.
    """

    message: Message
    pool: multiset.Pool | None
    left: int
    order: tuple[tuple[int, ...], ...] = ()  # batches, in the order of pushing


def encode(
    model: LatentModel,
    scheme: Scheme,
    x: NDArray[np.integer[Any]],
    *,
    unordered: bool = False,
    limit: int = MAX_BATCH,
) -> Encoded:
    """Code items x, integers `(items, dims)`, as one message, in batches of at most `limit` items.

    An `unordered` group saves up to log2 items! bits and returns its items in another order. Raises
    FormatError on an x of a size that no group may have, and TooFlatError where the items hold so
    few bits that a decoder would need more than MAX_ROWS rows of symbols.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 20)
        >>> coded = encode(model, bits_back.codec, x)
        >>> batches = decode(model, bits_back.codec, coded.words, coded.schedule, *x.shape)
        >>> bool((np.concatenate(list(batches)) == x).all())
        True
    """
    n, dims = x.shape
    check_size(n, dims)
    largest = min(limit, max_batch(dims))
    state = _State(base_message((1,)), sorted(multiset.keys(x)) if unordered else None, n)
    schedule: list[Stretch] = []
    spent = Spent()
    starters, retry_at, rows = 0, 0.0, 0
    while state.left:
        words_held = tail_words(state.message[1])
        plans = list(_plans(schedule, state, dims, largest, words_held, words_held >= retry_at))
        next_state, stretch = _first_paid(model, scheme, x, state, plans)
        if stretch != plans[0] and stretch is not None:
            retry_at = RETRY_GROWTH * words_held + 1
        if stretch is None:
            size = min(state.left, largest, max(1, starters // STARTER_SHARE))
            stretch = Stretch(1, size, len(state.message[0]), STARTERS)
            next_state = _push(model, scheme, x, state, stretch)
            starters += size
        assert next_state is not None
        rows += -(-stretch.batch * dims // stretch.lanes)
        if rows > MAX_ROWS:
            raise TooFlatError(
                f"the items hold too little to fill lanes: {rows} rows of symbols, {MAX_ROWS} "
                "allowed; code them one by one"
            )
        spent = _add(spent, state.message, next_state.message, stretch)
        state = next_state
        schedule = append_batch(schedule, stretch)
    words = lanes.finish(state.message)
    flush = WORD_BITS * len(words) - (message_bits(state.message) - EMPTY_BITS)
    order = tuple(i for batch in reversed(state.order) for i in batch)
    coded_schedule = tuple(schedule)
    check_schedule(coded_schedule, n, dims, unordered)
    return Encoded(words, coded_schedule, order, replace(spent, flush=flush))


def decode(
    model: LatentModel,
    scheme: Scheme,
    words: NDArray[np.uint32],
    schedule: Schedule,
    items: int,
    dims: int,
    *,
    unordered: bool = False,
) -> Iterator[Ints]:
    """Yield the items of `encode` in order, in batches int64 `(batch, dims)`.

    The message must be empty after the last batch. Raises, while iterating, FormatError on an
    invalid schedule and UnderflowError or TrailingDataError on a damaged message.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x, scheme = sampling.sample_items(model, 20), bits_back.codec
        >>> coded = encode(model, scheme, x, unordered=True)
        >>> items = decode(model, scheme, coded.words, coded.schedule, *x.shape, unordered=True)
        >>> bool((np.concatenate(list(items)) == x[list(coded.order)]).all())
        True
    """
    check_schedule(schedule, items, dims, unordered)
    message = lanes.grow(lanes.start(words), schedule[-1].lanes)
    pool: multiset.Pool | None = [] if unordered else None
    for stretch, lanes_before in zip(
        reversed(schedule), [*(s.lanes for s in schedule[-2::-1]), 1], strict=True
    ):
        codec = _codec(model, scheme, stretch)
        for _ in range(stretch.batches):
            message, x = codec.pop(message)
            if pool is not None:
                message = _push_choice(message, pool, multiset.keys(x), stretch.kind)
            yield x
        message = lanes.fold(message, lanes_before)
    lanes.check_empty(message)


def _plans(
    schedule: list[Stretch], state: _State, dims: int, largest: int, words_held: int, eager: bool
) -> Iterator[Stretch]:
    """Yield candidates for the next batch, best first: a larger batch or more lanes, then smaller
    batches down to a single item.
    """
    width = len(state.message[0])
    kind = CHAINED if state.pool is None else DRAWN
    chained = [s.batch for s in schedule if s.kind == kind]
    batch = min(chained[-1] if chained else 1, state.left)
    double = min(2 * batch if chained else 1, largest, state.left)
    if eager:
        wider = _wider(width, words_held, min(largest, state.left) * dims)
        for size, over in ((double, wider), (double, width), (batch, wider)):
            if over and (size, over) != (batch, width):
                yield Stretch(1, size, over, kind)
    while batch:
        yield Stretch(1, batch, width, kind)
        batch //= 2
    if kind == DRAWN:
        yield Stretch(1, 1, width, CHAINED)


def _wider(width: int, words_held: int, samples: int) -> int | None:
    """Return the next larger number of lanes, or None unless the message and a batch both fill
    it.
    """
    rung = RUNGS.index(width) + 1
    return (
        RUNGS[rung]
        if rung < len(RUNGS) and words_held >= GROWTH_WORDS * RUNGS[rung] and samples >= RUNGS[rung]
        else None
    )


def _first_paid(
    model: LatentModel,
    scheme: Scheme,
    x: NDArray[np.integer[Any]],
    state: _State,
    plans: Sequence[Stretch],
) -> tuple[_State | None, Stretch | None]:
    """Push the first plan that the message can pay for; return (None, None) where there is none."""
    for plan in plans:
        try:
            return _push(model, scheme, x, state, plan), plan
        except UnderflowError:
            continue
    return None, None


def _push(
    model: LatentModel, scheme: Scheme, x: NDArray[np.integer[Any]], state: _State, stretch: Stretch
) -> _State:
    """Push one batch. Raises UnderflowError where the message cannot pay for it."""
    message = lanes.grow(state.message, stretch.lanes)
    left, size, pool = state.left, stretch.batch, state.pool
    if pool is None:
        chosen = list(range(left - size, left))
    elif stretch.kind != DRAWN:
        chosen, pool = [i for _, i in pool[-size:]], pool[:-size]
    else:
        message, sampled, pool = multiset.draw(message, pool, size)
        chosen = [i for _, i in sampled]
    (message,) = _codec(model, scheme, stretch).push(
        message, np.ascontiguousarray(x[chosen], np.int64)
    )
    return _State(message, pool, left - size, (*state.order, tuple(chosen)))


def _push_choice(
    message: Message, pool: multiset.Pool, sampled: multiset.Pool, kind: int
) -> Message:
    """Push the choice of these items back to the message, where the encoder popped it, and return
    the items to the pool.
    """
    if kind == DRAWN:
        return multiset.put_back(message, pool, sampled)
    pool.extend(sampled)
    pool.sort()
    return message


def _codec(model: LatentModel, scheme: Scheme, stretch: Stretch) -> Codec:
    """Return the codec of a batch: the scheme, or for starters p(x | z_1 = default latent)."""
    if stretch.kind != STARTERS:
        return scheme(model, stretch.batch)
    starter = model.likelihood(0, model.default_latent(stretch.batch))
    return Codec(starter.push, starter.pop)


def _add(spent: Spent, before: Message, after: Message, stretch: Stretch) -> Spent:
    """Add the growth of the message by one batch to the account."""
    lane_bits = message_bits(lanes.grow(before, stretch.lanes)) - message_bits(before)
    batch_bits = message_bits(after) - message_bits(before) - lane_bits
    if stretch.kind == STARTERS:
        return replace(spent, starters=spent.starters + batch_bits, lanes=spent.lanes + lane_bits)
    return replace(spent, chained=spent.chained + batch_bits, lanes=spent.lanes + lane_bits)
