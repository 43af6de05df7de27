"""Item 59: PIWAE trains p on IWAE of all M K particles and q on MIWAE: each has the gradient of its
own bound, and nothing of the other.
"""

import torch
from torch import nn

from bbans.training.objectives import backward, bounds, iwae, miwae, piwae
from bbans.training.terms import Training
from tests.methods.overdispersed import log_weights, optimum


class Pair(nn.Module):
    """A weight of q, by name, and one of p."""

    def __init__(self):
        super().__init__()
        self.nets = nn.ParameterDict(
            {"posterior1": torch.tensor(-0.7), "likelihood0": torch.tensor(0.3)}
        )

    def log_w(self):
        base = log_weights(self.nets["posterior1"].double(), 300, 4)
        return base * torch.exp(self.nets["likelihood0"]) + self.nets["likelihood0"]


def gradients(bound):
    """Of -bound by q's weight and p's."""
    net = Pair()
    (-bound(net.log_w()).mean()).backward()
    return [float(parameter.grad) for parameter in net.nets.values()]


def test_gradients_are_those_of_two_bounds():
    training = Training(objective="piwae", particles=16, groups=4)
    net = Pair()
    backward(net, bounds(training, net.log_w()), 1.0)
    by_name = {name: float(parameter.grad) for name, parameter in net.nets.items()}
    grouped = dict(
        zip(net.nets, gradients(lambda log_w: miwae(log_w.reshape(4, 4, -1))), strict=True)
    )
    whole = dict(zip(net.nets, gradients(iwae), strict=True))
    assert (
        abs(by_name["posterior1"] - grouped["posterior1"])
        < 1e-6
        < 1e-3
        < abs(grouped["posterior1"] - whole["posterior1"])
    )
    assert (
        abs(by_name["likelihood0"] - whole["likelihood0"])
        < 1e-6
        < 1e-3
        < abs(grouped["likelihood0"] - whole["likelihood0"])
    )


def test_values():
    log_w = log_weights(torch.tensor(-0.7, dtype=torch.float64), 300, 4)
    found = piwae(log_w.reshape(4, 4, -1))
    assert torch.allclose(found.model, iwae(log_w)) and torch.allclose(
        found.posterior, miwae(log_w.reshape(4, 4, -1))
    )
    assert optimum("piwae") == optimum("miwae")
