"""Estimators of d/d logits E_q(b)[f(b)] for discrete latents b, each a function of f, the logits
and a source of noise.

`score`, `control`, `nvil`, `muprop`, `vimco` and `relax` (LAX, RELAX, REBAR) are unbiased; Concrete
and straight-through gradients, which `training.discrete_bounds` and `training.networks` compute,
are not. No estimator depends on a bound or a model: f may be any code length, in bits or nats, and
its estimate is in the same unit.
"""
