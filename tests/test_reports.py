"""`bbans evaluate --report`: a page that needs nothing else, can be read by everyone, renders, and
shows what was evaluated.
"""

import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from bbans.errors import InputError, OutputExistsError
from bbans.evaluation import evaluate, inputs
from bbans.evaluation import report as reports
from bbans.evaluation.report.gather import rate_of
from bbans.evaluation.visual import heatmaps
from bbans.exact.numpy_ops import NumpyOps
from bbans.models import model_file
from bbans.models.structured import StructuredConfig
from bbans.schemes import bounds, sampling
from bbans_cli.main import main
from tests.chains import CONFIGS, chain_model, fresh, picture, samples
from tests.tiny import smooth_image, tiny_model

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update "
    "--disable-sync --hide-scrollbars --window-size=600,1600"
)
EMPTY = ("meta", "img", "br", "hr", "link", "input")


class Page(HTMLParser):
    """Every element with its attributes, in order; raises where elements do not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def check_page(text):
    """No script, nothing from elsewhere, an alternative for every image, headers and a caption for
    every table.
    """
    page = Page(text)
    tags = {tag for tag, _ in page.found}
    assert not tags & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "audio",
        "video",
        "svg",
    }
    for _, attributes in page.found:
        for name, value in attributes.items():
            assert not name.startswith("on"), "an event handler is a script"
            assert name not in ("href", "srcset", "background", "action", "poster")
            assert name != "src" or value.startswith("data:image/png;base64,")
            assert name != "style" or re.fullmatch(r"width:\d+\.\d\d%", value)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(styles) == 1 and "url(" not in styles[0] and "@import" not in styles[0]
    assert (
        not re.search(r"(https?:)?//", re.sub(r'src="[^"]*"', "", text).replace(styles[0], ""))
        and "http" not in styles[0]
    )
    policies = [
        meta["content"]
        for meta in page.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert page.all("html")[0]["lang"] == "en" and len(page.all("h1")) == 1 and page.all("title")
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table")) > 0
    assert all(
        head.get("scope") in ("col", "row") or head.get("aria-hidden") == "true"
        for head in page.all("th")
    )
    return page


def pictures_of(page):
    """Pixels of every image by its alternative text."""
    found = {}
    for image in page.all("img"):
        pixels = np.asarray(
            Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        )
        if "width" in image:
            assert (int(image["height"]), int(image["width"])) == pixels.shape[:2]
        found[image["alt"]] = pixels
    return found


@pytest.fixture(scope="module")
def chain_report():
    """A chain's evaluation of 15 images, with a name that has to be escaped."""
    model = chain_model("logistic")
    named = [(f"<b>&{i}", picture(model, i)) for i in range(15)]
    return reports.gather(evaluate.evaluate(named, model, draws=4), named, model), named, model


