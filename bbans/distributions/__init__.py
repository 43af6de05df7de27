"""Probability distributions on integers, as monotone integer CDFs in which every symbol has a
frequency of at least 1, computed from tables that are equal on every machine.

`distribution` defines what models and schemes exchange. A module for each family (`bernoulli`,
`beta_binomial`, `categorical`, `gaussian`, `gaussian_bins`, `mixture`, `normal_cells`,
`uniform`) maps symbols to intervals and back, and makes a distribution of them. `composite`
and `autoregressive` combine distributions. `colour` codes colour pixels, `sample_grid` places the
values of a sample on the grey scale, and `tables`, `fixed_point_log` and `inverse_cdf` hold the
integer arithmetic.
"""
