"""A tile as an item of a latent chain, in a message of its own.

Without latents or with certain ones (`schemes.default_latent`), or by a scheme: with latents that
the encoder chooses (`schemes.two_part`), which is mostly the shortest, or with latents that are
bits of the message's own (`schemes.single_message`), for whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.container.file_records import CHAIN, CODED_CHAIN, MAX_ROWS, TilePart
from bbans.container.schemes import (
    BB_CIS,
    DETERMINISTIC,
    MAX_WEIGHTED_SAMPLES,
    SINGLE,
    TWO_PART,
    WEIGHTED,
    Coding,
)
from bbans.distributions.distribution import each
from bbans.errors import FormatError, InputError
from bbans.models.model_file import Model
from bbans.schemes import (
    bounds,
    default_latent,
    numbered,
    posterior_refinement,
    registry,
    single_message,
    two_part,
)
from bbans.schemes.latent_model import Chain
from bbans.schemes.metering import COARSEST, Account, Scheme, Symbols, Watch

CODING_BYTES = 2  # of an entry: scheme and fineness

Samples = NDArray[Any]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ChainPredictor:
    """A chain, the shape `(H, W, channels)` of its images, the values of a sample, and whether its
    posterior is certain.

    `asked`: how new tiles are to be coded, None for as short as can be.
    """

    chain: Chain
    shape: tuple[int, int, int]
    levels: int
    certain: bool
    asked: Coding | None = None


def chain_predictor(model: Model, network: Any) -> ChainPredictor:
    """The predictor of a latent chain's model with its network.

    Raises InputError on a model that has to be told labels.
    """
    config: Any = model.config
    if getattr(config, "classes", 0):
        raise InputError(
            f"model {model.name} is told a label with every image, which a file has no place for; "
            "train one without labels"
        )
    if hasattr(config, "told"):
        raise InputError(
            f"model {model.name} codes a part of an image given the rest, which a file has no "
            "place for; train another"
        )
    return ChainPredictor(
        network,
        (config.height, config.width, config.channels),
        config.levels,
        hasattr(config, "codebook"),
    )


def asking_chain(
    predictor: ChainPredictor, scheme: str | None, particles: int | None, refine: int | None
) -> ChainPredictor:
    """The predictor with a scheme by name, so many particles, so many steps of refinement; None:
    what suits. Raises InputError.
    """
    if scheme is None and particles in (None, 1):
        if not refine:
            return predictor
        if not predictor.certain and posterior_refinement.searchable(
            predictor.chain
        ):  # better latents of what is coded unasked
            scheme = registry.TWO_PART
    schemes = (DETERMINISTIC, *SINGLE)
    found = numbered.asked(predictor.chain, predictor.certain, scheme, particles, refine, schemes)
    if (
        found.scheme != TWO_PART
        and prod(predictor.shape) * found.evaluations > MAX_WEIGHTED_SAMPLES
    ):
        raise InputError(
            f"an image of {prod(predictor.shape)} samples is evaluated up to {found.evaluations} "
            "times so; ask for fewer steps"
        )
    return predictor if found.scheme == DETERMINISTIC else replace(predictor, asked=found)


def check_fit(predictor: ChainPredictor, pixels: Samples, palette: bool, name: str) -> None:
    """Raise InputError unless an image `(h, w)` or `(h, w, channels)` is one that the model
    codes.
    """
    shape = (*pixels.shape, 1)[:3]
    if (
        palette
        or shape != predictor.shape
        or int(pixels.max()) >= predictor.levels
        or pixels.size > MAX_ROWS
    ):
        rows, columns, channels = predictor.shape
        wanted = (
            f"{columns} x {rows} pixels, {channels} channels and values to {predictor.levels - 1}"
        )
        found = (
            f"{shape[1]} x {shape[0]}, {shape[2]}{', a palette' if palette else ''} and "
            f"values to {pixels.max()}"
        )
        raise InputError(
            f"model {name} codes images of {wanted}; this one has {found}; choose another model"
        )


def encode_chain(predictor: ChainPredictor, samples: Samples) -> bytes:
    """The payload of a tile `(H, W, channels)` that fits, without latents or with certain ones."""
    return (
        default_latent.encode(predictor.chain, _item(samples), predictor.certain)
        .astype("<u4")
        .tobytes()
    )


def chain_part(predictor: ChainPredictor, samples: Samples) -> TilePart:
    """A tile that fits as a chain codes it: as was asked, or as short as it can."""
    x, channels, chain, asked = _item(samples), samples.shape[2], predictor.chain, predictor.asked
    if (
        asked is not None and asked.scheme == TWO_PART
    ):  # what is searched for is the encoder's alone: a decoder is told the cells
        return _two_part(posterior_refinement.refined(chain, asked.refinement), x, channels)
    if asked is not None:
        payload = single_message.encode(
            posterior_refinement.refined(chain, asked.refinement), numbered.scheme_of(asked), x
        )
        return TilePart(CODED_CHAIN, channels, payload, coding=asked)
    idle = TilePart(CHAIN, channels, encode_chain(predictor, samples))
    if predictor.certain or not posterior_refinement.searchable(chain):
        return idle
    chosen = _two_part(chain, x, channels)
    return chosen if len(chosen.payload) + CODING_BYTES < len(idle.payload) else idle


def _two_part(chain: Chain, x: Ints, channels: int) -> TilePart:
    kept = single_message.Watched(chain)
    found = two_part.best(kept, x)
    payload = single_message.encode(kept, two_part.scheme(found.fineness, found.grid), x)
    return TilePart(
        CODED_CHAIN, channels, payload, coding=Coding(TWO_PART, fineness=found.fineness)
    )


class Decoded(NamedTuple):
    """Samples of a part, `(H, W, channels)`, and its account."""

    samples: Samples
    account: Account


def decode_chain(
    predictor: ChainPredictor,
    part: TilePart,
    shape: tuple[int, int, int],
    bit_depth: int,
    accounted: bool = True,
    watch: Watch | None = None,
) -> Decoded:
    """A part of a tile of this shape; `watch` is told of samples and latents.

    Raises FormatError, UnderflowError on damage.

    Unless the account is asked for, it is empty, and initial bits, which say nothing of the
    samples, are not looked at.
    """
    if shape != predictor.shape:
        raise FormatError(
            f"the model codes tiles {predictor.shape}, this one has {shape}; the file is damaged "
            "or its model another"
        )
    chain, told = predictor.chain, list[Symbols]()
    if part.coding is None:
        if len(part.payload) % 4:
            raise FormatError(
                f"a tile's message is whole 32-bit words, found {len(part.payload)} bytes; the "
                "file is damaged"
            )
        x, account = default_latent.decode(
            chain, np.frombuffer(part.payload, "<u4").astype(np.uint32), predictor.certain
        )
        if watch is not None:
            of_samples, of_latents = default_latent.symbol_bits(chain, x, predictor.certain)
            told = _symbols(of_samples.reshape(shape), prior=of_latents)
    elif accounted or chain.depth > 1 or part.coding.scheme == TWO_PART:
        coder = _coder(predictor, part.coding)
        x, z, account = single_message.decode(
            *coder, part.payload, paid=part.coding.scheme != TWO_PART
        )
        if watch is not None:
            told = _symbols(
                each(chain.likelihood(0, z), x).reshape(shape),
                prior=account.prior,
                posterior=account.posterior,
            )
    else:
        x, account = (
            single_message.samples(_coder(predictor, part.coding)[0], part.payload),
            Account(),
        )
    if int(x.max()) >> bit_depth:
        raise FormatError(
            f"samples of {bit_depth} bits were expected, found {x.max()}; the file is damaged"
        )
    if watch is not None:
        for symbols in told:
            watch(symbols)
    return Decoded(x.reshape(shape).astype(np.uint16 if bit_depth == 16 else np.uint8), account)


def _symbols(of_samples: NDArray[np.float64], **latents: float) -> list[Symbols]:
    """Bits of samples `(H, W, channels)`, and of all latents together."""
    found = [Symbols("likelihood", 0, COARSEST, of_samples)]
    return [
        *found,
        *(Symbols(term, 0, COARSEST, np.full((1, 1, 1), bits)) for term, bits in latents.items()),
    ]


def chain_bits(predictor: ChainPredictor, part: TilePart, samples: Samples, draws: int) -> float:
    """What a part should take under the exact model, in bits: -ELBO or the bound of its scheme by
    so many draws, if it has latents.
    """
    x = _item(samples)
    if part.coding is None:
        return default_latent.ideal_bits(predictor.chain, x, predictor.certain)
    chain = single_message.Watched(_coder(predictor, part.coding)[0])
    if part.coding.scheme in WEIGHTED:
        coupled = part.coding.scheme == BB_CIS
        return float(bounds.weighted_bits(chain, x, part.coding.particles, coupled, draws)[0])
    return float(bounds.ideal_bits(chain, x, draws).total[0])


def _coder(predictor: ChainPredictor, coding: Coding) -> tuple[Chain, Scheme]:
    """The chain and the scheme of a part. Raises FormatError where the model has no such."""
    wanted = numbered.NAMES[coding.scheme]
    particles = coding.particles if coding.scheme in WEIGHTED else None
    if why := registry.misfit(
        wanted, predictor.certain, predictor.chain, particles, coding.refinement
    ):
        raise FormatError(f"the file is damaged or its model another: {why}")
    return posterior_refinement.refined(predictor.chain, coding.refinement), numbered.scheme_of(
        coding
    )


def _item(samples: Samples) -> NDArray[np.int64]:
    return samples.reshape(1, -1).astype(np.int64)
