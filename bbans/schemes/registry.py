"""The table of schemes: what the formats know of one (`container.schemes`), which models it is for,
and the codec that it makes.

A row is added by `register`, for instance from a module of one's own; nothing in the package has to
be touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bbans.container import schemes as formats
from bbans.container.schemes import (
    BB_CIS,
    BB_IS,
    BIT_SWAP,
    BITS_BACK,
    DETERMINISTIC,
    MAX_PARTICLES,
    TWO_PART,
    Coding,
    SchemeFormat,
)
from bbans.distributions.distribution import Ints
from bbans.errors import InputError
from bbans.models.base import Capabilities, LatentModel
from bbans.schemes import (
    bit_swap,
    bits_back,
    bounds,
    deterministic,
    importance,
    posterior_refinement,
    two_part,
)
from bbans.schemes.bounds import Given
from bbans.schemes.metering import Scheme

IdealBits = Callable[[LatentModel | Given, Ints, Coding, int, int], bounds.Bits]

DEFAULT_PARTICLES = 8
GAUSSIANS = "one layer of latents with a diagonal Gaussian posterior, which this model has not"


@dataclass(frozen=True)
class SchemeRow:
    """A scheme. format: its number, name and what is written of it. `build(coding)` is its codec.

    `ideal_bits(model, x, coding, draws, seed)` is what its net bits should be in expectation,
    float64 `(items,)`, by seeded draws; None: -ELBO. `unsuited(capabilities)` says why a model of
    these cannot be coded so, None where it can; deterministic: it is for models whose posterior is
    a point, and for no others.
    """

    format: SchemeFormat
    build: Callable[[Coding], Scheme]
    unsuited: Callable[[Capabilities], str | None] = lambda capabilities: None
    deterministic: bool = False
    ideal_bits: IdealBits | None = None

    @property
    def name(self) -> str:
        """As users write it."""
        return self.format.name


SCHEMES: dict[str, SchemeRow] = {}
"""The rows by name."""


def register(row: SchemeRow) -> None:
    """Add a scheme, and its format where that is new. Raises ValueError on one that is there."""
    if row.name in SCHEMES:
        raise ValueError(f"the scheme {row.name!r} is there already; choose another name")
    if formats.SCHEMES.get(row.format.number) is not row.format:
        formats.register_format(row.format)
    SCHEMES[row.name] = row


def _one_layer(name: str) -> Callable[[Capabilities], str | None]:
    def unsuited(model: Capabilities) -> str | None:
        if model.depth != 1:
            return (
                f"{name} weights the latents of one layer, and this model has {model.depth}; take "
                f"{named(BIT_SWAP)}"
            )
        if name == named(BB_CIS) and not model.independent:
            return (
                f"{name} shifts latents that are independent given the image, and this model's "
                f"are not; take {named(BB_IS)}"
            )
        return None

    return unsuited


def _gaussians(name: str) -> Callable[[Capabilities], str | None]:
    def unsuited(model: Capabilities) -> str | None:
        return None if model.refinable else f"{name} codes {GAUSSIANS}; take {named(BITS_BACK)}"

    return unsuited


def named(number: int) -> str:
    """The name of the scheme with this number."""
    return formats.SCHEMES[number].name


register(SchemeRow(formats.SCHEMES[BITS_BACK], lambda coding: bits_back.codec))
register(SchemeRow(formats.SCHEMES[BIT_SWAP], lambda coding: bit_swap.codec))
register(
    SchemeRow(
        formats.SCHEMES[DETERMINISTIC], lambda coding: deterministic.codec, deterministic=True
    )
)
register(
    SchemeRow(
        formats.SCHEMES[BB_IS],
        lambda coding: importance.scheme(coding.particles, coupled=False),
        _one_layer(named(BB_IS)),
        ideal_bits=lambda model, x, coding, draws, seed: bounds.weighted_bits(
            model, x, coding.particles, False, draws, seed
        ),
    )
)
register(
    SchemeRow(
        formats.SCHEMES[BB_CIS],
        lambda coding: importance.scheme(coding.particles, coupled=True),
        _one_layer(named(BB_CIS)),
        ideal_bits=lambda model, x, coding, draws, seed: bounds.weighted_bits(
            model, x, coding.particles, True, draws, seed
        ),
    )
)
register(
    SchemeRow(
        formats.SCHEMES[TWO_PART],
        lambda coding: two_part.scheme(coding.fineness),
        _gaussians(named(TWO_PART)),
    )
)


def build(coding: Coding) -> Scheme:
    """The codec of a coding; refinement is the model's (`schemes.posterior_refinement`)."""
    return SCHEMES[coding.format.name].build(coding)


