"""From integers that a network emits to distributions: p(x | .) of samples, Gaussians over the
equal-mass bins of N(0, 1).

A head says which fields a network must have and what they mean; `heads_float` has the same
densities on reals. Log-weights are in 1/16 of a factor two, logits of Bernoulli variables in 1/64
nat, locations in 1/32 grey level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import bernoulli, beta_binomial, categorical, gaussian_bins, mixture
from bbans.distributions import bernoulli as bits
from bbans.distributions.beta_binomial import PARAMETERS
from bbans.distributions.distribution import Distribution
from bbans.distributions.sample_grid import Axis, regular, stretched
from bbans.distributions.tables import SIGMAS, exp2_weights
from bbans.errors import ModelFormatError
from bbans.models.mlp import Field, Mlp

BERNOULLI, BETA_BINOMIAL, CATEGORICAL, LOGISTIC = (
    "bernoulli",
    "beta_binomial",
    "categorical",
    "logistic",
)
LATENT_UNIT, LATENT_TOP, MEAN_TOP = 128, 1024, 512
SIGMA_UNIT, SIGMA_OFFSET = 8, 6
LOGIT_UNIT, LOGIT_TOP = 1 << bits.UNIT, 16 << bits.UNIT
LOG_WEIGHT_UNIT, LOG_WEIGHT_TOP = 16, 2**11
LOCATION_STEP = 32.0  # grey levels to one unit of a network's output
LOCATION_UNIT, LOCATION_LOW, LOCATION_HIGH = 1024, -(2**13), 2**14
SCALE_UNIT, SCALE_OFFSET, SCALE_TOP = 16, 4, 160
SHAPE_UNIT, SHAPE_OFFSET = 16, 8
COEFFICIENT_UNIT, COEFFICIENT_TOP = 2048, 2**15 - 1

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """p(x | .) of `dims` samples with `levels` values each.

    `bernoulli` (two levels); `beta_binomial`; `logistic`: a mixture of `components` logistics;
    `categorical`: a log-weight for every level, or, with `components` > 0, that many coefficients a
    sample which one linear map shared by all samples turns into log-weights.
    """

    dims: int
    levels: int
    kind: str
    components: int

    def check(self) -> None:
        """Raise ModelFormatError on a head that cannot be built."""
        low, high = {
            BERNOULLI: (0, 0),
            BETA_BINOMIAL: (0, 0),
            CATEGORICAL: (0, 64),
            LOGISTIC: (1, 64),
        }.get(self.kind, (1, 0))
        levels = 2 if self.kind == BERNOULLI else 2**16 if self.kind == LOGISTIC else 256
        if not (low <= self.components <= high and 2 <= self.levels <= levels):
            raise ModelFormatError(
                f"no likelihood {self.kind!r} of {self.levels} levels with {self.components} "
                "components; the model file is malformed"
            )

    @property
    def axis(self) -> Axis:
        """Where the levels lie among grey levels."""
        return regular() if self.levels == 256 else stretched(self.levels)

    def input_field(self) -> Field:
        """The samples as a network reads them: 0 to 1."""
        return Field(self.dims, self.levels - 1, 0, self.levels - 1)

    def fields(self) -> tuple[Field, ...]:
        """What the network of p(x | .) emits."""
        if self.kind == BERNOULLI:
            return (logits(self.dims),)
        if self.kind == BETA_BINOMIAL:
            return (Field(self.dims, SHAPE_UNIT, 0, PARAMETERS - 1, SHAPE_OFFSET),) * 2
        if self.kind == CATEGORICAL:
            if not self.components:
                return (log_weights(self.dims * self.levels),)
            return (embedding_field(self.dims * self.components),)
        n = self.dims * self.components
        locations = Field(n, LOCATION_UNIT, LOCATION_LOW, LOCATION_HIGH)
        return log_weights(n), locations, Field(n, SCALE_UNIT, 0, SCALE_TOP, SCALE_OFFSET)

    def plans(self) -> dict[str, Mlp]:
        """Networks besides that one: the shared map `shared` of a categorical head."""
        if self.kind != CATEGORICAL or not self.components:
            return {}
        return {"shared": Mlp((embedding_field(self.components),), (), (log_weights(self.levels),))}


def log_weights(count: int) -> Field:
    """Log-weights of a categorical distribution or of a mixture's components."""
    return Field(count, LOG_WEIGHT_UNIT, -LOG_WEIGHT_TOP, LOG_WEIGHT_TOP)


def logits(count: int) -> Field:
    """Log-odds of Bernoulli variables."""
    return Field(count, LOGIT_UNIT, -LOGIT_TOP, LOGIT_TOP)


def bit_field(count: int) -> Field:
    """Bits as a network reads them: -1 and 1."""
    return Field(count, 0.5, 0, 1, 1.0)


def embedding_field(count: int) -> Field:
    """Entries of a codebook as networks give and read them."""
    return Field(count, COEFFICIENT_UNIT, -COEFFICIENT_TOP, COEFFICIENT_TOP)


def latent_field(count: int) -> Field:
    """Latents as a network reads them."""
    return Field(count, LATENT_UNIT, -LATENT_TOP, LATENT_TOP)


def gaussian_fields(count: int, fixed_sigma: int = -1) -> tuple[Field, ...]:
    """Mean and log2 sigma of `count` Gaussians; the mean alone where sigma has a fixed index."""
    mean = Field(count, LATENT_UNIT, -MEAN_TOP, MEAN_TOP)
    return (
        (mean,)
        if fixed_sigma >= 0
        else (mean, Field(count, SIGMA_UNIT, 0, SIGMAS - 1, SIGMA_OFFSET))
    )


def gaussian(outputs: list[Ints], precision: int, fixed_sigma: int = -1) -> Distribution:
    """Gaussians over the 2^precision bins from the fields' integers `(items, count)`."""
    mean = outputs[0]
    return gaussian_bins.gaussian(
        mean, np.full_like(mean, fixed_sigma) if fixed_sigma >= 0 else outputs[1], precision
    )


def samples(
    head: Head, outputs: list[Ints], shared: Callable[[Ints], list[Ints]] | None = None
) -> Distribution:
    """p(x | .) from the fields' integers; `shared` is a categorical head's shared map."""
    if head.kind == BERNOULLI:
        return bernoulli.bernoulli(outputs[0])
    if head.kind == BETA_BINOMIAL:
        return beta_binomial.beta_binomial(outputs[0], outputs[1], head.levels)
    shape = (len(outputs[0]), head.dims, -1)
    if head.kind == CATEGORICAL:
        if shared is None:
            return categorical.categorical(outputs[0].reshape(shape))
        return categorical.categorical(
            shared(outputs[0].reshape(-1, head.components))[0].reshape(shape)
        )
    logits, locations, scales = (o.reshape(shape) for o in outputs)
    raw = exp2_weights()[np.minimum(logits.max(2, keepdims=True) - logits, 255)]
    weights = mixture.normalise(raw.reshape(-1, head.components)).reshape(raw.shape)
    return mixture.logistic_mixture(weights, locations, scales, head.axis)
