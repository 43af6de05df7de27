"""Decode every golden file and message; print hashes of their pixels when run.

python -m tests.frozen.decode
"""

import json
from collections.abc import Iterator
from pathlib import Path

import bbans
from tests.frozen import told
from tests.frozen.make import pixel_hash

HERE = Path(__file__).resolve().parent
CHAINS = HERE / "chains"


def decoded() -> Iterator[tuple[str, str]]:
    """Name and hash of the pixels of every image in the golden files and messages, in the order of `expected`."""
    for path in sorted(HERE.glob("*.bbans")):
        yield path.name, pixel_hash(bbans.decompress(path.read_bytes()))
    yield from told.decoded()
    for model in sorted(CHAINS.glob("*.safetensors")):
        yield f"{model.stem}.bbans", pixel_hash(bbans.decompress(model.with_suffix(".bbans").read_bytes(), model=model))
        if (archive := model.with_suffix(".bbar")).exists():
            for name, image in bbans.read_archive(archive, model=model):
                yield f"{model.stem}.bbar:{name}", pixel_hash(image.pixels)


def expected() -> list[tuple[str, str]]:
    """What `decoded` must give."""
    single, chains = (json.loads((folder / "hashes.json").read_text()) for folder in (HERE, CHAINS))
    found = [(f"{stem}.bbans", hashes["pixels"]) for stem, hashes in single.items()]
    chained = told.expected()
    for stem, hashes in sorted(chains.items(), key=lambda pair: f"{pair[0]}.safetensors"):
        chained.append((f"{stem}.bbans", hashes["pixels"][0]))
        chained += [(f"{stem}.bbar:{i}", pixels) for i, pixels in enumerate(hashes["pixels"]) if "archive" in hashes]
    return [*sorted(found), *chained]


if __name__ == "__main__":
    for pair in decoded():
        print(*pair)
