"""Maximise the ELBO of a photograph model: bits of the pixels given the latents plus beta times the KL divergence, per subpixel.

Adam with a short warm-up, a constant rate and a linear decay over the last part, so that a run can be lengthened before its
decay. Everything random comes from the recipe's seed and the step number, so a resumed run repeats what an unbroken one does.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from bbans.models.photo import PhotoNet
from bbans.models.photo_config import PhotoConfig

Image = NDArray[np.uint8]

YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # JFIF, full range
# Photo CD: luma steps of 1.3584 grey levels, B - Y of 2.2179, R - Y of 1.8215
PHOTO_YCC = (
    (0.299 / 1.3584, 0.587 / 1.3584, 0.114 / 1.3584),
    (-0.299 / 2.2179, -0.587 / 2.2179, 0.886 / 2.2179),
    (0.701 / 1.8215, -0.587 / 1.8215, -0.114 / 1.8215),
)


@dataclass(frozen=True)
class Recipe:
    """A training run. Same recipe, images and torch version: same weights up to float rounding."""

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
    grey_fraction: float = 0.08  # crops turned grey: the same networks code grey images
    chroma_fraction: float = 0.45  # crops whose chroma is interpolated from half resolution, as in decoded JPEGs and film scans
    latent_dropout: float = 0.05  # crops with latents off, so that files may switch them off
    downscaled_copies: int = 2  # of every image over a megapixel
    holdout_every: int = 500
    init: str = ""  # float weights to start from (safetensors, path relative to the recipe file); empty: random ones


def learning_rate(recipe: Recipe, step: int) -> float:
    """Warm-up, plateau, linear decay to zero at `recipe.steps`."""
    decay = max(1, round(recipe.steps * recipe.decay_fraction))
    return recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup_steps, (recipe.steps - step) / decay)


def to_grey(x: torch.Tensor) -> torch.Tensor:
    """Rounded luma (ITU-R BT.601) repeated over three channels; x `(..., 3, H, W)`."""
    luma = (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(-3, keepdim=True).round()
    return luma.expand_as(x)


def halve_chroma(x: torch.Tensor, space: torch.Tensor, cosited: bool, mode: str) -> torch.Tensor:
    """What film scans and decoded JPEGs went through: rounded luma, rounded half-resolution chroma interpolated back.

    x `(n, 3, H, W)`, H and W even; space `(3, 3)`, RGB to one luma and two chroma rows. The values end on that space's lattice.
    """
    planes = torch.einsum("oc,nchw->nohw", space, x).round()
    y, chroma = planes[:, :1], planes[:, 1:]
    if cosited:
        small = chroma[..., ::2, ::2]
        size = (2 * small.shape[-2] - 1, 2 * small.shape[-1] - 1)
        wide = F.interpolate(small, size, mode="bilinear", align_corners=True)
        chroma = F.pad(wide, (0, 1, 0, 1), mode="replicate")
    else:
        small = F.avg_pool2d(chroma, 2).round()
        chroma = F.interpolate(small, scale_factor=2, mode=mode)
    return torch.einsum("oc,nchw->nohw", torch.linalg.inv(space), torch.cat([y, chroma.round()], 1)).round().clamp(0, 255)


def draw_batch(images: Sequence[Image], weights: NDArray[np.float64], recipe: Recipe, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random crops under the eight symmetries of the square, and which of them were made grey.

    Returns `(batch, 3, crop, crop)` float32 in 0..255, channels-last, and `(batch,)` bool.
    """
    rng = np.random.default_rng((recipe.seed, step))
    n = recipe.crop
    crops = []
    for i in rng.choice(len(images), recipe.batch, p=weights):
        top, left = (int(rng.integers(side - n + 1)) for side in images[i].shape[:2])
        crop = images[i][top : top + n, left : left + n]
        crop = np.rot90(crop, int(rng.integers(4)))
        crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    x = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
    grey = torch.from_numpy(rng.random(recipe.batch) < recipe.grey_fraction)
    x[grey] = to_grey(x[grey])
    for i in np.flatnonzero(rng.random(recipe.batch) < recipe.chroma_fraction):
        space = (YCBCR, PHOTO_YCC)[int(rng.random() < 0.6)]
        mode = "bilinear" if rng.random() < 0.8 else "nearest"
        x[i : i + 1] = halve_chroma(x[i : i + 1], torch.tensor(space), rng.random() < 0.5, mode)
    return x.contiguous(memory_format=torch.channels_last), grey


