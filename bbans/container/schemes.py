"""How a latent model coded a message: the number of the scheme, its particles, refinement and
fineness, and the rules for them.

Both formats store these, so that a decoder needs no side information besides the file
(`docs/format.md`, `docs/archive.md`). What a scheme computes is defined in `schemes.registry`; this
module defines what is stored of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bbans.errors import FormatError, VersionError

BITS_BACK, BIT_SWAP, DETERMINISTIC, BB_IS, BB_CIS, TWO_PART = range(6)
MAX_PARTICLES, MAX_REFINEMENT, MAX_FINENESS = 256, 255, 15
STEP_EVALUATIONS = 160  # evaluations of the likelihood in a step of refinement
MAX_WEIGHTED_SAMPLES = 2**30  # samples times evaluations: bounds the time of a decoder


@dataclass(frozen=True)
class SchemeFormat:
    """What the formats store of a scheme.

    `number`: in a file. `name`: for users to select it. `label`: for people to read. `in_files`,
    `in_archives`: whether files of one image, or groups of an archive, may use it. `particles`,
    `refinement`, `fineness`: the largest permitted values; a value is stored only if it can differ
    from its default (1, 0 and 0). `funded`: a message needs no initial bits.
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
        """Whether the scheme weights several particles."""
        return self.particles > 1


UNKNOWN = SchemeFormat(-1, "unknown", "unknown", in_files=False, in_archives=False)
SCHEMES: dict[int, SchemeFormat] = {}
"""The schemes by number, in the order of their numbers."""


def register_format(scheme: SchemeFormat) -> None:
    """Adds a scheme to `SCHEMES`. Raises ValueError if its number or name is taken.

    Examples:
        >>> register_format(SchemeFormat(BITS_BACK, "other", "other"))
        Traceback (most recent call last):
        ...
        ValueError: scheme 0, 'other': taken; choose others
    """
    if scheme.number in SCHEMES or scheme.name in names():
        raise ValueError(f"scheme {scheme.number}, {scheme.name!r}: taken; choose others")
    SCHEMES[scheme.number] = scheme


def names(in_files: bool = True, in_archives: bool = True) -> tuple[str, ...]:
    """Returns the names of the schemes that may be used in files, in archives, or in either.

    Examples:
        >>> names(in_archives=False)
        ('bits-back', 'bit-swap', 'bb-is', 'bb-cis', 'two-part')
    """
    return tuple(
        scheme.name
        for scheme in SCHEMES.values()
        if (in_files and scheme.in_files) or (in_archives and scheme.in_archives)
    )


def numbers(in_files: bool) -> tuple[int, ...]:
    """Returns the numbers of the schemes that may be used in files, or else of those in archives.

    Examples:
        >>> numbers(in_files=True)
        (0, 1, 3, 4, 5)
    """
    return tuple(
        scheme.number
        for scheme in SCHEMES.values()
        if (scheme.in_files if in_files else scheme.in_archives)
    )


register_format(SchemeFormat(BITS_BACK, "bits-back", "bits-back"))
register_format(SchemeFormat(BIT_SWAP, "bit-swap", "Bit-Swap"))
# a file of one image has a codec of its own for models with a deterministic posterior
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
    """The scheme of a message and its parameters: `particles` (1 unless the scheme weights
    several), `refinement` in steps of search, `fineness` of cells. Parameters without a use in the
    scheme have their default.

    Examples:
        >>> Coding(BB_IS, particles=16).name
        'BB-IS of 16 particles'
    """

    scheme: int
    particles: int = 1
    refinement: int = 0
    fineness: int = 0

    @property
    def format(self) -> SchemeFormat:
        """What the formats store of the scheme; UNKNOWN if they do not know it."""
        return SCHEMES.get(self.scheme, UNKNOWN)

    @property
    def evaluations(self) -> int:
        """The largest number of evaluations of a sample by a decoder."""
        return self.particles + STEP_EVALUATIONS * self.refinement

    @property
    def name(self) -> str:
        """The scheme and its parameters for people."""
        particles = f" of {self.particles} particles" if self.format.weighted else ""
        plural = "s" * (self.refinement > 1)
        steps = f", refined by {self.refinement} step{plural}" if self.refinement else ""
        return f"{self.format.label}{particles}{steps}"


PLAIN = Coding(BITS_BACK)


def check_coding(where: str, coding: Coding, in_files: bool) -> None:
    """Raises FormatError unless a coding keeps the rules of files of one image (`in_files`) or of
    archives, and VersionError on an unknown scheme; `where` names the place in errors.

    Examples:
        >>> check_coding("tile 0", Coding(BB_IS, particles=16), in_files=True)
    """
    if coding.scheme not in numbers(in_files):
        raise VersionError(
            f"{where}: scheme {coding.scheme} is unknown to this release: use a newer bbans"
        )
    scheme = coding.format
    for name, value, low, high in (
        ("particles", coding.particles, 1, scheme.particles),
        ("refinement", coding.refinement, 0, scheme.refinement),
        ("fineness", coding.fineness, 0, scheme.fineness),
    ):
        if not low <= value <= high:
            raise FormatError(f"{where}: {name} must be {low} to {high}, found {value}")
