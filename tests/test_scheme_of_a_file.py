"""Files of one image by a chosen scheme: it is in the file, the decoder needs no option, and what
cannot be coded is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans import container, errors, tiles
from bbans.models import model_file
from bbans.models.image_model import image_model
from bbans.schemes import posterior_refinement, two_part
from bbans.tiles.codecs import latent
from tests.chains import CONFIGS, chain_file, chain_model, large_chain, picture
from tests.tiny import smooth_image, tiny_model

OPTIONS = [
    {"scheme": "two-part"},
    {"scheme": "two-part", "refine": 2},
    {"scheme": "bits-back"},
    {"scheme": "bit-swap", "particles": 1},
    {"scheme": "bb-is", "particles": 3},
    {"scheme": "bb-cis"},
    {"scheme": "bits-back", "refine": 2},
    {"scheme": "bb-cis", "particles": 2, "refine": 1},
    {"refine": 1},
]
NAMES = [
    "two-part",
    "two-part",
    "bits-back",
    "Bit-Swap",
    "BB-IS of 3 particles",
    "BB-CIS of 8 particles",
]
NAMES += ["bits-back, refined by 2 steps", "BB-CIS of 2 particles, refined by 1 step", "two-part"]


@pytest.mark.parametrize(("options", "name"), list(zip(OPTIONS, NAMES, strict=True)), ids=NAMES)
def test_the_chosen_scheme_is_in_the_file(options: dict[str, object], name: str) -> None:
    model, pixels = large_chain()
    data = bbans.compress(pixels, model=model, **options)  # type: ignore[arg-type]
    found = bbans.info(data, model=model, costs=True)
    assert found.codecs == {f"latent chain, {name}": 1}
    assert np.array_equal(bbans.decompress(data, model=model), pixels)
    account = found.account
    assert account is not None and found.costs is not None
    assert account.total + found.framing_bits == pytest.approx(8 * len(data), abs=1e-6)
    assert (account.initial > 0) == (account.posterior < 0) == ("two-part" not in name)
    assert found.costs.bits.sum() == pytest.approx(
        account.prior + account.likelihood + account.posterior
    )
    assert {share.codec for share in found.costs.shares} == {f"latent chain, {name}"}
    assert f"latent chain, {name}, " in found.lines(each_tile=True)[-1]
    assert found.ideal_bits is not None and abs(found.ideal_bits / account.net - 1) < 0.03


def resolved(model, scheme, refine=None):
    """The coding that is chosen."""
    return tiles.resolve_scheme(tiles.Context(image_model=model), scheme, None, refine).coding


@pytest.mark.parametrize("name", CONFIGS)
def test_unasked_a_chain_is_as_short_as_it_can_be(name: str) -> None:
    """Latents that are chosen where they pay, default ones where they do not."""
    model = chain_model(name)
    predictor = image_model(model, tiles.fastest_ops())
    samples = picture(model).reshape(predictor.shape)
    x = samples.reshape(1, -1).astype(np.int64)
    part = latent.encode_latent(predictor, None, samples)
    if not model.capabilities.refinable:
        assert part.codec == container.CHAIN
        return
    chosen = latent.encode_latent(predictor, resolved(predictor, "two-part"), samples)
    sizes = len(chosen.payload) + 2, len(latent.encode_default(predictor, samples))
    assert len(part.payload) + 2 * (part.codec == container.CODED_CHAIN) == min(sizes)
    back, account = latent.decode_latent(predictor, part, predictor.shape, 8)
    assert np.array_equal(back, samples)
    if part.codec == container.CODED_CHAIN:
        assert account.net == pytest.approx(two_part.best(predictor.latent, x).bits, abs=0.5)


def test_decoding_makes_no_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refined file is restored without a search, and its account with one."""
    model, pixels = large_chain()
    data = bbans.compress(pixels, model=model, scheme="bits-back", refine=1)

    def never(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(posterior_refinement, "search", never)
    assert np.array_equal(bbans.decompress(data, model=model), pixels)
    with pytest.raises(AssertionError, match="searched"):
        bbans.info(data, model=model)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scheme": "deterministic"}, "not coded with 'deterministic'; take one of bits-back"),
        ({"scheme": "bits-back", "particles": 2}, "take bb-is or bb-cis"),
        ({"particles": 2}, "bits-back has one particle"),
        ({"scheme": "bb-is", "particles": 257}, "up to 256 particles"),
        ({"scheme": "no"}, "not coded with 'no'"),
        ({"refine": 256}, "0 to 255 steps"),
        (
            {"scheme": "bb-is", "particles": 200},
            r"coded by BB-IS of 200 particles this image takes \d+ bytes, and its samples \d+",
        ),
    ],
)
def test_incompatible_options_are_refused(options: dict[str, object], words: str) -> None:
    model, pixels = large_chain()
    with pytest.raises(errors.InputError, match=words) as caught:
        bbans.compress(pixels, model=model, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_search_that_no_file_may_ask_for_is_refused_before_it_begins() -> None:
    """2^16 samples are searched for in up to 102 steps: more, and no reader would take the file."""
    model, _ = large_chain()
    predictor = image_model(model, tiles.fastest_ops())
    huge = dataclasses.replace(predictor, shape=(256, 256, 1))
    resolution = resolved(huge, "bits-back", refine=102)
    assert resolution is not None and resolution.refinement == 102
    with pytest.raises(errors.InputError, match="ask for fewer steps"):
        resolved(huge, "bits-back", refine=103)
    assert resolved(huge, "two-part", refine=255) is not None  # no reader repeats it


def test_only_chains_have_schemes() -> None:
    pixels = smooth_image(24, 20)
    for model in (tiny_model(), "none"):
        for options in ({"scheme": "bb-is"}, {"particles": 3}, {"refine": 1}):
            with pytest.raises(errors.InputError, match="for a latent chain"):
                bbans.compress(pixels, model=model, **options)  # type: ignore[arg-type]
        assert bbans.compress(
            pixels, model=model, scheme="bits-back", particles=1, refine=0
        ) == bbans.compress(pixels, model=model)


def test_codes_of_a_certain_posterior() -> None:
    """A VQ-VAE is coded as ever when its own scheme is named, and not with another."""
    model = chain_model("codes")
    predictor = image_model(model, tiles.fastest_ops())
    assert resolved(predictor, "deterministic") is None
    with pytest.raises(errors.InputError, match="take one of deterministic"):
        resolved(predictor, "two-part")


def test_a_file_for_another_kind_of_model_is_refused() -> None:
    """Its scheme is none of the model's: a FormatError, whatever the checksums say."""
    model, other = chain_model("binary"), chain_model("codes")
    data = container.read(chain_file(model, picture(model), scheme="two-part"))
    forged = container.write(
        container.Container(
            **{f: getattr(data, f) for f in data.__slots__ if f != "model_id"}, model_id=other.id
        )
    )
    for call in (bbans.decompress, bbans.info):
        with pytest.raises(errors.FormatError, match="its model another"):
            call(forged, model=other)


def test_a_fresh_process_needs_nothing_but_bytes_and_model(tmp_path: Path) -> None:
    model, pixels = large_chain()
    (tmp_path / "mine.safetensors").write_bytes(
        model_file.serialise(model.config, model.layers, {})
    )
    for i, options in enumerate(OPTIONS):
        (tmp_path / f"{i}.bbans").write_bytes(bbans.compress(pixels, model=model, **options))  # type: ignore[arg-type]
    code = """
import bbans, hashlib, pathlib
for path in sorted(pathlib.Path().glob("*.bbans")):
    print(hashlib.sha256(bbans.decompress(path.read_bytes())).hexdigest())
"""
    environment = {**os.environ, "BBANS_MODEL_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == [hashlib.sha256(pixels).hexdigest()] * len(OPTIONS), done.stderr
