"""The default recipe for given images, and variants of it with discrete latents or another
posterior.
"""

from __future__ import annotations

from dataclasses import fields, replace

from bbans.errors import InputError
from bbans.models import rich_vae
from bbans.models.base import DIAGONAL_GAUSSIAN, JOINT
from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.categorical_vae import CategoricalVaeConfig
from bbans.models.conv_vae import ConvVaeConfig
from bbans.models.heads import BERNOULLI, CATEGORICAL, LOGISTIC
from bbans.models.pyramid import PyramidConfig
from bbans.models.registry import family_of
from bbans.models.rich_vae import POSTERIORS, RichVaeConfig
from bbans.models.vae import VaeConfig
from bbans.training import discrete
from bbans.training.latent import LatentRecipe
from bbans.training.networks.families import trains
from bbans.training.photographs import PhotoRecipe
from bbans.training.terms import VIMCO, Training

PHOTO_SIDE = 128  # smallest side of images that are coded as photographs, tile by tile
FEW_LEVELS = 32  # largest number of levels with one log-weight per level
# largest number of samples of an image that gets a plain VAE: it trains in seconds, and z captures
# nearly all dependence between neighbours
TINY_DIMS = 256
# largest number of samples of an image with dense networks; at 127 x 127 x 3 the last dense layer
# would have over 200 million weights
DENSE_DIMS = 1024
SMALLEST_SIDE = 8  # convolutional networks halve sides until none is longer
# items per step; fewer beyond DENSE_DIMS, so that the number of samples per step stays the same
BATCH, SMALLEST_BATCH = 100, 8
GAUSSIAN = "gaussian"  # the diagonal Gaussian posterior
BITS, CATEGORIES = LATENTS = "bernoulli", "categorical"
VIMCO_PARTICLES = 5
# learning rate at a width of 128: on 8 x 8 images 11 % fewer bits after 3000 steps than at 1e-3
SMALL_NETS_RATE = 5e-3


def default_recipe(
    height: int, width: int, channels: int, levels: int, items: int = 60000, classes: int = 0
) -> LatentRecipe | PhotoRecipe:
    """Return the default recipe for `items` images of one shape, with `classes` labels as side
    information (0: none).

    8-bit photographs of at least 128 pixels a side get the photo family, small images the pyramid,
    tiny and labelled ones a VAE. Latent dimensions and widths follow the number of samples in an
    image, the number of steps that of images. Early stopping is on.

    Examples:
        >>> default_recipe(256, 256, 3, 256).batch
        8
    """
    if min(height, width) >= PHOTO_SIDE and levels == 256 and channels in (1, 3) and not classes:
        return PhotoRecipe()
    return latent_recipe(height, width, channels, levels, items, classes)


