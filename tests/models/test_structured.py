"""Structured prediction: the rows of an image given its first ones, coded without loss, and refused
where nothing can tell them.
"""

from dataclasses import replace

import numpy as np
import pytest

from bbans.coding.rans import message_bits, message_equal, pseudo_random_message
from bbans.errors import InputError, ModelFormatError
from bbans.models import model_file, structured
from bbans.models.image_model import image_model
from bbans.models.structured import StructuredConfig
from bbans.schemes import bits_back, importance, registry
from bbans.training.latent import Samples, rates
from bbans.training.latent_run import conditioned, exact_rates
from tests.chains import BACKENDS, all_integers, check_chain, exact, fresh

CONFIG = StructuredConfig(5, 4, condition=2, latents=(12, 9), hidden=16, hidden_layers=1)
IMAGES = Samples(np.random.default_rng(0).integers(0, 2, (120, 20)))


def test_all_backends_code_alike_and_without_loss():
    _, layers = fresh(CONFIG, gain=4.0)
    data = conditioned(CONFIG, IMAGES)
    assert data.x.shape == (120, 12) and data.labels.shape == (120, 8)
    chains = [exact(CONFIG, layers, ops).given(data.labels) for ops in BACKENDS]
    results = [all_integers(chain, data.x) for chain in chains]
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))
    check_chain(chains[0], data.x, bits_back)
    check_chain(chains[1], np.tile(data.x, (2, 1)), bits_back)


def test_latents_cost_nothing():
    """What is popped for z is what is pushed, to the bit: an item costs -log2 p(x | z)."""
    _, layers = fresh(CONFIG)
    data = conditioned(CONFIG, IMAGES)
    chain = exact(CONFIG, layers).given(data.labels)
    recorded = dict.fromkeys(("prior", "likelihood", "posterior"), 0.0)

    def record(term, bits):
        recorded[term] += bits

    start = pseudo_random_message((1,), 4000, 3)
    (message,) = bits_back.codec(chain, 120, record).push(start, data.x)
    assert (
        recorded["prior"] == pytest.approx(-recorded["posterior"], abs=1e-6)
        and recorded["prior"] > 1000
    )
    assert message_bits(message) - message_bits(start) == pytest.approx(
        recorded["likelihood"], abs=1
    )


def test_the_exact_rate_is_the_trained_rate():
    """Means of 40 draws over 120 items, within 0.5 % and five standard errors."""
    net, layers = fresh(CONFIG)
    data = conditioned(CONFIG, IMAGES)
    chain = exact(CONFIG, layers)
    found = np.array([exact_rates(chain, data, 4, seed)["rate"] for seed in range(10)])
    expected = np.array([rates(net, data, seed)["rate"] for seed in range(40)])
    error = np.hypot(found.std(ddof=1) / 10**0.5, expected.std(ddof=1) / 40**0.5)
    assert abs(found.mean() - expected.mean()) <= 0.005 * expected.mean() + 5 * error


def test_rows_that_nothing_tells_are_refused(tmp_path):
    _, layers = fresh(CONFIG)
    chain, x = exact(CONFIG, layers), IMAGES.x[:, 8:]
    for lacking in (chain, chain.given(IMAGES.x[:7, :8])):
        with pytest.raises(InputError, match="first rows"):
            lacking.prior(120)
        with pytest.raises(InputError, match="first rows"):
            lacking.posterior(1, x)
    for wrong in (IMAGES.x[:, :7], IMAGES.x[:, :8] + 2, IMAGES.x[0, :8]):
        with pytest.raises(InputError, match="conditioned on 8 samples"):
            chain.given(wrong)
    path = tmp_path / "m.safetensors"
    path.write_bytes(model_file.serialise(CONFIG, layers, {}))
    model = model_file.load_file(path)
    with pytest.raises(InputError, match="given the rest"):
        image_model(model, BACKENDS[0])
    assert not model.capabilities.whole_images
    for change in (
        {"condition": 0},
        {"condition": 5},
        {"condition": 2.0},
        {"height": 5.0},
        {"latents": ()},
    ):
        with pytest.raises(ModelFormatError):
            structured.check(replace(CONFIG, **change))


def test_schemes_of_particles():
    """BB-IS codes it, at its bound; latents that follow one another cannot be shifted together, and
    have no means to refine.
    """
    _, layers = fresh(CONFIG)
    data = conditioned(CONFIG, IMAGES)
    chain = exact(CONFIG, layers).given(data.labels)
    codec, start = importance.scheme(4)(chain, len(data.x)), pseudo_random_message((16,), 4000, 3)
    (message,) = codec.push(start, data.x)
    back, found = codec.pop(message)
    assert np.array_equal(found, data.x) and message_equal(back, start)
    assert registry.incompatibility("bb-is", chain.capabilities, 4) is None
    assert "shifts latents that are independent" in (
        registry.incompatibility("bb-cis", chain.capabilities, 4) or ""
    )
    assert "refinement is for one layer" in (
        registry.incompatibility("bits-back", chain.capabilities, None, 3) or ""
    )
