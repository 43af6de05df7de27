"""x ~ p(x | z) for chosen z: reconstructions of images and ways from one image's latents to
another's.

Works on every chain whose q has means (Gaussian VAEs). Images are draws from p(x | z), seeded, as
the coder's own arithmetic makes them; latents stay bin indices, so that every z here is one that
the coder could meet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.normal_cells import bin_at
from bbans.models.vae import ExactVae
from bbans.schemes.sampling import sample_distribution

Ints = NDArray[np.int64]


def reconstruct(chain: ExactVae, x: Ints, seed: int = 0) -> Ints:
    """x int64 `(items, dims)` through the means of q(z_1 | x) and back, of x's shape."""
    return sample_distribution(chain.likelihood(0, nearest_bins(chain, chain.means(x)[0])), (seed,))


def interpolate(chain: ExactVae, first: Ints, last: Ints, steps: int, seed: int = 0) -> Ints:
    """`steps` images `(steps, dims)` along z = (1 - a) z_first + a z_last, a from 0 to 1; first and
    last int64 `(dims,)`.
    """
    ends = chain.means(np.stack([first, last]))[0]
    a = np.arange(steps)[:, None]
    z = ((steps - 1 - a) * ends[0] + a * ends[1]) // max(1, steps - 1)
    return sample_distribution(chain.likelihood(0, nearest_bins(chain, z)), (seed,))


def nearest_bins(chain: ExactVae, u: Ints) -> Ints:
    """Indices of the bins whose medians are nearest to u, in 1/128; of u's shape."""
    return bin_at(u, chain.config.latent_precision)
