"""Tables and figures of estimators are made from the JSON alone: lines hold its numbers, and files
show the results there.
"""

import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks.tables import estimators, figures, rows, write

STEPS = [100, 200, 300]


def run(train, variance):
    curve = {"step": STEPS, "train": train, "log_variance": variance}
    return {
        "train": max(train),
        "test": train[-1] - 1.0,
        "net": train[-1] - 1.25,
        "curve": curve,
        "seconds": 1.0,
    }


ROW = {
    "steps": 300,
    "batch": 100,
    "commit": "abc",
    "test_images": 1000,
    "published": {"one layer": {"muprop": -111.7, "rebar": -111.6, "relax": -111.2}},
    "measured": {
        "one layer": {
            "muprop": {"0": run([-150.0, -130.0, -121.0], [3.0, 2.0, 1.0])},
            "rebar": {
                "0": run([-150.0, -130.0, -120.0], [3.0, 1.0, 0.5]),
                "1": run([-154.0, -131.0, -118.0], [5.0, 2.0, 1.5]),
            },
            "relax": {
                "1": run([-140.0, -128.0, -117.5], [4.0, 1.0, 0.25]),
                "0": run([-142.0, -126.0, -119.0], [2.0, 1.0, 0.75]),
            },
        }
    },
}


@pytest.mark.parametrize("figure", figures.CURVES, ids=lambda figure: figure.name)
def test_lines_hold_the_numbers(figure):
    whole = figures.drawn(ROW, figure)
    (axes,) = whole.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {"muprop", "rebar", "relax"}
    for name, line in lines.items():
        curves = [run["curve"][figure.key] for run in ROW["measured"]["one layer"][name].values()]
        assert list(line.get_xdata()) == STEPS and list(line.get_ydata()) == list(
            np.mean(curves, 0)
        )
    band = {tuple(point) for point in axes.collections[1].get_paths()[0].vertices}
    first, second = (
        run["curve"][figure.key] for run in ROW["measured"]["one layer"]["rebar"].values()
    )
    assert {(100.0, min(first[0], second[0])), (300.0, max(first[2], second[2]))} <= band
    assert axes.get_xlabel() == "training step" and axes.get_title() == "one layer"
    assert re.search(r"nats an image|bits²", whole.get_supylabel())
    assert [text.get_text() for text in whole.legends[0].get_texts()] == [
        "muprop",
        "rebar",
        "relax",
    ]
    low, high = axes.get_ylim()
    assert all(low < value < high for line in lines.values() for value in line.get_ydata()[-2:])


def test_files_are_small_and_the_same_again(tmp_path):
    for figure in figures.CURVES:
        path = figures.save(ROW, figure, tmp_path)
        data = path.read_bytes()
        assert (
            len(data) < 60_000
            and figures.save(ROW, figure, tmp_path / "again").read_bytes() == data
        )
        with Image.open(path) as image:
            assert (
                image.text["Comment"] == figures.digest(ROW, figure)
                and image.info.get("transparency") is None
            )
            seen = {colour for _, colour in image.convert("RGB").getcolors(1 << 16)}
        wanted = {
            tuple(bytes.fromhex(colour[1:])) for colour in (*figures.COLOURS[:3], figures.PAPER)
        }
        assert wanted <= seen  # fewer colours than were drawn, but these as they are


def test_lines_can_be_told_from_the_paper_and_from_each_other():
    """Contrast of WCAG 2.1: 3:1 for graphics."""

    def luminance(colour):
        channels = (c / 255 for c in bytes.fromhex(colour[1:]))
        return sum(
            w * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for w, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True)
        )

    for colour in figures.COLOURS:
        assert (luminance(figures.PAPER) + 0.05) / (luminance(colour) + 0.05) >= 3
    assert len(set(figures.COLOURS)) == len(set(figures.DASHES)) == 5


