"""-ELBO = E_q[-log2 p(x | z_1)] + sum_l E_q[log2 q(z_l | z_(l-1)) - log2 p(z_l | z_(l+1))], every z a vector of bits.

Bits are coded exactly, so the bound has no discretisation gap. Gradients reach q either straight through the sample (biased;
Bengio, Leonard and Courville 2013, arXiv:1308.3432) or by the score function with the mean of the batch's other items as a baseline
(unbiased; Williams 1992). The integer twin is `bernoulli_exact`.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from bbans.exact.layers import IntConv
from bbans.models import mlp
from bbans.models.bernoulli_config import BernoulliVaeConfig, plans
from bbans.models.heads_float import bernoulli_bits, bernoulli_entropy, sample_bits, start
from bbans.models.mlp import FloatMlp
from bbans.models.terms import SCORE, Draws, Terms, Training, draws


class BernoulliVaeNet(nn.Module):
    """Every network of the chain."""

    def __init__(self, config: BernoulliVaeConfig, training: Training | None = None) -> None:
        super().__init__()
        self.config = config
        self.options = training or Training()
        self.nets = nn.ModuleDict({name: FloatMlp(plan) for name, plan in plans(config).items()})
        start(config.head, self.net("likelihood0"))

    def net(self, name: str) -> FloatMlp:
        """A network by name."""
        found = self.nets[name]
        assert isinstance(found, FloatMlp)
        return found

    def terms(self, x: Tensor, labels: Tensor | None, generator: Generator | Draws, drop: Tensor | None = None) -> Terms:
        """See `terms.Trainable`; idle latents are zeros. E_q of log2 q is exact given the layer below, as is the top layer's KL."""
        config, score, source = self.config, self.options.estimator == SCORE, draws(generator, len(x))
        seen = x.to(torch.get_default_dtype()) / (config.levels - 1)
        bits: list[Tensor] = []
        q_logits: list[Tensor] = []
        for layer in range(1, len(config.latents) + 1):
            logit = self.net(f"posterior{layer}")(seen)[0]
            p = torch.sigmoid(logit)
            b = (source.uniform(p) < p.detach()).to(p.dtype)
            if drop is not None:
                b = b.masked_fill(drop[:, None], 0.0)
            bits.append(b if score else b + p - p.detach())
            q_logits.append(logit)
            seen = 2 * bits[-1] - 1
        above = [self.net(f"likelihood{layer}")(2 * bits[layer] - 1)[0] for layer in range(1, len(bits))]
        above.append(self.net("prior")(x.new_ones((len(x), 1), dtype=seen.dtype))[0])
        divergences, prior = [], seen.new_zeros(len(x))
        for layer, (b, q, p) in enumerate(zip(bits, q_logits, above, strict=True), 1):
            expected = bernoulli_bits(p, torch.sigmoid(q) if layer == len(bits) else b)
            divergences.append(expected - bernoulli_entropy(q))
            prior = prior + expected.detach().sum(1)
        divergence = torch.cat(divergences, 1)
        if drop is not None:
            divergence = divergence.masked_fill(drop[:, None], 0.0)
        shared = self.net("shared") if "shared" in self.nets else None
        likelihood = sample_bits(config.head, self.net("likelihood0")(2 * bits[0] - 1), x, shared).sum(1)
        surrogate = likelihood.new_zeros(())
        if score:
            f = (likelihood + divergence.sum(1)).detach()
            baseline = (source.total(f.sum()) - f) / max(1, source.items - 1)
            log_q = -math.log(2) * torch.cat([bernoulli_bits(q, b) for q, b in zip(q_logits, bits, strict=True)], 1).sum(1)
            surrogate = ((f - baseline) * log_q).mean()
            surrogate = surrogate - surrogate.detach()
        return Terms(likelihood, divergence, prior, surrogate)

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """See `terms.Trainable`; a layer's probabilities given those below."""
        found, seen = [], x.to(torch.get_default_dtype()) / (self.config.levels - 1)
        for layer in range(1, len(self.config.latents) + 1):
            found.append(torch.sigmoid(self.net(f"posterior{layer}")(seen)[0]))
            seen = 2 * found[-1] - 1
        return torch.cat(found, 1)


def export(net: BernoulliVaeNet) -> dict[str, IntConv]:
    """Every layer of `bernoulli_exact`, by name. Raises AccumulatorBoundError if a layer cannot be made exact."""
    return mlp.export({name: net.net(name) for name in net.nets})
