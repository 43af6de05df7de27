"""Maximise the ELBO of a photograph model: bits of the pixels given the latents plus beta times the
KL divergence, per subpixel.

Adam with a short warm-up, a constant rate and a linear decay over the last part, so that a run can
be lengthened before its decay. Everything random comes from the recipe's seed and the step number,
so a resumed run repeats what an unbroken one does. A run may have a budget of time instead of
steps: then the clock moves its schedule. No step waits for the device: losses are read at reports.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bbans.models.photo import PhotoConfig
from bbans.training import crops, guarded
from bbans.training.crops import Image
from bbans.training.networks.photo import PhotoNet, PixelBits, mixture_bits

REPORT_SECONDS = 60.0  # between two reports of a run with a budget of time
Losses = Callable[..., tuple[Tensor, Tensor]]  # as `losses`


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
    # crops whose chroma is interpolated from half resolution, as in decoded JPEGs and film scans
    chroma_fraction: float = 0.45
    latent_dropout: float = 0.05  # crops with latents off, so that files may switch them off
    downscaled_copies: int = 2  # of every image over a megapixel
    holdout_every: int = 500
    # float weights to start from (safetensors, path relative to the recipe file); empty: random
    # ones
    init: str = ""


def learning_rate(recipe: Recipe, step: int, passed: float | None = None) -> float:
    """Warm-up, plateau, linear decay to zero at `recipe.steps`, or where `passed`, the share of a
    budget that is gone, is 1.
    """
    warm = (step + 1) / max(1, recipe.warmup_steps)
    if passed is None:
        left = (recipe.steps - step) / max(1, round(recipe.steps * recipe.decay_fraction))
    else:
        left = (1 - passed) / max(recipe.decay_fraction, 1e-9)
    return recipe.learning_rate * max(0.0, min(1.0, warm, left))


def kl_weight(recipe: Recipe, step: int, passed: float | None = None) -> float:
    """beta, which rises to 1 over `kl_warmup_steps`, or over their share of a budget."""
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
    """What is minimised, and the rate at beta 1, bits per subpixel, `()` each; arguments as of
    `PhotoNet`, beta `()`.
    """
    with torch.autocast(x.device.type, torch.bfloat16):
        bits = net(x, levels, grey, drop, noise, pixel_bits)
    count = crops.subpixels(x, grey)
    return (bits.pixels + beta * bits.kl) / count, (bits.pixels + bits.kl).detach() / count


def compiled(backend: Any = "inductor", whole: bool = False) -> Losses:
    """`losses` by torch.compile: the likelihood of pixels, which is most of what a step reads and
    writes, or all of it.

    `whole` compiles for minutes, with all levels in one graph. What fails, fails at the first step.
    """
    if whole:
        return torch.compile(losses, fullgraph=True, dynamic=False, backend=backend)
    return partial(
        losses,
        pixel_bits=torch.compile(mixture_bits, fullgraph=True, dynamic=False, backend=backend),
    )


class Batches:
    """Batches of a recipe, with the noise of their latents: functions of seed and step."""

    def __init__(self, images: Sequence[Image], recipe: Recipe, device: torch.device) -> None:
        self._recipe = recipe
        self._store = crops.store(images, device)
        self._generator = torch.Generator(device)

    def draw(self, net: PhotoNet, step: int) -> tuple[Tensor, int, Tensor, Tensor, list[Tensor]]:
        """The arguments of `losses` between the network and beta."""
        recipe, generator = self._recipe, self._generator
        generator.manual_seed(recipe.seed * 1_000_003 + step)
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


def optimiser_of(net: PhotoNet, recipe: Recipe) -> torch.optim.Adam:
    """Adam; on a GPU all parameters in one kernel."""
    cuda = next(net.parameters()).device.type == "cuda"
    return torch.optim.Adam(
        net.parameters(), recipe.learning_rate, betas=(0.9, 0.99), fused=True if cuda else None
    )


def descend(
    net: PhotoNet,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    batch: tuple[Any, ...],
    beta: float,
    function: Losses,
) -> Tensor:
    """One step; the batch's rate at beta 1, bits per subpixel, `()` on the device."""
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
    """Bits per subpixel of the central crops of held-out images (coarsest level left out), total
    and KL; empty without images.
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


def save_checkpoint(path: Path, state: Mapping[str, Any], compact: bool = False) -> None:
    """Write under a temporary name and rename, so that a killed run leaves the last whole
    checkpoint.

    `compact` keeps Adam's moments in 16 bits.
    """
    if compact:
        moments = {
            i: {name: value if name == "step" else value.bfloat16() for name, value in own.items()}
            for i, own in state["optimiser"]["state"].items()
        }
        state = {**state, "optimiser": {**state["optimiser"], "state": moments}}
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    os.replace(temporary, path)


def train(
    train_images: Sequence[Image],
    holdout_images: Sequence[Image],
    recipe: Recipe,
    checkpoint: Path,
    report: Callable[[dict[str, float]], None],
    checkpoint_seconds: float = 180.0,
    initial: Mapping[str, Tensor] | None = None,
    device: torch.device | None = None,
    *,
    seconds: float | None = None,
    allowance: float | None = None,
    report_seconds: float = REPORT_SECONDS,
    function: Losses = losses,
    compact: bool = False,
    measure: Callable[[PhotoNet], dict[str, float]] = lambda net: {},
) -> tuple[PhotoNet, list[dict[str, float]]]:
    """Train, resuming from `checkpoint` when it exists.

    Returns the network and the history of reports (bits per subpixel).

    `initial` is a state of `PhotoNet` to start from instead of random weights; the optimiser starts
    afresh. `device` is where the network trains; it comes back on the CPU. `seconds` is how long
    all of the run takes, with those of the checkpoint: it goes before the recipe's steps, whose
    share of KL warm-up it keeps, and reports come every `report_seconds`. `allowance`: seconds
    after which this call ends, wherever the schedule is. `function` is `losses`, `compiled` or not;
    where that fails at the first step, the run goes on without, with a RuntimeWarning. `compact`
    keeps less of Adam's moments in checkpoints. `measure` adds to a report what it finds in the
    network, which it must leave as it is.
    """
    started = time.monotonic()
    torch.manual_seed(recipe.seed)
    device = device or torch.device("cpu")
    net = PhotoNet(recipe.model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if initial is not None:
        net.load_state_dict(initial)
    optimiser = optimiser_of(net, recipe)
    step, before, history = 0, 0.0, list[dict[str, float]]()
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location="cpu")
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        step, before, history = state["step"], state.get("elapsed", 0.0), state["history"]
    batches = Batches(train_images, recipe, device)
    saved = reported = time.monotonic()
    running, count = torch.zeros((), device=device), 0

    def elapsed() -> float:
        return before + time.monotonic() - started

    ended = step >= recipe.steps if seconds is None else before >= seconds
    first = step
    while not ended:
        passed = None if seconds is None else min(1.0, elapsed() / seconds)
        rate = optimiser.param_groups[0]["lr"] = learning_rate(recipe, step, passed)
        batch, beta = batches.draw(net, step), kl_weight(recipe, step, passed)
        try:
            running += descend(net, optimiser, recipe, batch, beta, function)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            if function is losses or step > first:
                raise
            warnings.warn(
                f"torch.compile failed, training goes on without it: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            function = losses
            running += descend(net, optimiser, recipe, batch, beta, function)
        count, step = count + 1, step + 1
        now = time.monotonic()
        ended = step >= recipe.steps if seconds is None else elapsed() >= seconds
        cut = allowance is not None and now - started >= allowance
        due = (
            step % recipe.holdout_every == 0
            if seconds is None
            else now - reported >= report_seconds
        )
        if due or ended or cut:
            row = {
                "step": step,
                "train_bpsp": float(running) / count,
                **holdout_rate(net, holdout_images),
            }
            row |= {"learning_rate": rate, "seconds": elapsed(), **measure(net)}
            running, count, reported = torch.zeros((), device=device), 0, time.monotonic()
            history.append(row)
            report(row)
        if time.monotonic() - saved > checkpoint_seconds or ended or cut:
            state = {
                "net": net.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "elapsed": elapsed(),
            }
            save_checkpoint(
                checkpoint, {**state, "recipe": asdict(recipe), "history": history}, compact
            )
            saved = time.monotonic()
        if cut:
            break
    return net.to("cpu"), history
