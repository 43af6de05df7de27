"""Users name schemes (`schemes.registry`), formats number them (`container.schemes`): from what is
asked for to a record, and to a scheme.
"""

from __future__ import annotations

from bbans.container.schemes import (
    BB_CIS,
    BB_IS,
    BIT_SWAP,
    BITS_BACK,
    CHAINABLE,
    DETERMINISTIC,
    MAX_PARTICLES,
    TWO_PART,
    Coding,
)
from bbans.errors import InputError
from bbans.schemes import registry, two_part
from bbans.schemes.latent_model import Chain
from bbans.schemes.metering import Scheme

CODES = {
    registry.BITS_BACK: BITS_BACK,
    registry.BIT_SWAP: BIT_SWAP,
    registry.DETERMINISTIC: DETERMINISTIC,
    registry.BB_IS: BB_IS,
    registry.BB_CIS: BB_CIS,
    registry.TWO_PART: TWO_PART,
}
NAMES = {code: name for name, code in CODES.items()}


def default(chain: Chain, certain: bool) -> Coding:
    """What a chain of items is coded with; `certain`: its posterior is."""
    return Coding(DETERMINISTIC if certain else BIT_SWAP if chain.depth > 1 else BITS_BACK)


def asked(
    chain: Chain,
    certain: bool,
    scheme: str | None,
    particles: int | None,
    refine: int | None,
    schemes: tuple[int, ...] = CHAINABLE,
) -> Coding:
    """The coding that a user asks for, None for what suits the chain.

    Raises InputError where it does not fit the chain or the format.

    Refinement of two-part codes is the encoder's alone, which also chooses their fineness.
    """
    name = NAMES[default(chain, certain).scheme] if scheme is None else scheme
    if why := registry.misfit(name, certain, chain, particles, refine):
        raise InputError(why)
    code, count = CODES[name], registry.particles_of(name, particles)
    if code not in schemes:
        wanted = ", ".join(NAMES[one] for one in schemes)
        raise InputError(
            f"{name} codes files of one image, and a group of an archive is coded with one of "
            f"{wanted}"
        )
    if count > MAX_PARTICLES:
        raise InputError(
            f"a file or a group of an archive has up to {MAX_PARTICLES} particles, and {count} "
            "were asked for"
        )
    return Coding(code, count, refine or 0)


def scheme_of(coding: Coding) -> Scheme:
    """The scheme; refinement is the chain's (`schemes.posterior_refinement`)."""
    if coding.scheme == TWO_PART:
        return two_part.scheme(coding.fineness)
    return registry.by_name(NAMES[coding.scheme], coding.particles)
