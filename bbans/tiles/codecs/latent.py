"""A tile as one item of a latent model of whole images, in a message of its own.

Without a scheme it is coded under the model's default latent, or under the point of a deterministic
posterior (`schemes.default_latent`). With a scheme it is coded by `schemes.two_part`, where the
encoder chooses the latents, which is mostly the shortest, or on request by any other scheme, which
pays its initial bits (`schemes.single_message`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bbans.container import tile_codecs
from bbans.container.part_records import MAX_ROWS, TilePart, codec_name
from bbans.container.schemes import TWO_PART, Coding
from bbans.container.tile_codecs import CHAIN, CODED_CHAIN
from bbans.distributions.distribution import symbol_bits
from bbans.errors import FormatError, InputError
from bbans.models.base import LatentModel
from bbans.models.image_model import ImageModel
from bbans.schemes import default_latent, posterior_refinement, registry, single_message, two_part
from bbans.schemes.metering import NO_PHASE, Account, Scheme, Symbols, Watch
from bbans.tiles.bit_map import Costs, Share
from bbans.tiles.codec import Place, Samples, TileCodec

CODING_BYTES = 2
"""Bytes of a table entry for scheme and fineness."""

Ints = NDArray[np.int64]


def check_fit(model: ImageModel, pixels: Samples, palette: bool) -> None:
    """Raise InputError unless the model can code an image `(h, w)` or `(h, w, channels)` in a
    file.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = ImageModel(LinearGaussian(latents=2, k=1, n=256), shape=(2, 3, 1), levels=256)
        >>> check_fit(model, np.zeros((2, 3), np.uint8), palette=False)
    """
    model.check(pixels, palette)
    if pixels.size > MAX_ROWS:
        raise InputError(
            f"model {model.name} codes images of {pixels.size} samples, and one that a file holds "
            f"has up to {MAX_ROWS}; choose another model"
        )


def encode_default(model: ImageModel, samples: Samples) -> bytes:
    """Return the payload of a tile `(h, w, channels)` of the model's shape, coded without a
    scheme.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = ImageModel(LinearGaussian(latents=2, k=1, n=256), shape=(2, 3, 1), levels=256)
        >>> payload = encode_default(model, np.full((2, 3, 1), 128, np.uint8))
        >>> len(payload) % 4
        0
    """
    return default_latent.encode(model.latent, _item(samples)).astype("<u4").tobytes()


def encode_latent(model: ImageModel, coding: Coding | None, samples: Samples) -> TilePart:
    """Code a tile `(h, w, channels)` of the model's shape as `coding` requests, or as short as
    possible.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = ImageModel(LinearGaussian(latents=2, k=1, n=256), shape=(2, 3, 1), levels=256)
        >>> samples = np.full((2, 3, 1), 128, np.uint8)
        >>> encode_latent(model, Coding(TWO_PART, fineness=5), samples).coding.format.name
        'two-part'
    """
    x, channels, latent = _item(samples), samples.shape[2], model.latent
    if coding is not None and coding.format.fineness:
        # Only the encoder searches for the latents: the decoder reads their cells.
        return _two_part(posterior_refinement.refined(latent, coding.refinement), x, channels)
    if coding is not None:
        refined = posterior_refinement.refined(latent, coding.refinement)
        payload = single_message.encode(refined, registry.build(coding), x)
        return TilePart(CODED_CHAIN, channels, payload, coding=coding)
    default_coded = TilePart(CHAIN, channels, encode_default(model, samples))
    if not model.capabilities.refinable:
        return default_coded
    two_part_coded = _two_part(latent, x, channels)
    return (
        two_part_coded
        if len(two_part_coded.payload) + CODING_BYTES < len(default_coded.payload)
        else default_coded
    )


def _two_part(model: LatentModel, x: Ints, channels: int) -> TilePart:
    """Code an item with two-part codes of the best fineness."""
    memoised = single_message.Memoised(model)
    best = two_part.best(memoised, x)
    payload = single_message.encode(memoised, two_part.scheme(best.fineness, best.grid), x)
    coding = Coding(TWO_PART, fineness=best.fineness)
    return TilePart(CODED_CHAIN, channels, payload, coding=coding)


def decode_latent(
    model: ImageModel,
    part: TilePart,
    shape: tuple[int, int, int],
    bit_depth: int,
    accounted: bool = True,
    watch: Watch | None = None,
) -> tuple[Samples, Account]:
    """Decode a part of a tile of `shape` `(h, w, channels)`: return its samples and the account of
    its bytes in bits.

    `watch` receives the bits of samples and latents. Unless `accounted`, the account may be empty,
    and initial bits, which carry no information about the samples, are not verified. Raises
    FormatError or UnderflowError on damaged data.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = ImageModel(LinearGaussian(latents=2, k=1, n=256), shape=(2, 3, 1), levels=256)
        >>> samples = np.full((2, 3, 1), 128, np.uint8)
        >>> part = encode_latent(model, None, samples)
        >>> np.array_equal(decode_latent(model, part, (2, 3, 1), bit_depth=8)[0], samples)
        True
    """
    if shape != model.shape:
        raise FormatError(
            f"the model codes tiles {model.shape}, this one has {shape}; the file is damaged "
            "or its model another"
        )
    latent, symbols = model.latent, list[Symbols]()
    if part.coding is None:
        if len(part.payload) % 4:
            raise FormatError(
                f"a tile's message is whole 32-bit words, found {len(part.payload)} bytes; the "
                "file is damaged"
            )
        words = np.frombuffer(part.payload, "<u4").astype(np.uint32)
        x, account = default_latent.decode(latent, words)
        if watch is not None:
            sample_bits, latent_bits = default_latent.sample_bits(latent, x)
            symbols = _symbols(sample_bits.reshape(shape), prior=latent_bits)
    elif accounted or model.capabilities.depth > 1 or part.coding.format.funded:
        coder = _coder(model, part.coding)
        paid = not part.coding.format.funded
        x, z, account = single_message.decode(*coder, part.payload, paid=paid)
        if watch is not None:
            symbols = _symbols(
                symbol_bits(latent.likelihood(0, z), x).reshape(shape),
                prior=account.prior,
                posterior=account.posterior,
            )
    else:
        x = single_message.samples(_coder(model, part.coding)[0], part.payload)
        account = Account()
    if int(x.max()) >> bit_depth:
        raise FormatError(
            f"samples of {bit_depth} bits were expected, found {x.max()}; the file is damaged"
        )
    if watch is not None:
        for group in symbols:
            watch(group)
    return x.reshape(shape).astype(np.uint16 if bit_depth == 16 else np.uint8), account


def _symbols(sample_bits: NDArray[np.float64], **latents: float) -> list[Symbols]:
    """Return the bits of samples `(h, w, channels)`, and of all latents together."""
    return [
        Symbols("likelihood", 0, NO_PHASE, sample_bits),
        *(Symbols(term, 0, NO_PHASE, np.full((1, 1, 1), bits)) for term, bits in latents.items()),
    ]


def ideal_bits(model: ImageModel, part: TilePart, samples: Samples, draws: int) -> float:
    """Estimate the bits of a part under the exact model: -ELBO or its scheme's bound, with `draws`
    samples of the latents.

    Without a scheme the result is exact.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = ImageModel(LinearGaussian(latents=2, k=1, n=256), shape=(2, 3, 1), levels=256)
        >>> samples = np.full((2, 3, 1), 128, np.uint8)
        >>> part = encode_latent(model, None, samples)
        >>> 0 < ideal_bits(model, part, samples, draws=2) < 8 * len(part.payload)
        True
    """
    x = _item(samples)
    if part.coding is None:
        return default_latent.ideal_bits(model.latent, x)
    memoised = single_message.Memoised(_coder(model, part.coding)[0])
    return float(registry.ideal_bits(part.coding, memoised, x, draws)[0])


def _coder(model: ImageModel, coding: Coding) -> tuple[LatentModel, Scheme]:
    """Return model and scheme of a part. Raises FormatError where the model does not support the
    scheme.
    """
    particles = coding.particles if coding.format.weighted else None
    if reason := registry.incompatibility(
        coding.format.name, model.capabilities, particles, coding.refinement
    ):
        raise FormatError(f"the file is damaged or its model another: {reason}")
    return posterior_refinement.refined(model.latent, coding.refinement), registry.build(coding)


def _item(samples: Samples) -> Ints:
    """Return samples as one item, int64 `(1, dims)`."""
    return samples.reshape(1, -1).astype(np.int64)


def _decode(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    shape = *place.shape, part.channels
    model, depth = place.context.whole_images(), place.pixel_format.bit_depth
    return decode_latent(model, part, shape, depth, accounted, watch)


def _ideal_bits(part: TilePart, samples: Samples, place: Place, draws: int) -> float:
    return ideal_bits(place.context.whole_images(), part, samples, draws)


def _map(part: TilePart, symbols: Sequence[Symbols], account: Account, place: Place) -> Costs:
    """Count bits of samples at their pixels, and spread those of latents, which belong to no pixel,
    evenly.
    """
    name, bits = codec_name(part), np.zeros(place.shape)
    for group in symbols:
        bits += group.bits.sum(2) if group.term == "likelihood" else group.bits.sum() / bits.size
    shares = (Share(name, None, group.term, float(group.bits.sum())) for group in symbols)
    return Costs(bits, tuple(shares))


def _offer(samples: Samples, place: Place) -> TilePart | None:
    model = place.context.image_model
    return None if model is None else encode_latent(model, place.context.coding, samples)


CODECS = (
    TileCodec(tile_codecs.CODECS[CHAIN], _decode, None, _ideal_bits, _map, _offer),
    TileCodec(tile_codecs.CODECS[CODED_CHAIN], _decode, None, _ideal_bits, _map),
)
"""Codecs without a scheme and with one. `offer` returns the shorter of both."""
