"""The documents' tables: made from the committed results alone, and the identities that their
scripts measure on real archives.
"""

import argparse
import json

import numpy as np
import pytest
import torch

from bbans.errors import InputError
from bbans.schemes.bounds import BLOCK
from bbans.training import latent_run
from bbans.training.latent import Samples
from benchmarks.gpu import pack
from benchmarks.tables import fashion, relax, rows, runs, structured, vqvae, write
from tests.digits import digits
from tests.methods.trained import RECIPES, data, trained

IMAGES = digits(60, seed=5)[0].reshape(-1, 8, 8).astype(np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Files of VQ-VAEs with a uniform prior and a learned one."""
    place, found = tmp_path_factory.mktemp("models"), {}
    for name in ("codes", "codes with a prior"):
        net, _, history, _ = trained(name, 120)
        path = place / f"{name}.safetensors"
        path.write_bytes(latent_run.model_file(net, RECIPES[name], history, data(17)[1]))
        found[RECIPES[name].model.prior] = path
    return found


def test_documents_hold_the_tables_of_the_results():
    for (document, name), text in write.tables().items():
        assert write.with_table(document.read_text(), name, text) == document.read_text(), (
            f"make tables changes {document.name}"
        )


def test_a_uniform_prior_costs_log2_k_a_code(models):
    row = vqvae.measure("uniform", models["uniform"], IMAGES, 1)
    assert row["bits"]["prior_information"] == 60 * 4 * 4
    assert row["prior_bits_a_code"] == pytest.approx(4, rel=1e-6)
    with pytest.raises(SystemExit, match="expected"):
        vqvae.measure("autoregressive", models["uniform"], IMAGES, 1)


def test_a_learned_prior_saves_what_the_files_differ_by(models):
    row = vqvae.measure("autoregressive", models["autoregressive"], IMAGES, 1)
    saving = row["saving_a_code"]
    assert 0.5 < saving["measured"] < 4 and row["cross_entropy_a_code"] + saving[
        "log2_codebook_less_cross_entropy"
    ] == pytest.approx(4)
    # archives differ by whole words, by the heads of their lanes, and by that prior
    assert abs(saving["files"] - saving["measured"]) * 240 < 150
    assert "codes of 16, autoregressive prior" in write.codes(
        {"uniform": row, "autoregressive": row}
    )


def test_other_messages_are_found_out(models, monkeypatch):
    """A message that grows by 0.01 % more than the information pushed is refused."""
    monkeypatch.setattr(vqvae, "message_bits", lambda message: 1.0001 * rans_bits(message))
    with pytest.raises(AssertionError):
        vqvae.measure("uniform", models["uniform"], IMAGES, 1)


def test_structured_prediction_is_measured_as_it_is_coded(tmp_path):
    """Whole runs of some steps: the net rate is L_1 of the exact model, which more samples tighten.

    Images are more than a block.
    """
    x = digits(BLOCK + 204, levels=2)[0]
    size = {"height": 8, "width": 8, "results": tmp_path}
    options = argparse.Namespace(which=["two layers"], samples=(1, 5), seeds=1, steps=30, **size)
    with torch.random.fork_rng():
        found = structured.table(
            (Samples(x[:150]), Samples(x[150:200]), Samples(x[200:])), options
        )["two layers"]
    for by_m in found.values():
        for m, by_seed in by_m.items():
            run = by_seed["0"]
            assert run["net"] == pytest.approx(run["test_1"], rel=0.02)  # 260 images, drawn again
            assert run["test"] == run["test_1"] if m == "1" else run["test"] < run["test_1"]


def test_a_table_that_was_broken_off_goes_on(tmp_path):
    """Runs that a row holds are not done again; a row of other settings stays as it is."""
    options, calls = argparse.Namespace(results=tmp_path), []

    def job(name, fail=False):
        def run():
            if fail:
                raise KeyboardInterrupt
            calls.append(name)
            return {"test": float(len(calls)), "curve": {"step": [1]}}

        return ("model", name, "0"), run

    with pytest.raises(KeyboardInterrupt):
        runs.grow("t", {"steps": 2}, {"data": "d"}, [job("a"), job("b", fail=True)], options)
    kept = json.loads((tmp_path / "t.json").read_text())
    assert kept["measured"] == {"model": {"a": {"0": {"test": 1.0, "curve": {"step": [1]}}}}}
    found = runs.grow("t", {"steps": 2}, {"data": "d"}, [job("a"), job("b")], options)
    assert calls == ["a", "b"] and {
        name: by_seed["0"]["test"] for name, by_seed in found["model"].items()
    } == {"a": 1.0, "b": 2.0}
    whole = json.loads((tmp_path / "t.json").read_text())
    assert (
        whole["measured"] == found and whole["steps"] == 2 and whole["seconds"] >= kept["seconds"]
    )
    with pytest.raises(SystemExit, match=r"t\.json has runs of other settings, \{'steps': 2\}"):
        runs.grow("t", {"steps": 3}, {"data": "d"}, [job("c")], options)
    assert json.loads((tmp_path / "t.json").read_text()) == whole


def rans_bits(message):
    from bbans.coding.rans import message_bits

    return message_bits(message)


def test_a_row_is_measured_on_a_file_that_comes_back(models, tmp_path, monkeypatch):
    path = models["uniform"]
    plain, embedded = (
        rows.archived(path, IMAGES, 60, embed_model=inside) for inside in (False, True)
    )
    assert embedded - plain == pytest.approx(path.stat().st_size, rel=0.01)
    file = rows.write_archive(tmp_path, path, IMAGES, 60)
    with pytest.raises(SystemExit, match="other images"):
        rows.check_archive(file, path, IMAGES[::-1])
    measured = rows.measure(path, IMAGES, 60, 1)
    assert measured["archive"] == 8 * measured["archive_bytes"] / IMAGES.size > measured["net"]


def test_a_mosaic_holds_every_image():
    images = np.arange(6 * 2 * 3, dtype=np.uint8).reshape(6, 2, 3)
    whole = fashion.mosaic(images)
    assert whole.shape == (6, 6)
    assert all(
        np.array_equal(
            whole[2 * (i // 2) : 2 * (i // 2) + 2, 3 * (i % 2) : 3 * (i % 2) + 3], images[i]
        )
        for i in range(6)
    )


def test_the_catalogue(tmp_path, monkeypatch, models):
    monkeypatch.setattr(fashion.sets, "fashion_mnist", lambda _: IMAGES)
    arguments = [
        "fashion",
        "--model",
        str(models["uniform"]),
        "--results",
        str(tmp_path),
        "--draws",
        "1",
    ]
    monkeypatch.setattr("sys.argv", arguments)
    fashion.main()
    row = json.loads((tmp_path / "fashion.json").read_text())
    whole, files = row["others"]["mosaic"], row["others"]["files"]
    assert (
        files["JPEG XL"] <= min(files["JPEG XL e7"], files["JPEG XL e9"])
        and whole["PNG"] < files["PNG"]
    )
    saved = row["measured"]["archive_savings"]["under_best_mosaic"]
    assert saved == pytest.approx(1 - row["measured"]["archive_bytes"] / min(whole.values()))
    assert f"| JPEG XL | – | {files['JPEG XL']:,} |" in write.catalogue(row)
    monkeypatch.setattr(fashion, "others", lambda _: pytest.fail("measured again"))
    fashion.main()


@pytest.mark.shared
def test_a_table_trains_from_a_pack(tmp_path, shared, repository, monkeypatch):
    """What a machine with a GPU does, on the CPU: the data set is the pack's."""
    pack.pack(
        repository / "samples",
        tmp_path / "pack",
        10**7,
        sets=shared / "data",
        names=("binarized_mnist",),
        method=0,
    )
    monkeypatch.setattr(relax, "TEST_ITEMS", 20)
    arguments = [
        "--steps",
        "2",
        "--seeds",
        "1",
        "--which",
        "one layer",
        "--estimators",
        "nvil",
        "--device",
        "cpu",
    ]
    monkeypatch.setattr(
        "sys.argv",
        ["relax", str(tmp_path / "pack" / "sets"), *arguments, "--results", str(tmp_path)],
    )
    with torch.random.fork_rng():
        relax.main()
    measured = json.loads((tmp_path / "relax.json").read_text())["measured"]["one layer"]["nvil"][
        "0"
    ]
    assert (
        measured["net"] == pytest.approx(measured["test"], rel=0.1)
        and len(measured["curve"]["step"]) == 2
    )


def test_a_table_asks_for_its_device():
    assert (
        runs.group(argparse.Namespace(device="cpu")).device.type
        == runs.group(argparse.Namespace()).device.type
        == "cpu"
    )
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no CUDA device"):
            runs.group(argparse.Namespace(device="cuda"))