def test_documents_have_the_figures_of_the_results():
    """Whoever changes the results runs `make tables`; a figure's file says which numbers it
    shows.
    """
    row, page = rows.saved("relax"), (write.ROOT / "docs" / "estimators.md").read_text()
    for figure in figures.CURVES:
        path = figures.FOLDER / f"{figure.name}.png"
        assert path.exists() == bool(row) == (f"](figures/{path.name})" in page)
        if row:
            with Image.open(path) as image:
                assert image.text["Comment"] == figures.digest(row, figure), "make tables"


def test_results_are_drawn_where_there_are_any(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    monkeypatch.setattr(figures, "FOLDER", tmp_path / "figures")
    figures.main()
    assert not (tmp_path / "figures").exists()
    (tmp_path / "relax.json").write_text(json.dumps(ROW))
    figures.main()
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "relax-training.png",
        "relax-variance.png",
    }


def test_the_table_of_estimators():
    """Means and deviations over seeds, the order of the objectives, and differences of runs from
    the same seed.
    """
    text = estimators.relax(ROW)
    assert (
        "| one layer | relax | -111.20 | -118.25 ± 1.06 | -119.25 ± 1.06 | -119.50 ± 1.06 |" in text
    )
    assert "| one layer | muprop | -111.70 | -121.00 | -122.00 | -122.25 |" in text
    assert "best first, one layer: relax, rebar, muprop; published: relax, rebar, muprop." in text
    assert (
        "relax less rebar, seed by seed: 0.75 ± 0.35." in text
        and "rebar less muprop, seed by seed: 1.00." in text
    )
    assert (
        "300 steps of 100 images, 2 seeds (mean ± standard deviation), 1,000 test images; commit "
        "abc."
        in text
        and "](figures/relax-variance.png)" in text
    )


def test_the_table_of_structured_prediction():
    def by_m(first, last):
        return {
            "1": {"0": {"test": first, "train": first - 3, "net": first}},
            "50": {"0": {"test": last, "train": last - 3, "net": first + 9}},
        }

    published = {
        "two layers": {"test": {"concrete": [58.5, 54.3, 53.4], "vimco": [61.4, 54.5, 51.8]}}
    }
    measured = {"two layers": {"concrete": by_m(60.0, 55.0), "vimco": by_m(61.0, 54.25)}}
    text = estimators.structured(
        {
            "steps": 9,
            "batch": 100,
            "test_images": 1000,
            "commit": "abc",
            "published": published,
            "measured": measured,
        }
    )
    assert "| model | estimator | nats | m = 1 | m = 50 | published |" in text
    assert "| two layers | vimco | -L_m, test | 61.00 | 54.25 | 61.4 / 54.5 / 51.8 |" in text
    assert "| two layers | concrete | net, test (-L_1) | 60.00 | 69.00 | – |" in text
    assert (
        "m = 1: concrete is 1.00 nats below vimco." in text
        and "m = 50: vimco is 0.75 nats below concrete." in text
    )
    assert "9 steps of 100 images, one seed, 1,000 test images; commit abc." in text


def test_ratios_and_their_slopes(tmp_path):
    """Points are the JSON's, lines have the slopes of theory and pass through the points'
    middle.
    """
    points = {
        "counts": [1, 4, 16],
        "p": [1.0, 2.0, 4.0],
        "q": [0.5, 0.25, 0.125],
        "slopes": [0.5, -0.5],
    }
    row = {
        "measured": {"particles": points, "groups": {**points, "q": [0.5, 1.0, 2.0]}},
        "published": {"particles": [0.5, -0.5], "groups": [0.5, 0.5]},
    }
    for axes in figures.noise(row).axes:
        given = row["measured"][axes.get_title()]
        for dots, line, part in zip(axes.lines[::2], axes.lines[1::2], "pq", strict=True):
            assert (
                list(dots.get_xdata()) == given["counts"] and list(dots.get_ydata()) == given[part]
            )
            assert np.allclose(line.get_ydata(), given[part])  # these lie on the line
    data = figures.save_noise(row, tmp_path).read_bytes()
    assert len(data) < 60_000 and figures.save_noise(row, tmp_path / "again").read_bytes() == data
