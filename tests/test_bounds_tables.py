"""The tables of importance weighting: models trained once and shared, refined posteriors searched
for once, and what the text says.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bbans.models.heads import BERNOULLI
from bbans.models.vae import VaeConfig
from bbans.schemes import posterior_refinement
from bbans.training import latent_run
from bbans.training.latent import Samples
from benchmarks.tables import bounds, mcbits, mites, snr, tightness, trained_coded, weighted, write
from tests.chains import CONFIGS, exact, fresh, samples
from tests.digits import digits

X = digits(120, levels=2)[0]
SIZE = ["--steps", "4", "--count", "12", "--draws", "2"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a table's script on small digits; `run.trained` has how often models were trained."""
    monkeypatch.setattr(
        weighted,
        "MODEL",
        VaeConfig(8, 8, 1, 2, BERNOULLI, 0, latents=(4,), hidden=8, hidden_layers=1),
    )
    monkeypatch.setattr(
        weighted,
        "images",
        lambda _: (Samples(X[:80]), Samples(X[80:100]), X[100:].reshape(-1, 8, 8)),
    )
    train, trained = latent_run.run, []

    def counted(*arguments, **options):
        trained.append(arguments[2].training)
        return train(*arguments, **options)

    monkeypatch.setattr(latent_run, "run", counted)

    def call(script, *arguments):
        monkeypatch.setattr(
            "sys.argv", [script.__name__, *arguments, "--results", str(tmp_path / "rows")]
        )
        with torch.random.fork_rng():
            script.main()
        return {
            path.stem: json.loads(path.read_text()) for path in (tmp_path / "rows").glob("*.json")
        }

    call.trained, call.models = trained, str(tmp_path / "models")
    return call


def test_models_are_trained_once(run, tmp_path):
    """Six trainings for three tables, each of its own settings; the same files and rows when the
    tables are made again.
    """
    where = (str(tmp_path), "--models", run.models, *SIZE)
    found = run(trained_coded, *where)
    assert run.trained == [weighted.SETTINGS[name] for name in ("elbo", "iwae8", "iwae64")]
    found = run(tightness, *where, "--particles", "100")
    found = run(mcbits, *where, "--refine", "1", "--refined-count", "6")
    assert sorted(map(str, run.trained)) == sorted(map(str, weighted.SETTINGS.values()))
    assert {path.name for path in Path(run.models).iterdir()} == {
        f"weighted-{name}-4x100-0.safetensors" for name in weighted.SETTINGS
    }
    coded, tight, coders = (
        found[name]["measured"] for name in ("trained-coded", "tightness", "mcbits")
    )
    assert coded["trained 1, coded 1"]["bound"] == pytest.approx(
        coders["bits-back"]["expected"], rel=0.02
    )  # of other draws
    for m in tight.values():
        assert m["minus_kl"] == m["iwae64"] - m["log_p"]
    initial = {name: m["initial_bits"] for name, m in coders.items()}
    assert initial["bb-is 50"] > 8 * initial["bb-is 5"] > 16 * initial["bb-cis 50"]
    assert bounds.tables(found).keys() == {"mcbits", "trained-coded", "tightness"}
    again = run(trained_coded, *where)["trained-coded"]["measured"]
    assert len(run.trained) == len(weighted.SETTINGS) and again == coded


def test_a_shorter_run_is_not_written_by_itself(run, tmp_path, monkeypatch):
    monkeypatch.setattr(mcbits.rows, "RESULTS", tmp_path / "kept")
    monkeypatch.setattr("sys.argv", ["trained_coded", str(tmp_path), "--models", run.models, *SIZE])
    trained_coded.main()
    assert not (tmp_path / "kept").exists()


