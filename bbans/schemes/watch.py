"""What a decoder tells of every symbol, if it is asked: its bits, and where in the pyramid it belongs.

Bits are exact information contents, of the intervals that the coder used; those of a posterior are negative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

COARSEST = -1
"""The phase of the coarsest image, and of latents, which have none."""


class Symbols(NamedTuple):
    """Symbols that were coded together: a phase of a level, the coarsest image, or a level's latents.

    bits float64 `(rows, columns, channels)`; `term` is a name of `Account`. The coarsest image is the level after the last one.
    """

    term: str
    level: int
    phase: int
    bits: NDArray[np.float64]


Watch: TypeAlias = Callable[[Symbols], None]
