"""Table of schemes: for each its entry in the formats (`container.schemes`), the models that it
suits, and its codec.

`register` adds a row, also from a module outside this package; nothing else has to be changed.
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
"""`(model, x, coding, draws, seed)` -> expected net bits, float64 `(items,)`."""

DEFAULT_PARTICLES = 8
GAUSSIANS = "one layer of latents with a diagonal Gaussian posterior, which this model has not"


@dataclass(frozen=True)
class SchemeRow:
    """A scheme.

    format: its number, name and parameters in the formats. build: makes the scheme of a `Coding`.
    unsuited: a function from a model's capabilities to the reason why the model cannot be coded
    with this scheme, None where it can. deterministic: whether the scheme is for models with a
    deterministic posterior, and for these only. ideal_bits: estimates the expected net bits of
    items from seeded samples; None for -ELBO.
    """

    format: SchemeFormat
    build: Callable[[Coding], Scheme]
    unsuited: Callable[[Capabilities], str | None] = lambda capabilities: None
    deterministic: bool = False
    ideal_bits: IdealBits | None = None

    @property
    def name(self) -> str:
        """Return the scheme's name as users write it."""
        return self.format.name


SCHEMES: dict[str, SchemeRow] = {}
"""All schemes by name."""


def register(row: SchemeRow) -> None:
    """Add a scheme, and its format if that is new. Raises ValueError if the name is taken.

    Examples:
        >>> register(SCHEMES["bits-back"])
        Traceback (most recent call last):
        ...
        ValueError: the scheme 'bits-back' is there already; choose another name
    """
    if row.name in SCHEMES:
        raise ValueError(f"the scheme {row.name!r} is there already; choose another name")
    if formats.SCHEMES.get(row.format.number) is not row.format:
        formats.register_format(row.format)
    SCHEMES[row.name] = row


def _one_layer(name: str) -> Callable[[Capabilities], str | None]:
    """Return an `unsuited` function for importance weighting."""

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
    """Return an `unsuited` function for schemes that need diagonal Gaussian latents."""

    def unsuited(model: Capabilities) -> str | None:
        return None if model.refinable else f"{name} codes {GAUSSIANS}; take {named(BITS_BACK)}"

    return unsuited


def named(number: int) -> str:
    """Return the name of the scheme with this number.

    Examples:
        >>> named(BIT_SWAP)
        'bit-swap'
    """
    return formats.SCHEMES[number].name


def _weighted(number: int, coupled: bool) -> SchemeRow:
    """Return the row of a scheme that weights particles, independent ones or coupled ones."""

    def build(coding: Coding) -> Scheme:
        return importance.scheme(coding.particles, coupled)

    def ideal(
        model: LatentModel | Given, x: Ints, coding: Coding, draws: int, seed: int
    ) -> bounds.Bits:
        return bounds.weighted_bits(model, x, coding.particles, coupled, draws, seed)

    return SchemeRow(formats.SCHEMES[number], build, _one_layer(named(number)), ideal_bits=ideal)


register(SchemeRow(formats.SCHEMES[BITS_BACK], lambda coding: bits_back.codec))
register(SchemeRow(formats.SCHEMES[BIT_SWAP], lambda coding: bit_swap.codec))
register(
    SchemeRow(
        formats.SCHEMES[DETERMINISTIC], lambda coding: deterministic.codec, deterministic=True
    )
)
register(_weighted(BB_IS, coupled=False))
register(_weighted(BB_CIS, coupled=True))
register(
    SchemeRow(
        formats.SCHEMES[TWO_PART],
        lambda coding: two_part.scheme(coding.fineness),
        _gaussians(named(TWO_PART)),
    )
)


def build(coding: Coding) -> Scheme:
    """Return the scheme of a coding.

    Refinement is not included: it is a property of the model (`posterior_refinement.refined`).

    Examples:
        >>> callable(build(Coding(BITS_BACK)))
        True
    """
    return SCHEMES[coding.format.name].build(coding)


