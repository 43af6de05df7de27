"""Make golden messages of `tests.frozen.conditioned` that are not there yet.

Those that are there change only with the format version.

python -m tests.frozen.make_conditioned
"""

import hashlib
import json

import numpy as np

from bbans.models import model_file
from bbans.models.structured import StructuredConfig
from bbans.models.vae import VaeConfig
from tests.chains import SHAPE, fresh, samples
from tests.frozen.conditioned import FOLDER, SCHEMES, hashed, listed, pushed

ITEMS = 12
CONFIGS = {
    "structured": StructuredConfig(5, 4, condition=2, latents=(12, 9), hidden=16, hidden_layers=1),
    "labelled": VaeConfig(
        **SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(6,), classes=3
    ),
}


def main() -> None:
    """Write the files and their hashes."""
    FOLDER.mkdir(exist_ok=True)
    hashes = listed() if (FOLDER / "hashes.json").exists() else {}
    for stem, config in CONFIGS.items():
        if stem in hashes:
            continue
        _, layers = fresh(config, gain=2.0)
        (FOLDER / f"{stem}.safetensors").write_bytes(model_file.serialise(config, layers, {}))
        rng = np.random.default_rng(1)
        if isinstance(config, StructuredConfig):
            side = rng.integers(0, config.levels, (ITEMS, config.conditioning), np.uint8)
        else:
            side = rng.integers(0, config.classes, ITEMS, np.uint8)
        np.save(FOLDER / f"{stem}.npy", side)
        x = samples(config, ITEMS)
        words = {scheme: pushed(stem, scheme, x) for scheme in SCHEMES}
        for scheme, data in words.items():
            (FOLDER / f"{stem}.{scheme}.words").write_bytes(data)
        hashes[stem] = {
            "samples": hashed(x),
            **{scheme: hashlib.sha256(data).hexdigest() for scheme, data in words.items()},
        }
    (FOLDER / "hashes.json").write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