def ideal_bits(
    coding: Coding, model: LatentModel | Given, x: Ints, draws: int, seed: int = 0
) -> bounds.Bits:
    """What the net bits of items x `(items, dims)` should be in expectation, float64 `(items,)`:
    -ELBO, or the bound of the scheme's particles.
    """
    bound = SCHEMES[coding.format.name].ideal_bits
    if bound is None:
        return bounds.ideal_bits(model, x, draws, seed).total
    return bound(model, x, coding, draws, seed)


def by_name(name: str, particles: int = 1) -> Scheme:
    """The codec of a scheme; `particles` is 1 where it has none. Two-part codes have the fineness
    of most images. Raises ValueError.
    """
    row = SCHEMES.get(name)
    if row is None or (particles != 1 and not row.format.weighted):
        raise ValueError(
            f"schemes are {', '.join(SCHEMES)}, {' and '.join(weighted())} of several particles; "
            f"found {name!r} of {particles}"
        )
    fineness = two_part.FINENESS if row.format.fineness else 0
    return row.build(Coding(row.format.number, particles, fineness=fineness))


def weighted() -> tuple[str, ...]:
    """Names of the schemes of several particles."""
    return tuple(name for name, row in SCHEMES.items() if row.format.weighted)


def particles_of(name: str, particles: int | None) -> int:
    """How many a scheme has where so many were asked for, None for as many as it likes; 1 where it
    has none.
    """
    return (particles or DEFAULT_PARTICLES) if SCHEMES[name].format.weighted else 1


def incompatibility(
    name: str, model: Capabilities, particles: int | None, refine: int | None = None
) -> str | None:
    """Why a model cannot be coded with a scheme, so many particles (None: as many as it likes) and
    steps of refinement; None if it can.
    """
    if refine and not model.refinable:
        return f"refinement is for {GAUSSIANS}; leave it out"
    if not 0 <= (refine or 0) <= posterior_refinement.MAX_STEPS:
        return (
            f"a posterior is refined by 0 to {posterior_refinement.MAX_STEPS} steps, and "
            f"{refine} were asked for"
        )
    fitting = [n for n, row in SCHEMES.items() if row.deterministic == model.deterministic]
    if name not in fitting:
        return f"this model is not coded with {name!r}; take one of {', '.join(fitting)}"
    row = SCHEMES[name]
    if why := row.unsuited(model):
        return why
    count = 1 if particles is None else particles
    if not row.format.weighted and count != 1:
        return (
            f"{name} has one particle, and {particles} were asked for; take "
            f"{' or '.join(weighted())}"
        )
    if not 1 <= count <= importance.MAX_POOL:
        return f"{name} has 1 to {importance.MAX_POOL} particles, and {particles} were asked for"
    return None


def default_coding(model: Capabilities) -> Coding:
    """What groups of an archive are coded with unless somebody asks for another scheme."""
    if model.deterministic:
        return Coding(DETERMINISTIC)
    return Coding(BIT_SWAP if model.depth > 1 else BITS_BACK)


def resolve_scheme(
    model: Capabilities,
    scheme: str | None,
    particles: int | None,
    refine: int | None,
    in_files: bool = False,
) -> Coding:
    """The coding that a user asks for, None for what suits the model, of a file of one image or of
    an archive's groups.

    Raises InputError where it does not fit the model or the format. Refinement of two-part codes is
    the encoder's alone, which also chooses their fineness.
    """
    name = default_coding(model).format.name if scheme is None else scheme
    if why := incompatibility(name, model, particles, refine):
        raise InputError(why)
    known, count = SCHEMES[name].format, particles_of(name, particles)
    if not (known.in_archives or in_files):
        wanted = ", ".join(formats.names(in_files=False))
        raise InputError(
            f"{name} codes files of one image, and a group of an archive is coded with one of "
            f"{wanted}"
        )
    if count > MAX_PARTICLES:
        raise InputError(
            f"a file or a group of an archive has up to {MAX_PARTICLES} particles, and {count} "
            "were asked for"
        )
    return Coding(known.number, count, refine or 0)
