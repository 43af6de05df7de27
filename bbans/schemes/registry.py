"""The schemes by the names that users give them, with the number of particles where a scheme has
one.
"""

from __future__ import annotations

from bbans.schemes import (
    bit_swap,
    bits_back,
    deterministic,
    importance,
    posterior_refinement,
    two_part,
)
from bbans.schemes.latent_model import Chain
from bbans.schemes.metering import Scheme

BITS_BACK, BIT_SWAP, DETERMINISTIC, BB_IS, BB_CIS, TWO_PART = NAMES = (
    "bits-back",
    "bit-swap",
    "deterministic",
    "bb-is",
    "bb-cis",
    "two-part",
)
WEIGHTED = (BB_IS, BB_CIS)
"""Those of K particles."""
PLAIN: dict[str, Scheme] = {
    BITS_BACK: bits_back.codec,
    BIT_SWAP: bit_swap.codec,
    DETERMINISTIC: deterministic.codec,
    TWO_PART: two_part.codec,
}
DEFAULT_PARTICLES = 8


def by_name(name: str, particles: int = 1) -> Scheme:
    """The scheme of a name; `particles` is 1 where it has none. Raises ValueError."""
    if name in WEIGHTED:
        return importance.scheme(particles, coupled=name == BB_CIS)
    if name not in PLAIN or particles != 1:
        raise ValueError(
            f"schemes are {', '.join(NAMES)}, {' and '.join(WEIGHTED)} of several particles; "
            f"found {name!r} of {particles}"
        )
    return PLAIN[name]


def particles_of(name: str, particles: int | None) -> int:
    """How many a scheme has where so many were asked for, None for as many as it likes; 1 where it
    has none.
    """
    return (particles or DEFAULT_PARTICLES) if name in WEIGHTED else 1


def misfit(
    name: str, certain: bool, chain: Chain, particles: int | None, refine: int | None = None
) -> str | None:
    """Why a chain cannot be coded with a scheme, so many particles (None: as many as it likes) and
    steps of refinement; None if it can.

    `certain`: its posterior is, which one scheme is for.
    """
    if refine and (certain or not posterior_refinement.searchable(chain)):
        return (
            "refinement is for one layer of latents with a diagonal Gaussian posterior, which "
            "this model has not; leave it out"
        )
    if not 0 <= (refine or 0) <= posterior_refinement.MAX_STEPS:
        return (
            f"a posterior is refined by 0 to {posterior_refinement.MAX_STEPS} steps, and "
            f"{refine} were asked for"
        )
    if name not in NAMES or (name == DETERMINISTIC) != certain:
        fitting = (DETERMINISTIC,) if certain else tuple(n for n in NAMES if n != DETERMINISTIC)
        return f"this model is not coded with {name!r}; take one of {', '.join(fitting)}"
    if name == TWO_PART and not posterior_refinement.searchable(chain):
        return (
            f"{name} codes one layer of latents with a diagonal Gaussian posterior, which "
            f"this model has not; take {BITS_BACK}"
        )
    if name not in WEIGHTED:
        return (
            None
            if particles in (None, 1)
            else f"{name} has one particle, and {particles} were asked for; take "
            f"{' or '.join(WEIGHTED)}"
        )
    if chain.depth != 1:
        return (
            f"{name} weights the latents of one layer, and this model has {chain.depth}; take "
            f"{BIT_SWAP}"
        )
    if name == BB_CIS and not getattr(chain, "independent", True):
        return (
            f"{BB_CIS} shifts latents that are independent given the image, and this model's "
            f"are not; take {BB_IS}"
        )
    if particles is not None and not 1 <= particles <= importance.MAX_PARTICLES:
        return (
            f"{name} has 1 to {importance.MAX_PARTICLES} particles, and {particles} were asked for"
        )
    return None