@pytest.fixture(scope="module")
def photo_report():
    named = [
        ("wide", smooth_image(60, 900, 1)),
        ("deep", smooth_image(50, 40, 2).astype(np.uint16) * 250),
        ("grey", smooth_image(30, 30, channels=1)),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bbans.tiles.encode.TRY_ALL_PIXELS", 0)
        return reports.gather(evaluate.evaluate(named, tiny_model()), named, tiny_model()), named


def test_a_page_of_a_chain(chain_report):
    report, named, _ = chain_report
    text = reports.page(report)
    page = check_page(text)
    assert "<b>&3" in page.text and "<b>" not in text
    shown = pictures_of(page)
    for one in (*report.best, *report.worst):
        np.testing.assert_array_equal(shown[one.rate.name], dict(named)[one.rate.name])
        assert any(
            alt.startswith(f"Bits per pixel of {one.rate.name}: mean {one.bits.mean():.2f}")
            for alt in shown
        )
        np.testing.assert_array_equal(
            shown[f"Reconstruction of {one.rate.name}"], one.reconstruction
        )
    assert sum(alt.startswith("Sample") for alt in shown) == 32
    rates = report.evaluation.rates()
    for name in ("ideal", "net", "total", "prior", "likelihood", "posterior"):
        assert f"{rates[name]:.4f}".replace("-", "−") in page.text
    assert text == reports.page(report)


def test_best_and_worst_are_that(chain_report):
    report, named, _ = chain_report
    rates = sorted(rate_of(image) for image in report.evaluation.images)
    assert [rate_of(one.rate) for one in report.best] == rates[:6]
    assert [rate_of(one.rate) for one in report.worst] == rates[:-7:-1]
    assert not {one.rate.name for one in report.best} & {one.rate.name for one in report.worst}


@pytest.mark.parametrize(("count", "ends"), [(1, (1, 0)), (2, (1, 1)), (5, (3, 2)), (12, (6, 6))])
def test_few_images_are_shown_once(chain_report, count, ends):
    _, named, model = chain_report
    report = reports.gather(evaluate.evaluate(named[:count], model, draws=1), named[:count], model)
    assert (len(report.best), len(report.worst)) == ends
    check_page(reports.page(report))
    with pytest.raises(InputError, match="same ones"):
        reports.gather(report.evaluation, named[1 : count + 1], model)


def test_a_chains_maps_are_its_likelihood_and_an_even_share_of_its_latents(chain_report):
    report, named, model = chain_report
    chain = model.network(NumpyOps())
    one = report.worst[0]
    x = inputs.samples([(one.rate.name, dict(named)[one.rate.name])], model)
    shown = [one.rate.name for one in (*report.best, *report.worst)]
    every = inputs.samples([(name, dict(named)[name]) for name in shown], model)
    wanted = (
        bounds.sample_bits(chain, every, 16, 0)[len(report.best)]
        + (one.rate.prior + one.rate.posterior) / x.size
    )
    np.testing.assert_allclose(one.bits.reshape(-1), wanted, rtol=1e-9)


@pytest.mark.parametrize(
    "name", ["binary", "colour", "pyramid", "three layers", "bits", "codes with a prior", "mixture"]
)
def test_costs_of_samples_are_their_likelihood(name):
    """Sums over samples are the means, over the same draws, of what the likelihood says of the
    item.
    """
    chain, x = chain_model(name).network(NumpyOps()), samples(CONFIGS[name], 4)
    wanted = [
        chain.likelihood(0, sampling.sample_distribution(chain.posterior(1, x), (3, 2, draw))).bits(
            x
        )
        for draw in range(5)
    ]
    found = bounds.sample_bits(chain, x, 5, 3)
    assert found.shape == x.shape
    np.testing.assert_allclose(found.sum(1), np.mean(wanted, 0), rtol=1e-9)


def test_a_page_of_photographs(photo_report):
    report, named = photo_report
    page = check_page(reports.page(report))
    shown = pictures_of(page)
    assert shown["wide"].shape == (27, 400, 3)  # reduced
    np.testing.assert_array_equal(shown["deep"], named[1][1] >> 8)
    for one in (*report.best, *report.worst):
        assert one.bits.shape == dict(named)[one.rate.name].shape[:2] and one.reconstruction is None
        ideal_of_symbols = one.rate.prior + one.rate.posterior + one.rate.likelihood
        assert one.bits.sum() == pytest.approx(ideal_of_symbols, rel=0.02)  # of one draw, not of 16
    # terms of every level add up to what the messages hold: net, but for the coder's overhead
    found = report.evaluation
    assert sum(share.bits for share in found.shares) == pytest.approx(sum(found.net_bits), rel=1e-3)
    assert "level 3" in page.text and found.to_dict()["shares"][0]["term"] == "likelihood"


def test_what_is_told_is_not_shown_as_a_heat_map():
    config = StructuredConfig(4, 5, condition=2, latents=(6,), hidden=16)
    model = model_file.Model("rest", config, fresh(config)[1], {}, bytes(32))
    named = [
        (str(i), bits)
        for i, bits in enumerate(
            np.random.default_rng(0).integers(0, 2, (3, 4, 5)).astype(np.uint8)
        )
    ]
    report = reports.gather(evaluate.evaluate(named, model, draws=2), named, model)
    assert report.samples is None and all(
        one.bits is None and one.reconstruction is None for one in (*report.best, *report.worst)
    )
    assert "Bits per pixel" not in check_page(reports.page(report)).text


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return np.dot(
        [0.2126, 0.7152, 0.0722],
        [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels],
    )


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(chain_report, dark):
    """WCAG 2.2: 7 for text (AAA), 4.5 for what is said beside, 3 for bars, on paper and on
    cards.
    """
    style = re.findall(r":root \{(.*?)\}", reports.page(chain_report[0]), re.DOTALL)[dark]
    colours = {name: luminance(value) for name, value in re.findall(r"--(\w+): (#\w{6});", style)}
    for name, least in (("ink", 7), ("muted", 4.5), ("bar", 3), ("back", 3)):
        for ground in ("paper", "card"):
            low, high = sorted((colours[name], colours[ground]))
            assert (high + 0.05) / (low + 0.05) >= least, (name, ground)


def browse(folder, page, *options):
    flags = [*FLAGS.split(), f"--user-data-dir={folder / 'profile'}", *options]
    return subprocess.run(
        [BROWSER, *flags, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )


@pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium on the PATH: install the package chromium to see pages rendered",
)
def test_a_browser_renders_it_in_light_and_dark(chain_report, tmp_path):
    report, _, _ = chain_report
    target = tmp_path / "report.html"
    reports.save(report, target)
    dumped = browse(tmp_path, target, "--dump-dom", "--enable-logging=stderr", "--v=0")
    assert Page(dumped.stdout).text == Page(target.read_text(encoding="utf-8")).text
    refused = "violates the following Content Security Policy"
    assert refused not in dumped.stderr, "the page asks for what its policy refuses"
    other = tmp_path / "other.html"
    other.write_text(
        target.read_text(encoding="utf-8").replace(
            "<h1>", '<img src="http://127.0.0.1:9/a.png"><h1>'
        ),
        encoding="utf-8",
    )
    assert (
        refused in browse(tmp_path, other, "--dump-dom", "--enable-logging=stderr", "--v=0").stderr
    )
    shots = []
    for scheme in (1, 0):
        shot = tmp_path / f"{scheme}.png"
        browse(
            tmp_path,
            target,
            f"--screenshot={shot}",
            f"--blink-settings=preferredColorScheme={scheme}",
        )
        shots.append(np.asarray(Image.open(shot).convert("RGB")).astype(int))
    light, dark = shots
    style = re.findall(r"--paper: #(\w{6});", target.read_text(encoding="utf-8"))
    assert [tuple(shot[3, 3]) for shot in shots] == [
        tuple(bytes.fromhex(colour)) for colour in style
    ]
    assert light.shape == (1600, 600, 3) and light.mean() > 160 > 100 > dark.mean()
    maps = heatmaps.palette().astype(int)
    for shot in shots:  # images are drawn: the scale's colours are there in their order, in a line
        rows = (np.abs(shot[:, :, None] - maps[[40, 128, 220]]).sum(3) <= 12).any(1).all(1)
        assert rows.any()


def test_the_command(tmp_path, capsys):
    image = tmp_path / "a.png"
    Image.fromarray(smooth_image(40, 40)).save(image)
    target = tmp_path / "out.html"
    arguments = ["evaluate", str(image), "--model", "photo-fast-1", "--report", str(target)]
    assert main(arguments) == 0
    assert "a.png" in check_page(target.read_text(encoding="utf-8")).text
    assert main(arguments) == OutputExistsError.exit_code
    assert "ideal" in capsys.readouterr().out