def test_a_search_that_is_done_once():
    """The chain that remembers has the refined posteriors, image by image in any order, and knows
    no other image.
    """
    chain, x = (
        exact(CONFIGS["binary"], fresh(CONFIGS["binary"], gain=3.0)[1]),
        samples(CONFIGS["binary"], 6),
    )
    found, expected = mcbits.searched(chain, x, 2), posterior_refinement.refined(chain, 2)
    z = np.random.default_rng(0).integers(0, 2**12, (6, 6))
    order = np.array([4, 1, 5, 1, 0, 3])
    bits = found.posterior(1, x[order]).bits(z)
    assert np.array_equal(bits, expected.posterior(1, x[order]).bits(z)) and not np.array_equal(
        bits, chain.posterior(1, x[order]).bits(z)
    )
    with pytest.raises(KeyError):
        found.posterior(1, 1 - x)


ROW = {"steps": 4000, "batch": 100, "images": 500, "commit": "abc"}


def test_what_the_tables_say():
    """Rows in which the order differs from the published one, and refinement is judged on its own
    images.
    """
    nets = {"bits-back": 0.2, "bb-is 50": 0.19, "bits-back refined": 0.21}
    measured = {
        name: {"net": net, "expected": net, "initial_bits": 1234.5, "with_initial": net + 1}
        for name, net in nets.items()
    }
    measured["bits-back refined"]["unrefined"] = 0.22
    row = ROW | {
        "refined_images": 100,
        "refine": 50,
        "message": 500,
        "measured": measured,
        "published": mcbits.PUBLISHED,
    }
    text = bounds.mcbits(row | {"published_with_initial": mcbits.PUBLISHED_WITH_INITIAL})
    assert (
        "| bits-back refined | 0.2351 | 0.2100 | 0.2100 | 1.3% | 4.5% | 1,234 | – | 1.2100 |"
        in text
    )
    assert (
        "Most saved first: bb-is 50, bits-back refined, bits-back; published: bb-is 50 refined, "
        "bb-is 50, bb-is 5, " in text
    )
    kl = dict(zip(tightness.PUBLISHED, (-1.7, -0.9, -0.8, -1.0, -0.4), strict=True))
    measured = {
        name: {"iwae64": -90.0 + gap, "log_p": -90.0, "minus_kl": gap} for name, gap in kl.items()
    }
    pairs = ("elbo less miwae", "miwae less ciwae", "ciwae less piwae", "piwae less iwae64")
    text = bounds.tightness(
        ROW
        | {
            "particles": 2000,
            "measured": measured,
            "published": tightness.PUBLISHED,
            "errors": dict.fromkeys(pairs, 0.1),
        }
    )
    assert "CIWAE(0.5) less PIWAE(8, 8) -0.10 ± 0.10" in text
    assert (
        "first: ELBO, MIWAE(8, 8), PIWAE(8, 8), CIWAE(0.5), IWAE; published: ELBO, MIWAE(8, 8), "
        "CIWAE(0.5), PIWAE(8, 8), IWAE." in text
    )
    measured = {
        f"trained {k}, coded {c}": {"net": 0.2 + 0.001 * (k != c), "bound": 0.2}
        for k in (1, 8, 64)
        for c in (1, 8, 64)
    }
    text = bounds.trained_coded(ROW | {"measured": measured})
    assert (
        "coded with 1: trained with 1; coded with 8: trained with 8; coded with 64: trained with "
        "64. Net rates are within 0.50%" in text
    )
    assert "| K = 8 | 0.2010 | 0.2000 | 0.2010 |" in text


def test_tables_that_need_no_data(run):
    found = run(mites, "--steps", "3") | run(snr, "--runs", "3000")
    text = bounds.tables(found)
    assert "| mean-field | 0.972 | 0.103 | 0.000 |" in text["mites"]
    assert (
        "All 150 counts cost 337.68 bits; with the best product of factors 1.40 more."
        in text["mites"]
    )
    assert (
        "Slopes by groups on logarithmic axes, and in theory: +0.50 (+0.5) of p, +0." in text["snr"]
    )


def test_the_document_has_a_place_for_each():
    document = (write.ROOT / "docs" / "bounds.md").read_text(encoding="utf-8")
    for name in bounds.TABLES:
        assert write.with_table(document, name, "text").count("\ntext\n") == 1
