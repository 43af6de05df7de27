"""Golden files: they decode to the pixels they were made from, and the encoder still makes the same
bytes.

A failure here means that files in the world stop decoding, or that the encoder's output changed: a
change of format version.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bbans
from bbans import container, images
from bbans.exact import engines
from bbans.files import decoder
from tests.engines import LEVELS
from tests.frozen.decode import expected
from tests.frozen.make import DECODED_ONLY, MODEL_ONLY, model_of, pictures, pixel_hash

FROZEN = Path(__file__).resolve().parent / "frozen"
HASHES = json.loads((FROZEN / "hashes.json").read_text())


@pytest.mark.parametrize("name", sorted(HASHES))
def test_golden_file_decodes(name):
    data = (FROZEN / f"{name}.bbans").read_bytes()
    assert hashlib.sha256(data).hexdigest() == HASHES[name]["file"]
    assert pixel_hash(bbans.decompress(data)) == HASHES[name]["pixels"]


@pytest.mark.parametrize("name", sorted(set(HASHES) - set(DECODED_ONLY)))
def test_encoder_still_makes_the_golden_bytes(name):
    picture = pictures()[name]
    assert pixel_hash(picture.pixels) == HASHES[name]["pixels"]
    data = bbans.compress(picture, model=model_of(name), model_only=name in MODEL_ONLY)
    assert data == (FROZEN / f"{name}.bbans").read_bytes()


def test_golden_files_cover_the_codecs():
    parts = {
        name: container.read((FROZEN / f"{name}.bbans").read_bytes()).tiles[0].parts
        for name in HASHES
    }
    of_chains = [
        container.read((FROZEN / "chains" / f"{name}.bbans").read_bytes()).tiles[0].parts
        for name in ("pyramid", "binary.two-part")
    ]
    assert {part.codec for found in (*parts.values(), *of_chains) for part in found} == set(
        container.CODECS
    )
    assert parts["photo"][0].codec == parts["grey"][0].codec == container.BITS_BACK
    assert (
        parts["photo"][0].latent_precision > 0
        and parts["photo"][0].growth
        and parts["fixed"][0].growth
    )
    steps = [part.transform.steps for found in parts.values() for part in found if part.transform]
    assert {1 << i for i in range(4) if any(step >> i & 1 for step in steps)} == {1, 2, 4, 8}
    assert parts["deep"][0].axis is not None and len(parts["alpha"]) == 2
    for name in ("photo", "tagged"):
        found = decoder.decompress_image((FROZEN / f"{name}.bbans").read_bytes())
        assert images.same_image(found, pictures()[name])


CODE = """
import sys
from bbans import tiles
from tests.frozen.decode import decoded
if sys.argv[1] == "torch":
    from bbans.exact.torch_ops import torch_ops
    tiles.fastest_ops = torch_ops
for pair in decoded():
    print(*pair)
"""


def numpy_features() -> str:
    """What numpy finds out about the CPU at run time and can be told to leave alone."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))


NUMPY_FEATURES = numpy_features()


@pytest.mark.parametrize(
    ("backend", "variables"),
    [
        *(("default", {engines.VARIABLE: level}) for level in LEVELS),
        ("default", {engines.VARIABLE: engines.REFERENCE, "OPENBLAS_NUM_THREADS": "2"}),
        (
            "default",
            {
                engines.VARIABLE: engines.REFERENCE,
                "NPY_DISABLE_CPU_FEATURES": NUMPY_FEATURES,
                "OPENBLAS_CORETYPE": "Nehalem",
            },
        ),
        ("torch", {"OMP_NUM_THREADS": "2"}),
    ],
)
def test_golden_files_decode_everywhere(backend, variables):
    done = subprocess.run(
        [sys.executable, "-c", CODE, backend],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        cwd=FROZEN.parent.parent,
    )
    assert done.stdout.split() == [word for pair in expected() for word in pair], done.stderr
