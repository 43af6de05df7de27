"""Golden files of latent chains: every family's models load, their images decode, and the encoder
still makes the same bytes.
"""

import hashlib
import json
from pathlib import Path

import pytest

import bbans
from bbans import container
from bbans.archives import groups
from bbans.container import archive_reader, group_schedule
from bbans.models import model_file
from bbans.models.image_model import image_model
from bbans.models.registry import FAMILIES
from bbans.schemes import registry
from bbans.tiles.codecs import latent
from tests.chains import BACKENDS, CONFIGS, chain_file
from tests.frozen.decode import decoded, expected
from tests.frozen.make import pixel_hash
from tests.frozen.make_chains import CHAINS, archive_of

HASHES = json.loads((CHAINS / "hashes.json").read_text())


def test_every_config_has_golden_files():
    """Structured prediction has golden messages instead (`tests/test_frozen_conditioned.py`)."""
    assert set(HASHES) == {name.replace(" ", "-") for name in CONFIGS}
    assert {model_file.load_file(CHAINS / f"{stem}.safetensors").family for stem in HASHES} == set(
        FAMILIES
    ) - {"photo", "structured"}


def test_golden_files_decode():
    assert list(decoded()) == expected()


@pytest.mark.parametrize("stem", sorted(HASHES))
def test_the_same_images_make_the_same_bytes(stem, tmp_path):
    path, wanted = CHAINS / f"{stem}.safetensors", HASHES[stem]
    model, data = model_file.load_file(path), Path(CHAINS, f"{stem}.bbans").read_bytes()
    assert hashlib.sha256(data).hexdigest() == wanted["file"]
    assert chain_file(model, bbans.decompress(data, model=model)) == data
    if "archive" in wanted:
        archive = CHAINS / f"{stem}.bbar"
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == wanted["archive"]
        pictures = [image.pixels for _, image in bbans.read_archive(archive, model=path)]
        assert archive_of(tmp_path / "again.bbar", path, pictures) == archive.read_bytes()
        assert {group["kind"] for group in bbans.list_archive(archive).to_dict()["groups"]} == {
            "chained"
        }


CODED = [(stem, kind) for stem in sorted(HASHES) for kind in sorted(HASHES[stem]["coded"])]


@pytest.mark.parametrize(("stem", "kind"), CODED)
def test_archives_of_particles_and_refined_posteriors(stem, kind, tmp_path):
    """Their groups say what they were coded with, every backend decodes them, and the same images
    make the same bytes.
    """
    path, wanted, place = (
        CHAINS / f"{stem}.safetensors",
        HASHES[stem]["coded"][kind],
        CHAINS / f"{stem}.{kind}.bbar",
    )
    data, model = place.read_bytes(), model_file.load_file(path)
    assert hashlib.sha256(data).hexdigest() == wanted["file"]
    index = archive_reader.read_archive_index(data)
    (group,) = index.archive.groups
    particles, refine = (wanted["options"].get(name, 0) for name in ("particles", "refine"))
    assert (group.coding.particles, group.coding.refinement) == (particles or 1, refine)
    assert (
        sum(s.batches * s.batch for s in group.schedule if s.kind == group_schedule.CHAINED) >= 3
    )  # the others have default latents
    payload = archive_reader.read_message(data, index, 0)
    for ops in BACKENDS:
        chain = image_model(model, ops)
        pictures = groups.decode_group(chain, group, payload, wanted["items"])
        assert [pixel_hash(image) for image in pictures] == HASHES[stem]["pixels"][
            : wanted["items"]
        ]
    assert (
        archive_of(tmp_path / "again.bbar", path, pictures, verify=False, **wanted["options"])
        == data
    )


@pytest.mark.parametrize(
    ("stem", "kind"),
    [(stem, kind) for stem in sorted(HASHES) for kind in sorted(HASHES[stem]["single"])],
)
def test_files_of_one_image_by_a_scheme(stem, kind):
    """They say what they were coded with, every backend decodes them, and the same image makes the
    same bytes.
    """
    wanted, data = HASHES[stem]["single"][kind], (CHAINS / f"{stem}.{kind}.bbans").read_bytes()
    model = model_file.load_file(CHAINS / f"{stem}.safetensors")
    assert hashlib.sha256(data).hexdigest() == wanted["file"]
    ((part,),) = (tile.parts for tile in container.read(data).tiles)
    scheme, particles, refine = map(wanted["asked"].get, ("scheme", "particles", "refine"))
    assert (part.codec, part.coding.scheme) == (
        container.CODED_CHAIN,
        registry.SCHEMES[scheme or "two-part"].format.number,
    )
    assert (part.coding.particles, part.coding.refinement) == (
        particles or 1,
        0 if scheme in ("two-part", None) else refine or 0,
    )
    for ops in BACKENDS:
        predictor = image_model(model, ops)
        pixels = latent.decode_latent(predictor, part, predictor.shape, 8)[0]
        assert (
            pixel_hash(pixels if pixels.shape[2] > 1 else pixels[:, :, 0])
            == HASHES[stem]["pixels"][0]
        )
    assert chain_file(model, bbans.decompress(data, model=model), **wanted["asked"]) == data


def test_every_scheme_has_golden_files_of_one_image():
    found = {
        one["asked"].get("scheme")
        for hashes in HASHES.values()
        for one in hashes["single"].values()
    }
    assert found == {"two-part", "bits-back", "bit-swap", "bb-is", "bb-cis", None}


def test_every_scheme_has_golden_archives():
    """BB-IS and BB-CIS, with and without refined posteriors, and these by themselves."""
    found = [HASHES[stem]["coded"][kind]["options"] for stem, kind in CODED]
    assert {(one.get("scheme"), "refine" in one) for one in found} == {
        ("bb-is", False), ("bb-is", True), ("bb-cis", False), ("bb-cis", True), (None, True)
    }  # fmt: skip
