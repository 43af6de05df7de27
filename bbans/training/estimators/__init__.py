"""Estimates of d/d logits E_q(b)[f(b)] for bits and categories b, each a function of f, the logits
and a source of noise.

`score`, `control`, `nvil`, `muprop`, `vimco`, `relax` (LAX, RELAX, REBAR) are unbiased; `relaxed`
(Concrete, straight-through) is not. None knows a bound or a model: f may be any code length, in
bits or nats, and its estimate is in that unit.
"""