def ideal_bits(
    coding: Coding, model: LatentModel | Given, x: Ints, draws: int, seed: int = 0
) -> bounds.Bits:
    """Estimate the expected net bits of items x int64 `(items, dims)`, float64 `(items,)`.

    The result is -ELBO, or the bound of the scheme's particles, from `draws` seeded samples of the
    latents.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> ideal_bits(Coding(BITS_BACK), model, sampling.sample_items(model, 4), draws=2).shape
        (4,)
    """
    bound = SCHEMES[coding.format.name].ideal_bits
    if bound is None:
        return bounds.ideal_bits(model, x, draws, seed).total
    return bound(model, x, coding, draws, seed)


def by_name(name: str, particles: int = 1) -> Scheme:
    """Return a scheme by name, with `particles` particles; two-part codes get the default fineness.

    Raises ValueError on an unknown name, and on several particles of a scheme without particles.

    Examples:
        >>> callable(by_name("bb-is", particles=4))
        True
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
    """Return the names of the schemes with several particles.

    Examples:
        >>> weighted()
        ('bb-is', 'bb-cis')
    """
    return tuple(name for name, row in SCHEMES.items() if row.format.weighted)


def particles_of(name: str, particles: int | None) -> int:
    """Return the number of particles of a scheme when `particles` are requested; None is the
    default.

    A scheme without particles always has 1.

    Examples:
        >>> particles_of("bb-is", None), particles_of("bits-back", None)
        (8, 1)
    """
    return (particles or DEFAULT_PARTICLES) if SCHEMES[name].format.weighted else 1


def incompatibility(
    name: str, model: Capabilities, particles: int | None, refine: int | None = None
) -> str | None:
    """Return why a model cannot be coded with a scheme, None if it can.

    `particles` None stands for the scheme's default; `refine` is the number of refinement steps.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> incompatibility("bits-back", LinearGaussian().capabilities, None) is None
        True
        >>> incompatibility("bits-back", LinearGaussian().capabilities, 4)
        'bits-back has one particle; found 4: take bb-is or bb-cis'
    """
    if refine and not model.refinable:
        return f"refinement is for {GAUSSIANS}; leave it out"
    if not 0 <= (refine or 0) <= posterior_refinement.MAX_STEPS:
        return (
            f"a posterior is refined by 0 to {posterior_refinement.MAX_STEPS} steps; found {refine}"
        )
    suitable = [n for n, row in SCHEMES.items() if row.deterministic == model.deterministic]
    if name not in suitable:
        return f"this model is not coded with {name!r}; take one of {', '.join(suitable)}"
    row = SCHEMES[name]
    if reason := row.unsuited(model):
        return reason
    count = 1 if particles is None else particles
    if not row.format.weighted and count != 1:
        return f"{name} has one particle; found {particles}: take {' or '.join(weighted())}"
    if not 1 <= count <= importance.MAX_POOL:
        return f"{name} has 1 to {importance.MAX_POOL} particles; found {particles}"
    return None


def default_coding(model: Capabilities) -> Coding:
    """Return the coding of an archive's groups for a model when no scheme is requested.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> default_coding(LinearGaussian().capabilities).format.name
        'bits-back'
    """
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
    """Return the coding for the requested scheme, particles and refinement steps; None requests a
    default.

    `in_files`: for a file of one image, where other schemes are allowed than for an archive's
    groups. For two-part codes the refinement is not recorded, since only the encoder uses it, and
    their fineness is chosen later. Raises InputError where the request does not fit the model or
    the format.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> coding = resolve_scheme(LinearGaussian().capabilities, "bb-is", None, refine=None)
        >>> coding.format.name, coding.particles
        ('bb-is', 8)
    """
    name = default_coding(model).format.name if scheme is None else scheme
    if reason := incompatibility(name, model, particles, refine):
        raise InputError(reason)
    scheme_format, count = SCHEMES[name].format, particles_of(name, particles)
    if not (scheme_format.in_archives or in_files):
        allowed = ", ".join(formats.names(in_files=False))
        raise InputError(
            f"{name} codes files of one image, and a group of an archive is coded with one of "
            f"{allowed}"
        )
    if count > MAX_PARTICLES:
        raise InputError(
            f"a file or a group of an archive has up to {MAX_PARTICLES} particles; found {count}"
        )
    return Coding(scheme_format.number, count, refine or 0)
