"""Hyper-parameters of the VAE with categorical latents that inference needs; they are part of the model id."""

from __future__ import annotations

from dataclasses import dataclass

from bbans.errors import ModelFormatError
from bbans.models.bernoulli_config import discrete_plans
from bbans.models.heads import BERNOULLI, log_weights
from bbans.models.latent_config import MAX_WIDTH, ImageConfig, check_common
from bbans.models.mlp_exact import Field, Mlp

MAX_STATES = 2**8


@dataclass(frozen=True)
class CategoricalVaeConfig(ImageConfig):
    """Shape of the networks. Layer l has `latents[l - 1]` variables of `states` states each; without hidden layers every map is linear."""

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    latents: tuple[int, ...] = (20,)
    states: int = 10
    hidden: int = 200
    hidden_layers: int = 0


def plans(config: CategoricalVaeConfig) -> dict[str, Mlp]:
    """Every network by name; they read one-hot vectors and give a log-weight for every state, state by state, variable by variable."""
    columns = [dims * config.states for dims in config.latents]
    return discrete_plans(config, [Field(count, 1.0, 0, 1) for count in columns], [log_weights(count) for count in columns])


def check(config: CategoricalVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    check_common(config, {"states": (2, MAX_STATES)}, config.latents)
    if max(config.latents) * config.states > MAX_WIDTH:
        raise ModelFormatError(f"{max(config.latents)} latents of {config.states} states have over {MAX_WIDTH} log-weights; use fewer")
