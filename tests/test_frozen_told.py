"""Golden messages of models that are told labels or first rows: they still hold the same samples,
and are still made of the same words.
"""

import hashlib

import numpy as np
import pytest

from bbans.models import model_file
from tests.frozen import told

CASES = [(stem, scheme) for stem in sorted(told.listed()) for scheme in told.SCHEMES]


def test_both_kinds_are_there():
    """Files decode everywhere with the other golden ones (`tests/test_frozen.py`)."""
    models = [
        model_file.load_file(told.FOLDER / f"{stem}.safetensors") for stem in sorted(told.listed())
    ]
    assert [model.family for model in models] == ["vae", "structured"] and models[
        0
    ].config.classes == 3
    assert list(told.decoded()) == told.expected()


@pytest.mark.parametrize(("stem", "scheme"), CASES)
def test_the_same_samples_make_the_same_words(stem, scheme):
    data = (told.FOLDER / f"{stem}.{scheme}.words").read_bytes()
    assert hashlib.sha256(data).hexdigest() == told.listed()[stem][scheme]
    assert told.pushed(stem, scheme, told.popped(stem, scheme)) == data


@pytest.mark.parametrize(("stem", "scheme"), CASES)
def test_without_what_was_told_nothing_comes_back(stem, scheme, monkeypatch):
    """What is told matters to the words: of other images it does not decode them."""
    given, items = told.chain(stem)
    others = np.roll(np.load(told.FOLDER / f"{stem}.npy"), 1, 0)
    monkeypatch.setattr(told, "chain", lambda stem: (given.given(others), items))
    with pytest.raises(AssertionError):
        told.popped(stem, scheme)
