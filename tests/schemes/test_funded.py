"""Bits-back on one tile: lossless, self-funded, empty at the end, and every bit accounted for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbans.coding import blocks
from bbans.container import part_records
from bbans.errors import FormatError, TooFlatError, UnderflowError
from bbans.exact.numpy_ops import NumpyOps
from bbans.models.fixed_predictor import FixedPredictor
from bbans.schemes.pyramid import self_funding
from bbans.schemes.pyramid.level import analyse
from tests.tiny import smooth_image, tiny_model, to_planes

NET = tiny_model().network(NumpyOps(np.float32))


def encode_at_best(pixels):
    levels, coarsest = analyse(NET, to_planes(pixels))
    channels = 1 if pixels.ndim == 2 else 3
    for precision in self_funding.LATENT_PRECISIONS:
        try:
            return (
                levels,
                coarsest,
                channels,
                self_funding.encode(levels, coarsest, channels, precision),
            )
        except UnderflowError:
            continue
    raise AssertionError("latents off cannot run short of bits")


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1),
        (1, 2),
        (1, 17),
        (17, 1),
        (2, 2),
        (3, 5),
        (8, 8),
        (9, 8),
        (13, 31),
        (64, 64),
        (97, 33),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_round_trip_and_account(shape, channels):
    pixels = smooth_image(*shape, channels=channels)
    levels, coarsest, _, coded = encode_at_best(pixels)
    x, account = self_funding.decode(
        NET, coded.words, shape, channels, coded.latent_precision, coded.growth
    )
    assert np.array_equal(x[:channels], to_planes(pixels)[:channels])
    for term in ("prior", "likelihood", "posterior", "initial", "coder", "flush"):
        assert getattr(account, term) == pytest.approx(
            getattr(coded.account, term), abs=1e-6 * 32 * len(coded.words) + 1e-6
        ), term
    assert account.initial == 0
    assert account.total == pytest.approx(32 * len(coded.words), abs=1e-4)
    assert abs(account.coder) <= 1 + 2e-4 * account.likelihood
    assert 0 <= account.flush <= 64


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([1, 3]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 256]),
)
def test_any_small_image_comes_back(h, w, channels, seed, values):
    rng = np.random.default_rng(seed)
    pixels = (
        rng.integers(0, values, (h, w) if channels == 1 else (h, w, 3))
        * (255 // max(values - 1, 1))
    ).astype(np.uint8)
    _, _, _, coded = encode_at_best(pixels)
    x, _ = self_funding.decode(
        NET, coded.words, (h, w), channels, coded.latent_precision, coded.growth
    )
    assert np.array_equal(x[:channels], to_planes(pixels)[:channels])


def test_latents_are_used_and_paid_by_the_image_itself():
    levels, coarsest, channels, coded = encode_at_best(smooth_image(96, 96))
    account = coded.account
    assert coded.latent_precision == 10
    blocks = sum(level.zeros().size for level in levels)
    assert account.prior == blocks * 10  # equal-mass bins: exactly the precision each
    assert account.posterior < 0 and account.initial == 0


def test_net_rate_is_the_elbo():
    """Mean net bits over 60 images against -ELBO of the exact model over 16 draws: within 0.2 % and
    4 standard errors.
    """
    differences, ideals = [], []
    for seed in range(60):
        levels, coarsest, channels, coded = encode_at_best(smooth_image(48, 48, seed))
        ideal = self_funding.ideal_bits(levels, coarsest, channels, coded.latent_precision)
        differences.append(coded.account.net - ideal)
        ideals.append(ideal)
    error = np.std(differences) / np.sqrt(len(differences))
    assert abs(np.mean(differences)) < 4 * error + 1e-4 * np.mean(ideals)  # false alarm below 1e-4
    assert abs(np.mean(differences)) < 2e-3 * np.mean(ideals)


def test_a_flat_image_degrades_without_failing():
    pixels = np.full((32, 32, 3), 77, np.uint8)
    levels, coarsest = analyse(NET, to_planes(pixels))
    coded = self_funding.encode(levels, coarsest, 3, 0)
    x, account = self_funding.decode(NET, coded.words, (32, 32), 3, 0, coded.growth)
    assert (x == 77).all() and account.prior == account.posterior == 0


def test_damaged_words_never_pass_silently():
    """A changed word either raises or gives other pixels (the container's checksum then refuses
    them).
    """
    pixels = smooth_image(24, 24)
    _, _, _, coded = encode_at_best(pixels)
    for i in range(0, len(coded.words), 7):
        words = coded.words.copy()
        words[i] ^= 1 << (i % 32)
        try:
            x, _ = self_funding.decode(
                NET, words, (24, 24), 3, coded.latent_precision, coded.growth
            )
        except (FormatError, UnderflowError):
            continue
        assert not np.array_equal(x, to_planes(pixels))


def test_unknown_latent_precision_is_refused():
    with pytest.raises(FormatError, match="latent precision 9"):
        self_funding.decode(NET, np.array([0, 2**31], np.uint32), (1, 1), 3, 9, ())


def test_what_cannot_fill_its_lanes_is_refused():
    """65536 samples a lane and no more, so that no file takes longer to decode than its size
    allows; and the container agrees.
    """
    x = np.zeros((3, 256, 256), np.int32)
    levels, coarsest = analyse(FixedPredictor(), x)
    with pytest.raises(TooFlatError):
        self_funding.encode(levels, coarsest, 3, 0)
    assert self_funding.encode(levels, coarsest, 1, 0).growth == ()
    assert (
        part_records.MAX_ROWS,
        [blocks.lanes_needed(n) for n in (1, 2**16, 2**17, 2**20, 3 * 2**20)],
    ) == (
        blocks.MAX_ROWS,
        [1, 1, 8, 64, 64],
    )
