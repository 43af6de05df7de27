"""Item 86. p(k_0) p(k_1 | k_0) ...: prior bits fall from log2 K a code to the cross-entropy, and
decoding goes code by code.
"""

import numpy as np
import torch

from bbans.coding.rans import base_message
from bbans.schemes import deterministic
from bbans.schemes.bounds import push_measured
from tests.chains import check_chain
from tests.methods.trained import trained


def test_the_saving_is_log_k_less_the_cross_entropy():
    net, chain, _, test = trained("codes with a prior")
    x = test.x.astype(np.int64)
    codes = chain.codes(x)
    _, account = push_measured(deterministic.codec, chain, base_message((16,)), x)
    assert account.prior == chain.prior(100).bits(codes).sum()
    with torch.no_grad():
        cross_entropy = float(net.prior_bits(torch.from_numpy(codes)).sum())
    assert abs(account.prior - cross_entropy) < 0.01 * cross_entropy  # log-weights are in 1/16
    assert 1600 - account.prior > 300  # bits saved of 400 codes of 4
    check_chain(chain, x, deterministic)


def test_a_code_knows_those_before_it_only():
    net, _, _, _ = trained("codes with a prior")
    codes = torch.arange(4)[None]
    for i in range(4):
        other = codes.clone()
        other[:, i] = 9
        same = net.prior_bits(codes)[0] == net.prior_bits(other)[0]
        assert same[:i].all() and not same[i + 1 :].all() if i < 3 else same[:i].all()
