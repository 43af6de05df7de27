"""The training of the kit: a recipe for the time that is left, with the exact model's rate beside
it, and files that come back.
"""

import json
import os
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from bbans.images import atomic_write
from bbans.training.crops import Image
from bbans.training.networks import float_weights
from bbans.training.networks.photo import PhotoNet
from bbans.training.photo_task import train
from bbans.training.photographs import Losses, PhotoRecipe, losses
from benchmarks.gpu import exact
from benchmarks.gpu.log import Log

CHECKPOINT = "checkpoint.pt"
CHECKPOINT_SECONDS = 30.0
LARGEST = 15 * 2**20  # bytes of a file that comes back
RESERVE = 20.0  # seconds for the export and its rate


class Watch:
    """Exact rates of the network as it trains, one after another in a process beside it; the best
    weights are kept.
    """

    def __init__(
        self, recipe: PhotoRecipe, pack: Path, out: Path, log: Log, images: int | None
    ) -> None:
        self._recipe, self._out, self._log = recipe, out, log
        self._asked = recipe.model, pack / "holdout", max(1, (os.cpu_count() or 2) // 2), images
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        self._pending: Future[dict[str, float]] | None = None
        self.rates = list[dict[str, Any]]()
        self.best = float("inf")

    def look(self, net: PhotoNet) -> dict[str, float]:
        """Write the float weights, and have them measured unless the last ones still are."""
        weights = float_weights.to_bytes(net)
        atomic_write(self._out / "float.safetensors", weights, overwrite=True)
        if self._pending is None or self._pending.done():
            self._submit(weights, f"at {time.strftime('%H:%M:%S')}")
        return {}

    def last(self, weights: bytes, seconds: float) -> float | None:
        """The exact rate of the final weights, if it comes in time."""
        if self._pending is not None:
            with suppress(Exception):
                self._pending.result(max(1.0, seconds / 2))
        future = self._submit(weights, "final")
        try:
            return future.result(max(1.0, seconds))["exact_bpsp"]
        except Exception as error:
            self._log.fail("exact rate of the final model", error)
            return None

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, weights: bytes, when: str) -> "Future[dict[str, float]]":
        future = self._pending = self._pool.submit(exact.measure, weights, *self._asked)
        future.add_done_callback(lambda done: self._arrived(done, weights, when))
        return future

    def _arrived(self, done: "Future[dict[str, float]]", weights: bytes, when: str) -> None:
        try:
            found = done.result()
        except BaseException as error:
            self._log.fail(f"exact rate {when}", error)
            return
        self.rates.append({"when": when, **found})
        self._log.keep(exact_rates=self.rates)
        self._log.say(
            f"exact model {when}: {found['exact_bpsp']:.4f} bpsp, measured in "
            f"{found['measured_in']:.1f} s"
        )
        if found["exact_bpsp"] < self.best:
            self.best = found["exact_bpsp"]
            atomic_write(self._out / "best.float.safetensors", weights, overwrite=True)


def fit(
    recipe: PhotoRecipe,
    described: dict[str, str],
    pack: Path,
    images: Sequence[Image],
    holdout: Sequence[Image],
    out: Path,
    log: Log,
    *,
    device: torch.device,
    deadline: float,
    schedule: float | None,
    function: Losses,
    initial: dict[str, torch.Tensor] | None,
    report_seconds: float,
    patience: float,
    reserve: float = RESERVE,
    measured_images: int | None = None,
) -> None:
    """Train until `deadline`, a reading of `time.monotonic`, less the reserve; `schedule` is of all
    calls together, seconds.

    The final model's exact rate is waited for until the deadline, and for `patience` seconds at
    least.

    Whatever happens, the last weights are exported and written with history and log.
    """
    watch = Watch(recipe, pack, out, log, measured_images)
    history = list[dict[str, float]]()
    weights: bytes | None = None
    try:
        while weights is None:
            allowance = max(1.0, deadline - reserve - time.monotonic())
            total = schedule or allowance
            log.keep(schedule_seconds=total, recipe=asdict(recipe))
            log.say(
                f"training for {allowance:.0f} of {total:.0f} s, batch {recipe.batch}, "
                f"{'eager' if function is losses else 'compiled'}"
            )

            def report(row: dict[str, float]) -> None:
                history.append(row)
                log.keep(history=history)
                log.say("  ".join(f"{name} {value:g}" for name, value in row.items()))

            try:
                net, history[:] = train(
                    images,
                    holdout,
                    recipe,
                    out / CHECKPOINT,
                    report,
                    CHECKPOINT_SECONDS,
                    initial,
                    device,
                    seconds=total,
                    allowance=allowance,
                    report_seconds=report_seconds,
                    function=function,
                    compact=_state_bytes(recipe) > LARGEST,
                    measure=watch.look,
                )
                log.keep(history=history)  # with an earlier call's
                weights = float_weights.to_bytes(net)
            except torch.OutOfMemoryError as error:
                if recipe.batch == 1:
                    raise
                recipe = replace(recipe, batch=recipe.batch // 2)
                log.fail(f"out of memory; on with a batch of {recipe.batch}", error)
            torch.cuda.empty_cache()  # after the except clause, which holds on to the step
    except (Exception, KeyboardInterrupt) as error:
        log.say(traceback.format_exc())
        log.fail("training", error)
        weights = weights or _kept(out, recipe)
    if weights is None:
        log.say("nothing was trained")
    else:
        _finish(
            weights,
            recipe,
            described,
            history,
            watch,
            out,
            log,
            max(deadline, time.monotonic() + patience),
        )
    watch.close()


def _state_bytes(recipe: PhotoRecipe) -> int:
    """A checkpoint's weights and moments in 32 bits."""
    return 12 * sum(p.numel() for p in PhotoNet(recipe.model).parameters())


def _kept(out: Path, recipe: PhotoRecipe) -> bytes | None:
    """The weights of the last checkpoint."""
    if not (out / CHECKPOINT).exists():
        return None
    net = PhotoNet(recipe.model)
    net.load_state_dict(torch.load(out / CHECKPOINT, weights_only=True, map_location="cpu")["net"])
    return float_weights.to_bytes(net)


def _finish(
    weights: bytes,
    recipe: PhotoRecipe,
    described: dict[str, str],
    history: Any,
    watch: Watch,
    out: Path,
    log: Log,
    deadline: float,
) -> None:
    record: dict[str, Any] = {
        **described,
        "recipe": asdict(recipe),
        "history": history,
        "torch": str(torch.__version__),
    }
    record["device"] = log.found.get("device")
    try:
        atomic_write(out / "float.safetensors", weights, overwrite=True)
        atomic_write(
            out / "model.safetensors",
            exact.model_file(weights, recipe.model, _plain(record)),
            overwrite=True,
        )
        log.say("model.safetensors and float.safetensors are written")
        rate = watch.last(weights, deadline - time.monotonic())
        if rate is not None:
            record["exact_holdout_bpsp"] = rate
            atomic_write(
                out / "model.safetensors",
                exact.model_file(weights, recipe.model, _plain(record)),
                overwrite=True,
            )
            log.keep(exact_holdout_bpsp=rate)
        if rate is not None and rate <= watch.best:
            (out / "best.float.safetensors").unlink(
                missing_ok=True
            )  # the final weights are the best
    except Exception as error:
        log.fail("export", error)


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(record))
    return found
