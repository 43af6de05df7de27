"""Recipes of photograph models and their loss: (bits of pixels given latents + beta KL) per
subpixel.

Schedule: a short warm-up, a constant learning rate, and a linear decay over the last part, so that
a run can be lengthened before its decay. All randomness is a function of the recipe's seed and the
step number. With a time budget instead of steps, elapsed time moves the schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bbans.models.photo import PhotoConfig
from bbans.schemes.sampling import SEED_STRIDE
from bbans.training import crops, guarded
from bbans.training.crops import Image
from bbans.training.networks.photo import PhotoNet
from bbans.training.networks.planes import PixelBits, mixture_bits

Losses = Callable[..., tuple[Tensor, Tensor]]  # the signature of `losses`


@dataclass(frozen=True)
class PhotoRecipe:
    """The settings of a training run. Equal recipe, images and torch version give equal weights, up
    to float rounding.
    """

    model: PhotoConfig = field(default_factory=PhotoConfig)
    seed: int = 0
    steps: int = 12000
    batch: int = 8
    crop: int = 128  # side of a training crop in pixels
    levels: int = 4  # pyramid levels of a crop
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    decay_fraction: float = 0.4  # share of the run over which the rate falls to zero
    kl_warmup_steps: int = 3000
    clip_norm: float = 0.3
    grey_fraction: float = 0.08  # share of crops turned grey: the same networks code grey images
    # share of crops with chroma interpolated from half resolution, as in JPEGs and film scans
    chroma_fraction: float = 0.45
    latent_dropout: float = 0.05  # share of crops without latents, so that files may omit them
    downscaled_copies: int = 2  # copies of every image over a megapixel
    holdout_every: int = 500
    # float weights to start from (safetensors, path relative to the recipe file); empty: random
    # ones
    init: str = ""


def learning_rate(recipe: PhotoRecipe, step: int, passed: float | None = None) -> float:
    """Return the learning rate of a step: warm-up, plateau, linear decay to zero at `recipe.steps`,
    or at `passed` = 1, where `passed` is the elapsed share of a time budget.

    Examples:
        >>> learning_rate(PhotoRecipe(), 12000)
        0.0
    """
    warm = (step + 1) / max(1, recipe.warmup_steps)
    if passed is None:
        left = (recipe.steps - step) / max(1, round(recipe.steps * recipe.decay_fraction))
    else:
        left = (1 - passed) / max(recipe.decay_fraction, 1e-9)
    return recipe.learning_rate * max(0.0, min(1.0, warm, left))


def kl_weight(recipe: PhotoRecipe, step: int, passed: float | None = None) -> float:
    """Return beta, which rises linearly to 1 over `kl_warmup_steps`, or over their share of a time
    budget.

    Examples:
        >>> kl_weight(PhotoRecipe(), 3000)
        1.0
    """
    at = step + 1 if passed is None else passed * recipe.steps
    return min(1.0, at / max(1, recipe.kl_warmup_steps)) if recipe.kl_warmup_steps else 1.0


def losses(
    net: PhotoNet,
    x: Tensor,
    levels: int,
    grey: Tensor,
    drop: Tensor,
    noise: Sequence[Tensor],
    beta: Tensor,
    pixel_bits: PixelBits | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the loss at `beta`, a tensor `()`, and the rate at beta 1, both in bits per subpixel,
    `()` each; other arguments are those of `PhotoNet.forward`.

    Examples:
        >>> net = PhotoNet(PhotoConfig(channels=4, hidden=4))
        >>> x, no = torch.zeros(1, 3, 16, 16), torch.zeros(1, dtype=torch.bool)
        >>> loss, rate = losses(net, x, 1, no, no, net.noise(x, 1), beta=torch.ones(()))
        >>> torch.allclose(loss, rate)
        True
    """
    with torch.autocast(x.device.type, torch.bfloat16):
        bits = net(x, levels, grey, drop, noise, pixel_bits)
    count = crops.subpixels(x, grey)
    return (bits.pixels + beta * bits.kl) / count, (bits.pixels + bits.kl).detach() / count


def compiled(backend: Any = "inductor", whole: bool = False) -> Losses:
    """Return `losses` with torch.compile applied to the pixels' likelihood, which dominates a
    step's memory traffic, or to all of it.

    `whole` compiles all levels into one graph, which takes minutes. Errors of compilation appear at
    the first step.

    Examples:
        >>> compiled("eager").func is losses
        True
    """
    if whole:
        return torch.compile(losses, fullgraph=True, dynamic=False, backend=backend)
    return partial(
        losses,
        pixel_bits=torch.compile(mixture_bits, fullgraph=True, dynamic=False, backend=backend),
    )


