"""Bits of every pixel: exact sums, each bit where it belongs; the heat map, its colours, and the
drawing of the split.
"""

import json
import sys

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import container, tiles
from bbans.distributions.distribution import symbol_bits
from bbans.errors import InputError, OutputError, OutputExistsError
from bbans.evaluation.visual import heatmaps, plots
from bbans.exact.numpy_ops import NumpyOps
from bbans.models.fixed_predictor import FixedPredictor
from bbans.schemes import sampling
from bbans.schemes.metering import NO_PHASE, Symbols
from bbans.schemes.pyramid import polyphase
from bbans.schemes.pyramid.level import analyse
from bbans.schemes.pyramid.pixels import pixel_intervals
from bbans.tiles.codecs import pyramid
from bbans.tiles.predicted import Plane, predicted_part
from bbans.tiles.transforms import orientation as turned
from bbans.tiles.transforms import ycc_lattice
from bbans.tiles.transforms.pipeline import Prepared
from bbans_cli.main import main
from tests.chains import CONFIGS, chain_file, chain_model, picture, samples
from tests.frozen.make import on_lattice
from tests.tiny import prepared_file, smooth_image, tiny_model, to_planes

NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 4)).astype(np.uint8)
DRAWING = np.kron(np.random.default_rng(1).integers(0, 3, (40, 60)), np.ones((8, 8))).astype(
    np.uint8
)


@pytest.fixture(autouse=True)
def latents_of_small_photographs(monkeypatch):
    """Only the highest latent precision is tried."""
    monkeypatch.setattr("bbans.tiles.encode.TRY_ALL_PIXELS", 0)


def straight_file(image):
    """The file of an image `(h, w, 3)` that the tiny model codes as it is."""
    context = tiles.context_of(tiny_model(), tiles.fastest_ops())
    pixel_format = container.FORMATS[container.RGB8]
    plane = Plane(image, Prepared(image), None, context.net)
    made = predicted_part(plane, pixel_format, exhaustive=False)
    h, w = image.shape[:2]
    record = container.TileRecord((made,), container.pixels_crc(image))
    return container.write(
        container.Container(w, h, pixel_format.code, w, h, tiny_model().id, (), (record,))
    )


def measured(data, model=None):
    found = bbans.info(data, model=model, costs=True)
    return found, found.costs


def check_sum(data, model=None):
    """The map and the shares both sum to prior + likelihood + posterior of the account, to 1e-9 of
    it: float64's rounding.
    """
    found, cost = measured(data, model)
    a = found.account
    wanted = a.prior + a.likelihood + a.posterior
    assert cost.bits.shape == (found.height, found.width)
    assert cost.bits.sum() == pytest.approx(wanted, rel=1e-9)
    for term in ("prior", "posterior"):
        total = sum(
            share.bits for share in cost.shares if share.term == term and share.level is not None
        )
        assert total == pytest.approx(getattr(a, term), rel=1e-9)
    assert sum(share.bits for share in cost.shares) == pytest.approx(wanted, rel=1e-9)
    return found, cost


@pytest.mark.parametrize(
    ("pixels", "codec"),
    [
        (smooth_image(97, 70), "bits-back"),
        (smooth_image(64, 33, channels=1), "bits-back"),
        (np.dstack([smooth_image(40, 50), NOISE[..., 0]]), "bits-back"),
        (smooth_image(40, 50).astype(np.uint16) * 250, "bits-back"),
        (smooth_image(1, 17), None),
        (DRAWING, None),
        (np.full((5, 7), 9, np.uint8), "constant"),
        (NOISE, "stored"),
    ],
)
def test_the_map_sums_to_the_files_symbols(pixels, codec):
    found, cost = check_sum(
        bbans.compress(pixels, model=tiny_model(), verify=False, model_only=True), tiny_model()
    )
    assert codec is None or codec in found.codecs
    if codec == "bits-back":
        assert {share.term for share in cost.shares} >= {"likelihood", "prior", "posterior"}


def test_the_map_of_several_tiles(monkeypatch):
    """Each tile's part of the map is the map of that tile as an image of its own."""
    monkeypatch.setattr("bbans.files.tiling.TILE_SIDE", 48)
    pixels = smooth_image(80, 96)
    _, cost = check_sum(bbans.compress(pixels, model="none", model_only=True))
    _, alone = measured(bbans.compress(pixels[48:, :48], model="none", model_only=True))
    np.testing.assert_array_equal(cost.bits[48:, :48], alone.bits)


