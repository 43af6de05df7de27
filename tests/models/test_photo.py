"""The integer model computes what the float one does, its sums cannot round, and its files are
checked before use.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from bbans.errors import AccumulatorBoundError, ModelFormatError, ModelNotFoundError
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import TorchOps
from bbans.models import library, model_file
from bbans.models.photo import ExactPhoto, check_layers
from bbans.schemes.pyramid import traversal
from bbans.schemes.pyramid.level import analyse
from bbans.training.networks import planes
from tests.tiny import CONFIG, smooth_image, tiny_model, tiny_net


def image_planes(h, w, seed=0):
    return smooth_image(h, w, seed).transpose(2, 0, 1).astype(np.int32)


@pytest.mark.parametrize("shape", [(9, 9), (16, 48), (37, 21)])
def test_backends_and_carriers_compute_the_same_integers(shape):
    model = tiny_model()
    results = []
    for ops in (TorchOps(), TorchOps(wide=True), NumpyOps(np.float32), NumpyOps(np.float64)):
        levels, _ = analyse(model.network(ops), image_planes(*shape))
        found = []
        for level in levels:
            mean, sigma = level.posterior()
            found += [mean, sigma, *(level.pixel_model(p, mean).outputs for p in range(3))]
        results.append(found)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert np.array_equal(a, b)


def test_exact_rate_is_the_trained_rate():
    """Code length of the integers against the float network's at the same latents (their means):
    within 0.3 %.
    """
    net, x = tiny_net(), image_planes(64, 64)
    batch = torch.from_numpy(x)[None].float()
    levels, _ = analyse(tiny_model().network(NumpyOps()), x)
    exact = float_bits = 0.0
    with torch.no_grad():
        # the float pass with u replaced by its mean everywhere
        carried = torch.zeros(1, CONFIG.channels, *levels[-1].grid)
        for level in reversed(levels):
            current = batch[..., :: 2**level.index, :: 2**level.index]
            targets = planes.split_phases(current)
            flow, trunks, sums = carried, [], []
            for i, phase in enumerate(net.phases):
                sums.append(planes.neighbour_sums(i, list(targets[: i + 1])))
                flow = phase.trunk(list(targets[: i + 1]), sums[i], flow, level.index)
                trunks.append(flow)
            mean, _ = net.posterior(trunks[1], [4 * targets[i + 1] - sums[i] for i in range(2)])
            for i, phase in enumerate(net.phases):
                parameters = phase.parameters_given(trunks[i], mean)
                bits = planes.mixture_bits(
                    parameters,
                    targets[i + 1],
                    sums[i],
                    CONFIG.mixtures,
                    torch.zeros(1, dtype=torch.bool),
                )
                float_bits += float(bits.sum())
                exact += sum(
                    part.bits
                    for part in traversal.phase_intervals(level, i, level.posterior()[0], 3)
                )
            carried = planes.spread(flow, 2, *current.shape[-2:])
    assert exact == pytest.approx(float_bits, rel=3e-3)


def test_bits_of_all_values_sum_to_one():
    """The float mixture is a distribution: summed over the last channel's 256 values it gives the
    mixture of the others.
    """
    generator = torch.Generator().manual_seed(0)
    parameters = torch.randn(1, 20, 1, 1, generator=generator).expand(256, -1, -1, -1) * 2
    x = torch.tensor([100.0, 30.0, 0.0])[None, :, None, None].repeat(256, 1, 1, 1)
    x[:, 2, 0, 0] = torch.arange(256)
    sums = torch.full((256, 3, 1, 1), 400.0)
    bits = planes.mixture_bits(
        parameters.double(), x.double(), sums.double(), 2, torch.zeros(256, dtype=torch.bool)
    )
    y = x[:1].clone()
    total = torch.exp2(-bits.double()).sum()
    other = 0.0
    for value in range(
        256
    ):  # marginalise G and B the long way round for R = 100: sum over B is done, sum over G here
        y[0, 1] = value
        z = y.repeat(256, 1, 1, 1)
        z[:, 2, 0, 0] = torch.arange(256)
        other += float(
            torch.exp2(
                -planes.mixture_bits(
                    parameters.double(),
                    z.double(),
                    sums.double(),
                    2,
                    torch.zeros(256, dtype=torch.bool),
                )
            ).sum()
        )
    grey = planes.mixture_bits(
        parameters[:1].double(),
        x[:1].double(),
        sums[:1].double(),
        2,
        torch.ones(1, dtype=torch.bool),
    )
    assert other == pytest.approx(float(torch.exp2(-grey)), rel=1e-4)
    assert 0 < total < 1


def test_model_file_round_trip_and_id(tmp_path):
    model = tiny_model()
    path = tmp_path / "m.safetensors"
    path.write_bytes(model_file.serialise(model.config, model.layers, {"note": "x"}))
    loaded = model_file.load_file(path)
    assert (loaded.id, loaded.config, loaded.record) == (model.id, model.config, {"note": "x"})
    other = tmp_path / "other.safetensors"
    other.write_bytes(model_file.serialise(model.config, model.layers, {"note": "y"}))
    assert model_file.load_file(other).id == model.id
    changed = dict(model.layers)
    changed["phase0.head"] = dataclasses.replace(
        changed["phase0.head"], bias=changed["phase0.head"].bias + 1
    )
    assert model_file.model_id(model.config, model_file.to_tensors(changed)) != model.id


def test_model_id_is_frozen():
    """The id's recipe: any change makes old files lose their model."""
    tensors = {"b": np.array([1, -2], np.int16), "a": np.array([[3]], np.int32)}
    assert model_file.model_id(CONFIG, tensors).hex() == FROZEN_ID


