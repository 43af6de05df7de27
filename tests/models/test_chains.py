"""Every family of latent chains: the integers equal on all backends, the rate that of training,
lossless under every scheme.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from bbans.distributions import gaussian_bins
from bbans.errors import AccumulatorBoundError, InputError, ModelFormatError
from bbans.exact.torch_ops import TorchOps
from bbans.models import model_file
from bbans.models.mlp import ACT_TOP, ExactMlp, Field, Mlp, check_networks
from bbans.models.registry import FAMILIES, family_name
from bbans.models.vae import VaeConfig
from bbans.schemes import bit_swap, bits_back, deterministic
from bbans.schemes.bounds import ideal_bits
from bbans.training.latent import Samples, rates
from bbans.training.latent_run import exact_rates
from bbans.training.networks.heads import sample_bits
from bbans.training.networks.mlp import FloatMlp, export
from bbans.training.networks.vae import VaeNet
from tests.chains import BACKENDS, CONFIGS, all_integers, check_chain, exact, fresh, samples
from tests.tiny import tiny_model


@pytest.mark.parametrize("name", CONFIGS)
def test_backends_compute_the_same_integers(name):
    """Weights four times their usual size, so that activations and outputs reach their clips."""
    config = CONFIGS[name]
    _, layers = fresh(config, gain=4.0)
    results = [all_integers(exact(config, layers, ops), samples(config, 9)) for ops in BACKENDS]
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_model_file_codes_without_loss(name, tmp_path):
    config = CONFIGS[name]
    _, layers = fresh(config)
    path = tmp_path / "m.safetensors"
    path.write_bytes(model_file.serialise(config, layers, {}))
    model = model_file.load_file(path)
    assert model.config == config and model.family == family_name(config)
    chain = model.network(TorchOps())
    schemes = (
        (bits_back, bit_swap, deterministic) if model.family == "vqvae" else (bits_back, bit_swap)
    )
    check_chain(chain, samples(config, 7), *schemes)
    assert chain.default_latent(5).shape == (
        5,
        chain.posterior(1, samples(config, 1)).pop(_words())[1].shape[1],
    )


def _words():
    from bbans.coding.rans import pseudo_random_message

    return pseudo_random_message((8,), 500, 0)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_exact_rate_is_the_trained_rate(name):
    """Means over 120 items and 40 draws; agreement within 0.5 % of the rate and five standard
    errors of drawing z (p < 10^-6 each).
    """
    config = CONFIGS[name]
    net, layers = fresh(config)
    x = samples(config, 120)
    if (
        config.levels == 256
        # a fresh mixture gives values far from its components next to nothing, which the coder's
        # floor
        # cuts off
    ):
        x = np.random.default_rng(1).integers(100, 150, x.shape)
    chain = exact(config, layers)
    draws = [exact_rates(chain, Samples(x), 4, seed) for seed in range(10)]
    found = {key: np.array([draw[key] for draw in draws]) for key in draws[0]}
    trained = [rates(net, Samples(x), seed) for seed in range(40)]
    for key, values in found.items():
        expected = np.array([row[key] for row in trained])
        error = np.hypot(
            values.std(ddof=1) / len(values) ** 0.5, expected.std(ddof=1) / len(expected) ** 0.5
        )
        assert abs(values.mean() - expected.mean()) <= 0.005 * expected.mean() + 5 * error, (
            key,
            values.mean(),
            expected.mean(),
        )


def test_latents_beyond_the_last_bin_are_read_as_its_median():
    """A mean of 4 is the edge of the networks' range, beyond the outermost bin; what decodes reads
    3.67 there, and so does training.
    """
    net = VaeNet(VaeConfig(8, 8, 1, 2, "bernoulli", 0, (6, 3), 32, 1)).eval()
    with torch.no_grad():
        net.net("posterior1").layers[-1].weight.zero_()
        net.net("posterior1").output_bias(0).fill_(4.0)
        net.net("posterior1").output_bias(1).fill_(-6.0)
    x = torch.from_numpy(samples(net.config, 5))
    found = net.terms(x, None, torch.Generator().manual_seed(0)).likelihood
    read = torch.full((5, 6), gaussian_bins.value(12, np.array([4095])).item() / 128)
    assert 3.6 < float(read[0, 0]) < 3.7
    expected = sample_bits(net.config.head, net.net("likelihood0")(read), x, None).sum(1)
    assert torch.equal(found, expected)


def test_networks_are_exact_at_the_edge_of_their_range():
    """Every input and weight at its largest, against Python's integers."""
    plan = Mlp(
        (Field(40, 1.0, -(2**14), 2**14),), (30,), (Field(5, 1.0, -(2**24), 2**24),), skip=True
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = FloatMlp(plan)
    layers = export({"n": net})
    extreme = {
        k: dataclasses.replace(
            v, weight=np.where(v.weight >= 0, 2**15 - 1, -(2**15) + 1).astype(np.int16)
        )
        for k, v in layers.items()
    }
    x = np.random.default_rng(0).choice([-(2**14), 2**14, 2**14 - 1], (50, 40))
    for given in (layers, extreme):
        assert 0 < check_networks({"n": plan}, given) < 1
        expected = _by_hand(given, x)
        for ops in BACKENDS:
            assert np.array_equal(ExactMlp("n", plan, given, ops)(x)[0], expected), ops


def _by_hand(layers, x):
    """Exact rationals: integers times 2^24, rounded half to even."""

    def scaled(layer, a):
        return (a.astype(object) @ layer.weight[:, :, 0, 0].astype(object).T) * 2 ** (
            24 - layer.shift.astype(object)
        )

    def bias(layer):
        return layer.bias.astype(object) * 2 ** (24 - layer.shift.astype(object))

    def rounded(total, low, high):
        def one(v):
            q, r = divmod(int(v), 2**24)
            return min(max(q + (2 * r > 2**24 or (2 * r == 2**24 and q % 2 == 1)), low), high)

        return np.array([[one(v) for v in row] for row in total])

    hidden = rounded(scaled(layers["n.0"], x) + bias(layers["n.0"]), 0, ACT_TOP)
    out = (
        scaled(layers["n.1"], hidden)
        + bias(layers["n.1"])
        + scaled(layers["n.1.skip"], x)
        + bias(layers["n.1.skip"])
    )
    return rounded(out, -(2**24) + 1, 2**24 - 1)


def test_the_bound_of_wide_layers_is_checked_again():
    """Sums of 16-bit numbers cannot pass 2^53 in networks of permitted width, so inputs beyond 16
    bits stand for it.
    """
    plan = Mlp((Field(2, 1.0, 0, 2**45),), (), (Field(1, 1.0, 0, 1),))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = FloatMlp(plan)
        with torch.no_grad():
            net.layers[0].weight.fill_(1.0)
    layers = export({"n": net})
    assert check_networks({"n": plan}, layers) <= 1
    heavy = dataclasses.replace(
        layers["n.0"], weight=layers["n.0"].weight * 0 + np.int16(2**15 - 1)
    )
    with pytest.raises(AccumulatorBoundError):
        check_networks({"n": plan}, {"n.0": heavy})


def test_a_conditional_model_needs_fitting_labels():
    config = dataclasses.replace(CONFIGS["binary"], classes=3)
    _, layers = fresh(config)
    chain, x = exact(config, layers), samples(config, 6)
    labels = np.array([0, 1, 2, 2, 1, 0])
    given = chain.given(labels)
    check_chain(given, x, bits_back)
    assert (
        len({float(ideal_bits(chain.given(np.full(6, k)), x, 4).total.sum()) for k in range(3)})
        == 3
    )
    for wrong in (np.array([0, 3]), np.array([[0]]), np.array([-1])):
        with pytest.raises(InputError, match="label"):
            chain.given(wrong)
    for lacking in (chain, chain.given(labels[:4])):
        with pytest.raises(InputError, match="label"):
            lacking.posterior(1, x)
    with pytest.raises(InputError, match="label"):
        exact(CONFIGS["binary"], fresh(CONFIGS["binary"])[1]).given(labels)


@pytest.mark.parametrize("name", ["binary", "bits", "categories", "codes with a prior", "pyramid"])
def test_loader_refuses_malformed_configs(name, tmp_path):
    config = CONFIGS[name]
    _, layers = fresh(config)
    good = model_file.serialise(config, layers, {})
    tensors, values = load(good), json.loads(model_file.canonical_config(config))
    path = tmp_path / "m.safetensors"
    assert FAMILIES[values["family"]].config is type(config)
    changes = [
        {"hidden": 0},
        {"hidden": True},
        {"height": 2**17},
        {"levels": 1},
        {"likelihood": "gaussian"},
        {"components": -1},
    ]
    changes += [{"surprise": 1}, {"height": config.height + 1}]
    changes += {
        "binary": [
            {"latents": []},
            {"latents": [0]},
            {"latents": 6},
            {"latent_precision": 13},
            {"skip": 1},
            {"fixed_sigma": 57},
        ],
        "bits": [{"latents": [2**14]}, {"latents": [12.0]}],
        "categories": [
            {"latents": [2**12]},
            {"states": 1},
            {"states": 2**9},
            {"states": 6},
            {"states": 5.0},
        ],
        "pyramid": [
            {"latents": [6, 4]},
            {"trunk": 0},
            {"trunk": 9},
            {"planes": 65},
            {"blocks": 17},
            {"latent_precision": 3},
        ],
        "codes with a prior": [{"codebook": 16}, {"prior": "gaussian"}, {"codes": 2**13}],
    }[name]
    for change in changes:
        metadata = {"config": json.dumps({**values, **change}), "arithmetic": model_file.ARITHMETIC}
        path.write_bytes(save(tensors, metadata))
        with pytest.raises(ModelFormatError):
            model_file.load_file(path)


def test_the_id_of_a_latent_chain_is_frozen():
    tensors = {"b": np.array([1, -2], np.int16), "a": np.array([[3]], np.int32)}
    assert model_file.model_id(VaeConfig(), tensors).hex() == FROZEN_ID


FROZEN_ID = "9ced434ac754c223449b4119e81e056ba37634c18972d68962ed539b897c197e"


def test_a_model_file_is_the_same_in_every_process(tmp_path):
    """safetensors orders metadata by chance; archives that carry a model would differ from run to
    run.
    """
    model = tiny_model()
    data = model_file.serialise(model.config, model.layers, {"b": 1, "a": "ä"})
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    assert (
        size % 8 == 0
        and list(header) == sorted(header)
        and list(header["__metadata__"]) == sorted(header["__metadata__"])
    )
    (tmp_path / "model.safetensors").write_bytes(data)
    assert model_file.load_file(tmp_path / "model.safetensors").record == {"b": 1, "a": "ä"}
