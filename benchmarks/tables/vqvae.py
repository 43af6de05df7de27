"""Row: VQ-VAEs on 8-bit MNIST: a uniform prior costs exactly codes log2 K bits, a learned one saves
exactly log2 K - cross-entropy a code.

python -m benchmarks.tables.vqvae ../shared/data

Everything is measured on the messages that the archives hold: what the message grew by when the
prior was pushed, and file bytes. The learned prior's model is coded a second time as its twin, the
same model with a uniform prior, so that two files differ by the prior alone.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bbans
from bbans import tiles
from bbans.coding.rans import Message, message_bits
from bbans.distributions.distribution import Distribution
from bbans.models import model_file
from bbans.models.base import LatentModel
from bbans.models.vqvae import AUTOREGRESSIVE, UNIFORM
from bbans.schemes import chained_group, deterministic
from benchmarks.tables import rows, sets
from benchmarks.tables.sets import Pixels

NAME = "vqvae"
MODELS = {UNIFORM: "mnist-vq.safetensors", AUTOREGRESSIVE: "mnist-vq-ar.safetensors"}
# of a message's growth: a head is rounded with every push, by less than 2^-31 of itself where
# frequencies are 1
ROUNDING = 1e-6

Ints = NDArray[np.int64]
Tell = Callable[[str, float, float], None]


class Weighed:
    """A chain that tells the information of every push of its prior and likelihood, and what the
    message grew by, both in bits.
    """

    def __init__(self, chain: LatentModel, tell: Tell) -> None:
        self._chain, self._tell = chain, tell
        self.capabilities = chain.capabilities
        self.posterior, self.default_latent = chain.posterior, chain.default_latent

    def prior(self, items: int) -> Distribution:
        """p(z)."""
        return self._weighed("prior", self._chain.prior(items))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z)."""
        return self._weighed("likelihood", self._chain.likelihood(layer, above))

    def _weighed(self, term: str, conditional: Distribution) -> Distribution:
        def push(message: Message, x: Ints) -> tuple[Message]:
            (after,) = conditional.push(message, x)
            self._tell(
                term, float(conditional.bits(x).sum()), message_bits(after) - message_bits(message)
            )
            return (after,)

        return conditional._replace(push=push)


def weigh(model: model_file.Model, path: Path, images: Pixels, folder: Path) -> dict[str, Any]:
    """Information and growth of the terms in the message of an archive of one group, and its bytes,
    read back and compared.
    """
    sums: dict[str, float] = dict.fromkeys(
        ("prior_information", "prior", "likelihood_information", "likelihood"), 0.0
    )

    def tell(term: str, information: float, growth: float) -> None:
        sums[f"{term}_information"] += information
        sums[term] += growth

    x = images.reshape(len(images), -1)
    encoded = chained_group.encode(
        Weighed(model.network(tiles.fastest_ops()), tell), deterministic.codec, x
    )
    file = rows.write_archive(folder, path, images, len(images))
    rows.check_archive(file, path, images)
    listed = bbans.list_archive(file)
    (group,) = listed.groups
    payload = 32 * len(encoded.words)
    assert 8 * group.bytes == payload, (
        "the file holds another message than the one that was weighed"
    )
    rest = encoded.spent.lanes + encoded.spent.flush + encoded.spent.starters
    assert abs(sums["prior"] + sums["likelihood"] + rest - payload) < 1e-3
    return {
        **sums,
        "lanes_and_flush": rest,
        "payload": payload,
        "index": 8 * listed.index_bytes,
        "file_bytes": listed.file_bytes,
    }


def twin(model: model_file.Model, folder: Path) -> Path:
    """The file of the same model with a uniform prior."""
    layers = {name: layer for name, layer in model.layers.items() if not name.startswith("prior")}
    path = folder / "twin.safetensors"
    path.write_bytes(model_file.serialise(replace(model.config, prior=UNIFORM), layers, {}))
    return path


def check_uniform(found: dict[str, Any], exact: float) -> None:
    """codes log2 K bits an image: the information to the last digit, the message to the rounding of
    its heads.
    """
    assert found["prior_information"] == exact
    assert abs(found["prior"] - exact) < ROUNDING * exact


def measure(prior: str, path: Path, images: Pixels, draws: int) -> dict[str, Any]:
    """A model's rates, and its identity; bits a code where it says so."""
    model = bbans.load_model(path)
    c, n = model.config, len(images) * model.config.codes
    if c.prior != prior or c.codebook & (c.codebook - 1):
        raise SystemExit(f"{path}: a {prior} prior and 2^n vectors were expected")
    exact = float(n * (c.codebook.bit_length() - 1))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        found = weigh(model, path, images, place)
        row = {
            **rows.described(model, path),
            "measured": rows.measure(path, images, len(images), draws),
        }
        row |= {
            "bits": found,
            "codes": n,
            "log2_codebook": exact / n,
            "prior_bits_a_code": found["prior"] / n,
        }
        if prior == UNIFORM:
            check_uniform(found, exact)
            return row
        other = twin(model, place)
        even = weigh(bbans.load_model(other), other, images, place)
    check_uniform(even, exact)
    entropy = found[
        "prior_information"
    ]  # the cross-entropy of the images' codes under the rounded frequencies of the prior
    assert even["likelihood_information"] == found["likelihood_information"]
    assert abs(found["prior"] - entropy) < 1e-4 * entropy
    saved, promised = even["prior"] - found["prior"], exact - entropy
    assert abs(saved - promised) < 1e-4 * entropy
    files = 8 * (even["file_bytes"] - found["file_bytes"])
    around = sum(even[part] - found[part] for part in ("lanes_and_flush", "index", "likelihood"))
    assert abs(files - around - saved) < 1e-2
    saving = {
        "measured": saved / n,
        "log2_codebook_less_cross_entropy": promised / n,
        "files": files / n,
    }
    return {**row, "twin_bits": even, "cross_entropy_a_code": entropy / n, "saving_a_code": saving}


def main() -> None:
    """See the module's docstring."""
    parser = rows.parser(__doc__)
    parser.add_argument("data", type=Path)
    options: argparse.Namespace = parser.parse_args()
    rows.need(NAME, options, *(options.models / name for name in MODELS.values()))
    start = time.monotonic()
    images = sets.mnist(options.data)[: options.count]
    row = {
        prior: measure(prior, options.models / name, images, 1) for prior, name in MODELS.items()
    }
    rows.save(
        NAME,
        {"data": "MNIST, 8 bits", "published": {}, **row, **rows.circumstances(start)},
        options,
    )


if __name__ == "__main__":
    main()
