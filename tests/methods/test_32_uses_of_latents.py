"""Item 32. What a latent space is for: reconstructions, ways between images, samples and codes
given a label.
"""

import numpy as np

from bbans.schemes.bounds import ideal_bits
from bbans.schemes.sampling import sample_items
from tests.methods.latent_space import interpolate, nearest_bins, reconstruct
from tests.methods.trained import trained


def test_reconstructions_resemble_their_images():
    _, chain, _, test = trained("vae")
    x = test.x.astype(np.int64)
    error = (reconstruct(chain, x) - x) ** 2
    others = (reconstruct(chain, np.roll(x, 1, 0)) - x) ** 2
    assert error.mean() < 0.92 * others.mean()


def test_interpolation_goes_from_one_image_to_the_other():
    _, chain, _, test = trained("vae")
    first, last = test.x[:2].astype(np.int64)
    path = interpolate(chain, first, last, 9)
    assert path.shape == (9, 64) and path.min() >= 0 and path.max() <= 16
    ends = chain.means(np.stack([first, last]))[0]
    z = nearest_bins(chain, ends)
    own = chain.likelihood(0, z)
    # p(x | z) at the path's ends is that of the images' own means, and each end explains its image
    # better than the other does
    assert (own.bits(np.stack([first, last])) < own.bits(np.stack([last, first]))).all()


def test_nearest_bins_are_nearest():
    _, chain, _, _ = trained("vae")
    from bbans.distributions.gaussian_bins import value

    medians = value(12, np.arange(4096))
    u = np.arange(-700, 700).reshape(2, -1)
    found = np.abs(medians[nearest_bins(chain, u)] - u)
    assert np.array_equal(found, np.abs(medians - u[..., None]).min(-1))


def test_a_label_saves_at_most_its_own_bits():
    """R(x) = -log2 sum_y 2^-R(x|y) / 10 is the best code without the label: R(x) - R(x | y) <= log2
    10, and most of it is saved.
    """
    _, chain, _, test = trained("labelled")
    x = test.x.astype(np.int64)
    given = np.array([ideal_bits(chain.given(np.full(len(x), y)), x, 8).total for y in range(10)])
    without = -np.log2(np.exp2(given.min(0) - given).mean(0)) + given.min(0)
    saved = without - given[test.labels, np.arange(len(x))]
    assert (saved <= np.log2(10) + 1e-9).all() and saved.mean() > 2


def test_samples_show_their_label():
    """Samples given a label are coded best given that label, more often than one in ten by far."""
    _, chain, _, _ = trained("labelled")
    labels = np.arange(100) % 10
    x = sample_items(chain.given(labels), 100, 3)
    rates = np.array([ideal_bits(chain.given(np.full(100, y)), x, 4).total for y in range(10)])
    assert (rates.argmin(0) == labels).sum() > 50
