"""A latent chain through the public functions: measured net = ideal, terms that add up, totals that
are real bytes; and its pictures.
"""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import container, tiles
from bbans.container.schemes import TWO_PART, Coding
from bbans.errors import InputError, ModelFormatError, OutputExistsError
from bbans.evaluation import inputs, pictures, rates
from bbans.models import library, model_file
from bbans.models import library as models
from bbans.models.image_model import image_model
from bbans.schemes.bounds import BLOCK
from bbans.tiles.codecs import latent
from bbans.training import latent_run
from bbans_cli.main import main
from tests.chains import chain_model, picture
from tests.digits import digits
from tests.methods.trained import RECIPES, data, trained
from tests.tiny import smooth_image, tiny_model

ITEMS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Model files of a VAE, one with labels, and a VQ-VAE, and images."""
    place = tmp_path_factory.mktemp("models")
    for name in ("vae", "labelled", "codes"):
        net, _, history, _ = trained(name, 500 if name == "vae" else 120)
        file = latent_run.model_file(
            net, RECIPES[name], history, data(17, name == "labelled")[1], {"licence": "CC0"}
        )
        (place / f"{name}.safetensors").write_bytes(file)
    np.save(place / "images.formats.npy", images())
    return place


def images(count: int = ITEMS) -> np.ndarray:
    return digits(count, seed=5)[0].reshape(count, 8, 8)


def named(count: int = ITEMS) -> list[tuple[str, np.ndarray]]:
    return [(str(i), image) for i, image in enumerate(images(count))]


@pytest.mark.parametrize(("batch", "used"), [(1, 1), (None, 5), (16, 16)])
def test_measured_net_is_the_ideal(folder, batch, used):
    """Within 0.5 % and 4 standard errors of the paired difference (false alarm: 6e-5 each); each
    image's terms add up.
    """
    found = bbans.evaluate(named(1000), folder / "vae.safetensors", draws=16, seed=1, batch=batch)
    rates = found.rates()
    assert abs(rates["net_over_ideal"]) < 0.005
    assert abs(rates["net_over_ideal"]) < 4 * rates["net_over_ideal_error"]
    assert found.batch == used and len(found.net_bits) == -(-1000 // used)
    assert rates["net"] == pytest.approx(sum(found.net_bits) / (1000 * 64), rel=1e-12)
    assert [image.net for image in found.images] == (
        list(found.net_bits) if used == 1 else [None] * 1000
    )
    for image in found.images:
        assert image.ideal == pytest.approx(
            image.prior + image.likelihood + image.posterior, abs=1e-9
        )
    assert rates["ideal"] == pytest.approx(sum(image.ideal for image in found.images) / (1000 * 64))
    # a group, whose latents are other draws, costs its first images and its end besides
    assert (
        rates["ideal"] * (1 - 4 * rates["net_over_ideal_error"])
        < rates["total"]
        < 1.1 * rates["ideal"]
    )
    assert rates["prior"] == pytest.approx(8 * 12 / 64)


def test_standard_error_of_batches():
    """Of single images it is the textbook's; of batches of unequal sizes it is that of their
    residuals about the mean image.
    """
    net, ideal = np.array([11.0, 9.5, 10.5, 12.0, 10.0]), np.array([10.0, 10.0, 10.0, 11.0, 10.0])
    images = tuple(
        rates.ImageRate(str(i), 4, bits, 0.0, bits, 0.0, None) for i, bits in enumerate(ideal)
    )
    one = rates.Evaluation("m", "", "vae", "bits-back", 1, 0, images, 0.0, 1, tuple(net)).rates()
    assert one["net_over_ideal"] == pytest.approx(2 / 51)
    assert one["net_over_ideal_error"] == pytest.approx((net - ideal).std(ddof=1) * 5**0.5 / 51)
    three = rates.Evaluation(
        "m", "", "vae", "bits-back", 1, 0, images, 0.0, 2, (20.5, 22.5, 10.0)
    ).rates()
    residuals = np.array([0.5 - 0.8, 1.5 - 0.8, 0.0 - 0.4])
    assert three["net_over_ideal"] == pytest.approx(2 / 51)
    assert three["net_over_ideal_error"] == pytest.approx(
        ((residuals**2).sum() * 3 / 2) ** 0.5 / 51
    )


def test_weighted_draws_tighten_the_bound(folder):
    one, many = (
        bbans.evaluate(named(20), folder / "vae.safetensors", draws=64, importance_draws=k).rates()
        for k in (1, 300)
    )
    assert many["importance_weighted"] < one["ideal"]
    assert abs(one["importance_weighted"] - one["ideal"]) < 0.1 * one["ideal"]


def test_labels_are_side_information(folder):
    """More images than a bound takes at once, whose labels go with them block by block."""
    x, labels = digits(BLOCK + 4, seed=5, moved=False)
    members = [(str(i), image) for i, image in enumerate(x.reshape(-1, 8, 8))]
    model = folder / "labelled.safetensors"
    found = bbans.evaluate(members, model, labels=labels, importance_draws=2).rates()
    wrong = bbans.evaluate(
        members, model, labels=(labels + 1) % 10, importance_draws=2, batch=16
    ).rates()
    assert found["ideal"] < wrong["ideal"] and found["net"] < wrong["net"]
    assert (
        found["importance_weighted"] < wrong["importance_weighted"]
        and abs(found["net_over_ideal"]) < 0.02
    )
    assert np.isnan(found["total"])
    with pytest.raises(InputError, match="labels"):
        bbans.evaluate(named(), model)


def test_two_part_codes_beside_the_elbo(folder):
    """A latent costs up to a bit more than bits back would, every message begins with the scheme,
    and a file chooses better.
    """
    model = bbans.load_model(folder / "vae.safetensors")
    found = bbans.evaluate(named(), model, scheme="two-part", draws=64)
    over = (found.rates()["net"] - found.rates()["ideal"]) * 64
    assert 0 < over < 8
    assert found.rates()["total"] == pytest.approx(found.rates()["net"], abs=100 / (ITEMS * 64))
    predictor = image_model(model, tiles.fastest_ops())
    parts = [
        latent.encode_latent(predictor, Coding(TWO_PART), image[:, :, None]) for image in images()
    ]
    assert {part.codec for part in parts} == {container.CODED_CHAIN}
    nets = [latent.decode_latent(predictor, part, predictor.shape, 8)[1].net for part in parts]
    assert sum(nets) < 0.99 * sum(found.net_bits)
    default_latent = [latent.encode_default(predictor, image[:, :, None]) for image in images()]
    assert sum(len(part.payload) for part in parts) < 0.95 * sum(map(len, default_latent))
    labels = digits(ITEMS, seed=5)[1]
    with pytest.raises(InputError, match="conditioned on side information"):
        bbans.evaluate(named(), folder / "labelled.safetensors", labels=labels, scheme="two-part")


def test_codes_are_certain(folder):
    rates = bbans.evaluate(named(), folder / "codes.safetensors").rates()
    assert rates["posterior"] == 0 and rates["prior"] == 4 * 4 / 64
    assert rates["net"] == pytest.approx(rates["ideal"], rel=1e-4)
    found = bbans.evaluate(named(), folder / "codes.safetensors", batch=7)
    ideal = [
        sum(image.ideal for image in found.images[first : first + 7])
        for first in range(0, ITEMS, 7)
    ]
    assert found.net_bits == pytest.approx(
        ideal, abs=0.05
    )  # nothing is drawn: what is left is the rounding of heads


@pytest.mark.parametrize("scheme", ["bb-is", "bb-cis"])
def test_net_of_particles_is_their_bound(folder, scheme):
    """Within 4 standard errors (false alarm: 6e-5 each), and below the ideal, which one particle
    would reach.
    """
    found = bbans.evaluate(
        named(250), folder / "vae.safetensors", draws=8, seed=2, scheme=scheme, particles=8
    )
    rates = found.rates()
    assert (
        found.particles == 8
        and abs(rates["net_over_ideal"]) < 4 * rates["net_over_ideal_error"] < 0.01
    )
    assert rates["bound"] < 0.985 * rates["ideal"]
    assert any(line.startswith("bound") for line in found.lines()) and found.lines()[-1].startswith(
        "net over bound"
    )
    one = bbans.evaluate(named(), folder / "vae.safetensors", draws=1, scheme=scheme, particles=1)
    assert one.net_bits == pytest.approx(
        bbans.evaluate(named(), folder / "vae.safetensors", draws=1).net_bits, abs=1e-6
    )


def test_a_photograph_is_evaluated_in_its_file():
    photo = smooth_image(60, 70)
    found = bbans.evaluate([("photo", photo)], tiny_model())
    data = bbans.compress(photo, model=tiny_model(), model_only=True)
    assert (
        found.total_bits == 8 * len(data)
        and found.images[0].net == bbans.info(data, model=tiny_model()).net_bits
    )


@pytest.mark.parametrize(
    ("members", "options", "words"),
    [
        ([], {}, "no image"),
        (named(2), {"scheme": "deterministic"}, "not coded with"),
        ([("a", np.zeros((9, 8), np.uint8))], {}, "a: the model codes images"),
        ([("a", np.full((8, 8), 17, np.uint8))], {}, "up to 17"),
        (named(2), {"scheme": "bb-is", "particles": 1025}, "1 to 1024 particles"),
        (named(2), {"particles": 4}, "bits-back has one particle"),
        (named(2), {"batch": 257}, "1 to 256 images of 64 samples"),
        (named(2), {"draws": 0}, "1 draw or more"),
        (named(2), {"importance_draws": 5001}, "up to 5000"),
    ],
)
def test_what_cannot_be_evaluated(folder, members, options, words):
    with pytest.raises(InputError, match=words):
        bbans.evaluate(members, folder / "vae.safetensors", **options)


def test_rich_posteriors_have_no_coupled_particles(tmp_path):
    model = chain_model("mixture")
    (tmp_path / "m.safetensors").write_bytes(model_file.serialise(model.config, model.layers, {}))
    given = [(str(seed), picture(model, seed)) for seed in range(3)]
    with pytest.raises(InputError, match="take bb-is"):
        bbans.evaluate(given, tmp_path / "m.safetensors", scheme="bb-cis")
    with pytest.raises(InputError, match="refinement is for"):
        bbans.evaluate(given, tmp_path / "m.safetensors", refine=1)
    found = bbans.evaluate(given, tmp_path / "m.safetensors", scheme="bb-is", particles=3, draws=2)
    assert found.particles == 3 and len(found.net_bits) == 3


def test_report_of_the_command(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = [
        "evaluate",
        str(folder / "images.formats.npy"),
        "--model",
        str(folder / "vae.safetensors"),
        "-n",
        "20",
        "--draws",
        "4",
    ]
    assert main([*command, "--json", "--csv", "rates.csv"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["family"] == "vae" and set(found["bits_per_dimension"]) >= {
        "ideal",
        "net",
        "total",
        "prior",
        "likelihood",
        "posterior",
    }
    rows = list(csv.DictReader(io.StringIO(Path("rates.csv").read_text())))
    assert [float(row["ideal"]) for row in rows] == [
        image["ideal"] for image in found["images"]
    ] and len(rows) == 20
    assert main([*command, "--csv", "rates.csv"]) == OutputExistsError.exit_code
    assert main([*command, "--batch", "8", "--csv", "rates.csv", "-f"]) == 0
    assert (
        "what the coder's message grew by (bits-back, 8 images at once)" in capsys.readouterr().out
    )
    assert {row["net"] for row in csv.DictReader(io.StringIO(Path("rates.csv").read_text()))} == {
        ""
    }


def size(name: str) -> tuple[int, int]:
    with Image.open(name) as opened:
        return opened.size


def test_pictures(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, source = str(folder / "vae.safetensors"), str(folder / "images.formats.npy")
    assert main(["sample", "--model", model, "-n", "6", "-o", "a.png"]) == 0
    assert main(["reconstruct", source, "--model", model, "-n", "5", "-o", "b.png"]) == 0
    assert (
        main(
            [
                "interpolate",
                source,
                "--model",
                model,
                "--between",
                "3",
                "4",
                "--steps",
                "7",
                "-o",
                "c.png",
            ]
        )
        == 0
    )
    assert [size(name) for name in ("a.png", "b.png", "c.png")] == [(24, 16), (40, 16), (56, 8)]
    assert main(["sample", "--model", model, "-o", "a.png"]) == OutputExistsError.exit_code
    assert (
        main(["interpolate", source, "--model", model, "--between", "0", "99", "-o", "d.png"])
        == InputError.exit_code
    )
    assert (
        main(["interpolate", source, "--model", str(folder / "codes.safetensors"), "-o", "d.png"])
        == InputError.exit_code
    )


def test_reconstructions_are_near_and_samples_are_not_all_alike(folder):
    model = folder / "vae.safetensors"
    back = pictures.reconstruct(named(), model).astype(float)
    shown = images().astype(float) * 255 / 16
    assert np.abs(back - shown).mean() < 0.9 * np.abs(back[::-1] - shown).mean()
    ends = pictures.interpolate(images()[0], images()[1], model, steps=3)
    both = pictures.reconstruct(named(2), model).astype(float)
    assert np.abs(ends[[0, 2]] - both).mean() < np.abs(ends[[2, 0]] - both).mean()
    drawn = pictures.sample(model, 8)
    assert len({image.tobytes() for image in drawn}) == 8
    assert np.array_equal(drawn, pictures.sample(model, 8))


def test_random_bits_decode_to_a_picture():
    drawn = pictures.sample(tiny_model(), 1)
    assert drawn.shape == (1, 128, 128, 3) and drawn.std() > 1


def test_models_at_hand(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert [found.name for found in models.list_models() if found.default] == [
        library.DEFAULT_MODEL
    ]
    assert main(["models", "add", str(folder / "vae.safetensors")]) == 0
    assert main(["models", "add", str(folder / "vae.safetensors")]) == OutputExistsError.exit_code
    assert "vae" in {found.name for found in models.list_models()}
    capsys.readouterr()
    assert main(["models", "show", "vae", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["family"], shown["record"]["licence"]) == ("vae", "CC0")
    assert main(["models", "show", "vae"]) == main(["models", "list"]) == 0
    Path(tmp_path, "bad.safetensors").write_bytes(b"junk")
    assert main(["models", "add", str(tmp_path / "bad.safetensors")]) == ModelFormatError.exit_code


def test_choice_of_images():
    assert inputs.select(named(3), (2,))[0].shape == (8, 8)
