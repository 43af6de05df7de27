"""Users name schemes (`schemes.names`), formats number them (`container.codings`): from what is asked for to a record, and to a scheme."""

from __future__ import annotations

from bbans.container.codings import (
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
from bbans.schemes import names, two_part
from bbans.schemes.chain import Chain
from bbans.schemes.terms import Scheme

CODES = {
    names.BITS_BACK: BITS_BACK,
    names.BIT_SWAP: BIT_SWAP,
    names.DETERMINISTIC: DETERMINISTIC,
    names.BB_IS: BB_IS,
    names.BB_CIS: BB_CIS,
    names.TWO_PART: TWO_PART,
}
NAMES = {code: name for name, code in CODES.items()}


def default(chain: Chain, certain: bool) -> Coding:
    """What a chain of items is coded with; `certain`: its posterior is."""
    return Coding(DETERMINISTIC if certain else BIT_SWAP if chain.depth > 1 else BITS_BACK)


def asked(
    chain: Chain, certain: bool, scheme: str | None, particles: int | None, refine: int | None, schemes: tuple[int, ...] = CHAINABLE
) -> Coding:
    """The coding that a user asks for, None for what suits the chain. Raises InputError where it does not fit the chain or the format.

    Refinement of two-part codes is the encoder's alone, which also chooses their fineness.
    """
    name = NAMES[default(chain, certain).scheme] if scheme is None else scheme
    if why := names.misfit(name, certain, chain, particles, refine):
        raise InputError(why)
    code, count = CODES[name], names.particles_of(name, particles)
    if code not in schemes:
        wanted = ", ".join(NAMES[one] for one in schemes)
        raise InputError(f"{name} codes files of one image, and a group of an archive is coded with one of {wanted}")
    if count > MAX_PARTICLES:
        raise InputError(f"a file or a group of an archive has up to {MAX_PARTICLES} particles, and {count} were asked for")
    return Coding(code, count, refine or 0)


def scheme_of(coding: Coding) -> Scheme:
    """The scheme; refinement is the chain's (`schemes.refined`)."""
    if coding.scheme == TWO_PART:
        return two_part.scheme(coding.fineness)
    return names.by_name(NAMES[coding.scheme], coding.particles)
