"""What users choose among and how their choices travel: small values, made once where they come in
and passed on whole. Light: importing this takes no library.
"""

from __future__ import annotations

from dataclasses import dataclass

from bbans.errors import InputError

NO_MODEL = "none"  # the model that stands for the fixed predictor


@dataclass(frozen=True)
class Effort:
    """How hard photographs are compressed where no model is named.

    model: the model's name. exhaustive: whether every orientation of a tile is tried.
    """

    name: str
    model: str
    exhaustive: bool = False


EFFORTS: dict[str, Effort] = {
    effort.name: effort
    for effort in (
        Effort("fast", "photo-fast-1"),
        Effort("default", "photo-2"),
        Effort("max", "photo-2", exhaustive=True),
    )
}
"""The efforts by name."""


def effort_named(name: str) -> Effort:
    """The effort of a name. Raises InputError."""
    if name not in EFFORTS:
        raise InputError(f"effort is {', '.join(EFFORTS)}; found {name!r}")
    return EFFORTS[name]


@dataclass(frozen=True)
class SchemeOptions:
    """How a latent model shall code: a scheme's name, its particles, steps of refinement; None: as
    suits the model.
    """

    scheme: str | None = None
    particles: int | None = None
    refine: int | None = None

    @property
    def given(self) -> bool:
        """Whether anything was asked for."""
        return self.scheme is not None or self.particles is not None or bool(self.refine)
