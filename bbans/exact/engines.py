"""Which code runs exact integer arithmetic: the compiled core, or the reference in numpy.

Both give the same integers, so that the choice changes nothing but time. The compiled core has a
level for each instruction set that it was built for; the best that the processor has is used.
`BBANS_ENGINE` in the environment chooses otherwise: `reference`, or the name of a level.

| level | instructions |
|---|---|
| `portable` | whatever the compiler makes of plain C++ |
| `avx2` | x86-64 with AVX2 |
| `avx512` | x86-64 with AVX-512 and its neural network instructions |
| `neon` | 64-bit ARM |
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType

from bbans.errors import EngineError

VARIABLE = "BBANS_ENGINE"
REFERENCE = "reference"


def native() -> ModuleType | None:
    """Returns the compiled core, or None where it was not built or the reference is asked for.

    Examples:
        >>> core = native()
        >>> core is None or "portable" in core.levels()
        True
    """
    return None if os.environ.get(VARIABLE) == REFERENCE else _built()


def engine() -> str:
    """Returns what runs integer networks and the coder here: a level of the compiled core, or
    `reference`.

    Raises EngineError if `BBANS_ENGINE` names one that is not here.

    Examples:
        >>> engine() in ("portable", "avx2", "avx512", "neon", "reference")
        True
    """
    asked, core = os.environ.get(VARIABLE), native()
    if asked == REFERENCE:
        return REFERENCE
    here: list[str] = [] if core is None else core.levels()
    if asked and asked not in here:
        raise EngineError(
            f"{VARIABLE} is {asked!r}, and this machine has {', '.join([REFERENCE, *here])}: name "
            "one of them, or leave it out"
        )
    return asked or (here[-1] if here else REFERENCE)


@cache
def _built() -> ModuleType | None:
    """The extension module, or None where the package was installed without a compiler."""
    try:
        return import_module("bbans.exact._native")
    except ImportError:
        return None
