"""p(x | z) p(z) with q(z | x) a mixture, a flow or semi-implicit: the VAE with a richer posterior
than a diagonal Gaussian, its hyper-parameters, which are part of the model id, and its integer
networks; one layer of latents.

`mixture`: Gaussians, one of which is sampled for an item. `flow`: each latent is a Gaussian given
those before it. `coupling`: a diagonal Gaussian, then additions modulo the number of bins.
`semi-implicit`: Gaussians whose parameters are networks of noise, which is coded as latents beside
z. `planar` (`training.networks.planar`) is for training in floats only: no model file holds it.

Latents are indices of the 2^latent_precision bins of equal mass under N(0, 1), as in `models.vae`,
and q is exact on them: no term of its density is approximated, so that the net rate is the -ELBO of
that very q. A flow is autoregressive, its latents popped one after the other, or couples halves by
additions modulo the number of bins, under which N(0, 1) stays what it is. Noise of a semi-implicit
posterior is part of the latents: z, then every sample of it; q(noise) is the prior, so that it
costs nothing but initial bits. `training.networks.rich_vae` trains it.

Sources: mixtures and semi-implicit posteriors, Yin and Zhou 2018 (arXiv:1805.11183); affine
autoregressive flows, Kingma et al. 2016 (arXiv:1606.04934), Papamakarios, Pavlakou and Murray 2017
(arXiv:1705.07057); integer flows, Hoogeboom et al. 2019 (arXiv:1905.07376).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import categorical, composite, gaussian_bins, uniform
from bbans.distributions.autoregressive import Walk, columnwise, walked
from bbans.distributions.distribution import Distribution
from bbans.errors import ModelFormatError, NoCodecError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.base import JOINT, Capabilities
from bbans.models.heads import gaussian_fields, latent_field, log_weights
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Field, Mlp, check_networks

MIXTURE, FLOW, COUPLING, SEMI_IMPLICIT = POSTERIORS = "mixture", "flow", "coupling", "semi-implicit"
# units at least that samples are read in: all weights of an output share a scale, coarse beside
# latents in units of 1
FINE = 256
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
    parts: int = (
        4  # components of a mixture, draws of noise K + 1, steps of a coupling or planar flow
    )
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
        """Every network by name: `posterior1` is what q(z | x) is made of, `posterior_shift<s>`
        step s of a coupling flow.
        """
        dims, head, hidden = self.latents[0], self.head, (self.hidden,) * self.hidden_layers
        top = self.fineness * (self.levels - 1)
        seen = Field(head.dims, top, 0, top)
        found = {**head.plans(), "likelihood0": Mlp((latent_field(dims),), hidden, head.fields())}
        if self.posterior == MIXTURE:
            found["posterior1"] = Mlp(
                (seen,), hidden, (log_weights(self.parts), *gaussian_fields(self.parts * dims))
            )
        elif self.posterior == FLOW:
            found["posterior1"] = Mlp((seen, latent_field(dims)), hidden, gaussian_fields(dims))
        elif self.posterior == SEMI_IMPLICIT:
            found["posterior1"] = Mlp(
                (seen, latent_field(self.noise)), hidden, gaussian_fields(dims)
            )
        elif self.posterior == PLANAR:
            steps = Field(self.parts * (2 * dims + 1), PLANAR_UNIT, -PLANAR_TOP, PLANAR_TOP)
            found["posterior1"] = Mlp((seen,), hidden, (*gaussian_fields(dims), steps))
        else:
            found["posterior1"] = Mlp((seen,), hidden, gaussian_fields(dims))
            sizes = (dims + 1) // 2, dims // 2  # even and odd columns
            for s in range(self.parts):
                shift = shift_field(sizes[1 - s % 2], self.latent_precision)
                found[f"posterior_shift{s}"] = Mlp(
                    (seen, latent_field(sizes[s % 2])), hidden, (shift,)
                )
        return found


def check_codes(posterior: str | None) -> None:
    """Raise NoCodecError on a posterior that trains but does not code."""
    if posterior == PLANAR:
        raise NoCodecError(
            "a planar flow trains but does not code: its inverse is solved, not computed; take "
            f"{FLOW!r} or {COUPLING!r}"
        )


def shift_field(count: int, latent_precision: int) -> Field:
    """What a coupling adds to indices: half of the bins at most, to both sides."""
    n = 1 << latent_precision
    return Field(count, n, -n // 2, n // 2)


def flow_masks(config: RichVaeConfig) -> list[NDArray[np.float32]]:
    """Connections of a flow's layers, `(O, I)` each, that let latent d see x and the latents before
    it (MADE: arXiv:1502.03509).

    A hidden unit of degree m sees the first m latents, and latent d (from 0) sees the units of
    degree up to d.
    """
    positions = np.arange(config.latents[0])
    degrees = [np.concatenate([np.zeros(config.head.dims, np.int64), positions + 1])]
    degrees += [np.arange(config.hidden) % len(positions)] * config.hidden_layers + [
        np.tile(positions, 2)
    ]
    return [(to[:, None] >= of[None, :]).astype(np.float32) for of, to in pairwise(degrees)]


def check(config: RichVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    if config.posterior not in POSTERIORS:
        raise ModelFormatError(
            f"a posterior is one of {', '.join(POSTERIORS)}; found {config.posterior!r}; the "
            "model file is malformed"
        )
    check_common(
        config,
        {"latent_precision": (4, 12), "parts": (1, 2**8), "noise": (1, 2**10)},
        config.latents,
    )
    dims = config.latents[0]
    wide = max(config.coded, config.parts * dims) > MAX_OUTPUTS
    if len(config.latents) != 1 or wide or (config.posterior == COUPLING and dims < 2):
        raise ModelFormatError(
            f"one layer of 2 latents or more with {config.parts} parts cannot be made of "
            f"{config.latents}; use fewer parts"
        )


Ints = NDArray[np.int64]


def capabilities(config: RichVaeConfig) -> Capabilities:
    """What a model of the family can do."""
    return Capabilities(JOINT)


def check_layers(config: RichVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.

    Raises ModelErrors, and NoCodecError on a posterior that is for training only.
    """
    check_codes(config.posterior)
    return check_networks(config.plans, layers)


