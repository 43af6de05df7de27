"""Photographs coded without a model: lossless, at the committed rates, under PNG and JPEG 2000."""

import json

import numpy as np
import pytest

import bbans
from bbans.images import load_folder

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("name", ["kodak", "validation"])
def test_the_fixed_predictor_keeps_its_rate(repository, shared, name):
    committed = json.loads((repository / "benchmarks" / "results" / "photos.json").read_text())[
        "measured"
    ]
    pictures = [pixels for _, pixels in load_folder(shared / "data" / "photos" / name)]
    sizes = []
    for pixels in pictures:
        data = bbans.compress(pixels, model="none", model_only=True, verify=False)
        assert np.array_equal(bbans.decompress(data), pixels)
        sizes.append(len(data))
    rate = 8 * sum(sizes) / sum(p.size for p in pictures)
    assert rate <= committed["bbans, no model"][name]["bpsp"] * 1.001
    assert rate <= committed["PNG"][name]["bpsp"]
