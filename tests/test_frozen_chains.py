"""Golden files of latent chains: every family's models load, their images decode, and the encoder still makes the same bytes."""

import hashlib
import json
from pathlib import Path

import pytest

import bbans
from bbans.models import store
from bbans.models.families import FAMILIES
from tests.chains import CONFIGS, chain_file
from tests.frozen.decode import decoded, expected
from tests.frozen.make_chains import CHAINS, archive_of

HASHES = json.loads((CHAINS / "hashes.json").read_text())


def test_every_config_has_golden_files():
    """Structured prediction has golden messages instead (`tests/test_frozen_told.py`)."""
    assert set(HASHES) == {name.replace(" ", "-") for name in CONFIGS}
    assert {store.load_file(CHAINS / f"{stem}.safetensors").family for stem in HASHES} == set(FAMILIES) - {"photo", "structured"}


def test_golden_files_decode():
    assert list(decoded()) == expected()


@pytest.mark.parametrize("stem", sorted(HASHES))
def test_the_same_images_make_the_same_bytes(stem, tmp_path):
    path, wanted = CHAINS / f"{stem}.safetensors", HASHES[stem]
    model, data = store.load_file(path), Path(CHAINS, f"{stem}.bbans").read_bytes()
    assert hashlib.sha256(data).hexdigest() == wanted["file"]
    assert chain_file(model, bbans.decompress(data, model=model)) == data
    if "archive" in wanted:
        archive = CHAINS / f"{stem}.bbar"
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == wanted["archive"]
        pictures = [image.pixels for _, image in bbans.read_archive(archive, model=path)]
        assert archive_of(tmp_path / "again.bbar", path, pictures) == archive.read_bytes()
        assert {group["kind"] for group in bbans.list_archive(archive).to_dict()["groups"]} == {"chained"}
