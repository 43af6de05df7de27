"""The table of training objectives: bounds on log2 p(x) that a latent model can be trained on.

`register` adds a row, also from code outside the package; nothing else needs a change. torch is
imported only when a bound is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

BOUNDS = "bbans.training.objectives"


@dataclass(frozen=True)
class Objective:
    """A bound on log2 p(x).

    name: as users write it. bound: "module:function", or a function `bound(log_w, training)` of
    log-weights `(K, B)` in bits that returns the bounds for p and q (`objectives.Pair`, `(B,)`
    each, bits). own_terms: the objective is the sum of a network's own terms for one sample per
    item, without weights. grouped: its K particles are divided into groups.
    """

    name: str
    bound: str | Callable[[Any, Any], Any]
    own_terms: bool = False
    grouped: bool = False

    def __call__(self, log_w: Any, training: Any) -> Any:
        """Return the bounds for log-weights `(K, B)` in bits, an `objectives.Pair`."""
        if not isinstance(self.bound, str):
            return self.bound(log_w, training)
        module, name = self.bound.split(":")
        return getattr(import_module(module), name)(log_w, training)


OBJECTIVES: dict[str, Objective] = {}
"""Objectives by name."""


def register(objective: Objective) -> None:
    """Add an objective. Raises ValueError if the name is taken.

    Examples:
        >>> register(OBJECTIVES["elbo"])
        Traceback (most recent call last):
        ...
        ValueError: the objective 'elbo' is there already; choose another name
    """
    if objective.name in OBJECTIVES:
        raise ValueError(f"the objective {objective.name!r} is there already; choose another name")
    OBJECTIVES[objective.name] = objective


for _objective in (
    Objective("elbo", f"{BOUNDS}:elbo_pair", own_terms=True),
    Objective("iwae", f"{BOUNDS}:iwae_pair"),
    Objective("miwae", f"{BOUNDS}:miwae_pair", grouped=True),
    Objective("ciwae", f"{BOUNDS}:ciwae_pair"),
    Objective("piwae", f"{BOUNDS}:piwae_pair", grouped=True),
    Objective("sivi", f"{BOUNDS}:elbo_pair", own_terms=True),
):
    register(_objective)