def test_every_bit_is_at_its_own_pixel():
    """The encoder's intervals, laid out by hand, are the map that the decoder makes."""
    pixels = smooth_image(37, 45)
    data = bbans.compress(pixels, model="none", model_only=True)
    found, cost = measured(data)
    assert list(found.codecs) == [container.CODECS[container.FIXED].name]
    levels, coarsest = analyse(FixedPredictor(), to_planes(pixels))
    wanted = np.zeros((37, 45))
    step = 2 ** len(levels)
    wanted[::step, ::step] = 24
    for level in levels:
        for phase, (row, column) in enumerate(polyphase.OFFSETS):
            shape = polyphase.phase_shape(*level.shape, phase)
            x = polyphase.to_positions(level.values[phase + 1], shape)
            for part in pixel_intervals(level.pixel_model(phase, level.zeros()), x):
                for i, bits in enumerate(part.precision - np.log2(part.freqs)):
                    wanted[
                        2**level.index * (2 * (i // shape[1]) + row),
                        2**level.index * (2 * (i % shape[1]) + column),
                    ] += bits
    np.testing.assert_allclose(cost.bits, wanted, rtol=1e-12)


@pytest.mark.parametrize("orientation", range(1, 8))
def test_the_map_of_a_turned_tile_is_turned_back(orientation):
    pixels = smooth_image(34, 47, seed=3)
    as_coded = np.ascontiguousarray(turned.turn(pixels, orientation))
    straight, _ = measured(straight_file(as_coded), tiny_model())
    assert list(straight.codecs) == ["bits-back"]
    _, cost = measured(prepared_file(pixels, orientation), tiny_model())
    np.testing.assert_allclose(
        cost.bits, turned.turn_back(straight.costs.bits, orientation), rtol=1e-12
    )


def test_exceptions_of_a_lattice_are_paid_by_their_pixels():
    """The same planes without exceptions make a map that differs by the list's bits alone, shared
    by the pixels in it.
    """
    rgb = on_lattice(smooth_image(64, 60), ycc_lattice.JPEG)
    found = ycc_lattice.recover(rgb)
    clean = ycc_lattice.to_rgb(found.planes, ycc_lattice.JPEG)
    assert np.array_equal(ycc_lattice.recover(clean).planes, found.planes) and len(found.at) >= 2
    (_, with_list), (_, without) = (
        check_sum(prepared_file(pixels, 0), tiny_model()) for pixels in (rgb, clean)
    )
    listed, empty = (
        sum(share.bits for share in cost.shares if share.term == "exceptions")
        for cost in (with_list, without)
    )
    assert empty == 8 and listed % 8 == 0 and listed >= 8 + 32 * len(found.at)
    more = np.zeros(64 * 60)
    more[found.at] = listed / len(found.at)
    np.testing.assert_allclose(
        with_list.bits - without.bits, more.reshape(64, 60) - empty / (64 * 60), atol=1e-9
    )


def test_latents_are_spread_over_the_square_that_they_stand_for():
    rng = np.random.default_rng(2)
    bits, level, block = rng.normal(size=(4, 5, 3)), 1, 3
    side = block * 2 * 2**level
    coded = np.zeros((3 * side + 5, 4 * side + 1))
    pyramid._add(coded, Symbols("posterior", level, NO_PHASE, bits), block)
    for i in range(4):
        for j in range(5):
            square = coded[i * side : (i + 1) * side, j * side : (j + 1) * side]
            np.testing.assert_allclose(square, bits[i, j].sum() / square.size, rtol=1e-12)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_chains_samples_have_costs_of_their_own(name):
    """Likelihoods of all families tell every sample's bits, which sum to the item's; and so do
    files of a single image.
    """
    chain = chain_model(name).network(NumpyOps())
    x = samples(CONFIGS[name], 3)
    z = sampling.sample_distribution(chain.posterior(1, x), (0,))
    likelihood = chain.likelihood(0, z)
    assert likelihood.symbol_bits is not None
    np.testing.assert_allclose(symbol_bits(likelihood, x).sum(1), likelihood.bits(x), rtol=1e-9)
    assert symbol_bits(likelihood, x).min() >= 0
    changed = x.copy()
    changed[1, -1] = (changed[1, -1] + 1) % CONFIGS[name].levels
    same = symbol_bits(likelihood, changed)[[0, 2]]
    np.testing.assert_array_equal(same, symbol_bits(likelihood, x)[[0, 2]])
    model = chain_model(name)
    check_sum(chain_file(model, picture(model)), model)


def test_what_cannot_be_told_apart_gets_its_mean():
    model = chain_model("mixture")
    q = model.network(NumpyOps()).posterior(1, samples(model.config, 2))
    z = sampling.sample_distribution(q, (0,))
    assert q.symbol_bits is None
    np.testing.assert_allclose(
        symbol_bits(q, z), np.repeat(q.bits(z)[:, None] / z.shape[1], z.shape[1], 1)
    )


def test_the_costs_are_there_only_if_asked_for():
    data = bbans.compress(smooth_image(20, 20), model="none", model_only=True)
    assert (
        bbans.info(data).costs is None and bbans.info(data, account=False, costs=True).costs is None
    )
    assert "shares" not in bbans.info(data).to_dict()
    shares = bbans.info(data, costs=True).to_dict()["shares"]
    assert json.loads(json.dumps(shares)) == shares and {"codec", "level", "term", "bits"} == set(
        shares[0]
    )


def test_colours_are_steps_of_one_size_from_dark_to_light():
    lab = heatmaps.path()
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.06
    assert (np.diff(lab[:, 0]) > 0).all() and lab[0, 0] < 0.2 and lab[-1, 0] > 0.95
    colours = heatmaps.from_oklab(lab)
    assert colours.min() >= 0 and colours.max() <= 1  # none is cut off
    assert (
        heatmaps.palette().shape == (256, 3) and len(np.unique(heatmaps.palette(), axis=0)) == 256
    )


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [((1, 1, 1), (1, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (0.62796, 0.22486, 0.12585))],
)
def test_oklab_of_known_colours(rgb, lab):
    np.testing.assert_allclose(heatmaps.from_oklab(np.array(lab, float)), rgb, atol=2e-4)


def test_the_scale_of_the_picture():
    assert [
        heatmaps.limit(np.full((9, 9), x)) for x in (0.0, 0.0123, 1.0, 23.4, 240.0)
    ] == pytest.approx([1.0, 0.013, 1.0, 24.0, 240.0])
    bits = np.linspace(-1, 9, 1000).reshape(20, 50)
    shown = heatmaps.coloured(bits, 8.0)
    dark, light = heatmaps.palette()[[0, -1]]
    assert (shown[bits <= 0] == dark).all() and (shown[bits >= 8] == light).all()
    np.testing.assert_array_equal(
        heatmaps.coloured(np.array([[4.0]]), 8.0)[0, 0], heatmaps.palette()[128]
    )


@pytest.mark.parametrize(
    ("shape", "size"), [((10, 20), (160, 320)), ((400, 30), (400, 30)), ((3, 500), (3, 500))]
)
def test_the_picture_has_the_map_and_a_bar_below(shape, size):
    bits = np.random.default_rng(0).uniform(0, 5, shape)
    page = heatmaps.picture(bits)
    left = (page.shape[1] - size[1]) // 2
    scale = size[0] // shape[0]
    np.testing.assert_array_equal(
        page[: size[0] : scale, left : left + size[1] : scale], heatmaps.coloured(bits)
    )
    bar = page[size[0] + heatmaps.MARGIN + 2, heatmaps.MARGIN : page.shape[1] - heatmaps.MARGIN]
    assert (bar[0] == heatmaps.palette()[0]).all() and (bar[-1] == heatmaps.palette()[-1]).all()
    assert (page[size[0] + heatmaps.MARGIN + heatmaps.BAR :] < 128).any(), "text"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.bbans"
    path.write_bytes(bbans.compress(smooth_image(70, 40), model="none", model_only=True))
    return path


def test_the_rows_of_the_split_add_up_to_the_file(file):
    found, _ = measured(file.read_bytes())
    rows = plots.rows(found)
    total = next(row.rate for row in rows if row.name == "total")
    assert sum(row.rate for row in rows if row.group != "rate") == pytest.approx(total, rel=1e-9)
    assert [row.group for row in rows if row.name == "pixels"] == [f"level {i}" for i in range(5)]
    with pytest.raises(InputError):
        plots.rows(bbans.info(file.read_bytes()))


def test_the_commands_pictures(file, tmp_path, capsys):
    heat, drawing = tmp_path / "heat.png", tmp_path / "plot.svg"
    assert (
        main(["info", "--heatmap", str(heat), "--plot", "--plot-file", str(drawing), str(file)])
        == 0
    )
    out = capsys.readouterr().out
    assert "level 0 pixels" in out and "█" in out
    np.testing.assert_array_equal(
        np.asarray(Image.open(heat)), heatmaps.picture(measured(file.read_bytes())[1].bits)
    )
    text = drawing.read_text()
    assert text.startswith("<?xml") and "<svg" in text
    assert main(["info", "--heatmap", str(heat), str(file)]) == OutputExistsError.exit_code
    assert main(["info", "--heatmap", str(heat), "-f", str(file)]) == 0
    assert main(["info", "--heatmap", str(heat), str(file), str(file)]) == 2


def test_drawings_of_other_kinds_or_without_the_library(file, tmp_path, monkeypatch):
    found, _ = measured(file.read_bytes())
    with pytest.raises(OutputError, match="suffixes"):
        plots.save(found, tmp_path / "plot.txt")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OutputError, match="plots"):
        plots.save(found, tmp_path / "plot.png")
    assert not list(tmp_path.glob("plot.*"))
