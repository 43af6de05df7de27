"""Make golden files of latent chains that are not there yet: for every config of `tests.chains` the model's file, the file of one image
and, where the untrained model makes images smaller, an archive. As with the other golden files, those that are there change only with the
format version.

python -m tests.frozen.make_chains
"""

import hashlib
import json
from pathlib import Path

import numpy as np

import bbans
from bbans.models import store
from tests.chains import CONFIGS, chain_file, chain_model, picture
from tests.frozen.make import HERE, pixel_hash

CHAINS = HERE / "chains"
LISTED = CHAINS / "hashes.json"
TOO_FLAT = ("beta-binomial", "low rank")  # untrained, they take every value for about as likely
ITEMS = 30


def golden_pictures(name: str) -> list[np.ndarray]:
    """Images of a config's shape; `ITEMS` for an archive, or one."""
    return [picture(chain_model(name), seed) for seed in range(1 if name in TOO_FLAT else ITEMS)]


def archive_of(place: Path, model: Path, pictures: list[np.ndarray]) -> bytes:
    """The archive of images named 0, 1, ..."""
    bbans.create_archive(place, [(str(i), image) for i, image in enumerate(pictures)], model=model)
    return place.read_bytes()


def main() -> None:
    """Write the files and their hashes."""
    CHAINS.mkdir(exist_ok=True)
    hashes = json.loads(LISTED.read_text()) if LISTED.exists() else {}
    for name in CONFIGS:
        stem = name.replace(" ", "-")
        if stem in hashes:
            continue
        made, pictures = chain_model(name), golden_pictures(name)
        path = CHAINS / f"{stem}.safetensors"
        path.write_bytes(store.serialise(made.config, made.layers, {}))
        data = chain_file(made, pictures[0])
        (CHAINS / f"{stem}.bbans").write_bytes(data)
        hashes[stem] = {"pixels": [pixel_hash(image) for image in pictures], "file": hashlib.sha256(data).hexdigest()}
        if len(pictures) > 1:
            hashes[stem]["archive"] = hashlib.sha256(archive_of(CHAINS / f"{stem}.bbar", path, pictures)).hexdigest()
    LISTED.write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