FROZEN_ID = "2b1022ded579fea0286e000d70919de5e81674690444db3129bf75becfde6d99"


def test_loader_refuses_inexact_and_malformed_models(tmp_path):
    model = tiny_model()
    path = tmp_path / "m.safetensors"
    good = model_file.serialise(model.config, model.layers, {})
    tensors = load(good)
    metadata = {
        "config": model_file.canonical_config(model.config),
        "arithmetic": model_file.ARITHMETIC,
        "record": "{}",
    }

    def refused(error, tensors=tensors, **changes):
        path.write_bytes(
            save(tensors, {k: v for k, v in {**metadata, **changes}.items() if v is not None})
        )
        with pytest.raises(error):
            model_file.load_file(path)

    heavy = tensors["phase1.res_a.weight"].copy()
    heavy[0] = 2**15 - 1
    refused(AccumulatorBoundError, {**tensors, "phase1.res_a.weight": heavy})
    refused(ModelFormatError, {k: v for k, v in tensors.items() if k != "phase1.res_a.weight"})
    refused(ModelFormatError, {**tensors, "phase1.res_a.weight": heavy.astype(np.int32)})
    refused(ModelFormatError, {**tensors, "extra.weight": heavy})
    refused(ModelFormatError, arithmetic="bbans-exact-99")
    refused(ModelFormatError, config=None)
    refused(ModelFormatError, config=json.dumps({**json.loads(metadata["config"]), "channels": -1}))
    refused(ModelFormatError, config=json.dumps({**json.loads(metadata["config"]), "surprise": 1}))
    refused(
        ModelFormatError, config=json.dumps({**json.loads(metadata["config"]), "family": "other"})
    )
    path.write_bytes(good[:-5])
    with pytest.raises(ModelFormatError):
        model_file.load_file(path)
    with pytest.raises(ModelNotFoundError):
        model_file.load_file(tmp_path / "absent.safetensors")
    with pytest.raises(ModelNotFoundError):
        library.find_by_name("absent")
    with pytest.raises(ModelNotFoundError, match="search|--model"):
        library.find_by_id(bytes(32))


def test_search_path_finds_models_by_name_and_id(tmp_path, monkeypatch):
    model = tiny_model()
    (tmp_path / "mine.safetensors").write_bytes(
        model_file.serialise(model.config, model.layers, {})
    )
    monkeypatch.setenv(library.SEARCH_PATH_VARIABLE, str(tmp_path))
    assert library.find_by_name("mine").id == model.id
    assert library.find_by_id(model.id).name == "mine"


def test_every_accumulator_is_checked_with_its_true_inputs():
    """Activations seen on noise never leave the ranges that the bound assumes."""
    model = tiny_model()
    assert 0 < check_layers(model.config, model.layers) <= 1
    net = ExactPhoto(model.config, model.layers, NumpyOps())
    x = np.random.default_rng(0).integers(0, 256, (3, 40, 40)).astype(np.int32)
    levels, _ = analyse(net, x)
    for level in levels:
        assert all(t.min() >= 0 and t.max() <= 1023 for t in level.trunks)
        mean, sigma = level.posterior()
        assert np.abs(mean).max() <= 448 and sigma.min() >= 0 and sigma.max() <= 56
        assert max(np.abs(4 * k - s).max() for k in level.known[:3] for s in level.sums) <= 1020
