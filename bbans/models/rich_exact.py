"""p(x | z) p(z) with q(z | x) a mixture, a flow or semi-implicit, in integers: a latent chain of one layer that codes.

Latents are indices of the 2^latent_precision bins of equal mass under N(0, 1), as in `vae_exact`, and q is exact on them: no term of
its density is approximated, so that the net rate is the -ELBO of that very q. A flow is autoregressive, its latents popped one after the
other, or couples halves by additions modulo the number of bins, under which N(0, 1) stays what it is. Noise of a semi-implicit posterior
is part of the latents: z, then every draw; q(noise) is the prior, so that it costs nothing but initial bits. Mirrors `rich_vae`.

Sources: mixtures and semi-implicit posteriors, Yin and Zhou 2018 (arXiv:1805.11183); affine autoregressive flows, Kingma et al. 2016
(arXiv:1606.04934), Papamakarios, Pavlakou and Murray 2017 (arXiv:1705.07057); integer flows, Hoogeboom et al. 2019 (arXiv:1905.07376).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import auxiliary, builders, latent
from bbans.distributions.conditional import Conditional
from bbans.distributions.sequential import Walk, columnwise, walked
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.mlp_exact import ExactMlp, check_networks
from bbans.models.rich_config import COUPLING, FLOW, MIXTURE, RichVaeConfig, check_codes

Ints = NDArray[np.int64]


def check_layers(config: RichVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction of the bound.

    Raises ModelErrors, and NoCodecError on a posterior that is for training only.
    """
    check_codes(config.posterior)
    return check_networks(config.plans, layers)


class ExactRichVae:
    """The model on a backend. Immutable once made."""

    depth = 1
    independent = False  # latents given x

    def __init__(self, config: RichVaeConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {name: ExactMlp(name, plan, layers, ops) for name, plan in config.plans.items()}

    def prior(self, items: int) -> Conditional:
        """p(z), and of the noise."""
        return builders.standard_normal((items, self.config.coded), self.config.latent_precision)

    def likelihood(self, layer: int, above: Ints) -> Conditional:
        """p(x | z); noise says nothing of x."""
        outputs = self._networks["likelihood0"](self._value(above[:, : self.config.latents[0]]))
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def posterior(self, layer: int, below: Ints) -> Conditional:
        """q(z | x), with the noise where there is any."""
        seen = below * self.config.fineness
        if self.config.posterior == MIXTURE:
            return self._mixture(seen)
        if self.config.posterior == FLOW:
            return self._flow(seen)
        return self._coupling(seen) if self.config.posterior == COUPLING else self._semi_implicit(seen)

    def idle(self, items: int) -> Ints:
        """Latents in the middle of the prior."""
        return np.full((items, self.config.coded), 1 << (self.config.latent_precision - 1), np.int64)

    def _mixture(self, seen: Ints) -> Conditional:
        items, parts = len(seen), self.config.parts
        logits, mean, sigma = self._networks["posterior1"](seen)
        return self._mixed(builders.categorical(logits[:, None]), (mean.reshape(items, parts, -1), sigma.reshape(items, parts, -1)))

    def _semi_implicit(self, seen: Ints) -> Conditional:
        (items, _), parts, dims = seen.shape, self.config.parts, self.config.latents[0]
        prior = builders.standard_normal((items, parts * self.config.noise), self.config.latent_precision)

        def walk() -> Walk:
            noise = yield np.arange(dims, self.config.coded), prior
            outputs = self._networks["posterior1"](np.repeat(seen, parts, 0), self._value(noise).reshape(items * parts, -1))
            yield np.arange(dims), self._mixed(builders.uniform((items, 1), parts), [o.reshape(items, parts, -1) for o in outputs])

        return walked(walk, (items, self.config.coded))

    def _flow(self, seen: Ints) -> Conditional:
        dims, precision = self.config.latents[0], self.config.latent_precision

        def parts(z: Ints) -> list[Conditional]:
            mean, sigma = self._networks["posterior1"](seen, self._value(z))
            return [builders.gaussian(mean[:, d : d + 1], sigma[:, d : d + 1], precision) for d in range(dims)]

        return columnwise(parts, (len(seen), dims))

    def _coupling(self, seen: Ints) -> Conditional:
        base = heads.gaussian(self._networks["posterior1"](seen), self.config.latent_precision)

        def shift(s: int, z: Ints) -> Ints:
            return self._networks[f"posterior_shift{s}"](seen, self._value(z))[0]

        return auxiliary.transformed(base, *auxiliary.coupled(shift, self.config.parts, 1 << self.config.latent_precision))

    def _mixed(self, choice: Conditional, outputs: Sequence[Ints]) -> Conditional:
        """Gaussians `(items, parts, dims)` of means and sigmas."""
        mean, sigma = outputs
        rows = np.arange(len(mean))
        return auxiliary.mixed(
            choice, self.config.parts, lambda k: builders.gaussian(mean[rows, k], sigma[rows, k], self.config.latent_precision)
        )

    def _value(self, z: Ints) -> Ints:
        return latent.value(self.config.latent_precision, z)
