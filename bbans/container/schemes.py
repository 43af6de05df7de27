"""How a latent model coded a message: numbers of schemes, particles, refinement, fineness, and the
rules they keep.

Both formats write these, so that a decoder is told nothing but the bytes (`docs/format.md`,
`docs/archive.md`). What a scheme does is in `schemes.registry`; here is what is written of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bbans.errors import FormatError, VersionError

BITS_BACK, BIT_SWAP, DETERMINISTIC, BB_IS, BB_CIS, TWO_PART = range(6)
MAX_PARTICLES, MAX_REFINEMENT, MAX_FINENESS = 256, 255, 15
STEP_EVALUATIONS = 160  # of the likelihood, in a step of refinement
MAX_WEIGHTED_SAMPLES = 2**30  # samples times their evaluations: bounds a decoder's time


@dataclass(frozen=True)
class SchemeFormat:
    """A scheme as the formats know it.

    number: in a file's bytes. name: as users write it. label: for people. in_files, in_archives:
    whether files of one image, and groups of an archive, may be coded so. particles, refinement,
    fineness: the most that it may have; only what can be more than one or none is written. A
    message begins with initial bits unless `funded`.
    """

    number: int
    name: str
    label: str
    in_files: bool = True
    in_archives: bool = True
    particles: int = 1
    refinement: int = MAX_REFINEMENT
    fineness: int = 0
    funded: bool = False

    @property
    def weighted(self) -> bool:
        """Whether it weights several particles."""
        return self.particles > 1


UNKNOWN = SchemeFormat(-1, "unknown", "unknown", in_files=False, in_archives=False)
SCHEMES: dict[int, SchemeFormat] = {}
"""The schemes by number, in the order of their numbers."""


def register_format(scheme: SchemeFormat) -> None:
    """Add a scheme. Raises ValueError on a number or a name that is taken."""
    if scheme.number in SCHEMES or scheme.name in names():
        raise ValueError(f"scheme {scheme.number}, {scheme.name!r}: taken; choose others")
    SCHEMES[scheme.number] = scheme


def names(in_files: bool = True, in_archives: bool = True) -> tuple[str, ...]:
    """Names of the schemes of files, of archives, or of either."""
    return tuple(
        scheme.name
        for scheme in SCHEMES.values()
        if (in_files and scheme.in_files) or (in_archives and scheme.in_archives)
    )


def numbers(in_files: bool) -> tuple[int, ...]:
    """Numbers of the schemes of files, or of those of archives."""
    return tuple(
        scheme.number
        for scheme in SCHEMES.values()
        if (scheme.in_files if in_files else scheme.in_archives)
    )


register_format(SchemeFormat(BITS_BACK, "bits-back", "bits-back"))
register_format(SchemeFormat(BIT_SWAP, "bit-swap", "Bit-Swap"))
# in a file of one image what a point posterior codes is a codec of its own
register_format(
    SchemeFormat(
        DETERMINISTIC, "deterministic", "deterministic", in_files=False, refinement=0, funded=True
    )
)
register_format(SchemeFormat(BB_IS, "bb-is", "BB-IS", particles=MAX_PARTICLES))
register_format(SchemeFormat(BB_CIS, "bb-cis", "BB-CIS", particles=MAX_PARTICLES))
register_format(
    SchemeFormat(
        TWO_PART,
        "two-part",
        "two-part",
        in_archives=False,
        refinement=0,
        fineness=MAX_FINENESS,
        funded=True,
    )
)


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
    def format(self) -> SchemeFormat:
        """What the formats know of the scheme; UNKNOWN where they do not know it."""
        return SCHEMES.get(self.scheme, UNKNOWN)

    @property
    def evaluations(self) -> int:
        """How often a decoder evaluates a sample, at most."""
        return self.particles + STEP_EVALUATIONS * self.refinement

    @property
    def name(self) -> str:
        """For people."""
        particles = f" of {self.particles} particles" if self.format.weighted else ""
        plural = "s" * (self.refinement > 1)
        steps = f", refined by {self.refinement} step{plural}" if self.refinement else ""
        return f"{self.format.label}{particles}{steps}"


PLAIN = Coding(BITS_BACK)


def check_coding(where: str, coding: Coding, in_files: bool) -> None:
    """Raise FormatError, or VersionError on an unknown scheme, unless a coding keeps the rules of
    files of one image, or of archives.
    """
    if coding.scheme not in numbers(in_files):
        raise VersionError(
            f"{where}: scheme {coding.scheme} is unknown to this release: use a newer bbans"
        )
    known = coding.format
    for name, found, low, high in (
        ("particles", coding.particles, 1, known.particles),
        ("refinement", coding.refinement, 0, known.refinement),
        ("fineness", coding.fineness, 0, known.fineness),
    ):
        if not low <= found <= high:
            raise FormatError(f"{where}: {name} must be {low} to {high}, found {found}")