def subpixels(x: torch.Tensor, grey: torch.Tensor) -> int:
    """Coded values of a batch: three a pixel, one where the image is grey."""
    return int((3 - 2 * grey.int()).sum()) * x.shape[-1] * x.shape[-2]


@torch.no_grad()
def holdout_rate(net: PhotoNet, images: Sequence[Image], side: int = 256, levels: int = 5) -> dict[str, float]:
    """Bits per subpixel of the central crops of held-out images (coarsest level left out), total and KL; empty without images."""
    if not images:
        return {}
    total = kl = 0.0
    count = 0
    device = next(net.parameters()).device
    generator = torch.Generator(device).manual_seed(0)
    off = torch.zeros(1, dtype=torch.bool, device=device)
    for image in images:
        h, w = image.shape[:2]
        y, x0 = (h - side) // 2, (w - side) // 2
        x = torch.from_numpy(image[y : y + side, x0 : x0 + side].copy()).permute(2, 0, 1)[None].float().to(device)
        bits = net(x.contiguous(memory_format=torch.channels_last), levels, off, off, generator)
        total, kl, count = total + float(bits.pixels + bits.kl), kl + float(bits.kl), count + x.numel()
    return {"bpsp": total / count, "kl_bpsp": kl / count}


def save_checkpoint(
    path: Path, net: PhotoNet, optimiser: torch.optim.Optimizer, step: int, recipe: Recipe, history: list[dict[str, float]]
) -> None:
    """Write under a temporary name and rename, so that a killed run leaves the last whole checkpoint."""
    temporary = path.with_suffix(".part")
    torch.save(
        {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "recipe": asdict(recipe), "history": history},
        temporary,
    )
    os.replace(temporary, path)


def train(
    train_images: Sequence[Image],
    holdout_images: Sequence[Image],
    recipe: Recipe,
    checkpoint: Path,
    report: Callable[[dict[str, float]], None],
    checkpoint_seconds: float = 180.0,
    initial: Mapping[str, torch.Tensor] | None = None,
    device: torch.device | None = None,
) -> tuple[PhotoNet, list[dict[str, float]]]:
    """Train, resuming from `checkpoint` when it exists. Returns the network and the history of reports (bits per subpixel).

    `initial` is a state of `PhotoNet` to start from instead of random weights; the optimiser starts afresh. `device`
    is where the network trains; it comes back on the CPU.
    """
    torch.manual_seed(recipe.seed)
    device = device or torch.device("cpu")
    net = PhotoNet(recipe.model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if initial is not None:
        net.load_state_dict(initial)
    optimiser = torch.optim.Adam(net.parameters(), recipe.learning_rate, betas=(0.9, 0.99))
    first, history = 0, []
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location="cpu")
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        first, history = state["step"], state["history"]
    weights = np.sqrt([image.shape[0] * image.shape[1] for image in train_images])
    weights /= weights.sum()
    saved = started = time.monotonic()
    running: list[float] = []
    for step in range(first, recipe.steps):
        optimiser.param_groups[0]["lr"] = learning_rate(recipe, step)
        x, grey = (part.to(device) for part in draw_batch(train_images, weights, recipe, step))
        generator = torch.Generator(device).manual_seed(recipe.seed * 1_000_003 + step)
        drop = torch.rand(recipe.batch, generator=generator, device=device) < recipe.latent_dropout
        with torch.autocast(device.type, torch.bfloat16):
            bits = net(x, recipe.levels, grey, drop, generator)
        beta = min(1.0, (step + 1) / max(1, recipe.kl_warmup_steps))
        count = subpixels(x, grey)
        loss = (bits.pixels + beta * bits.kl) / count
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip_norm)
        if math.isfinite(float(norm)):
            optimiser.step()
        running.append(float((bits.pixels + bits.kl).detach()) / count)
        done = step + 1
        if done % recipe.holdout_every == 0 or done == recipe.steps:
            seconds = time.monotonic() - started
            row = {"step": done, "train_bpsp": float(np.mean(running)), **holdout_rate(net, holdout_images), "seconds": seconds}
            running.clear()
            history.append(row)
            report(row)
        if time.monotonic() - saved > checkpoint_seconds or done == recipe.steps:
            save_checkpoint(checkpoint, net, optimiser, done, recipe, history)
            saved = time.monotonic()
    return net.to("cpu"), history
