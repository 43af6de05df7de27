"""Make golden files of latent chains that are not there yet: for every config of `tests.chains` the
model's file, the file of one image and, where the untrained model makes images smaller, an archive;
of some, archives of K particles and of refined posteriors (`CODED`), and files of one image by a
scheme (`SINGLE`). As with the other golden files, those that are there change only with the format
version.

python -m tests.frozen.make_chains
"""

import hashlib
import json
from pathlib import Path

import numpy as np

import bbans
from bbans.models import model_file
from tests.chains import CONFIGS, chain_file, chain_model, picture
from tests.frozen.make import HERE, pixel_hash

CHAINS = HERE / "chains"
LISTED = CHAINS / "hashes.json"
TOO_FLAT = ("beta-binomial", "low rank")  # untrained, they take every value for about as likely
ITEMS = 30
CODED = {
    "binary": {
        "bb-is-5": {"scheme": "bb-is", "particles": 5},
        "bb-cis-8": {"items": 10, "scheme": "bb-cis", "particles": 8},
        "refined": {"items": 7, "refine": 2},
        "bb-is-2-refined": {"items": 11, "scheme": "bb-is", "particles": 2, "refine": 1},
        "bb-cis-3-refined": {"items": 7, "scheme": "bb-cis", "particles": 3, "refine": 1},
    },
    "logistic": {"refined": {"items": 8, "refine": 1}},
    "pyramid": {"bb-is-3": {"items": 16, "scheme": "bb-is", "particles": 3}},
    "mixture": {"bb-is-3": {"scheme": "bb-is", "particles": 3}},
    "autoregressive flow": {"bb-is-3": {"items": 8, "scheme": "bb-is", "particles": 3}},
    "coupling flow": {"bb-is-3": {"scheme": "bb-is", "particles": 3}},
    "semi-implicit": {"bb-is-3": {"scheme": "bb-is", "particles": 3}},
    "bits": {"bb-cis-4": {"scheme": "bb-cis", "particles": 4}},
    "categories": {"bb-is-4": {"scheme": "bb-is", "particles": 4}},
}
"""Options of `create_archive` for the archives `<config>.<name>.bbar`, by config and
name; `items`: of so many images.
"""


SINGLE = {
    "binary": {
        "two-part": {"scheme": "two-part"},
        "bits-back": {"scheme": "bits-back"},
        "refined": {"scheme": "bits-back", "refine": 2},
        "bb-is-5": {"scheme": "bb-is", "particles": 5},
        "bb-cis-3-refined": {"scheme": "bb-cis", "particles": 3, "refine": 1},
    },
    "three layers": {"bit-swap": {"scheme": "bit-swap"}},
    "logistic": {"two-part": {"scheme": "two-part"}},
    "colour": {"two-part-refined": {"refine": 1}},
    "convolutional": {"two-part": {"scheme": "two-part"}},
    "pyramid of colours": {"two-part": {"scheme": "two-part"}},
    "low-rank pyramid": {"two-part": {"scheme": "two-part"}},
    "semi-implicit": {"bits-back": {"scheme": "bits-back"}},
    "categories": {"bb-is-4": {"scheme": "bb-is", "particles": 4}},
}
"""Options of a file of one image, `<config>.<name>.bbans`, by config and name."""


def golden_pictures(name: str) -> list[np.ndarray]:
    """Images of a config's shape; `ITEMS` for an archive, or one."""
    return [picture(chain_model(name), seed) for seed in range(1 if name in TOO_FLAT else ITEMS)]


def archive_of(place: Path, model: Path, pictures: list[np.ndarray], **options: object) -> bytes:
    """The archive of images named 0, 1, ..."""
    bbans.create_archive(
        place, [(str(i), image) for i, image in enumerate(pictures)], model=model, **options
    )
    return place.read_bytes()


def add_coded(name: str, hashes: dict[str, dict[str, object]]) -> None:
    """Write the archives of CODED that are not there, and add their hashes."""
    stem = name.replace(" ", "-")
    for kind, options in CODED.get(name, {}).items():
        if kind not in hashes:
            place, model = CHAINS / f"{stem}.{kind}.bbar", CHAINS / f"{stem}.safetensors"
            pictures = golden_pictures(name)[: options.get("items")]
            others = {key: value for key, value in options.items() if key != "items"}
            data = archive_of(place, model, pictures, **others)
            hashes[kind] = {
                "file": hashlib.sha256(data).hexdigest(),
                "items": len(pictures),
                "options": others,
            }


def add_single(name: str, hashes: dict[str, dict[str, object]]) -> None:
    """Write the files of SINGLE that are not there, and add their hashes."""
    for kind, options in SINGLE.get(name, {}).items():
        if kind not in hashes:
            data = chain_file(chain_model(name), golden_pictures(name)[0], **options)
            (CHAINS / f"{name.replace(' ', '-')}.{kind}.bbans").write_bytes(data)
            hashes[kind] = {"file": hashlib.sha256(data).hexdigest(), "asked": options}


def main() -> None:
    """Write the files and their hashes."""
    CHAINS.mkdir(exist_ok=True)
    hashes = json.loads(LISTED.read_text()) if LISTED.exists() else {}
    for name in CONFIGS:
        stem = name.replace(" ", "-")
        if stem in hashes:
            add_coded(name, hashes[stem].setdefault("coded", {}))
            add_single(name, hashes[stem].setdefault("single", {}))
            continue
        made, pictures = chain_model(name), golden_pictures(name)
        path = CHAINS / f"{stem}.safetensors"
        path.write_bytes(model_file.serialise(made.config, made.layers, {}))
        data = chain_file(made, pictures[0])
        (CHAINS / f"{stem}.bbans").write_bytes(data)
        hashes[stem] = {
            "pixels": [pixel_hash(image) for image in pictures],
            "file": hashlib.sha256(data).hexdigest(),
        }
        if len(pictures) > 1:
            hashes[stem]["archive"] = hashlib.sha256(
                archive_of(CHAINS / f"{stem}.bbar", path, pictures)
            ).hexdigest()
        add_coded(name, hashes[stem].setdefault("coded", {}))
        add_single(name, hashes[stem].setdefault("single", {}))
    LISTED.write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
