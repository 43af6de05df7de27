"""The shipped model on real photographs: lossless, near the ideal, self-funded, and at the rates that the project promises."""

import numpy as np
import pytest

import bbans
from bbans import api
from bbans import container as files
from bbans.images import load_folder

pytestmark = pytest.mark.shared
TARGETS = {"kodak": 2.92, "validation": 2.58}  # bits per subpixel of files; WebP makes 3.180 and 2.777


@pytest.mark.parametrize("name", TARGETS)
def test_photographs_come_back_at_the_promised_rate(shared, name):
    pictures = [pixels for _, pixels in load_folder(shared / "data" / "photos" / name)]
    assert len(pictures) == {"kodak": 24, "validation": 40}[name]
    sizes = []
    for pixels in pictures:
        data = bbans.compress(pixels, verify=False)
        assert np.array_equal(bbans.decompress(data), pixels)
        (tile,) = files.read(data).tiles
        assert tile.codec == files.BITS_BACK and tile.latent_precision == 10
        sizes.append(len(data))
    rate = 8 * sum(sizes) / sum(p.size for p in pictures)
    assert rate <= TARGETS[name]


def test_files_are_within_one_per_cent_of_the_ideal(shared):
    for _, pixels in load_folder(shared / "data" / "photos" / "kodak"):
        data = bbans.compress(pixels, verify=False)
        facts = api.info(data)
        assert facts.ideal_bits is not None and facts.account is not None
        assert 8 * len(data) <= 1.01 * facts.ideal_bits
        assert facts.account.initial == 0
        assert sum(facts.to_dict()["account_bits"].values()) == pytest.approx(8 * len(data), abs=1e-3)
