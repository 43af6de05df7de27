"""Hyper-parameters of the Gaussian VAE that inference needs; they are part of the model id."""

from __future__ import annotations

from dataclasses import dataclass

from bbans.distributions.tables import SIGMAS
from bbans.errors import ModelFormatError
from bbans.models.heads import LOGISTIC, Head, gaussian_fields, latent_field
from bbans.models.latent_config import check_common
from bbans.models.mlp_exact import Field, Mlp

MAX_CLASSES = 2**10


@dataclass(frozen=True)
class VaeConfig:
    """Shape of the networks. `latents` holds the dimensions of z_1 to z_L."""

    height: int = 28
    width: int = 28
    channels: int = 1
    levels: int = 256  # values of a sample
    likelihood: str = LOGISTIC
    components: int = 3  # of the likelihood; see `heads.Head`
    latents: tuple[int, ...] = (50,)
    hidden: int = 512  # width of the hidden layers
    hidden_layers: int = 2
    latent_precision: int = 12  # bits of a latent under the prior
    fixed_sigma: int = -1  # index of the posterior's sigma = 2^(i / 8 - 6); -1: learned
    skip: bool = False  # every layer of p(x | z_1) sees z_1
    classes: int = 0  # labels given as side information; 0: none

    @property
    def head(self) -> Head:
        """p(x | z_1)."""
        return Head(self.height * self.width * self.channels, self.levels, self.likelihood, self.components)


def plans(config: VaeConfig) -> dict[str, Mlp]:
    """Every network by name: `posterior1` is q(z_1 | x), `likelihood0` is p(x | z_1), and so on up."""
    head, hidden = config.head, (config.hidden,) * config.hidden_layers
    label = (Field(config.classes, 1, 0, 1),) if config.classes else ()
    found = dict(head.plans())
    for l, dims in enumerate(config.latents, 1):
        below = head.input_field() if l == 1 else latent_field(config.latents[l - 2])
        side = label if l == 1 else ()
        found[f"posterior{l}"] = Mlp((below, *side), hidden, gaussian_fields(dims, config.fixed_sigma))
        to = head.fields() if l == 1 else gaussian_fields(config.latents[l - 2])
        found[f"likelihood{l - 1}"] = Mlp((latent_field(dims), *side), hidden, to, config.skip and l == 1)
    return found


def check(config: VaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    if type(config.skip) is not bool:
        raise ModelFormatError(f"the model's `skip` is true or false; found {config.skip!r}; the model file is malformed")
    check_common(config, {"latent_precision": (4, 12), "fixed_sigma": (-1, SIGMAS - 1), "classes": (0, MAX_CLASSES)}, config.latents)
