"""x ~ p(x) by decoding: popping a distribution from a message of random words samples from it.

The words are pseudo-random (PCG64), so a sample depends only on the distribution, the seed and the
number of lanes, on every machine. Samples follow the rounded frequencies that the coder uses, not
the real-valued density.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bbans.coding.rans import Message
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import UnderflowError
from bbans.models.base import LatentModel

SEED_STRIDE = 1_000_003
"""Prime distance between the seeds of neighbouring streams; evaluation and training derive the seed
of a stream from a base seed by multiples of it."""
LANES = 1 << 15
"""Default number of lanes. The first symbol of a lane comes from a fresh head, and is therefore
independent of the others and unbiased."""


def sample_items(model: LatentModel, items: int, seed: int = 0) -> Ints:
    """Sample x ~ p(x) by ancestral sampling: z_L ~ p(z_L), then z_l ~ p(z_l | z_(l+1)), then x.

    Returns int64 `(items, dims)`. Each layer has its own stream, seeded by (seed, layer).

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> sample_items(LinearGaussian(latents=8, k=3), 5, seed=1).shape[0]
        5
    """
    z = sample_distribution(model.prior(items), (seed, model.capabilities.depth))
    for layer in reversed(range(model.capabilities.depth)):
        z = sample_distribution(model.likelihood(layer, z), (seed, layer))
    return z


def sample_distribution(
    distribution: Distribution, seed: Sequence[int], lanes: int = LANES, words: int = 0
) -> Ints:
    """Sample every symbol of a distribution by popping it from pseudo-random words.

    Returns int64 in the shape of the distribution, usually `(items, dims)`. `words` is the number
    of words to try first; it is doubled until the pop succeeds and does not affect the result.
    `lanes` does: another number of lanes gives another sample. The samples that `two_part.grid`
    takes define cell widths, and are part of the file format.

    Examples:
        >>> from bbans.distributions import uniform
        >>> sample_distribution(uniform.uniform((2, 3), 4), (0, 1)).shape
        (2, 3)
    """
    while True:
        try:
            return distribution.pop(random_message(words, seed, lanes))[1]
        except UnderflowError:
            # The longer message starts with the same words, so the sample is the same.
            words = max(2 * words, lanes)


def random_message(words: int, seed: Sequence[int], lanes: int = LANES) -> Message:
    """Build a message of `lanes` heads, uniform in [2^62, 2^63), and `words` random 32-bit words.

    A prefix property holds: with the same seed and lanes, a longer message begins with the words of
    a shorter one.

    Examples:
        >>> head, (words, _) = random_message(3, (0,), lanes=2)
        >>> len(head), len(words)
        (2, 3)
    """
    raw = np.asarray(
        np.random.PCG64(np.random.SeedSequence(tuple(seed))).random_raw(lanes + words), np.uint64
    )
    return (raw[:lanes] >> np.uint64(1)) | np.uint64(1 << 62), (
        (raw[lanes:] >> np.uint64(32)).astype(np.uint32),
        (),
    )
