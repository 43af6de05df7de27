"""The first minutes of a GPU: that the training step compiles, its pixels a second, and the exact
networks' megapixels a second.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bbans.exact.torch_ops import torch_ops
from bbans.models import library
from bbans.training.crops import Image
from bbans.training.networks.photo import PhotoNet
from bbans.training.photographs import Batches, Losses, PhotoRecipe, descend, losses, optimiser_of
from benchmarks.gpu import golden
from benchmarks.gpu.log import Log

ROOT = golden.ROOT
CLOSE = 0.02  # relative, of a loss in bf16 by other kernels


class Golden:
    """The exact checks in a process of their own, while others run."""

    def __init__(self, device: str, few: bool, output: Path) -> None:
        self._output = output
        command = [
            sys.executable,
            "-m",
            "benchmarks.gpu.golden",
            device,
            *(["--few"] if few else []),
        ]
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
            )

    def result(self, log: Log, seconds: float) -> None:
        """Wait so long at most, and put what was found into the log."""
        try:
            code: int | None = self._process.wait(max(1.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = None
        lines = self._output.read_text(errors="replace").splitlines()
        parts = [json.loads(line) for line in lines if line.startswith("{")]
        log.keep(exact=parts)
        for part in parts:
            log.say(f"exact: {part}")
            if part["wrong"]:
                log.fail(
                    f"exact {part['part']} differ from the CPU's", ", ".join(part["wrong"][:8])
                )
        if code is None:
            log.say(
                f"exact checks were stopped after {len(parts)} of 4 parts: no time left for more"
            )
        elif code:
            log.fail("exact checks", "\n".join(lines[-5:]))


class Stepper:
    """A network on a device with its batches, to take steps outside of a run."""

    def __init__(self, images: Sequence[Image], recipe: PhotoRecipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self._step = recipe, 0
        self.net: PhotoNet = PhotoNet(recipe.model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimiser = optimiser_of(self.net, recipe)
        self._batches = Batches(images, recipe, device)

    def loss(self, function: Losses) -> float:
        """Of the first batch."""
        batch = self._batches.draw(self.net, 0)
        return float(function(self.net, *batch, torch.ones((), device=batch[0].device))[0].detach())

    def go(self, function: Losses) -> torch.Tensor:
        """A step; its rate on the device."""
        self._step += 1
        return descend(
            self.net,
            self._optimiser,
            self.recipe,
            self._batches.draw(self.net, self._step),
            1.0,
            function,
        )

    def pixels_a_second(self, function: Losses, seconds: float) -> float:
        """Training pixels, after two steps to warm up."""
        float(self.go(function) + self.go(function))
        start, steps = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            rate = self.go(function)
            steps += 1
            if steps % 10 == 0:
                float(rate)  # or hundreds of steps would wait in the queue when time is up
        float(rate)
        return steps * self.recipe.batch * self.recipe.crop**2 / (time.monotonic() - start)


def working(stepper: Stepper, function: Losses, log: Log) -> Losses:
    """A compiled function where it compiles and gives the loss that `losses` gives, and `losses`
    elsewhere.
    """
    start = time.monotonic()
    try:
        rate = float(stepper.go(function))
        found, expected = stepper.loss(function), stepper.loss(losses)
    except Exception as error:
        log.fail("torch.compile; training goes on without it", error)
        return losses
    seconds = time.monotonic() - start
    close = abs(found - expected) <= CLOSE * abs(expected)
    log.say(
        f"torch.compile: rate {rate:.4f}, loss {found:.4f} where eager is {expected:.4f}, "
        f"{seconds:.1f} s"
    )
    log.keep(compiled={"seconds": seconds, "loss": found, "eager_loss": expected, "close": close})
    if not close:
        log.fail("torch.compile; training goes on without it", f"loss {found}, eager {expected}")
    return function if close else losses


def training_speed(
    images: Sequence[Image], stepper: Stepper, function: Losses, log: Log, seconds: float
) -> None:
    """Pixels a second of eager steps at half, the same and twice the batch, and of compiled ones at
    the recipe's.
    """
    found: dict[str, float] = {}
    recipe, device = stepper.recipe, next(stepper.net.parameters()).device
    for batch in (max(1, recipe.batch // 2), recipe.batch, 2 * recipe.batch):
        try:
            own = (
                stepper
                if batch == recipe.batch
                else Stepper(images, replace(recipe, batch=batch), device)
            )
            found[f"eager, batch {batch}"] = own.pixels_a_second(losses, seconds)
        except torch.OutOfMemoryError as error:
            log.fail(f"training at batch {batch}", error)
    if function is not losses:
        found[f"compiled, batch {recipe.batch}"] = stepper.pixels_a_second(function, seconds)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # of the largest batch
    for name, speed in found.items():
        log.say(f"training, {name}: {speed / 1e6:.2f} Mpx/s")
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
    log.keep(training_pixels_a_second=found, peak_gib=memory)


def exact_speed(device: str, sides: Sequence[int], log: Log) -> None:
    """Megapixels a second of all the networks of the default model for a level, with what goes to
    the device and back.
    """
    found: dict[str, float] = {}
    net: Any = library.find_by_name("photo-2").network(torch_ops(device))
    for side in sides:
        level = golden.random_level(net, side, side)
        for _ in range(2):
            start = time.monotonic()
            golden.photo_integers(net, level)
            seconds = time.monotonic() - start
        found[f"{2 * side} x {2 * side} pixels"] = 4e-6 * side**2 / seconds
    log.keep(exact_megapixels_a_second=found)
    log.say(
        "exact networks, MP/s: " + ", ".join(f"{name} {speed:.2f}" for name, speed in found.items())
    )


def batched_speed(device: str, batches: Sequence[int], side: int, log: Log) -> None:
    """Megapixels a second of the default model's hidden convolution, 3 x 3, on batches of maps:
    what coding many tiles at once could have.

    A pixel is one of four positions' at the level, as in `exact_speed`.
    """
    layer = library.find_by_name("photo-2").layers["phase0.res_a"]
    ops, rng = torch_ops(device), np.random.default_rng(0)
    prepared, found = ops.prepare(layer), dict[str, float]()
    for batch in batches:
        x = ops.load(
            rng.integers(0, golden.ACT + 1, (batch, layer.weight.shape[1], side, side), np.int32)
        )
        for repeats in (1, 8):  # the first asks the known answer
            start = time.monotonic()
            for _ in range(repeats):
                y = ops.round_clip(ops.conv(prepared, x), 0, golden.ACT)
            float(y[0, 0, 0, 0])
            seconds = (time.monotonic() - start) / repeats
        found[f"batch {batch}"] = 4e-6 * batch * side**2 / seconds
    log.keep(exact_layer_megapixels_a_second=found)
    log.say(
        f"one exact layer, {side} x {side} maps, MP/s: "
        + ", ".join(f"{name} {speed:.2f}" for name, speed in found.items())
    )
