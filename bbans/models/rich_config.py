"""Hyper-parameters of the VAE with a richer posterior than a diagonal Gaussian; they are part of the model id.

`mixture`: Gaussians, one of which is drawn for an item. `flow`: each latent is a Gaussian given those before it. `coupling`: a diagonal
Gaussian, then additions modulo the number of bins. `semi-implicit`: Gaussians whose parameters are networks of noise, which is coded as
latents beside z. `planar` (`models.planar`) is for training in floats only: no model file holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bbans.errors import ModelFormatError, NoCodecError
from bbans.models.heads import gaussian_fields, latent_field, log_weights
from bbans.models.latent_config import ImageConfig, check_common
from bbans.models.mlp_exact import Field, Mlp

MIXTURE, FLOW, COUPLING, SEMI_IMPLICIT = POSTERIORS = "mixture", "flow", "coupling", "semi-implicit"
FINE = 256  # units at least that samples are read in: all weights of an output share a scale, coarse beside latents in units of 1
MAX_OUTPUTS = 2**16
PLANAR = "planar"
PLANAR_UNIT, PLANAR_TOP = 128, 2**11  # its parameters are reals of up to 16


@dataclass(frozen=True)
class RichVaeConfig(ImageConfig):
    """Shape of the networks. `latents` has one entry: the dimensions of z."""

    latents: tuple[int, ...] = (16,)
    hidden: int = 256  # width of the hidden layers
    hidden_layers: int = 2
    latent_precision: int = 12  # bits of a latent under the prior
    posterior: str = MIXTURE
    parts: int = 4  # components of a mixture, draws of noise K + 1, steps of a coupling or planar flow
    noise: int = 4  # dimensions of a draw of noise

    @property
    def fineness(self) -> int:
        """What samples are multiplied with before the networks of q read them."""
        return max(1, FINE // (self.levels - 1))

    @property
    def coded(self) -> int:
        """Latents that are coded: z, and what noise there is."""
        return self.latents[0] + (self.parts * self.noise if self.posterior == SEMI_IMPLICIT else 0)

    @property
    def plans(self) -> dict[str, Mlp]:
        """Every network by name: `posterior1` is what q(z | x) is made of, `posterior_shift<s>` step s of a coupling flow."""
        dims, head, hidden = self.latents[0], self.head, (self.hidden,) * self.hidden_layers
        top = self.fineness * (self.levels - 1)
        seen = Field(head.dims, top, 0, top)
        found = {**head.plans(), "likelihood0": Mlp((latent_field(dims),), hidden, head.fields())}
        if self.posterior == MIXTURE:
            found["posterior1"] = Mlp((seen,), hidden, (log_weights(self.parts), *gaussian_fields(self.parts * dims)))
        elif self.posterior == FLOW:
            found["posterior1"] = Mlp((seen, latent_field(dims)), hidden, gaussian_fields(dims))
        elif self.posterior == SEMI_IMPLICIT:
            found["posterior1"] = Mlp((seen, latent_field(self.noise)), hidden, gaussian_fields(dims))
        elif self.posterior == PLANAR:
            steps = Field(self.parts * (2 * dims + 1), PLANAR_UNIT, -PLANAR_TOP, PLANAR_TOP)
            found["posterior1"] = Mlp((seen,), hidden, (*gaussian_fields(dims), steps))
        else:
            found["posterior1"] = Mlp((seen,), hidden, gaussian_fields(dims))
            sizes = (dims + 1) // 2, dims // 2  # even and odd columns
            for s in range(self.parts):
                shift = shift_field(sizes[1 - s % 2], self.latent_precision)
                found[f"posterior_shift{s}"] = Mlp((seen, latent_field(sizes[s % 2])), hidden, (shift,))
        return found


def check_codes(posterior: str | None) -> None:
    """Raise NoCodecError on a posterior that trains but does not code."""
    if posterior == PLANAR:
        raise NoCodecError(f"a planar flow trains but does not code: its inverse is solved, not computed; take {FLOW!r} or {COUPLING!r}")


def shift_field(count: int, latent_precision: int) -> Field:
    """What a coupling adds to indices: half of the bins at most, to both sides."""
    n = 1 << latent_precision
    return Field(count, n, -n // 2, n // 2)


def flow_masks(config: RichVaeConfig) -> list[NDArray[np.float32]]:
    """Connections of a flow's layers, `(O, I)` each, that let latent d see x and the latents before it (MADE: arXiv:1502.03509).

    A hidden unit of degree m sees the first m latents, and latent d (from 0) sees the units of degree up to d.
    """
    positions = np.arange(config.latents[0])
    degrees = [np.concatenate([np.zeros(config.head.dims, np.int64), positions + 1])]
    degrees += [np.arange(config.hidden) % len(positions)] * config.hidden_layers + [np.tile(positions, 2)]
    return [(to[:, None] >= of[None, :]).astype(np.float32) for of, to in pairwise(degrees)]


def check(config: RichVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    if config.posterior not in POSTERIORS:
        raise ModelFormatError(f"a posterior is one of {', '.join(POSTERIORS)}; found {config.posterior!r}; the model file is malformed")
    check_common(config, {"latent_precision": (4, 12), "parts": (1, 2**8), "noise": (1, 2**10)}, config.latents)
    dims = config.latents[0]
    wide = max(config.coded, config.parts * dims) > MAX_OUTPUTS
    if len(config.latents) != 1 or wide or (config.posterior == COUPLING and dims < 2):
        raise ModelFormatError(
            f"one layer of 2 latents or more with {config.parts} parts cannot be made of {config.latents}; use fewer parts"
        )
