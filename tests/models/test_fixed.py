"""The fixed predictor: codes without a model, without torch, and predicts what it claims to."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans import container
from bbans.distributions.tables import SCALES
from bbans.errors import FormatError
from bbans.files.info import info
from bbans.models.fixed_predictor import (
    MIXTURES,
    PHASES,
    FixedPredictor,
    features,
    mixture_parameters,
    neighbours,
    shifted,
)
from bbans.schemes.pyramid import polyphase, self_funding
from bbans.schemes.pyramid.level import analyse
from tests.tiny import smooth_image


def phases_of(x):
    """Known phases and sums of one level of an even-sized image."""
    known = [x[:, ::2, ::2]]
    for phase, (row, column) in enumerate(polyphase.OFFSETS):
        yield phase, known, polyphase.neighbour_sums(phase, known), x[:, row::2, column::2]
        known = [*known, x[:, row::2, column::2]]


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from(["smooth", "grey", "noise", "flat", "steps"]),
    st.integers(0, 2**32 - 1),
)
def test_images_come_back_without_a_model(shape, content, seed):
    rng = np.random.default_rng(seed)
    image = {
        "smooth": lambda: smooth_image(*shape, seed),
        "grey": lambda: smooth_image(*shape, seed, channels=1),
        "noise": lambda: rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        "flat": lambda: np.full((*shape, 3), rng.integers(256), np.uint8),
        "steps": lambda: (255 * (smooth_image(*shape, seed) > 128)).astype(np.uint8),
    }[content]()
    data = bbans.compress(image, model="none", verify=False, model_only=True)
    header = container.read(data)
    assert header.model_id == container.NO_MODEL and container.BITS_BACK not in {
        part.codec for t in header.tiles for part in t.parts
    }
    assert np.array_equal(bbans.decompress(data), image)


def test_neighbours_are_those_of_the_prediction_and_opposite_ones_are_together():
    row, column = np.meshgrid(np.arange(16), np.arange(12), indexing="ij")
    x = np.broadcast_to(row + 20 * column, (3, 16, 12)).astype(np.int32)
    for phase, known, sums, actual in phases_of(x):
        inner, outer = neighbours(phase, known)
        assert np.array_equal(sum(inner), sums)
        middle = (
            slice(None),
            slice(2, -2),
            slice(2, -2),
        )  # away from the edge, a plane is the mean of opposite neighbours
        assert np.array_equal((inner[0] + inner[1])[middle], 2 * actual[middle])
        assert np.array_equal((inner[2] + inner[3])[middle], 2 * actual[middle])
        assert len(outer) == 8 and np.array_equal(sum(outer)[middle], 8 * actual[middle])
        assert (
            not features(phase, known, sums, np.zeros((8, 6), np.int32))
            .locations[..., 2:-2, 2:-2]
            .any()
        )


def test_shifts_repeat_the_edge():
    x = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert np.array_equal(shifted(x, 0, 2)[0], [2, 3, 3, 3]) and np.array_equal(
        shifted(x, -1, 0)[:, 0], [0, 0, 4]
    )
    assert np.array_equal(shifted(x[None], 1, -1), polyphase.shift(x[None], 1, -1))


@pytest.mark.parametrize("top", [0, 255])
def test_outputs_are_in_range_for_extreme_pixels(top):
    rng = np.random.default_rng(1)
    for x in (
        np.full((3, 16, 16), top),
        top * rng.integers(0, 2, (3, 16, 16)),
        rng.integers(0, 256, (3, 16, 16)),
    ):
        for phase, known, sums, _ in phases_of(x.astype(np.int32)):
            for carried in (0, 3 * 1020):
                found = features(phase, known, sums, np.full((8, 8), carried, np.int32))
                out = mixture_parameters(found, PHASES[phase])
                scales = out[:, 4 * MIXTURES : 7 * MIXTURES]
                assert out.shape == (64, 10 * MIXTURES) and out.dtype == np.int16
                assert scales.min() >= 0 and scales.max() < SCALES
                assert (
                    np.abs(out[:, :MIXTURES]).max() <= 255
                    and np.abs(found.locations).max() <= 32 * 255
                )


def test_scales_grow_with_the_spread_and_with_earlier_errors():
    f = {}
    for name, step, carried in (("calm", 1, 0), ("busy", 40, 0), ("surprising", 1, 500)):
        x = np.zeros((3, 16, 16), np.int32)
        x[:, ::4] += step
        phase, known, sums, _ = next(iter(phases_of(x)))
        f[name] = mixture_parameters(
            features(phase, known, sums, np.full((8, 8), carried, np.int32)), PHASES[0]
        )[:, 4 * MIXTURES : 7 * MIXTURES]
    assert (f["busy"] >= f["calm"]).all() and (f["busy"].mean() > f["calm"].mean() + 16)
    assert (f["surprising"] > f["calm"]).all()


def test_a_photograph_costs_less_than_png_makes_of_it(repository):
    path = repository / "samples" / "tea-gardens.png"
    data = bbans.compress(
        np.asarray(bbans.images.read_image(path).pixels), model="none", model_only=True
    )
    assert len(data) < path.stat().st_size
    facts = info(data)
    assert facts.codecs == {"fixed predictor": 1} and facts.model_id is None
    assert 8 * len(data) <= 1.02 * facts.ideal_bits + 8 * 64
    assert sum(facts.to_dict()["account_bits"].values()) == pytest.approx(8 * len(data), abs=1e-3)


def test_damage_is_named():
    content = container.read(bbans.compress(smooth_image(140, 150), model="none", model_only=True))
    (tile,) = content.tiles
    (part,) = tile.parts
    assert part.codec == container.FIXED
    for change in (
        {"payload": part.payload[:-4]},
        {"payload": part.payload[:-1]},
        {"latent_precision": 10},
    ):
        with pytest.raises(FormatError):
            bbans.decompress(
                container.write(
                    replace(content, tiles=(replace(tile, parts=(replace(part, **change),)),))
                )
            )
    with pytest.raises(NotImplementedError):
        FixedPredictor().posterior(None, [])


def test_it_is_the_scheme_of_the_networks():
    x = smooth_image(37, 51, 5).transpose(2, 0, 1).astype(np.int32)
    net = FixedPredictor()
    levels, coarsest = analyse(net, x)
    coded = self_funding.encode(levels, coarsest, 3, 0)
    back, account = self_funding.decode(net, coded.words, (37, 51), 3, 0, coded.growth)
    assert np.array_equal(back, x) and account.prior == account.posterior == account.initial == 0


def test_torch_is_not_needed(tmp_path):
    code = """
import sys
sys.modules["torch"] = None
import numpy as np, bbans
image = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)[..., None].repeat(3, 2)
assert np.array_equal(bbans.decompress(bbans.compress(image, model="none", model_only=True)), image)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
