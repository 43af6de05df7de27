"""p(x | z) p(z) with q(z | x) a mixture, a flow or semi-implicit: the VAE with a richer posterior
than a diagonal Gaussian and one layer of latents, its hyper-parameters, which are part of the model
id, and its integer networks.

Posteriors. `mixture`: a mixture of diagonal Gaussians. `flow`: each latent is a Gaussian given the
latents before it. `coupling`: a diagonal Gaussian, followed by additions modulo the number of bins.
`semi-implicit`: Gaussians whose parameters are functions of noise; the noise is coded as latents
beside z. `planar` (`training.networks.planar`) can be trained in floats but not coded, and no model
file holds it.

Latents are indices of the 2^latent_precision bins of equal mass under N(0, 1), as in `models.vae`,
and q is exact on them: no term of its density is approximated, and the expected net rate is the
-ELBO of that q. An autoregressive flow pops its latents one after the other. A coupling flow adds
to one half of the indices a function of the other, modulo the number of bins, which leaves the
prior invariant. The latents of a semi-implicit posterior are z and then every noise vector;
q(noise) is the prior, so that noise costs initial bits only. `training.networks.rich_vae` trains
the model.

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
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import ModelFormatError, NoCodecError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Engine
from bbans.models import heads
from bbans.models.base import JOINT, Capabilities
from bbans.models.heads import gaussian_fields, latent_field, log_weights
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Field, Mlp, check_networks

MIXTURE, FLOW, COUPLING, SEMI_IMPLICIT = POSTERIORS = "mixture", "flow", "coupling", "semi-implicit"
# smallest integer range of samples as q reads them; it keeps the shared scale of the weights fine
FINE = 256
MAX_OUTPUTS = 2**16
PLANAR = "planar"
PLANAR_UNIT, PLANAR_TOP = 128, 2**11  # parameters of a planar flow: reals up to 16


@dataclass(frozen=True)
class RichVaeConfig(ImageConfig):
    """Shape of the networks. `latents` has one entry, the dimensions of z."""

    latents: tuple[int, ...] = (16,)
    hidden: int = 256  # width of the hidden layers
    hidden_layers: int = 2
    latent_precision: int = 12  # bits of a latent under the prior
    posterior: str = MIXTURE
    parts: int = 4  # mixture components, noise vectors K + 1, or steps of a coupling or planar flow
    noise: int = 4  # dimensions of a noise vector

    @property
    def fineness(self) -> int:
        """The factor that samples are multiplied by before the networks of q read them."""
        return max(1, FINE // (self.levels - 1))

    @property
    def coded(self) -> int:
        """The number of coded latents per item: z and, for a semi-implicit posterior, the noise."""
        return self.latents[0] + (self.parts * self.noise if self.posterior == SEMI_IMPLICIT else 0)

    @property
    def plans(self) -> dict[str, Mlp]:
        """The plan of every network, by name: `likelihood0` is p(x | z), `posterior1` the
        parameters of q(z | x), `posterior_shift<s>` step s of a coupling flow.
        """
        dims, head, hidden = self.latents[0], self.head, (self.hidden,) * self.hidden_layers
        top = self.fineness * (self.levels - 1)
        seen = Field(head.dims, top, 0, top)
        networks = {
            **head.plans(),
            "likelihood0": Mlp((latent_field(dims),), hidden, head.fields()),
        }
        if self.posterior == MIXTURE:
            networks["posterior1"] = Mlp(
                (seen,), hidden, (log_weights(self.parts), *gaussian_fields(self.parts * dims))
            )
        elif self.posterior == FLOW:
            networks["posterior1"] = Mlp((seen, latent_field(dims)), hidden, gaussian_fields(dims))
        elif self.posterior == SEMI_IMPLICIT:
            networks["posterior1"] = Mlp(
                (seen, latent_field(self.noise)), hidden, gaussian_fields(dims)
            )
        elif self.posterior == PLANAR:
            steps = Field(self.parts * (2 * dims + 1), PLANAR_UNIT, -PLANAR_TOP, PLANAR_TOP)
            networks["posterior1"] = Mlp((seen,), hidden, (*gaussian_fields(dims), steps))
        else:
            networks["posterior1"] = Mlp((seen,), hidden, gaussian_fields(dims))
            sizes = (dims + 1) // 2, dims // 2  # even and odd columns
            for s in range(self.parts):
                shift = shift_field(sizes[1 - s % 2], self.latent_precision)
                networks[f"posterior_shift{s}"] = Mlp(
                    (seen, latent_field(sizes[s % 2])), hidden, (shift,)
                )
        return networks


def check_codes(posterior: str | None) -> None:
    """Raise NoCodecError on a posterior that can be trained but not coded.

    Examples:
        >>> check_codes(COUPLING)
    """
    if posterior == PLANAR:
        raise NoCodecError(
            "a planar flow trains but does not code: its inverse is solved, not computed; take "
            f"{FLOW!r} or {COUPLING!r}"
        )


def shift_field(count: int, latent_precision: int) -> Field:
    """Return the field of the integers that a coupling step adds to `count` indices: at most half
    the number of bins, of either sign.

    Examples:
        >>> shift_field(3, latent_precision=8).high
        128
    """
    n = 1 << latent_precision
    return Field(count, n, -n // 2, n // 2)


def flow_masks(config: RichVaeConfig) -> list[NDArray[np.float32]]:
    """Return the masks of an autoregressive flow's layers, float32 `(O, I)` of 0 and 1 each: latent
    d depends on x and the latents before it (MADE: Germain et al. 2015, arXiv:1502.03509).

    A hidden unit of degree m reads the first m latents, and latent d (from 0) reads the units of
    degree up to d.

    Examples:
        >>> config = RichVaeConfig(latents=(2,), hidden=4, hidden_layers=1)
        >>> [mask.shape for mask in flow_masks(config)]
        [(4, 786), (4, 4)]
    """
    positions = np.arange(config.latents[0])
    degrees = [np.concatenate([np.zeros(config.head.dims, np.int64), positions + 1])]
    degrees += [np.arange(config.hidden) % len(positions)] * config.hidden_layers + [
        np.tile(positions, 2)
    ]
    return [(to[:, None] >= of[None, :]).astype(np.float32) for of, to in pairwise(degrees)]


def check(config: RichVaeConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(RichVaeConfig(posterior=FLOW))
    """
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


