"""Bits-back coding schemes: for each bound on -log2 p(x), the coder that attains it: what it pushes
and pops, in which order, and how many bits that takes.

Scheme modules: `bits_back`, `bit_swap`, `deterministic`, `importance` and `two_part` code items
with a latent model; `registry` lists them by name. `default_latent`, `single_message` and
`chained_group` build complete messages from them. `bounds`, `sampling` and `metering` evaluate and
measure. This package never imports torch.
"""
