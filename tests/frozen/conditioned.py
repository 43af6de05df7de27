"""Golden messages of models conditioned on side information (labels, the first rows), for
which files have no place.

A folder `conditioned` holds, for each, the model's file, the side information (`.npy`), and the
message of the images under each scheme: words as 32-bit little-endian integers, flattened from
`LANES` lanes that began with pseudo-random words.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bbans import tiles
from bbans.coding.rans import flatten, message_equal, pseudo_random_message, unflatten
from bbans.models import model_file
from bbans.schemes import bits_back, importance

FOLDER = Path(__file__).resolve().parent / "conditioned"
SCHEMES = {"bits-back": bits_back.codec, "bb-is": importance.scheme(3)}
LANES = (8,)
START = pseudo_random_message(LANES, 400, 3)


def chain(stem: str) -> tuple[Any, int]:
    """The model given its side information, and the number of items."""
    side = np.load(FOLDER / f"{stem}.npy")
    network = model_file.load_file(FOLDER / f"{stem}.safetensors").network(tiles.fastest_ops())
    return network.given(side), len(side)


def pushed(stem: str, scheme: str, x: np.ndarray) -> bytes:
    """The words of the message that holds the samples x int64 `(items, dims)`."""
    given, items = chain(stem)
    (message,) = SCHEMES[scheme](given, items).push(START, x)
    return flatten(message).astype("<u4").tobytes()


def popped(stem: str, scheme: str) -> np.ndarray:
    """The samples that the golden message holds, which leave it as it began."""
    given, items = chain(stem)
    words = np.frombuffer((FOLDER / f"{stem}.{scheme}.words").read_bytes(), "<u4")
    rest, x = SCHEMES[scheme](given, items).pop(unflatten(words, LANES))
    assert message_equal(rest, START), f"{stem}, {scheme}: the message did not begin like this"
    return x


def hashed(x: np.ndarray) -> str:
    """SHA-256 of shape and samples."""
    return hashlib.sha256(str(x.shape).encode() + x.astype("<i8").tobytes()).hexdigest()


def listed() -> dict[str, dict[str, str]]:
    """Hashes by stem: of the samples, and of the words by scheme."""
    found: dict[str, dict[str, str]] = json.loads((FOLDER / "hashes.json").read_text())
    return found


def decoded() -> Iterator[tuple[str, str]]:
    """Name and hash of the samples of every golden message, in the order of `expected`."""
    for stem in sorted(listed()):
        for scheme in SCHEMES:
            yield f"{stem}.{scheme}", hashed(popped(stem, scheme))


def expected() -> list[tuple[str, str]]:
    """What `decoded` must give."""
    return [
        (f"{stem}.{scheme}", hashes["samples"])
        for stem, hashes in sorted(listed().items())
        for scheme in SCHEMES
    ]
