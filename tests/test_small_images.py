"""Single small images through a latent chain: lossless for every family, the right size, everything
else refused by name.
"""

import dataclasses

import numpy as np
import pytest
import torch

import bbans
from bbans import container, errors, images, tiles
from bbans.files import decoder
from bbans.models.model_file import Model, model_id, to_tensors
from bbans.models.vae import VaeConfig
from bbans.training.networks.families import export, float_network
from tests.chains import CONFIGS, chain_file, chain_model, fresh, picture
from tests.tiny import smooth_image, tiny_model


def codecs_of(data: bytes) -> list[int]:
    return [part.codec for tile in container.read(data).tiles for part in tile.parts]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_family_codes_one_image(name, monkeypatch):
    """On both backends, and info's account adds up to the file."""
    model = chain_model(name)
    pixels = picture(model)
    data = chain_file(model, pixels)
    for ops in (tiles.oracle_ops(), tiles.fastest_ops()):
        monkeypatch.setattr(tiles, "fastest_ops", lambda ops=ops: ops)
        assert np.array_equal(bbans.decompress(data, model=model), pixels)
    found = bbans.info(data, model=model)
    account = found.account
    assert found.codecs == {
        "latent chain": 1
    } and account.total + found.framing_bits == pytest.approx(8 * len(data), abs=1e-6)
    assert found.ideal_bits == pytest.approx(account.likelihood) and abs(account.coder) < 1
    assert account.prior == account.posterior == account.initial == 0.0


@pytest.mark.parametrize("name", ["pyramid", "three layers"])
def test_the_bits_are_those_of_the_idle_latents(name):
    model = chain_model(name)
    chain, pixels = model.network(tiles.oracle_ops()), picture(model)
    expected = chain.likelihood(0, chain.default_latent(1)).bits(
        pixels.reshape(1, -1).astype(np.int64)
    )[0]
    assert bbans.info(chain_file(model, pixels), model=model).ideal_bits == expected


def test_bits_of_certain_latents_are_those_of_codes_and_samples():
    model = chain_model("codes with a prior")
    chain, pixels = model.network(tiles.oracle_ops()), picture(model)
    x = pixels.reshape(1, -1).astype(np.int64)
    z = chain.codes(x)
    expected = chain.likelihood(0, z).bits(x)[0] + chain.prior(1).bits(z)[0]
    assert bbans.info(chain_file(model, pixels), model=model).ideal_bits == pytest.approx(
        expected, abs=1e-9
    )


@pytest.fixture(scope="module")
def biased() -> tuple[Model, np.ndarray]:
    """A VAE that takes one image of 40 x 30 random bits for likely, whatever z: no other coder can
    know it.
    """
    pixels = np.random.default_rng(0).integers(0, 2, (40, 30), np.uint8)
    config = VaeConfig(40, 30, 1, 2, "bernoulli", 0, (4,), 16, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = float_network(config)
        net.net("likelihood0").output_bias(0).copy_(
            torch.from_numpy(8.0 * pixels.reshape(-1) - 4.0)
        )
        layers = export(net)
    return Model("biased", config, layers, {}, model_id(config, to_tensors(layers))), pixels


def test_a_file_of_one_small_image(biased):
    model, pixels = biased
    small = images.from_array(pixels, (images.PngChunk("tEXt", b"Comment\0small"),))
    data = bbans.compress(small, model=model)
    assert codecs_of(data) == [container.CHAIN] and container.read(data).model_id == model.id
    assert len(data) < len(bbans.compress(small, model="none"))
    back = decoder.decompress_image(data, model=model)
    assert np.array_equal(back.pixels, pixels) and back.metadata == small.metadata
    assert np.array_equal(
        bbans.decompress(data, model=model, region=(3, 5, 7, 9)), pixels[5:14, 3:10]
    )
    assert np.array_equal(bbans.decompress(data, model=model, preview=1), pixels[::2, ::2])
    with pytest.raises(errors.ModelNotFoundError):
        bbans.decompress(data)
    deep = pixels.astype(np.uint16)
    assert np.array_equal(bbans.decompress(bbans.compress(deep, model=model), model=model), deep)


def test_what_the_chain_does_not_suit_is_coded_otherwise(biased):
    """The model's id counts: 32 bytes of every file that needs it."""
    model, _ = biased
    noise = np.random.default_rng(1).integers(0, 2, (40, 30), np.uint8)
    stripes = np.tile(np.arange(30, dtype=np.uint8) % 2, (40, 1))
    for pixels in (noise, stripes, np.ones((40, 30), np.uint8)):
        data = bbans.compress(pixels, model=model)
        assert container.CHAIN not in codecs_of(data) and np.array_equal(
            bbans.decompress(data), pixels
        )
        assert len(data) <= len(bbans.compress(pixels, model="none")) <= pixels.nbytes + 64


def test_other_images_are_refused(biased):
    model, pixels = biased
    for wrong in (
        pixels[:, 1:],
        np.dstack([pixels] * 3),
        pixels.astype(np.uint16) * 200,
        pixels + 1,
    ):
        with pytest.raises(errors.InputError, match="30 x 40 pixels, 1 channels and values to 1;"):
            bbans.compress(wrong, model=model)
    palette = images.make_image(pixels, (images.PngChunk("PLTE", bytes(12)),), 8, True)
    with pytest.raises(errors.InputError, match="palette"):
        bbans.compress(palette, model=model)
    config = dataclasses.replace(CONFIGS["binary"], classes=3)
    _, layers = fresh(config)
    labelled = Model("labelled", config, layers, {}, model_id(config, to_tensors(layers)))
    with pytest.raises(errors.InputError, match="label"):
        bbans.compress(picture(labelled), model=labelled)


def test_forged_files_are_refused():
    """A chain's part in a file of another shape, for another kind of model, damaged or cut: a
    FormatError each.
    """
    model = chain_model("pyramid of colours")
    good = container.read(chain_file(model, picture(model)))
    (tile,) = good.tiles
    (part,) = tile.parts
    height, width = good.height, good.width
    forged = [
        (
            dataclasses.replace(
                good, width=height, height=width, tile_width=height, tile_height=width
            ),
            model,
        ),
        (dataclasses.replace(good, model_id=tiny_model().id), tiny_model()),
    ]
    for damaged in (
        part.payload[:-4],
        part.payload[:-1],
        part.payload + bytes(4),
        bytes(len(part.payload)),
        part.payload[4:],
    ):
        other = dataclasses.replace(tile, parts=(dataclasses.replace(part, payload=damaged),))
        forged.append((dataclasses.replace(good, tiles=(other,)), model))
    photo = container.read(
        bbans.compress(smooth_image(24, 20), model=tiny_model(), model_only=True)
    )
    assert codecs_of(container.write(photo)) == [container.BITS_BACK]
    forged.append((dataclasses.replace(photo, model_id=model.id), model))
    for file, needed in forged:
        with pytest.raises(errors.FormatError):
            bbans.decompress(container.write(file), model=needed)