class Batches:
    """Batches of a recipe, with the noise of their latents, as functions of seed and step."""

    def __init__(self, images: Sequence[Image], recipe: PhotoRecipe, device: torch.device) -> None:
        self._recipe = recipe
        self._store = crops.store(images, device)
        self._generator = torch.Generator(device)

    def draw(self, net: PhotoNet, step: int) -> tuple[Tensor, int, Tensor, Tensor, list[Tensor]]:
        """Return the arguments of `losses` between the network and beta: x, levels, grey, drop and
        noise.
        """
        recipe, generator = self._recipe, self._generator
        generator.manual_seed(recipe.seed * SEED_STRIDE + step)
        x, grey = crops.draw(
            self._store,
            recipe.batch,
            recipe.crop,
            recipe.grey_fraction,
            recipe.chroma_fraction,
            generator,
        )
        drop = (
            torch.rand(recipe.batch, generator=generator, device=x.device) < recipe.latent_dropout
        )
        return x, recipe.levels, grey, drop, net.noise(x, recipe.levels, generator)


def optimiser_of(net: PhotoNet, recipe: PhotoRecipe) -> torch.optim.Adam:
    """Return Adam for the network's parameters, fused into one kernel on a GPU.

    Examples:
        >>> net = PhotoNet(PhotoConfig(channels=4, hidden=4))
        >>> optimiser_of(net, PhotoRecipe()).defaults["betas"]
        (0.9, 0.99)
    """
    cuda = next(net.parameters()).device.type == "cuda"
    return torch.optim.Adam(
        net.parameters(), recipe.learning_rate, betas=(0.9, 0.99), fused=True if cuda else None
    )


def descend(
    net: PhotoNet,
    optimiser: torch.optim.Optimizer,
    recipe: PhotoRecipe,
    batch: tuple[Any, ...],
    beta: float,
    function: Losses,
) -> Tensor:
    """Take one step of gradient descent; return the batch's rate at beta 1, bits per subpixel, `()`
    on the device.

    Examples:
        >>> import numpy as np
        >>> recipe = PhotoRecipe(PhotoConfig(channels=4, hidden=4), batch=1, crop=16, levels=1)
        >>> net, images = PhotoNet(recipe.model), [np.zeros((20, 20, 3), np.uint8)]
        >>> batch = Batches(images, recipe, torch.device("cpu")).draw(net, 0)
        >>> descend(net, optimiser_of(net, recipe), recipe, batch, 1.0, losses).shape
        torch.Size([])
    """
    loss, rate = function(net, *batch, torch.full((), beta, device=batch[0].device))
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    guarded.clip(net.parameters(), recipe.clip_norm)
    optimiser.step()
    return rate


@torch.no_grad()
def holdout_rate(
    net: PhotoNet, images: Sequence[Image], side: int = 256, levels: int = 5
) -> dict[str, float]:
    """Measure bits per subpixel on central crops of held-out images, uint8 `(H, W, 3)`, without the
    coarsest level: `bpsp` in total, `kl_bpsp` of the KL; empty without images.

    Examples:
        >>> holdout_rate(PhotoNet(PhotoConfig(channels=4, hidden=4)), [])
        {}
    """
    if not images:
        return {}
    device = next(net.parameters()).device
    totals, count = torch.zeros(2, dtype=torch.float64, device=device), 0
    generator = torch.Generator(device).manual_seed(0)
    off = torch.zeros(1, dtype=torch.bool, device=device)
    for image in images:
        h, w = image.shape[:2]
        y, x0 = (h - side) // 2, (w - side) // 2
        x = (
            torch.from_numpy(image[y : y + side, x0 : x0 + side].copy())
            .permute(2, 0, 1)[None]
            .float()
            .to(device)
        )
        bits = net(
            x.contiguous(memory_format=torch.channels_last),
            levels,
            off,
            off,
            net.noise(x, levels, generator),
        )
        totals, count = totals + torch.stack([bits.pixels + bits.kl, bits.kl]), count + x.numel()
    total, kl = totals.tolist()
    return {"bpsp": total / count, "kl_bpsp": kl / count}
