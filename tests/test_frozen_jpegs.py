"""Golden files of JPEGs: they give back the JPEGs they were made from.

What the encoder makes of a JPEG depends on the version of a library; what is restored does not.
"""

import hashlib
import json
from pathlib import Path

import pytest

import bbans
from bbans import container
from tests.container import independent
from tests.test_jpegs import transcoded

FROZEN = Path(__file__).resolve().parent / "frozen" / "jpegs"
HASHES = json.loads((FROZEN / "hashes.json").read_text())


@pytest.mark.parametrize("name", sorted(HASHES))
def test_golden_jpegs_come_back(name):
    data = (FROZEN / f"{name}.bbans").read_bytes()
    assert hashlib.sha256(data).hexdigest() == HASHES[name]["file"]
    jpeg = bbans.restore_jpeg(data)
    assert hashlib.sha256(jpeg).hexdigest() == HASHES[name]["jpeg"]
    assert independent.restore(independent.read(data), transcoded) == jpeg
    assert bbans.restore_jpeg(bbans.compress_jpeg(jpeg)) == jpeg
    assert bbans.info(data).jpeg.method == HASHES[name]["method"]


def test_golden_jpegs_cover_the_methods():
    assert {facts["method"] for facts in HASHES.values()} == set(container.JPEG_METHODS.values())
    assert {path.stem for path in FROZEN.glob("*.bbans")} == set(HASHES)
