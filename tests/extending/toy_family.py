"""A family of models in one module: z is one bit, whether an image is bright; p(x | z) a network.

p(x, z) = 1/2 p(x | z), q(z | x) = [z = bright(x)]: a point, so that nothing is recovered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bbans.distributions import uniform
from bbans.distributions.distribution import Distribution, Ints, point
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.base import POINT, Capabilities
from bbans.models.heads import bit_field
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Mlp, check_networks
from bbans.models.registry import Family, register
from bbans.training.networks import mlp
from bbans.training.networks.heads import sample_bits
from bbans.training.networks.mlp import FloatMlp
from bbans.training.terms import Terms, Training, Trains


@dataclass(frozen=True)
class BrightConfig(ImageConfig):
    """Hyper-parameters, which are part of the model id."""

    hidden: int = 8
    hidden_layers: int = 1


def plans(config: BrightConfig) -> dict[str, Mlp]:
    """The network of p(x | z)."""
    return {"likelihood0": Mlp((bit_field(1),), (config.hidden,), config.head.fields())}


def capabilities(config: BrightConfig) -> Capabilities:
    return Capabilities(POINT)


def check(config: BrightConfig) -> None:
    check_common(config, {}, (1,))


def check_layers(config: BrightConfig, layers: Mapping[str, IntConv]) -> float:
    return check_networks(plans(config), layers)


class ExactBright:
    """The model in integers: what codes."""

    def __init__(self, config: BrightConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        self.config = config
        self._network = ExactMlp("likelihood0", plans(config)["likelihood0"], layers, ops)

    @property
    def capabilities(self) -> Capabilities:
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        return uniform.uniform((items, 1), 2)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        return heads.samples(self.config.head, self._network(above))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        bright = 2 * below.sum(1) > (self.config.levels - 1) * below.shape[1]
        return point(bright[:, None].astype(np.int64))

    def default_latent(self, items: int) -> Ints:
        return np.zeros((items, 1), np.int64)


class BrightNet(nn.Module):
    """The model in floats: what trains."""

    def __init__(self, config: BrightConfig) -> None:
        super().__init__()
        self.config = config
        self.nets = nn.ModuleDict({name: FloatMlp(plan) for name, plan in plans(config).items()})

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        share = x.float().mean(1, keepdim=True) / (self.config.levels - 1)
        return 2.0 * (share > 0.5) - 1

    def terms(self, x, labels, generator, drop=None, encoded=None) -> Terms:
        outputs = self.nets["likelihood0"](self.means(x, labels))
        one = x.new_ones((len(x), 1), dtype=torch.float32)
        bits = sample_bits(self.config.head, outputs, x).sum(1)
        return Terms(bits, one, one[:, 0], bits.new_zeros(()))


def network(config: BrightConfig, training: Training | None = None) -> BrightNet:
    return BrightNet(config)


def trains(config: BrightConfig) -> Trains:
    return Trains()


def export(net: BrightNet) -> dict[str, IntConv]:
    return mlp.export(dict(net.nets.items()))


FAMILY = Family(
    "bright", BrightConfig, capabilities, check, check_layers, ExactBright, trainable=__name__
)


def add() -> None:
    register(FAMILY)
