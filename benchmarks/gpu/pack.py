"""A folder for a machine that nothing can be fetched from: photographs as lossless WebP, and data
sets, up to a limit of bytes.

python -m benchmarks.gpu.pack ../shared/data/photos/train gpu-pack

`holdout/` has the central crops of the tenth that `bbans train` holds out, by the content hash of
whole images; `train/` crops of the others, larger first, until the limit is reached. `index.json`
says where each comes from. The same images and options give the same folder. `--sets` carries data
sets for the tables that train on a GPU.
"""

import argparse
import io
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as PillowImage

from bbans.images import content_hash, load_folder, split_holdout
from bbans.training.crops import Image
from bbans.training.photo_run import HOLDOUT_ONE_IN, HOLDOUT_SIDE

LIMIT_MIB = 50.0
SIDES = (1024, 512, 256)  # of crops of larger images, one side after the other
SETS = ("binarized_mnist", "mnist")
MIB = 2**20
METHOD = 4  # of WebP: 6 takes ten times as long and saves one byte in 2,500


class Crop(NamedTuple):
    """Part of an image: its name, and rows and columns."""

    name: str
    rows: slice
    columns: slice


class Full(Exception):
    """What ends the packing: the limit is reached."""


def centre(name: str, image: Image, side: int) -> Crop:
    """The square in the middle, or all of a side that is shorter."""
    starts = [max(0, (length - side) // 2) for length in image.shape[:2]]
    return Crop(
        name,
        *(
            slice(start, start + min(side, length))
            for start, length in zip(starts, image.shape, strict=False)
        ),
    )


def chosen(images: list[tuple[str, Image]], sides: tuple[int, ...] = SIDES) -> Iterator[Crop]:
    """Crops to train on, those of the longest side first, none of which meets another of its image.

    Of a grid of squares in an image's middle the more central half is taken, so that the next side
    takes other parts of it. An image that is a little too narrow gives squares of its own width.
    """
    taken: dict[str, list[tuple[int, int, int]]] = {name: [] for name, _ in images}
    for side in sides:
        for name, image in images:
            h, w = image.shape[:2]
            own = min(side, h, w)
            for top, left in _grid(h, w, own) if 4 * own >= 3 * side else []:
                if any(_meet((top, left, own), other) for other in taken[name]):
                    continue
                taken[name].append((top, left, own))
                yield Crop(name, slice(top, top + own), slice(left, left + own))


def _grid(h: int, w: int, side: int) -> list[tuple[int, int]]:
    """Corners of squares of a grid in the middle, the most central half of them."""
    down, across = h // side, w // side
    top, left = (h - down * side) // 2, (w - across * side) // 2
    cells = [(top + i * side, left + j * side) for i in range(down) for j in range(across)]
    cells.sort(key=lambda at: (at[0] + side / 2 - h / 2) ** 2 + (at[1] + side / 2 - w / 2) ** 2)
    return cells[: -(-len(cells) // 2)]


def _meet(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    """Whether two squares (top, left, side) share pixels."""
    return all(a[i] < b[i] + b[2] and b[i] < a[i] + a[2] for i in (0, 1))


def webp(pixels: Image, method: int) -> bytes:
    """A lossless WebP file, read back and compared."""
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(
        buffer, "WEBP", lossless=True, quality=100, method=method, exact=True
    )
    with PillowImage.open(buffer) as opened:
        if not np.array_equal(np.asarray(opened.convert("RGB")), pixels):
            raise SystemExit("a WebP file came back with other pixels")
    return buffer.getvalue()


def pack(
    source: Path,
    target: Path,
    limit: int,
    *,
    sets: Path | None = None,
    names: tuple[str, ...] = (),
    method: int = METHOD,
) -> dict[str, Any]:
    """Write the folder anew and return its index.

    Ends with an error where not even the held-out images fit.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    used = _copy(sets, target, names)
    named = load_folder(source)
    training, holdout = split_holdout(named, HOLDOUT_ONE_IN)
    if not holdout and len(training) > 1:
        holdout = [training.pop()]
        print(
            f"no image of {source} is held out by its hash; {holdout[0][0]} is, in their place",
            flush=True,
        )
    if not training:
        raise SystemExit(f"{source} has no image to train on")
    index: dict[str, Any] = {
        "commit": commit(),
        "source_images": len(named),
        "sets": list(names),
        "crops": {},
    }
    images = dict(named)

    def add(part: str, crop: Crop) -> None:
        nonlocal used
        pixels = np.ascontiguousarray(images[crop.name][crop.rows, crop.columns])
        data = webp(pixels, method)
        if used + len(data) > limit:
            raise Full
        used += len(data)
        rectangle = (crop.rows.start, crop.columns.start, *pixels.shape[:2])
        place = f"{part}/{Path(crop.name).stem}-{rectangle[0]}-{rectangle[1]}-{rectangle[2]}.webp"
        (target / place).parent.mkdir(exist_ok=True)
        (target / place).write_bytes(data)
        index["crops"][place] = {
            "source": crop.name,
            "rectangle": rectangle,
            "sha256": content_hash(pixels),
        }
        done = len(index["crops"])
        if done % 20 == 0:
            print(f"{done} crops, {used / MIB:.1f} of {limit / MIB:.1f} MiB", flush=True)

    try:
        for name, image in holdout:
            add("holdout", centre(name, image, HOLDOUT_SIDE))
    except Full:
        raise SystemExit(
            f"the held-out images alone are over {limit / MIB:.1f} MiB; raise the limit"
        ) from None
    try:
        for crop in chosen(training, SIDES):
            add("train", crop)
    except Full:
        pass
    index["megapixels"] = {
        part: round(_pixels(index, part) / 1e6, 3) for part in ("train", "holdout")
    }
    (target / "index.json").write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
    print(
        f"{len(index['crops'])} crops, {index['megapixels']} MP, {used / MIB:.1f} MiB", flush=True
    )
    return index


def _pixels(index: dict[str, Any], part: str) -> int:
    return sum(
        math.prod(crop["rectangle"][2:])
        for place, crop in index["crops"].items()
        if place.startswith(part)
    )


def _copy(sets: Path | None, target: Path, names: tuple[str, ...]) -> int:
    """Data sets beside the photographs, in folders of their names; bytes."""
    if not names:
        return 0
    if sets is None or (missing := [name for name in names if not (sets / name).is_dir()]):
        raise SystemExit(
            f"{sets}: there is no data set {' '.join(names if sets is None else missing)}; name "
            "its folder with --data"
        )
    for name in names:
        shutil.copytree(sets / name, target / "sets" / name)
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


def commit() -> str:
    """The repository's commit, which the far side has no git to ask for."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder of photographs")
    parser.add_argument("target", type=Path, help="the folder to make; what is there goes")
    parser.add_argument("--limit", type=float, default=LIMIT_MIB, help="MiB in all; default: 50")
    parser.add_argument(
        "--sets", nargs="*", default=[], choices=SETS, help="data sets to carry along"
    )
    parser.add_argument("--data", type=Path, help="the folder of the data sets")
    parser.add_argument("--method", type=int, default=METHOD, help="effort of WebP, 0 to 6")
    options = parser.parse_args()
    if options.target.exists() and not (options.target / "index.json").exists():
        raise SystemExit(f"{options.target} is no pack and would be deleted; name another folder")
    pack(
        options.source,
        options.target,
        int(options.limit * MIB),
        sets=options.data,
        names=tuple(options.sets),
        method=options.method,
    )


if __name__ == "__main__":
    main()
