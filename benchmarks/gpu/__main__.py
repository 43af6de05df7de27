"""One command for a GPU: check, measure, train, and leave what comes back in a folder.

python -m benchmarks.gpu gpu-pack --recipe recipes/gpu/photo-default.toml --out out --minutes 9

From the repository's root, with a folder that `make gpu-pack` made. Within the minutes: that the
training step compiles and the exact networks give the CPU's integers; pixels a second; training for
the rest of the time, with the exact model's rate every minute. What fails in the first two is said
loudly, kept in the report, and stops nothing. `--resume DIR` goes on from what an earlier call
left. `--rehearse` does all of it on the CPU in small; its minutes are those of the training alone.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bbans.images import load_folder
from bbans.training.networks import float_weights
from bbans.training.photo_run import HOLDOUT_SIDE, downscaled, read_recipe
from bbans.training.photographs import Losses, PhotoRecipe, compiled, losses
from bbans.training.recipes import read_record
from benchmarks.gpu import fit, measure
from benchmarks.gpu.log import Log
from benchmarks.gpu.pack import commit

MINUTES = 9.0  # a command may take ten
GOLDEN_SECONDS = 90.0
REPORT_SECONDS = 60.0


def small(recipe: PhotoRecipe) -> PhotoRecipe:
    """A recipe for a rehearsal."""
    model = replace(recipe.model, channels=8, hidden=8, mixtures=2, latent_channels=2)
    return replace(recipe, model=model, batch=2, crop=32, levels=1, warmup_steps=2)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("pack", type=Path, help="the folder that `make gpu-pack` made")
    found.add_argument("--recipe", type=Path, default=Path("recipes/gpu/photo-default.toml"))
    found.add_argument(
        "--out",
        type=Path,
        default=Path(os.environ.get("OUT", "gpu-out")),
        help="default: $OUT, or gpu-out",
    )
    found.add_argument("--minutes", type=float, default=MINUTES, help="of this call, all in all")
    found.add_argument(
        "--schedule",
        type=float,
        help="minutes of training of all calls together; default: what this one has",
    )
    found.add_argument(
        "--resume",
        type=Path,
        help="what an earlier call left: goes on with the rest of its schedule",
    )
    found.add_argument("--batch", type=int, help="instead of the recipe's")
    found.add_argument("--eager", action="store_true", help="without torch.compile")
    found.add_argument(
        "--whole",
        action="store_true",
        help="compile all of a step, not its likelihood alone: some minutes",
    )
    found.add_argument("--skip-checks", action="store_true", help="train at once")
    found.add_argument("--rehearse", action="store_true", help="on the CPU, in small")
    return found


def main(arguments: list[str] | None = None) -> None:
    """See the module's docstring."""
    options, start = parser().parse_args(arguments), time.monotonic()
    rehearse: bool = options.rehearse
    if not rehearse and not torch.cuda.is_available():
        raise SystemExit("torch finds no CUDA device here; --rehearse does without")
    device = torch.device("cpu" if rehearse else "cuda")
    torch.backends.cudnn.benchmark = not rehearse  # shapes stay the same for minutes
    recipe, described = read_recipe(options.recipe), read_record(options.recipe)
    initial = (
        float_weights.read(options.recipe.parent / recipe.init, recipe.model)
        if recipe.init
        else None
    )
    if options.batch:
        recipe = replace(recipe, batch=options.batch)
    if rehearse:
        recipe, initial = small(recipe), None
    options.out.mkdir(parents=True, exist_ok=True)
    log = Log(options.out, start)
    schedule = None if options.schedule is None else 60 * options.schedule
    if options.resume is not None:
        schedule = resumed(options.resume, options.out, schedule)
    log.keep(**facts(device, options, recipe))
    log.say(
        f"{log.found['device']}, torch {torch.__version__}, {options.recipe}, {options.minutes:g} "
        "minutes"
    )
    images = downscaled(
        [a for _, a in load_folder(options.pack / "train") if min(a.shape[:2]) >= recipe.crop],
        recipe,
    )
    held_out = load_folder(options.pack / "holdout") if (options.pack / "holdout").is_dir() else []
    holdout = [a for _, a in held_out if min(a.shape[:2]) >= HOLDOUT_SIDE]
    if rehearse:
        images, holdout = images[:4], holdout[:1]
    log.say(
        f"{len(images)} training images of {sum(a.size for a in images) / 3e6:.1f} MP, "
        f"{len(holdout)} held out"
    )
    function = (
        losses if options.eager else compiled("eager" if rehearse else "inductor", options.whole)
    )
    if not options.skip_checks:
        function = checked(images, recipe, device, function, rehearse, log)
    fit.fit(
        recipe,
        described,
        options.pack,
        images,
        holdout,
        options.out,
        log,
        device=device,
        deadline=(time.monotonic() if rehearse else start) + 60 * options.minutes,
        schedule=schedule,
        function=function,
        initial=initial,
        report_seconds=0.1 * 60 * options.minutes if rehearse else REPORT_SECONDS,
        patience=60.0 if rehearse else 5.0,
        reserve=2.0 if rehearse else fit.RESERVE,
        measured_images=1 if rehearse else None,
    )
    log.keep(seconds=time.monotonic() - start)
    log.say(f"done; {len(log.found.get('failures', []))} failures")


def resumed(source: Path, out: Path, schedule: float | None) -> float | None:
    """Copy what an earlier call left, and say how long its schedule is."""
    if not (source / fit.CHECKPOINT).exists():
        raise SystemExit(f"{source} holds no {fit.CHECKPOINT}; leave --resume out")
    for name in (fit.CHECKPOINT, "float.safetensors", "best.float.safetensors"):
        if (source / name).exists() and source.resolve() != out.resolve():
            shutil.copyfile(source / name, out / name)
    report = source / "report.json"
    before: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    found: float | None = before.get("schedule_seconds")
    return found if schedule is None else schedule


def facts(device: torch.device, options: argparse.Namespace, recipe: PhotoRecipe) -> dict[str, Any]:
    """Of the machine and the call."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    said = {key: str(value) for key, value in vars(options).items()}
    found = {
        "device": name,
        "torch": str(torch.__version__),
        "python": sys.version.split()[0],
        "options": said,
    }
    return {**found, "commit": commit(), "cores": os.cpu_count(), "batch": recipe.batch}


def checked(
    images: Any,
    recipe: PhotoRecipe,
    device: torch.device,
    function: Losses,
    rehearse: bool,
    log: Log,
) -> Losses:
    """Steps 1 and 2; the function if it works, and `losses` if not."""
    began = time.monotonic()
    exact = measure.Golden(str(device), rehearse, log.folder / "exact.txt")
    stepper, works = None, losses
    try:
        stepper = measure.Stepper(images, recipe, device)
        log.say(
            f"a training step in bf16: {float(stepper.go(losses)):.4f} bits per subpixel, "
            f"{time.monotonic() - began:.1f} s"
        )
        works = losses if function is losses else measure.working(stepper, function, log)
    except Exception as error:
        log.fail("a training step", error)
    exact.result(log, GOLDEN_SECONDS - (time.monotonic() - began))
    try:
        if stepper is not None:
            measure.training_speed(images, stepper, works, log, 0.2 if rehearse else 2.0)
        measure.exact_speed(str(device), (16, 32) if rehearse else (64, 128, 256, 512), log)
        measure.batched_speed(
            str(device), (1, 2) if rehearse else (1, 4, 16, 64), 8 if rehearse else 128, log
        )
    except Exception as error:
        log.fail("measurements", error)
    return works


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt(f"signal {number}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    main()
