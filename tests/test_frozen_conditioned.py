"""Golden messages of models conditioned on labels or first rows: they still hold the same samples,
and are still made of the same words.
"""

import hashlib

import numpy as np
import pytest

from bbans.models import model_file
from tests.frozen import conditioned

CASES = [(stem, scheme) for stem in sorted(conditioned.listed()) for scheme in conditioned.SCHEMES]


def test_both_kinds_are_there():
    """Files decode everywhere with the other golden ones (`tests/test_frozen.py`)."""
    models = [
        model_file.load_file(conditioned.FOLDER / f"{stem}.safetensors")
        for stem in sorted(conditioned.listed())
    ]
    assert [model.family for model in models] == ["vae", "structured"] and models[
        0
    ].config.classes == 3
    assert list(conditioned.decoded()) == conditioned.expected()


@pytest.mark.parametrize(("stem", "scheme"), CASES)
def test_the_same_samples_make_the_same_words(stem, scheme):
    data = (conditioned.FOLDER / f"{stem}.{scheme}.words").read_bytes()
    assert hashlib.sha256(data).hexdigest() == conditioned.listed()[stem][scheme]
    assert conditioned.pushed(stem, scheme, conditioned.popped(stem, scheme)) == data


@pytest.mark.parametrize(("stem", "scheme"), CASES)
def test_nothing_comes_back_without_the_side_information(stem, scheme, monkeypatch):
    """The words depend on the side information: that of other images does not decode them."""
    given, items = conditioned.chain(stem)
    others = np.roll(np.load(conditioned.FOLDER / f"{stem}.npy"), 1, 0)
    monkeypatch.setattr(conditioned, "chain", lambda stem: (given.given(others), items))
    with pytest.raises(AssertionError):
        conditioned.popped(stem, scheme)
