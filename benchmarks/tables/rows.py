"""A row of a table: a model on a test set, its rates and the bytes of a real archive, which is read
back and compared, as JSON.
"""

import argparse
import itertools
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bbans
from bbans.evaluation import evaluate
from bbans.images import atomic_write
from bbans.models.base import LatentModel
from bbans.models.model_file import Model
from bbans.schemes import bits_back, bounds, sampling
from benchmarks.tables.sets import Pixels

RESULTS = Path(__file__).resolve().parent.parent / "results" / "rows"
# bits per dimension on the test set: BB-ANS (Townsend et al. 2019, arXiv:1901.04866, table 2),
# Bit-Swap (arXiv:1906.08691's README)
BINARISED = {"BB-ANS": 0.19}
GREY = {"BB-ANS": 1.41, "Bit-Swap": 1.273}
SEED = 0


@dataclass(frozen=True)
class Row:
    """`model` is the name of its file in a folder of models, `target` the net bits per dimension it
    should reach at most, if any.
    """

    name: str
    model: str
    data: str
    images: Callable[[Path], Pixels]
    published: Mapping[str, float]
    target: float | None


def parser(about: str | None) -> argparse.ArgumentParser:
    """What every row's command line has."""
    found = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument(
        "--models", type=Path, default=Path(), help="the folder of the models; default: this one"
    )
    found.add_argument(
        "--count",
        type=int,
        default=10_000,
        help="images, for a quick look; nothing is written unless --results is given",
    )
    found.add_argument("--group", type=int, default=10_000, help="images of a group of the archive")
    found.add_argument("--draws", type=int, default=16, help="draws of the latents for the ideal")
    found.add_argument("--results", type=Path, help="the folder of the JSON")
    found.add_argument(
        "--if-there", action="store_true", help="pass over a row whose model is not there"
    )
    return found


def run(row: Row, about: str | None) -> None:
    """The command line of a row that is measured in bits per dimension."""
    with_data = parser(about)
    with_data.add_argument("data", type=Path)
    with_data.add_argument(
        "--model", type=Path, help=f"the model's file; default: {row.model} in the folder"
    )
    options = with_data.parse_args()
    model = options.model or options.models / row.model
    need(row.name, options, model)
    start = time.monotonic()
    images = row.images(options.data)[: options.count]
    measured = measure(model, images, options.group, options.draws)
    facts = {
        "data": row.data,
        "published": row.published,
        "target": row.target,
        "measured": measured,
        "group": options.group,
    }
    save(
        row.name,
        {**facts, **described(bbans.load_model(model), model), **circumstances(start)},
        options,
    )


def need(name: str, options: argparse.Namespace, *models: Path) -> None:
    """End the run unless the models are there: with an error, or with a word where that was asked
    for.
    """
    if missing := [str(model) for model in models if not model.exists()]:
        said = f"{name}: there is no {', '.join(missing)}"
        if not options.if_there:
            raise SystemExit(f"{said}; name the folder with --models")
        print(f"{said}; passed over")
        raise SystemExit


def measure(model: Path, images: Pixels, group: int, draws: int) -> dict[str, Any]:
    """Ideal and net rates with their terms, and the rate and bytes of an archive without the
    model.
    """
    named = [(str(i), image) for i, image in enumerate(images)]
    found = evaluate.evaluate(named, model, draws=draws, seed=SEED)
    size = archived(model, images, group)
    counts = {"images": len(images), "draws": draws, "batch": found.batch, "scheme": found.scheme}
    return {**found.rates(), "archive": 8 * size / images.size, "archive_bytes": size, **counts}


def clean_net_bits(
    batches: Iterable[tuple[LatentModel, NDArray[np.int64]]], words: int = 4000, lanes: int = 32
) -> list[float]:
    """What BB-ANS makes a message of fresh pseudo-random words grow by, in bits, for each batch: a
    chain and its x.

    Where a model has about as many latents as samples, or more, a batch would else pop the latents
    of the one before, which do not follow their prior: 200 bits for 64 samples, trained for a short
    while, then cost 6 to 23 % over the ideal.
    """
    start = (sampling.random_message(words, (SEED, i), lanes) for i in itertools.count())
    return [
        bounds.push_measured(bits_back.codec, chain, next(start), x)[1].net for chain, x in batches
    ]


def archived(model: Path, images: Pixels, group: int, *, embed_model: bool = False) -> int:
    """Bytes of an archive of the images once all of them have been read back and compared."""
    with tempfile.TemporaryDirectory() as folder:
        target = write_archive(Path(folder), model, images, group, embed_model=embed_model)
        check_archive(target, None if embed_model else model, images)
        return target.stat().st_size


def write_archive(
    folder: Path, model: Path, images: Pixels, group: int, *, embed_model: bool = False
) -> Path:
    """An archive of the images in a folder."""
    source, target = folder / "set.npy", folder / "set.bbar"
    np.save(source, images.astype(bool) if images.max() < 2 else images)
    bbans.create_archive(
        target,
        source,
        model=model,
        group=group,
        embed_model=embed_model,
        verify=False,
        overwrite=True,
    )
    return target


def check_archive(path: Path, model: Path | None, images: Pixels) -> None:
    """Read an archive back; it ends the run if anything differs."""
    back = [image.pixels for _, image in bbans.read_archive(path, model=model)]
    if not np.array_equal(np.stack(back), images):
        raise SystemExit(f"{path}: other images came back")


def described(model: Model, path: Path) -> dict[str, Any]:
    """A model in words, its id, and the bytes of its file."""
    config, words = model.config, [model.family]
    if hasattr(config, "latents"):
        words.append(f"latents {', '.join(map(str, np.atleast_1d(config.latents)))}")
    if hasattr(config, "codebook"):
        words.append(f"{config.codes} codes of {config.codebook}, {config.prior} prior")
    return {
        "model": ", ".join(words),
        "model_id": model.id.hex(),
        "model_bytes": path.stat().st_size,
    }


def circumstances(start: float) -> dict[str, Any]:
    """Seed, commit, machine, and the seconds since `start`, a reading of `time.monotonic`."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    commit = asked.stdout.strip() or "unknown"  # a copy of the tree alone
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    return {
        "seed": SEED,
        "commit": commit,
        "machine": machine,
        "seconds": round(time.monotonic() - start, 1),
    }


def save(
    name: str, row: Mapping[str, Any], options: argparse.Namespace, whole: bool | None = None
) -> None:
    """Print a row, and write it if it is of a whole run (default: of the whole set) or a folder was
    named.
    """
    print(_text(row), end="")
    if (options.count >= 10_000 if whole is None else whole) or options.results:
        write(name, row, options.results)


def write(name: str, row: Mapping[str, Any], folder: Path | None = None) -> None:
    """Write a row; whoever stops this leaves the row that was there."""
    folder = folder or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / f"{name}.json", _text(row).encode(), overwrite=True)


def _text(row: Mapping[str, Any]) -> str:
    return json.dumps(row, indent=1, sort_keys=True) + "\n"


def saved(name: str, folder: Path | None = None) -> dict[str, Any]:
    """A row as it was written, empty if it was not."""
    path = (folder or RESULTS) / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found
