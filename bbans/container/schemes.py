"""How a latent chain coded a message: numbers of schemes, particles, refinement, fineness, and the
rules they keep.

Both formats write these, so that a decoder is told nothing but the bytes (`docs/format.md`,
`docs/archive.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

from bbans.errors import FormatError, VersionError

BITS_BACK, BIT_SWAP, DETERMINISTIC, BB_IS, BB_CIS, TWO_PART = range(6)
SCHEME_NAMES = {
    BITS_BACK: "bits-back",
    BIT_SWAP: "Bit-Swap",
    DETERMINISTIC: "deterministic",
    BB_IS: "BB-IS",
    BB_CIS: "BB-CIS",
    TWO_PART: "two-part",
}
CHAINABLE = (BITS_BACK, BIT_SWAP, DETERMINISTIC, BB_IS, BB_CIS)  # of an archive's groups
SINGLE = (
    BITS_BACK,
    BIT_SWAP,
    BB_IS,
    BB_CIS,
    TWO_PART,
)  # of files of one image, where what a certain posterior codes is another codec
WEIGHTED = (BB_IS, BB_CIS)  # schemes of several particles

MAX_PARTICLES, MAX_REFINEMENT, MAX_FINENESS = 256, 255, 15
STEP_EVALUATIONS = 160  # of the likelihood, in a step of refinement
MAX_WEIGHTED_SAMPLES = 2**30  # samples times their evaluations: bounds a decoder's time


@dataclass(frozen=True, slots=True)
class Coding:
    """A scheme's number; `particles` is 1 but for schemes that weight several; `refinement` counts
    steps of search; `fineness` of cells.

    Where a scheme has no use for one of them it has its default.
    """

    scheme: int
    particles: int = 1
    refinement: int = 0
    fineness: int = 0

    @property
    def evaluations(self) -> int:
        """How often a decoder evaluates a sample, at most."""
        return self.particles + STEP_EVALUATIONS * self.refinement

    @property
    def name(self) -> str:
        """For people."""
        particles = f" of {self.particles} particles" if self.scheme in WEIGHTED else ""
        steps = (
            f", refined by {self.refinement} step{'s' * (self.refinement > 1)}"
            if self.refinement
            else ""
        )
        return f"{SCHEME_NAMES[self.scheme]}{particles}{steps}"


PLAIN = Coding(BITS_BACK)


def check_coding(where: str, coding: Coding, schemes: tuple[int, ...]) -> None:
    """Raise FormatError, or VersionError on an unknown scheme, unless a coding keeps the rules of a
    place with these schemes.
    """
    scheme = coding.scheme
    if scheme not in schemes:
        raise VersionError(
            f"{where}: scheme {scheme} is unknown to this release: use a newer bbans"
        )
    certain = scheme in (DETERMINISTIC, TWO_PART)
    limits = {
        "particles": (1, MAX_PARTICLES if scheme in WEIGHTED else 1),
        "refinement": (0, 0 if certain else MAX_REFINEMENT),
        "fineness": (0, MAX_FINENESS if scheme == TWO_PART else 0),
    }
    for name, (low, high) in limits.items():
        if not low <= (value := getattr(coding, name)) <= high:
            raise FormatError(f"{where}: {name} must be {low} to {high}, found {value}")
