"""Decode every golden file and message; print hashes of their pixels when run.

python -m tests.frozen.decode
"""

import json
from collections.abc import Iterator
from pathlib import Path

import bbans
from tests.frozen import conditioned
from tests.frozen.make import pixel_hash

HERE = Path(__file__).resolve().parent
CHAINS = HERE / "chains"


def decoded() -> Iterator[tuple[str, str]]:
    """Name and hash of the pixels of every image in the golden files and messages, in the order of
    `expected`.
    """
    for path in sorted(HERE.glob("*.bbans")):
        yield path.name, pixel_hash(bbans.decompress(path.read_bytes()))
    yield from conditioned.decoded()
    for model in sorted(CHAINS.glob("*.safetensors")):
        for path in [model.with_suffix(".bbans"), *sorted(CHAINS.glob(f"{model.stem}.*.bbans"))]:
            yield path.name, pixel_hash(bbans.decompress(path.read_bytes(), model=model))
        for archive in archives(model):
            for name, image in bbans.read_archive(archive, model=model):
                yield f"{archive.name}:{name}", pixel_hash(image.pixels)


def archives(model: Path) -> list[Path]:
    """Those of a model, the one of its own scheme first."""
    plain = [path for path in [model.with_suffix(".bbar")] if path.exists()]
    return [*plain, *sorted(model.parent.glob(f"{model.stem}.*.bbar"))]


def expected() -> list[tuple[str, str]]:
    """What `decoded` must give."""
    single, chains = (json.loads((folder / "hashes.json").read_text()) for folder in (HERE, CHAINS))
    found = [(f"{stem}.bbans", hashes["pixels"]) for stem, hashes in single.items()]
    chained = conditioned.expected()
    for stem, hashes in sorted(chains.items(), key=lambda pair: f"{pair[0]}.safetensors"):
        singles = [f"{stem}.bbans", *(f"{stem}.{kind}.bbans" for kind in sorted(hashes["single"]))]
        chained += [(name, hashes["pixels"][0]) for name in singles]
        made = [(f"{stem}.bbar", len(hashes["pixels"]))] * ("archive" in hashes)
        made += [
            (f"{stem}.{kind}.bbar", coded["items"])
            for kind, coded in sorted(hashes["coded"].items())
        ]
        chained += [
            (f"{name}:{i}", pixels)
            for name, items in made
            for i, pixels in enumerate(hashes["pixels"][:items])
        ]
    return [*sorted(found), *chained]


if __name__ == "__main__":
    for pair in decoded():
        print(*pair)