class ExactRichVae:
    """The model on a backend. Immutable once made."""

    def __init__(self, config: RichVaeConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in config.plans.items()
        }

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z), and of the noise."""
        return gaussian_bins.standard_normal(
            (items, self.config.coded), self.config.latent_precision
        )

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z); noise says nothing of x."""
        outputs = self._networks["likelihood0"](self._value(above[:, : self.config.latents[0]]))
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x), with the noise where there is any."""
        seen = below * self.config.fineness
        if self.config.posterior == MIXTURE:
            return self._mixture(seen)
        if self.config.posterior == FLOW:
            return self._flow(seen)
        return (
            self._coupling(seen) if self.config.posterior == COUPLING else self._semi_implicit(seen)
        )

    def default_latent(self, items: int) -> Ints:
        """Latents in the middle of the prior."""
        return np.full(
            (items, self.config.coded), 1 << (self.config.latent_precision - 1), np.int64
        )

    def _mixture(self, seen: Ints) -> Distribution:
        items, parts = len(seen), self.config.parts
        logits, mean, sigma = self._networks["posterior1"](seen)
        return self._mixed(
            categorical.categorical(logits[:, None]),
            (mean.reshape(items, parts, -1), sigma.reshape(items, parts, -1)),
        )

    def _semi_implicit(self, seen: Ints) -> Distribution:
        (items, _), parts, dims = seen.shape, self.config.parts, self.config.latents[0]
        prior = gaussian_bins.standard_normal(
            (items, parts * self.config.noise), self.config.latent_precision
        )

        def walk() -> Walk:
            noise = yield np.arange(dims, self.config.coded), prior
            outputs = self._networks["posterior1"](
                np.repeat(seen, parts, 0), self._value(noise).reshape(items * parts, -1)
            )
            yield (
                np.arange(dims),
                self._mixed(
                    uniform.uniform((items, 1), parts),
                    [o.reshape(items, parts, -1) for o in outputs],
                ),
            )

        return walked(walk, (items, self.config.coded))

    def _flow(self, seen: Ints) -> Distribution:
        dims, precision = self.config.latents[0], self.config.latent_precision

        def parts(z: Ints) -> list[Distribution]:
            mean, sigma = self._networks["posterior1"](seen, self._value(z))
            return [
                gaussian_bins.gaussian(mean[:, d : d + 1], sigma[:, d : d + 1], precision)
                for d in range(dims)
            ]

        return columnwise(parts, (len(seen), dims))

    def _coupling(self, seen: Ints) -> Distribution:
        base = heads.gaussian(self._networks["posterior1"](seen), self.config.latent_precision)

        def shift(s: int, z: Ints) -> Ints:
            return self._networks[f"posterior_shift{s}"](seen, self._value(z))[0]

        return composite.transformed(
            base, *composite.coupled(shift, self.config.parts, 1 << self.config.latent_precision)
        )

    def _mixed(self, choice: Distribution, outputs: Sequence[Ints]) -> Distribution:
        """Gaussians `(items, parts, dims)` of means and sigmas."""
        mean, sigma = outputs
        rows = np.arange(len(mean))
        return composite.mixed(
            choice,
            self.config.parts,
            lambda k: gaussian_bins.gaussian(
                mean[rows, k], sigma[rows, k], self.config.latent_precision
            ),
        )

    def _value(self, z: Ints) -> Ints:
        return gaussian_bins.value(self.config.latent_precision, z)
