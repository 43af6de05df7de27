"""`bbans train --objective`, then `evaluate` and `archive create` with a scheme of particles;
whoever extracts says neither.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bbans import images
from bbans.models import model_file
from tests.chains import large_chain
from tests.cli.conftest import Run
from tests.digits import digits

RECIPE = """family = 'vae'
steps = 30
batch = 20
validate_every = 15
[model]
hidden = 16
hidden_layers = 1
latents = [4]
likelihood = 'categorical'
components = 0
"""


def test_particles_from_training_to_the_archive(here: Path, run: Callable[..., Run]) -> None:
    pixels = digits(60)[0].reshape(-1, 8, 8)
    np.save("digits.npy", pixels)
    Path("recipe.toml").write_text(RECIPE)
    made = run(
        "train",
        "digits.npy",
        "-o",
        "a.safetensors",
        "--recipe",
        "recipe.toml",
        "--objective",
        "iwae",
        "--particles",
        "3",
        "--threads",
        "1",
    )
    assert made.code == 0 and ", bound " in made.err
    command = (
        "evaluate",
        "digits.npy",
        "--model",
        "a.safetensors",
        "-n",
        "12",
        "--draws",
        "2",
        "--scheme",
        "bb-is",
        "--particles",
        "3",
    )
    found = json.loads(run(*command, "--json").out)
    assert (found["scheme"], found["particles"]) == ("bb-is", 3)
    assert found["bits_per_dimension"]["bound"] < found["bits_per_dimension"]["ideal"]
    command = (
        "archive",
        "create",
        "digits.npy",
        "-o",
        "a.bbar",
        "--model",
        "a.safetensors",
        "-q",
        "--embed-model",
    )
    assert run(*command, "--scheme", "bb-cis", "--particles", "5") == Run(0, b"", "")
    assert b"chained, 60 images" in run("archive", "list", "a.bbar", "-v").out
    assert b", BB-CIS of 5 particles, " in run("archive", "list", "a.bbar", "-v").out
    assert run("archive", "extract", "a.bbar", "-o", "out", "-q") == Run(0, b"", "")
    back = [images.read_image(path).pixels for path in sorted(Path("out").iterdir())]
    assert np.array_equal(back, pixels)
    failed = run(*command, "-f", "--scheme", "bit-swap", "--particles", "5")
    assert failed.code == 3 and failed.err.count("\n") == 1 and "take bb-is or bb-cis" in failed.err


def test_a_file_of_one_image_by_a_scheme(here: Path, run: Callable[..., Run]) -> None:
    """`compress` takes --scheme, --particles and --refine; whoever restores the image says none of
    them, and `info` says what they were.
    """
    model, pixels = large_chain()
    Path("mine.safetensors").write_bytes(model_file.serialise(model.config, model.layers, {}))
    np.save("a.npy", pixels)
    for options, name in (
        ("--scheme two-part", "two-part"),
        ("--scheme bb-is --particles 3 --refine 1", "BB-IS of 3 particles, refined by 1 step"),
        ("--scheme bit-swap --particles 1 --refine 0", "Bit-Swap"),
    ):
        assert run(
            "compress", "a.npy", "-q", "-f", "--model", "mine.safetensors", *options.split()
        ) == Run(0, b"", "")
        info = json.loads(run("info", "a.bbans", "--model", "mine.safetensors", "--json").out)
        assert info["codecs"] == {f"latent chain, {name}": 1}
        assert run(
            "decompress", "a.bbans", "-q", "--model", "mine.safetensors", "-o", "back.npy", "-f"
        ) == Run(0, b"", "")
        assert np.array_equal(np.load("back.npy"), pixels)
    for wrong, words in (
        ("--scheme bit-swap --particles 5", "take bb-is or bb-cis"),
        ("--scheme bb-is --particles 250", "fewer particles"),
    ):
        failed = run(
            "compress",
            "a.npy",
            "-q",
            "-o",
            "b.bbans",
            "--model",
            "mine.safetensors",
            *wrong.split(),
        )
        assert (
            failed.code == 3
            and failed.err.count("\n") == 1
            and words in failed.err
            and not Path("b.bbans").exists()
        )
    photograph = run("compress", "a.npy", "-q", "-o", "b.bbans", "--refine", "2")
    assert (
        photograph.code == 3
        and "for a latent chain; leave them out or name a model of one with --model"
        in photograph.err
    )
