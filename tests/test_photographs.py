"""The shipped model on real photographs: lossless, near the ideal, self-funded, and at the
committed rates.
"""

import json

import numpy as np
import pytest

import bbans
from bbans import container
from bbans.images import load_folder

pytestmark = pytest.mark.shared
COUNTS = {"kodak": 24, "validation": 40}


@pytest.mark.parametrize("name", COUNTS)
def test_photographs_come_back_at_the_committed_rate(repository, shared, name):
    """Sizes are deterministic: a file that grows by 0.1 % is a change of model or coder that was
    not measured.
    """
    committed = json.loads((repository / "benchmarks" / "results" / "photos.json").read_text())[
        "measured"
    ]
    pictures = [pixels for _, pixels in load_folder(shared / "data" / "photos" / name)]
    assert len(pictures) == COUNTS[name]
    sizes = []
    for pixels in pictures:
        data = bbans.compress(pixels, verify=False)
        assert np.array_equal(bbans.decompress(data), pixels)
        (tile,) = container.read(data).tiles
        drawn = (
            name == "validation" and tile.parts[0].codec == container.WEBP
        )  # CID22 has illustrations too
        codec = (
            container.PREPARED if name == "kodak" else container.BITS_BACK
        )  # the scans were Photo YCC
        assert drawn or [(part.codec, part.latent_precision) for part in tile.parts] == [
            (codec, 10)
        ]
        sizes.append(len(data))
    rate = 8 * sum(sizes) / sum(p.size for p in pictures)
    assert rate <= committed["bbans"][name]["bpsp"] * 1.001
    assert rate <= committed["WebP"][name]["bpsp"]


@pytest.mark.parametrize("name", COUNTS)
def test_the_fixed_predictor_keeps_its_rate(repository, shared, name):
    """Files that need no model: lossless, at the committed rate, and under PNG and JPEG 2000."""
    committed = json.loads((repository / "benchmarks" / "results" / "photos.json").read_text())[
        "measured"
    ]
    pictures = [pixels for _, pixels in load_folder(shared / "data" / "photos" / name)]
    sizes = []
    for pixels in pictures:
        data = bbans.compress(pixels, model="none", verify=False)
        assert np.array_equal(bbans.decompress(data), pixels)
        sizes.append(len(data))
    rate = 8 * sum(sizes) / sum(p.size for p in pictures)
    assert rate <= committed["bbans, no model"][name]["bpsp"] * 1.001
    assert rate <= committed["PNG"][name]["bpsp"]


def test_files_are_within_one_per_cent_of_the_ideal(shared):
    for _, pixels in load_folder(shared / "data" / "photos" / "kodak"):
        data = bbans.compress(pixels, verify=False)
        facts = bbans.info(data)
        assert facts.ideal_bits is not None and facts.account is not None
        assert 8 * len(data) <= 1.01 * facts.ideal_bits
        assert facts.account.initial == 0
        assert sum(facts.to_dict()["account_bits"].values()) == pytest.approx(
            8 * len(data), abs=1e-3
        )