def latent_recipe(
    height: int, width: int, channels: int, levels: int, items: int = 60000, classes: int = 0
) -> LatentRecipe:
    """Return the default recipe of a latent model of whole images, as `default_recipe` does for all
    but photographs.

    Examples:
        >>> latent_recipe(28, 28, 1, 256).model.latents
        (24,)
    """
    dims = height * width * channels
    shape = (height, width, channels, levels, *_likelihood(levels))
    batch = BATCH if dims <= DENSE_DIMS else max(SMALLEST_BATCH, BATCH * DENSE_DIMS // dims)
    if dims <= TINY_DIMS or classes:
        return _plain(shape, batch, items, classes)
    model = PyramidConfig(
        *shape, latents=(min(32, dims // 32),), trunk=48 if dims <= DENSE_DIMS else 32
    )
    steps = min(10000, max(3000, 30 * items // 100))
    return LatentRecipe(
        model,
        0,
        steps,
        batch,
        2e-3,
        kl_warmup_steps=steps // 4,
        weight_decay=0.01,
        latent_dropout=0.02,  # single images and the first of a group have default latents
        training=Training(dropout=0.1),
        validate_every=max(1, steps // 40),
        patience=10,
    )


def discrete_recipe(
    latents: str,
    height: int,
    width: int,
    channels: int,
    levels: int,
    items: int = 60000,
    estimator: str | None = None,
) -> LatentRecipe:
    """Return the recipe of a VAE with Bernoulli or categorical latents (`latents` is one of
    LATENTS) for `items` images of one shape.

    Raises InputError on other latents, and on an unknown estimator.

    Examples:
        >>> discrete_recipe("bernoulli", 8, 8, 1, 2).model.latents
        (24,)
    """
    if latents not in LATENTS:
        raise InputError(f"latents are {' or '.join(LATENTS)}; found {latents!r}")
    dims = height * width * channels
    shape = (height, width, channels, levels, *_likelihood(levels))
    count, hidden = min(200, max(24, dims // 4)), 128 if dims <= TINY_DIMS else 400
    if latents == CATEGORIES:
        model: BernoulliVaeConfig | CategoricalVaeConfig = CategoricalVaeConfig(
            *shape, (count // 4,), 4, hidden, 1
        )
    else:
        model = BernoulliVaeConfig(*shape, (count,), hidden, 1)
    steps = min(20000, max(3000, 30 * items // 100))
    recipe = LatentRecipe(
        model,
        0,
        steps,
        BATCH,
        3e-3,
        kl_warmup_steps=steps // 20,
        validate_every=max(1, steps // 40),
        patience=10,
    )
    return recipe if estimator is None else estimated(recipe, estimator)


def estimated(recipe: LatentRecipe, estimator: str) -> LatentRecipe:
    """Return a recipe with another gradient estimator; vimco gets VIMCO_PARTICLES particles unless
    the recipe sets a number. Raises InputError.

    Examples:
        >>> estimated(discrete_recipe("bernoulli", 8, 8, 1, 2), VIMCO).training.particles
        5
    """
    training, particles = recipe.training, recipe.training.particles
    if estimator == VIMCO and particles == 1:
        particles = VIMCO_PARTICLES
    elif training.bounded and estimator not in (VIMCO, training.estimator):
        particles = 1
    training = replace(training, estimator=estimator, particles=particles)
    discrete.check(training, recipe.model, recipe.free_bits)
    return replace(recipe, training=training)


def _likelihood(levels: int) -> tuple[str, int]:
    """Return the kind and the components of the head for `levels` values."""
    return (
        (BERNOULLI, 0)
        if levels == 2
        else (CATEGORICAL, 0)
        if levels <= FEW_LEVELS
        else (LOGISTIC, 3)
    )


def _plain(
    shape: tuple[int, int, int, int, str, int], batch: int, items: int, classes: int
) -> LatentRecipe:
    """Return a VAE whose samples are independent given z; beyond 1024 samples convolutional, which
    keeps it below two million weights.
    """
    height, width, channels, _, likelihood, _ = shape
    dims = height * width * channels
    hidden = 128 if dims <= TINY_DIMS else 400
    latents = (min(64, max(8, dims // 16 + 1)),)
    model: VaeConfig | ConvVaeConfig = VaeConfig(*shape, latents, hidden, classes=classes)
    if dims > DENSE_DIMS:
        halvings = max(2, (-(-max(height, width) // SMALLEST_SIDE) - 1).bit_length())
        model = ConvVaeConfig(*shape, latents, halvings=halvings, classes=classes)
    steps = min(20000, max(3000, 30 * items // 100))
    rate = SMALL_NETS_RATE if hidden == 128 else 1e-3
    every = max(1, steps // 40)
    # on grey levels latents collapse early: on MNIST 7 of 50 latents stayed active with a short
    # warm-up, 17 with a warm-up over half of the run
    warmup = steps // (2 if likelihood == LOGISTIC else 20)
    return LatentRecipe(
        model,
        0,
        steps,
        batch,
        rate,
        kl_warmup_steps=warmup,
        weight_decay=0.01,
        validate_every=every,
        patience=10,
    )


def with_posterior(recipe: LatentRecipe, posterior: str, given: bool) -> LatentRecipe:
    """Return a recipe with another form of q(z | x): `gaussian`, or one of
    `models.rich_vae.POSTERIORS`.

    `given`: whether the user named the recipe. A default recipe's decoder becomes a dense one.
    Raises InputError on unknown posteriors and on recipes that cannot have one, NoCodecError on a
    posterior that cannot be coded.

    Examples:
        >>> with_posterior(latent_recipe(8, 8, 1, 256), "flow", given=False).model.posterior
        'flow'
    """
    model = recipe.model
    rich_vae.check_codes(posterior)
    if posterior not in (GAUSSIAN, *POSTERIORS):
        raise InputError(
            f"a posterior is one of {', '.join((GAUSSIAN, *POSTERIORS))}; found {posterior!r}"
        )
    row = family_of(model)
    if trains(model).sampled:
        raise InputError(
            f"a posterior {posterior!r} is of Gaussian latents, and those of the family {row.name} "
            "are discrete; leave it out"
        )
    rich = isinstance(model, RichVaeConfig)
    if posterior == GAUSSIAN and not rich:
        return recipe
    plain = isinstance(model, VaeConfig) and model.fixed_sigma < 0 and not model.skip
    declared = row.capabilities(model)
    gaussian = declared.posterior in (DIAGONAL_GAUSSIAN, JOINT) and declared.depth == 1
    if not gaussian or declared.side_information is not None or (given and not rich and not plain):
        raise InputError(
            f"a posterior {posterior!r} is for a dense VAE of one layer without labels; name the "
            "family vae or rich_vae"
        )
    kind = VaeConfig if posterior == GAUSSIAN else RichVaeConfig
    shared = {f.name for f in fields(kind)} & {f.name for f in fields(model)}
    settings = {name: getattr(model, name) for name in shared}
    return replace(
        recipe,
        model=kind(**settings)
        if posterior == GAUSSIAN
        else kind(**{**settings, "posterior": posterior}),
    )