def capabilities(config: RichVaeConfig) -> Capabilities:
    """Return what a model of this config declares: a joint posterior, one layer.

    Examples:
        >>> capabilities(RichVaeConfig()).posterior
        'joint'
    """
    return Capabilities(JOINT)


def check_layers(config: RichVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^53. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact,
    NoCodecError on a posterior that cannot be coded.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = RichVaeConfig(2, 2, latents=(3,), hidden=4)
        >>> check_layers(config, export(float_network(config))) < 1
        True
    """
    check_codes(config.posterior)
    return check_networks(config.plans, layers)


class ExactRichVae:
    """The model in integers, on a backend of exact operations. Immutable after construction. Raises
    ModelFormatError and AccumulatorBoundError on layers that do not fit.
    """

    def __init__(self, config: RichVaeConfig, layers: Mapping[str, IntConv], ops: Engine) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in config.plans.items()
        }

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z), and p(noise) for a semi-implicit posterior: return the prior, symbols `(items,
        coded)`.
        """
        return gaussian_bins.standard_normal(
            (items, self.config.coded), self.config.latent_precision
        )

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z): return it, symbols `(items, dims)`; x does not depend on the noise."""
        outputs = self._networks["likelihood0"](self._value(above[:, : self.config.latents[0]]))
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x), jointly with the noise of a semi-implicit posterior: return it, symbols
        `(items, coded)`.
        """
        seen = below * self.config.fineness
        if self.config.posterior == MIXTURE:
            return self._mixture(seen)
        if self.config.posterior == FLOW:
            return self._flow(seen)
        return (
            self._coupling(seen) if self.config.posterior == COUPLING else self._semi_implicit(seen)
        )

    def default_latent(self, items: int) -> Ints:
        """Return the bin just above the prior's median for every latent, int64 `(items, coded)`."""
        return gaussian_bins.middle((items, self.config.coded), self.config.latent_precision)

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
        """Mixture of Gaussians with means and sigma indices `(items, parts, dims)`."""
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
