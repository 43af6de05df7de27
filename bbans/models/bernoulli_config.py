"""Hyper-parameters of the VAE with Bernoulli latents that inference needs; they are part of the model id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bbans.models.heads import BERNOULLI, bit_field, logits
from bbans.models.latent_config import ImageConfig, check_common
from bbans.models.mlp_exact import Field, Mlp


@dataclass(frozen=True)
class BernoulliVaeConfig(ImageConfig):
    """Shape of the networks. `latents` holds the dimensions of z_1 to z_L; without hidden layers every map is linear."""

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    latents: tuple[int, ...] = (200,)
    hidden: int = 200
    hidden_layers: int = 0


def plans(config: BernoulliVaeConfig) -> dict[str, Mlp]:
    """Every network by name."""
    return discrete_plans(config, [bit_field(dims) for dims in config.latents], [logits(dims) for dims in config.latents])


def discrete_plans(config: Any, read: Sequence[Field], given: Sequence[Field]) -> dict[str, Mlp]:
    """The networks of a chain whose layers are read as the fields `read` and have the logits `given`.

    `posterior1` is q(z_1 | x), `likelihood0` is p(x | z_1); `prior` maps the constant 1 to p(z_L)'s logits.
    """
    head, hidden = config.head, (config.hidden,) * config.hidden_layers
    found = dict(head.plans())
    below, emitted = [head.input_field(), *read], [head.fields(), *((field,) for field in given)]
    for layer in range(1, len(read) + 1):
        found[f"posterior{layer}"] = Mlp((below[layer - 1],), hidden, emitted[layer])
        found[f"likelihood{layer - 1}"] = Mlp((below[layer],), hidden, emitted[layer - 1])
    found["prior"] = Mlp((Field(1, 1, 1, 1),), (), emitted[-1])
    return found


def check(config: BernoulliVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    check_common(config, {}, config.latents)
