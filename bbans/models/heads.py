"""p(x | network outputs) and p(z | network outputs): distributions of samples, and of Gaussian
latents over the equal-mass bins of N(0, 1), from the integers that a network emits.

A head says which fields a network must emit and what they mean; `training.networks.heads` has the
same densities on reals. Units: log-weights in 1/16 of a factor two, logits of Bernoulli variables
in 1/64 nat, locations in 1/32 grey level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bbans.distributions import bernoulli, beta_binomial, categorical, gaussian_bins, mixture
from bbans.distributions import bernoulli as bits
from bbans.distributions.beta_binomial import PARAMETERS
from bbans.distributions.distribution import Distribution, Ints
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
LOCATION_STEP = 32.0  # grey levels per unit of a network's real output
LOCATION_UNIT, LOCATION_LOW, LOCATION_HIGH = 1024, -(2**13), 2**14
SCALE_UNIT, SCALE_OFFSET, SCALE_TOP = 16, 4, 160
SHAPE_UNIT, SHAPE_OFFSET = 16, 8
COEFFICIENT_UNIT, COEFFICIENT_TOP = 2048, 2**15 - 1


@dataclass(frozen=True)
class Head:
    """The kind of p(x | .) for `dims` samples of `levels` values each.

    kind `bernoulli`: two levels. `beta_binomial`: two shape parameters per sample. `logistic`: a
    mixture of `components` logistics. `categorical`: one log-weight per level, or, with
    `components` > 0, that many coefficients per sample, which one linear map shared by all samples
    turns into log-weights.

    Examples:
        >>> [field.count for field in Head(4, 256, LOGISTIC, 3).fields()]
        [12, 12, 12]
    """

    dims: int
    levels: int
    kind: str
    components: int

    def check(self) -> None:
        """Raise ModelFormatError on a combination of kind, levels and components that does not
        exist.
        """
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
        """The position of the levels among the 256 grey levels."""
        return regular() if self.levels == 256 else stretched(self.levels)

    def input_field(self) -> Field:
        """Return the field of the samples as a network reads them: reals 0 to 1."""
        return Field(self.dims, self.levels - 1, 0, self.levels - 1)

    def fields(self) -> tuple[Field, ...]:
        """Return the fields that the network of p(x | .) emits."""
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
        """Return the plans of additional networks, by name: `shared`, the linear map of a
        categorical head, if it has one.
        """
        if self.kind != CATEGORICAL or not self.components:
            return {}
        return {"shared": Mlp((embedding_field(self.components),), (), (log_weights(self.levels),))}


def log_weights(count: int) -> Field:
    """Return the field of `count` log-weights, of a categorical distribution or of mixture
    components, in 1/16 log2.

    Examples:
        >>> log_weights(10).unit
        16
    """
    return Field(count, LOG_WEIGHT_UNIT, -LOG_WEIGHT_TOP, LOG_WEIGHT_TOP)


def logits(count: int) -> Field:
    """Return the field of the natural log-odds of `count` Bernoulli variables, in 1/64.

    Examples:
        >>> logits(10).high
        1024
    """
    return Field(count, LOGIT_UNIT, -LOGIT_TOP, LOGIT_TOP)


def bit_field(count: int) -> Field:
    """Return the field of `count` bits as a network reads them: reals -1 and 1.

    Examples:
        >>> bit_field(10).offset
        1.0
    """
    return Field(count, 0.5, 0, 1, 1.0)


def embedding_field(count: int) -> Field:
    """Return the field of `count` codebook entries as networks emit and read them.

    Examples:
        >>> embedding_field(8).unit
        2048
    """
    return Field(count, COEFFICIENT_UNIT, -COEFFICIENT_TOP, COEFFICIENT_TOP)


def latent_field(count: int) -> Field:
    """Return the field of `count` Gaussian latents as a network reads them, in 1/128.

    Examples:
        >>> latent_field(8).unit
        128
    """
    return Field(count, LATENT_UNIT, -LATENT_TOP, LATENT_TOP)


def gaussian_fields(count: int, fixed_sigma: int = -1) -> tuple[Field, ...]:
    """Return the fields of the mean and log2 sigma of `count` Gaussians; of the mean alone where
    the sigma index is fixed.

    Examples:
        >>> len(gaussian_fields(8)), len(gaussian_fields(8, fixed_sigma=48))
        (2, 1)
    """
    mean = Field(count, LATENT_UNIT, -MEAN_TOP, MEAN_TOP)
    return (
        (mean,)
        if fixed_sigma >= 0
        else (mean, Field(count, SIGMA_UNIT, 0, SIGMAS - 1, SIGMA_OFFSET))
    )


def gaussian(outputs: list[Ints], precision: int, fixed_sigma: int = -1) -> Distribution:
    """Return Gaussians over the 2^precision bins from the integers of `gaussian_fields`, int64
    `(items, count)` each.

    Examples:
        >>> q = gaussian([np.zeros((1, 2), np.int64), np.full((1, 2), 48)], 8)
        >>> q.bits(np.array([[128, 128]])).round(1)
        array([16.])
    """
    mean = outputs[0]
    return gaussian_bins.gaussian(
        mean, np.full_like(mean, fixed_sigma) if fixed_sigma >= 0 else outputs[1], precision
    )


def samples(
    head: Head, outputs: list[Ints], shared: Callable[[Ints], list[Ints]] | None = None
) -> Distribution:
    """p(x | .): return it from the integers of `head.fields()`, int64 `(items, count)` each;
    `shared` evaluates the shared linear map of a categorical head.

    Examples:
        >>> p = samples(Head(3, 2, BERNOULLI, 0), [np.zeros((1, 3), np.int64)])
        >>> p.bits(np.array([[0, 1, 1]]))
        array([3.])
    """
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
