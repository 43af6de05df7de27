"""-ELBO of Bernoulli and categorical latents as a loss: a network's bound combined with an
estimator of the gradients by q.

The estimator of layer l is applied to f(z_l): -log2 p(x | z_1) where l = 1, plus beta times -log2
p(z_(l-1) | z_l), -log2 p(z_l | z_(l+1)) and the terms of the layers above, which are sampled again
from the same noise. For fixed noise f is a function of z_l alone, so that an unbiased estimator
stays unbiased at any depth; a control variate relaxes the layers above along with z_l. Entropies
and the top layer's KL are exact given the layer below, and are no part of f. Two exceptions:
`concrete` trains the bound of relaxed samples in all parameters, which is no rate; `vimco` trains
the importance-weighted bound of several samples, with one learning signal for all layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bbans.errors import InputError
from bbans.models.registry import family_name
from bbans.training import continuous
from bbans.training.discrete_bounds import ReplayedNoise, trained_bound
from bbans.training.estimators.control import Control
from bbans.training.estimators.estimate import Estimate, improve
from bbans.training.estimators.muprop import muprop
from bbans.training.estimators.nvil import baseline_loss, nvil, updated
from bbans.training.estimators.relax import relax
from bbans.training.estimators.score import score
from bbans.training.networks.bernoulli_vae import BernoulliVaeNet, Draw, Inferred
from bbans.training.networks.families import families_where, trains
from bbans.training.terms import (
    CONCRETE,
    ELBO,
    ESTIMATORS,
    LAX,
    MUPROP,
    NVIL,
    RELAX,
    SCORE,
    STRAIGHT_THROUGH,
    VIMCO,
    Draws,
    Terms,
    Training,
    Trains,
)


def check(training: Training, model: Any, free_bits: float = 0.0) -> None:
    """Raise InputError unless a config's family supports the estimator and, with discrete latents,
    the objective and the number of particles.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> check(Training(estimator=NVIL), BernoulliVaeConfig())
    """
    t, family, declared = training, family_name(model), trains(model)
    if t.estimator not in ESTIMATORS:
        raise InputError(f"an estimator is one of {', '.join(ESTIMATORS)}; found {t.estimator!r}")
    if t.estimator == LAX:
        continuous.check(t, model)
    elif t.estimator not in declared.estimators:
        raise InputError(
            f"estimator {t.estimator!r} is for latents of bits or categories "
            f"({families_where(_sampled)}); found the family {family}"
        )
    if t.objective != ELBO and declared.sampled:
        raise InputError(
            f"objective {t.objective!r} is for Gaussian latents; the family {family} has the "
            "bound of several samples by "
            f"estimator {VIMCO!r}: name that, with objective {ELBO!r}; found the estimator "
            f"{t.estimator!r}"
        )
    if t.estimator not in (STRAIGHT_THROUGH, LAX) and free_bits:
        raise InputError(
            f"estimator {t.estimator!r} needs free_bits = 0: what the loss leaves out it would "
            "still train on"
        )
    several = t.estimator == VIMCO or (t.estimator == CONCRETE and declared.relaxed_particles)
    if t.particles < (2 if t.estimator == VIMCO else 1) or (
        declared.sampled and t.particles > 1 and not several
    ):
        rule = (
            f"particles are 2 or more with {VIMCO}, 1 or more with {CONCRETE} of the family "
            "structured, and 1 with other estimators"
        )
        raise InputError(f"{rule}; found {t.particles} with {t.estimator!r}")
    if not t.temperature > 0:
        raise InputError(f"a temperature is above 0; found {t.temperature}")


def _sampled(declared: Trains) -> bool:
    return declared.sampled


def terms(
    net: Any,
    control: Control,
    training: Training,
    x: Tensor,
    labels: Tensor | None,
    source: Draws,
    drop: Tensor | None,
    beta: float,
) -> Terms:
    """Compute the bound of a batch x `(B, dims)`, with a surrogate whose derivatives are the
    estimates; `beta` weighs the divergences in f.

    Gradients of baselines and control variates are added to `control`'s, weighted by this process's
    share of the batch. With `vimco` the likelihood holds the whole bound. drop bool `(B,)`: items
    with default latents, or None.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> net, training = BernoulliVaeNet(BernoulliVaeConfig(2, 2)), Training(estimator=NVIL)
        >>> control, source = Control(net, training), Draws(torch.Generator(), 5)
        >>> x = torch.ones(5, 4).long()
        >>> terms(net, control, training, x, None, source, drop=None, beta=1.0).likelihood.shape
        torch.Size([5])
    """
    name = control.name
    if name == STRAIGHT_THROUGH:
        bound: Terms = net.terms(x, labels, source, drop)
        return bound
    if name == LAX:
        return continuous.terms(net, control, x, source, drop)
    seen = net.seen(x, labels)
    if training.bounded:
        return trained_bound(net, training, x, seen, source, drop, beta)
    uniforms: list[Tensor] = []

    def hard(logits: Tensor, layer: int) -> Tensor:
        uniforms.append(source.uniform(logits))
        return net.default_latent(net.latent.sample(logits, uniforms[-1]), drop)  # type: ignore[no-any-return]

    step = _Step(net, control, x, seen, source, uniforms, net.infer(seen, hard), beta)
    bound, surrogate = net.bound(x, step.z, drop), x.new_zeros((), dtype=torch.get_default_dtype())
    for layer in range(1, net.depth + 1):
        estimate, logits = step.estimate(layer), step.z.logits[layer - 1]
        if drop is not None:
            lost = drop.view(-1, *(1,) * (logits.dim() - 1))
            estimate = replace(estimate, gradient=estimate.gradient.masked_fill(lost, 0.0))
        step.learn(layer, estimate)
        surrogate = surrogate + (
            estimate.gradient.detach() * (logits - logits.detach())
        ).sum() / len(x)
    return replace(bound, surrogate=surrogate)


@dataclass(frozen=True)
class _Step:
    """A batch, the input `seen` of q, its hard samples z and the noise that produced them."""

    net: BernoulliVaeNet
    control: Control
    x: Tensor
    seen: Tensor
    source: Draws
    uniforms: list[Tensor]
    z: Inferred
    beta: float

    def estimate(self, layer: int) -> Estimate:
        """Return the estimate of d/d logits of the layer, one gradient per item."""
        name, latent, logits = self.control.name, self.net.latent, self.z.logits[layer - 1].detach()
        value = self.net.signal(self.x, layer, self.z, self.beta).detach()
        noise = ReplayedNoise(self.uniforms[layer - 1], self.source)

        def at_sample(b: Tensor) -> Tensor:
            return value

        if name == SCORE:
            others = (self.source.total(value.sum()) - value) / max(1, self.source.items - 1)
            return score(at_sample, logits, noise, latent, others)
        if name == NVIL:
            return nvil(
                at_sample,
                logits,
                noise,
                self.control.baseline(layer, self.below(layer)),
                self.control.running(layer),
                latent,
            )
        if name == MUPROP:
            expected = (
                self.control.baseline(layer, self.below(layer)) + self.control.running(layer).mean
            )
            smooth = self.stand_in(layer, lambda q, _: latent.probabilities(q))
            return muprop(at_sample, logits, noise, expected, latent, smooth)
        return relax(at_sample, self.variate(layer), logits, noise, latent)

    def below(self, layer: int) -> Tensor:
        """Return the input of the layer's q, as networks read it."""
        return (
            self.net.scaled(self.seen) if layer == 1 else self.net.read(self.z.samples[layer - 2])
        )

    def stand_in(self, layer: int, draw: Draw) -> Callable[[Tensor], Tensor]:
        """Return f of the layer as a function of points between the states; `draw` samples the
        layers above.
        """

        def smooth(y: Tensor) -> Tensor:
            z = self.net.infer(
                self.seen,
                draw,
                [*self.z.samples[: layer - 1], y],
                [q.detach() for q in self.z.logits[:layer]],
            )
            return self.net.signal(self.x, layer, z, self.beta)

        return smooth

    def variate(self, layer: int) -> Callable[[Tensor], Tensor]:
        """Return the control variate of the continuous z, REBAR's or RELAX's."""
        control, latent = self.control, self.net.latent

        def soft(logits: Tensor, at: int) -> Tensor:
            return latent.soft(
                latent.continuous(logits, self.uniforms[at - 1]), control.temperature(at)
            )

        smooth, below = self.stand_in(layer, soft), self.below(layer)

        def c(z: Tensor) -> Tensor:
            relaxed = control.scale[layer - 1] * smooth(latent.soft(z, control.temperature(layer)))
            return (
                relaxed + control.free(layer, latent, z, below)
                if control.name == RELAX
                else relaxed
            )

        return c

    def learn(self, layer: int, estimate: Estimate) -> None:
        """Add the gradients of a layer's baseline or control variate."""
        control, share = self.control, len(self.x) / self.source.items
        parameters = control.learned(layer)
        if control.name in (NVIL, MUPROP):
            moments, target = (
                control.running(layer),
                estimate.value if estimate.signal is None else estimate.signal,
            )
            baseline = control.baseline(layer, self.below(layer))
            slopes = torch.autograd.grad(baseline_loss(target, baseline, moments), parameters)
            control.keep(layer, updated(moments, target, baseline, total=self.source.total))
        else:
            slopes = improve(estimate, parameters) if parameters else ()
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.grad = (
                share * slope if parameter.grad is None else parameter.grad + share * slope
            )
