"""A bound in one module: L_a = log2 ((1 / K) sum_k w_k^(1 - a)) / (1 - a), the variational Renyi
bound of Li and Turner 2016 (arXiv:1602.02311) with a = 1/2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bbans.training.objectives import Pair, both
from bbans.training.registry import Objective, register
from bbans.training.terms import Training

LN2, ORDER = math.log(2), 0.5


def renyi(log_w: Tensor, training: Training) -> Pair:
    """Of log-weights `(K, B)` in bits, `(B,)` bits."""
    power = (1 - ORDER) * log_w * LN2
    mean = torch.logsumexp(power, 0) / LN2 - math.log2(len(log_w))
    return both(mean / (1 - ORDER))


OBJECTIVE = Objective("renyi", renyi)


def add() -> None:
    register(OBJECTIVE)
