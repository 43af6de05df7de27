"""-ELBO = E_q[-log2 p(x | z_1)] + sum_l E_q[log2 q(z_l | z_(l-1)) - log2 p(z_l | z_(l+1))], every z
a vector of bits: the trainable VAE with Bernoulli latents.

Bits are coded exactly, so that the bound has no discretisation gap. By default gradients reach q
straight through the sample (biased; Bengio, Leonard and Courville 2013, arXiv:1308.3432);
`training.discrete` combines other estimators with the parts of the bound. Samples of z may also be
relaxed, or means. The integer twin is `models.bernoulli_vae`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Generator, Tensor, nn

from bbans.exact.layers import IntConv
from bbans.models.bernoulli_vae import plans
from bbans.models.mlp import Mlp
from bbans.training.networks import mlp
from bbans.training.networks.discrete_latents import BITS
from bbans.training.networks.heads import sample_bits, start
from bbans.training.networks.mlp import FloatMlp
from bbans.training.terms import DISCRETE, Draws, Terms, Training, Trains, draws

Draw: TypeAlias = Callable[[Tensor, int], Tensor]
"""`draw(logits, layer)` returns z_layer, or a point between its states, shaped like the logits."""


class Inferred(NamedTuple):
    """Samples of z_1 to z_L, and the logits of q that each was sampled with."""

    samples: list[Tensor]
    logits: list[Tensor]


class BernoulliVaeNet(nn.Module):
    """All networks of a latent model with discrete latents."""

    latent = BITS
    decoded = 0  # index of the layer that p(x | .) reads

    def __init__(self, config: Any, training: Training | None = None) -> None:
        super().__init__()
        self.config = config
        self.nets = nn.ModuleDict({name: FloatMlp(plan) for name, plan in self.plans().items()})
        start(config.head, self.net("likelihood0"))

    def plans(self) -> dict[str, Mlp]:
        """Return the plan of every network, by name."""
        return plans(self.config)

    def net(self, name: str) -> FloatMlp:
        """Return a network by name."""
        network = self.nets[name]
        assert isinstance(network, FloatMlp)
        return network

    @property
    def depth(self) -> int:
        """The number of latent layers L."""
        return len(self.config.latents)

    def read(self, z: Tensor) -> Tensor:
        """Convert samples of a layer to network inputs, `(B, columns)`."""
        return 2 * z - 1

    def logits(self, name: str, *inputs: Tensor) -> Tensor:
        """Evaluate a network and return the natural logits of a layer's latents."""
        logits: Tensor = self.net(name)(*inputs)[0]
        return logits

    def scaled(self, x: Tensor) -> Tensor:
        """Convert samples x to network inputs: 0 to 1."""
        scaled: Tensor = x.to(torch.get_default_dtype()) / (self.config.levels - 1)
        return scaled

    def seen(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Return the input of q(z_1 | .): samples x, int64."""
        return x

    def infer(
        self, seen: Tensor, draw: Draw, below: Sequence[Tensor] = (), logits: Sequence[Tensor] = ()
    ) -> Inferred:
        """Sample z_1 to z_L by `draw`, each given the layer below; the first layers are `below`,
        with their logits, where they are known.
        """
        inferred = Inferred(list(below), list(logits))
        for layer in range(len(below) + 1, self.depth + 1):
            inferred.logits.append(
                self.logits(
                    f"posterior{layer}",
                    self.read(inferred.samples[-1]) if layer > 1 else self.scaled(seen),
                )
            )
            inferred.samples.append(draw(inferred.logits[-1], layer))
        return inferred

    def likelihood(self, x: Tensor, z: Inferred) -> Tensor:
        """-log2 p(x | z_1): return it in bits, `(B,)`."""
        shared = self.net("shared") if "shared" in self.nets else None
        outputs = self.net("likelihood0")(self.read(z.samples[self.decoded]))
        return sample_bits(self.config.head, outputs, x, shared).sum(1)

    def prior(self, layer: int, z: Inferred, sampled: bool = False) -> Tensor:
        """-log2 p(z_layer | z_(layer + 1)): return it in bits, `(B, D)`; for the top layer its
        expectation under q, unless `sampled`.
        """
        top = layer == self.depth
        one = z.samples[-1].new_ones((len(z.samples[-1]), 1))
        logits = (
            self.logits("prior", one)
            if top
            else self.logits(f"likelihood{layer}", self.read(z.samples[layer]))
        )
        b = self.latent.probabilities(z.logits[-1]) if top and not sampled else z.samples[layer - 1]
        return self.latent.bits(logits, b)

    def bound(self, x: Tensor, z: Inferred, drop: Tensor | None = None) -> Terms:
        """Return the terms of -ELBO at z; E_q of log2 q is exact given the layer below, as is the
        top layer's KL.
        """
        priors = [self.prior(layer, z) for layer in range(1, self.depth + 1)]
        divergence = torch.cat(
            [p - self.latent.entropy(q) for p, q in zip(priors, z.logits, strict=True)], 1
        )
        if drop is not None:
            divergence = divergence.masked_fill(drop[:, None], 0.0)
        likelihood = self.likelihood(x, z)
        return Terms(
            likelihood, divergence, torch.cat(priors, 1).detach().sum(1), likelihood.new_zeros(())
        )

    def signal(self, x: Tensor, layer: int, z: Inferred, beta: float) -> Tensor:
        """Return the terms of the bound that depend on z_layer, `(B,)` bits; its own entropy and
        the KL of the layers below do not.
        """
        top = layer == self.depth
        priors = [
            self.prior(at, z).sum(1)
            for at in range(max(1, layer - 1), self.depth + (0 if top else 1))
        ]
        entropies = [
            self.latent.entropy(z.logits[at - 1]).sum(1) for at in range(layer + 1, self.depth + 1)
        ]
        bits = x.new_zeros(len(x), dtype=z.samples[0].dtype) + beta * (sum(priors) - sum(entropies))
        return bits + self.likelihood(x, z) if layer == 1 else bits

    def default_latent(self, z: Tensor, drop: Tensor | None) -> Tensor:
        """Return z, with the first state in the items of `drop`."""
        if drop is None:
            return z
        return torch.where(
            drop.view(-1, *(1,) * (z.dim() - 1)), self.latent.hard(torch.zeros_like(z)), z
        )

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
    ) -> Terms:
        """Sample z once per item and return the terms, as `terms.Trainable` defines them, with
        straight-through gradients; default latents are the first state.
        """
        source = draws(generator, len(x))

        def straight_through(logits: Tensor, layer: int) -> Tensor:
            p = self.latent.probabilities(logits)
            return self.default_latent(
                self.latent.sample(logits, source.uniform(logits)) + p - p.detach(), drop
            )

        return self.bound(x, self.infer(self.seen(x, labels), straight_through), drop)

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """E_q[z | x]: return it, `(B, latents)`: probabilities of each layer given those of the
        layer below.
        """
        z = self.infer(
            self.seen(x, labels), lambda logits, layer: self.latent.probabilities(logits)
        )
        return torch.cat([p.flatten(1) for p in z.samples], 1)


def trains(config: Any) -> Trains:
    """Return the estimators and objectives that a network of this config supports.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> trains(BernoulliVaeConfig()).sampled
        True
    """
    return DISCRETE


def network(config: Any, training: Training | None = None) -> BernoulliVaeNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> net = network(BernoulliVaeConfig(height=2, width=2, latents=(3,)))
        >>> sorted(export(net))
        ['likelihood0.0', 'posterior1.0', 'prior.0']
    """
    return BernoulliVaeNet(config, training)


def export(net: BernoulliVaeNet) -> dict[str, IntConv]:
    """Return the integer layers of a trained network, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> sorted(export(BernoulliVaeNet(BernoulliVaeConfig(2, 2, latents=(3,)))))
        ['likelihood0.0', 'posterior1.0', 'prior.0']
    """
    return mlp.export({name: net.net(name) for name in net.nets})
