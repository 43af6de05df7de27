"""Convolutional networks in integers: equal to sums by hand on every backend, near their float
twins, and refused when malformed.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from bbans.errors import AccumulatorBoundError, ModelFormatError
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import TorchOps
from bbans.models import conv as conv_exact
from bbans.models import model_file
from bbans.models.conv import ExactConv, check_networks
from bbans.models.conv_plans import Conv, Layer, Sizes, decoder, encoder
from bbans.models.conv_vae import ConvVaeConfig
from bbans.models.mlp import ACT_TOP, OUT_TOP, Field
from bbans.schemes import bit_swap, bits_back
from bbans.training.networks import conv
from tests.chains import BACKENDS, CONFIGS, all_integers, check_chain, exact, fresh, samples

LABEL = (Field(3, 2048.0, 0, 2048),)
TO = (Field(4, 128.0, -300, 300, 0.25), Field(4, 8.0, 0, 56, 6.0))


def plans(height, width, channels=1, halvings=2, blocks=1):
    """An encoder with a label beside the image, and a decoder with one beside the latents."""
    sizes = Sizes(height, width, 3, halvings, blocks)
    dims = height * width * channels
    image = Field(dims, 255.0, 0, 255)
    to = (Field(dims * 2, 16.0, -2048, 2048), Field(dims, 1024.0, -(2**13), 2**14, 0.5))
    return {
        "e": encoder(image, LABEL, sizes, TO),
        "d": decoder((Field(4, 128.0, -1024, 1024), *LABEL), sizes, to),
    }


def made(found, gain=1.0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = {name: conv.network(plan) for name, plan in found.items()}
    with torch.no_grad():
        for net in nets.values():
            for parameter in net.parameters():
                parameter.mul_(gain)
    return nets, conv.export(nets)


def inputs(found, items=3):
    rng = np.random.default_rng(1)
    x = rng.integers(
        0,
        256,
        (items, found["e"].height * found["e"].width * (found["e"].layers[0].inputs[0].count)),
    )
    label = 2048 * np.eye(3, dtype=np.int64)[rng.integers(0, 3, items)]
    return {"e": (x, label), "d": (rng.integers(-1024, 1025, (items, 4)), label)}


def by_hand(name, plan, layers, given):
    """The network in int64, one position and tap at a time; sums stay below 2^53."""
    first, rest = given[0], given[1:]
    results = []
    for item in range(len(first)):
        x = first[item].reshape(plan.height, plan.width, -1).transpose(2, 0, 1)
        for step in plan.steps:
            x = _step(name, step, layers, x, [side[item] for side in rest])
        rows = x.transpose(1, 2, 0).reshape(-1, x.shape[0])
        columns, at = [], 0
        for field in plan.outputs:
            columns.append(rows[:, at : at + field.count].clip(field.low, field.high).reshape(-1))
            at += field.count
        results.append(columns)
    return [np.stack(field) for field in zip(*results, strict=True)]


def _step(name, step, layers, x, rest):
    if isinstance(step, Layer):
        layer, k = layers[f"{name}.{step.name}"], step.side
        padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
        y = np.zeros((len(layer.shift), *x.shape[1:]), np.int64)
        for o in range(len(layer.shift)):
            shift = int(layer.shift[o])
            for r in range(x.shape[1]):
                for c in range(x.shape[2]):
                    total = int(
                        (layer.weight[o].astype(np.int64) * padded[:, r : r + k, c : c + k]).sum()
                    ) + int(layer.bias[o])
                    total += int(x[o, r, c]) << shift if step.residual else 0
                    low, rest_of = total >> shift, total & ((1 << shift) - 1)
                    up = 2 * rest_of > 1 << shift or (2 * rest_of == 1 << shift and low % 2 == 1)
                    y[o, r, c] = low + up
        return y.clip(-OUT_TOP, OUT_TOP) if step.last else y.clip(0, ACT_TOP)
    if isinstance(step, conv_exact.ToDepth):
        full = np.pad(x, ((0, 0), (0, -x.shape[1] % step.rows), (0, -x.shape[2] % step.columns)))
        return np.concatenate(
            [
                full[:, i :: step.rows, j :: step.columns]
                for i in range(step.rows)
                for j in range(step.columns)
            ]
        )
    if isinstance(step, conv_exact.ToSpace):
        depth = len(x) // (step.rows * step.columns)
        y = np.zeros((depth, x.shape[1] * step.rows, x.shape[2] * step.columns), np.int64)
        for n in range(step.rows * step.columns):
            y[:, n // step.columns :: step.rows, n % step.columns :: step.columns] = x[
                n * depth : (n + 1) * depth
            ]
        return y[:, : step.height, : step.width]
    if isinstance(step, conv_exact.Reshape):
        return x.reshape(step)
    return np.concatenate([x, *(side[:, None, None] for side in rest)])


@pytest.mark.parametrize("shape", [(7, 5, 1, 2), (4, 4, 3, 1), (1, 6, 1, 3), (1, 1, 2, 2)])
def test_networks_equal_sums_by_hand(shape):
    """With weights as trained and with every one at its largest, on both backends."""
    found = plans(*shape)
    _, layers = made(found)
    extreme = {
        k: dataclasses.replace(
            v, weight=np.where(v.weight >= 0, 2**15 - 1, -(2**15) + 1).astype(np.int16)
        )
        for k, v in layers.items()
    }
    for given in (layers, extreme):
        assert 0 < check_networks(found, given) < 1
        for name, plan in found.items():
            expected = by_hand(name, plan, given, inputs(found)[name])
            for ops in BACKENDS:
                emitted = ExactConv(name, plan, given, ops)(*inputs(found)[name])
                assert all(np.array_equal(a, b) for a, b in zip(emitted, expected, strict=True)), (
                    name,
                    ops,
                )


def test_integers_are_near_the_reals_that_they_stand_for():
    """To two units of the output: the rounding of two or three layers."""
    found = plans(9, 6, 2)
    nets, layers = made(found, gain=1.5)
    for name, plan in found.items():
        given = inputs(found)[name]
        units = [255.0 if name == "e" else 128.0, 2048.0]
        reals = nets[name](
            *(
                torch.tensor(x / unit, dtype=torch.float32)
                for x, unit in zip(given, units, strict=True)
            )
        )
        emitted = ExactConv(name, plan, layers, TorchOps())(*given)
        for field, real, integer in zip(plan.outputs, reals, emitted, strict=True):
            expected = field.unit * (real.detach().numpy() + field.offset)
            assert np.abs(integer - expected).max() < 2 and np.ptp(integer) > 2


def test_the_order_of_outputs_is_that_of_samples():
    """Biases alone: each sample's two numbers side by side, sample by sample as an image's rows are
    stored.
    """
    found = plans(6, 4, 3, 1)
    nets, _ = made(found)
    last = nets["d"].layers[found["d"].layers[-1].name]
    with torch.no_grad():
        last.weight.zero_()
        nets["d"].output_bias(0).copy_(torch.arange(6.0))
    layers = conv.export(nets)
    for ops in BACKENDS:
        emitted = ExactConv("d", found["d"], layers, ops)(*inputs(found)["d"])[0]
        assert emitted.shape == (3, 6 * 4 * 3 * 2)
        assert np.array_equal(
            emitted.reshape(3, 24, 6), np.broadcast_to(16 * np.arange(6), (3, 24, 6))
        )


def test_a_large_batch_is_computed_in_parts(monkeypatch):
    found = plans(7, 5)
    _, layers = made(found)
    given = {
        name: tuple(np.concatenate([part] * 5) for part in parts)
        for name, parts in inputs(found).items()
    }
    networks = {name: ExactConv(name, plan, layers, NumpyOps()) for name, plan in found.items()}
    whole = {name: net(*given[name]) for name, net in networks.items()}
    assert [plan.positions for plan in found.values()] == [35, 35]
    monkeypatch.setattr(conv_exact, "POSITIONS", 4 * 35)
    for name, net in networks.items():
        sizes = []
        monkeypatch.setattr(
            net, "_some", lambda x, real=net._some, sizes=sizes: sizes.append(len(x[0])) or real(x)
        )
        assert all(
            np.array_equal(a, b) for a, b in zip(whole[name], net(*given[name]), strict=True)
        )
        assert sizes == [4, 4, 4, 3]


def test_threads_make_no_difference():
    config = CONFIGS["convolutional"]
    _, layers = fresh(config, gain=3.0)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(all_integers(exact(config, layers, TorchOps()), samples(config, 40)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


HEADS = [
    ("bernoulli", 2, 0),
    ("beta_binomial", 256, 0),
    ("categorical", 9, 0),
    ("categorical", 9, 4),
    ("logistic", 300, 2),
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("shape", [(7, 5, 1), (28, 28, 1), (6, 1, 3)])
def test_every_likelihood_codes_images_of_every_shape(head, shape):
    kind, levels, components = head
    config = ConvVaeConfig(*shape, levels, kind, components, latents=(5,), maps=4)
    _, layers = fresh(config)
    check_chain(exact(config, layers, TorchOps()), samples(config, 3), bits_back)


def test_labels_are_seen_by_both_networks():
    config = dataclasses.replace(CONFIGS["convolutional in two layers"], classes=3)
    _, layers = fresh(config, gain=2.0)
    chain, x = exact(config, layers), samples(config, 6)
    check_chain(chain.given(np.array([0, 1, 2, 2, 1, 0])), x, bits_back, bit_swap)
    ones, twos = chain.given(np.full(6, 1)), chain.given(np.full(6, 2))
    assert not np.array_equal(ones.means(x)[0], twos.means(x)[0])
    z = chain.default_latent(6)
    assert not np.array_equal(ones.likelihood(0, z).bits(x), twos.likelihood(0, z).bits(x))


@pytest.mark.parametrize("change", ["kernel", "outputs", "inputs", "bias", "missing", "surplus"])
@pytest.mark.parametrize(
    "name",
    ["posterior1.level1", "posterior1.out", "likelihood0.in", "likelihood0.level1", "posterior2.0"],
)
def test_malformed_layers_are_refused_by_name(name, change):
    """A kernel of 3 x 3 in a dense layer would mix the items of a batch; so would a second row of
    biases with what is broadcast.
    """
    config = CONFIGS["convolutional in two layers"]
    _, layers = fresh(config)
    layer, changed = layers[name], dict(layers)
    weight, side = layer.weight, layer.weight.shape[-1]
    if change == "kernel":
        changed[name] = dataclasses.replace(
            layer, weight=np.zeros((*weight.shape[:2], 4 - side, 4 - side), np.int16)
        )
    elif change == "outputs":
        changed[name] = dataclasses.replace(
            layer, weight=weight[:-1], bias=layer.bias[:-1], shift=layer.shift[:-1]
        )
    elif change == "inputs":
        changed[name] = dataclasses.replace(layer, weight=weight[:, :-1])
    elif change == "bias":
        changed[name] = dataclasses.replace(layer, bias=np.stack([layer.bias] * 2))
    elif change == "missing":
        del changed[name]
    else:
        changed[name + ".0"] = layer
    with pytest.raises(ModelFormatError, match=name.replace(".", r"\.")):
        exact(config, changed)


def test_sums_beyond_the_bound_are_refused():
    """16-bit numbers cannot pass 2^53 in networks of permitted sizes, so inputs beyond 16 bits
    stand for it.
    """
    entering = Field(1, 1.0, 0, 2**36)
    plan = Conv(
        3, 3, (Layer("a", (entering,), (Field(1, 1.0, 0, 1),), last=True),), (Field(1, 1.0, 0, 1),)
    )
    _, layers = made({"n": plan})
    assert check_networks({"n": plan}, layers) <= 1
    heavy = dataclasses.replace(layers["n.a"], weight=np.full_like(layers["n.a"].weight, 2**15 - 1))
    with pytest.raises(AccumulatorBoundError):
        check_networks({"n": plan}, {"n.a": heavy})


def test_loader_refuses_malformed_configs(tmp_path):
    config = ConvVaeConfig(9, 5, latents=(6,), maps=8)
    _, layers = fresh(config)
    good = model_file.serialise(config, layers, {})
    tensors, values = load(good), json.loads(model_file.canonical_config(config))
    path = tmp_path / "m.safetensors"
    path.write_bytes(good)
    assert model_file.load_file(path).config == config
    changes = [
        {"maps": 0},
        {"maps": True},
        {"maps": 9},
        {"maps": 2**9 + 1},
        {"halvings": 0},
        {"halvings": 17},
        {"halvings": 3},
    ]
    changes += [
        {"blocks": -1},
        {"blocks": 2},
        {"blocks": 9},
        {"latents": []},
        {"latents": [5]},
        {"latents": [6, 2]},
        {"classes": 2},
    ]
    changes += [
        {"height": 8},
        {"width": 3},
        {"channels": 2},
        {"surprise": 1},
        {"hidden": 0},
        {"fixed_sigma": 3},
    ]
    changes += [{"height": 2**15, "halvings": 1, "maps": 512}]
    for change in changes:
        path.write_bytes(
            save(
                tensors,
                {"config": json.dumps({**values, **change}), "arithmetic": model_file.ARITHMETIC},
            )
        )
        with pytest.raises(ModelFormatError):
            model_file.load_file(path)
