"""Table: files of one image each, with default latents, chosen ones (two-part) or bits back and
initial bits, beside other codecs.

python -m benchmarks.tables.single ../shared/data --models folder
Every file is decoded and compared. Means over the images; a model that is not there is passed over.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import bbans
from bbans import container, tiles
from bbans.models.image_model import ImageModel, image_model
from bbans.models.model_file import Model
from bbans.schemes import bounds
from bbans.tiles import fastest_ops
from bbans.tiles.codecs import latent
from benchmarks.tables import fashion, rows, sets
from benchmarks.tables.sets import Pixels

MODELS: dict[str, tuple[str, Callable[[Path], Pixels]]] = {
    "mnist-binary.safetensors": ("binarised MNIST", sets.binarised_mnist),
    "best-binary.safetensors": ("binarised MNIST", sets.binarised_mnist),
    "mnist.safetensors": ("MNIST", sets.mnist),
    "best-grey.safetensors": ("MNIST", sets.mnist),
    "best-fashion.safetensors": ("Fashion-MNIST", lambda _: sets.fashion_mnist()),
}
ASKED: dict[str, dict[str, Any]] = {
    "two-part": {"scheme": "two-part"},
    "bits-back": {"scheme": "bits-back"},
    "bb-cis 8": {"scheme": "bb-cis"},
}
COUNT, DRAWS = 100, 16


def measure(path: Path, images: Pixels) -> dict[str, Any]:
    """Bits of the messages by scheme and what they should be, and bytes of whole files."""
    model = bbans.load_model(path)
    predictor = image_model(model, fastest_ops())
    x = images.reshape(len(images), -1).astype(np.int64)
    found: dict[str, Any] = {
        "ideal_bits": float(bounds.ideal_bits(predictor.latent, x, DRAWS).total.mean())
    }
    samples = [image.reshape(predictor.shape) for image in images]
    default_latent = [
        container.TilePart(
            container.CHAIN, predictor.shape[2], latent.encode_default(predictor, one)
        )
        for one in samples
    ]
    found["net_bits"] = {"idle": _net(predictor, default_latent, samples)}
    found["payload_bytes"] = {"idle": _bytes(default_latent)}
    for name, asked in ASKED.items():
        context = tiles.resolve_scheme(
            tiles.Context(image_model=predictor), asked["scheme"], None, None
        )
        parts = [latent.encode_latent(predictor, context.coding, one) for one in samples]
        found["net_bits"][name], found["payload_bytes"][name] = (
            _net(predictor, parts, samples),
            _bytes(parts),
        )
    return {**found, "file_bytes": _files(model, images), **rows.described(model, path)}


def _net(predictor: ImageModel, parts: list[container.TilePart], samples: list[Pixels]) -> float:
    """Prior, likelihood and posterior, a mean over the parts, all of which are decoded."""
    total = 0.0
    for part, wanted in zip(parts, samples, strict=True):
        back, account = latent.decode_latent(predictor, part, predictor.shape, 8)
        if not np.array_equal(back, wanted):
            raise SystemExit("another image came back")
        total += account.net
    return total / len(parts)


def _bytes(parts: list[container.TilePart]) -> float:
    return sum(len(part.payload) for part in parts) / len(parts)


def _files(model: Model, images: Pixels) -> dict[str, float]:
    """Bytes of a file, a mean: ours as they come, and the other codecs', read back."""
    ours = [bbans.compress(image, model=model) for image in images]
    found = {"bbans": sum(map(len, ours)) / len(ours)}
    pictures = np.ascontiguousarray(images * (255 if images.max() == 1 else 1))
    for name, codec in fashion.CODECS.items():
        found[name] = sum(fashion.size(codec, image) for image in pictures) / len(images)
    return found


def main() -> None:
    """See the module's docstring."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("data", type=Path)
    found.add_argument(
        "--models", type=Path, default=Path(), help="the folder of the models; default: this one"
    )
    found.add_argument("--count", type=int, default=COUNT, help="images of each")
    found.add_argument(
        "--results",
        type=Path,
        help="the folder of the JSON; a shorter run than the default writes none without it",
    )
    options, start = found.parse_args(), time.monotonic()
    there = {name: of for name, of in MODELS.items() if (options.models / name).exists()}
    measured = {}
    for name, (data, images) in there.items():
        measured[name] = {
            "data": data,
            **measure(options.models / name, images(options.data)[: options.count]),
        }
        print(name, measured[name], flush=True)
    row = {"images": options.count, "measured": measured, **rows.circumstances(start)}
    rows.save("single", row, options, options.count >= COUNT and len(there) == len(MODELS))


if __name__ == "__main__":
    main()
