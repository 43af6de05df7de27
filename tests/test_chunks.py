"""Chunks of arrays: every shape comes back through zarr 3, zarr 2 and numcodecs, stacks are put
together, other processes open stores.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numcodecs
import numpy as np
import pytest

import bbans
from bbans import container
from bbans.archives import create
from bbans.container import archive_reader as reader
from bbans.errors import (
    BbansError,
    ChecksumError,
    FormatError,
    InputError,
    LimitError,
    ModelNotFoundError,
)
from bbans.integrations import chunks
from bbans.integrations.chunks import ChunkCoder, chunk_coder, decode_chunk, encode_chunk
from bbans.integrations.numcodecs import BBans as Numcodec
from bbans.models import library, model_file
from bbans.training import latent_run
from tests.digits import digits
from tests.methods.trained import RECIPES, data, trained
from tests.tiny import smooth_image, tiny_model

if sys.version_info < (3, 11):
    pytest.skip("zarr 3 needs Python 3.11", allow_module_level=True)

import zarr
from zarr.codecs import numcodecs as FILTERS

from bbans.integrations.zarr import BBans

NONE = ChunkCoder("none")
# zarr says of every filter of numcodecs that other programs may not have it
OTHER_FILTERS = pytest.mark.filterwarnings("ignore:Numcodecs codecs")
FAST = "photo-fast-1"


def stack(
    planes: int, rows: int = 24, columns: int = 30, depth: int = 8, seed: int = 0
) -> np.ndarray:
    """Planes that resemble their neighbours, with a little noise of their own."""
    rng = np.random.default_rng(seed)
    z, y, x = np.mgrid[:planes, :rows, :columns]
    base = (
        rng.integers(0, 90, (rows, columns))
        + 40 * np.sin((x + 2 * z) / 7)
        + 40 * np.cos(y / 5)
        + 80
    )
    samples = base + rng.normal(0, 1, base.shape)
    return (
        samples.clip(0, 255).astype(np.uint8)
        if depth == 8
        else (samples * 200).clip(0, 65535).astype(np.uint16)
    )


def kinds(encoded: bytes) -> list[str]:
    """The names in an archive; a file has none."""
    if encoded.startswith(container.MAGIC):
        return []
    return [item.name for item in reader.read_archive_index(encoded).archive.items]


SHAPES = [
    (1, 1),
    (24, 30),
    (2, 24, 30),
    (3, 9, 8),
    (8, 24, 30),
    (2, 3, 9, 8),
    (9, 8, 3),
    (4, 9, 8, 3),
    (5, 9, 8, 1),
    (2, 2, 5, 6, 4),
]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int8, np.int16, np.bool_])
@pytest.mark.parametrize("shape", [*SHAPES, (), (9,), (4, 4, 5), (4, 3)])
def test_every_shape_comes_back(shape, dtype):
    rows = np.random.default_rng(0).integers(0, 40, shape)
    chunk = (rows.cumsum(-2) if len(shape) > 1 else np.asarray(rows)) - 60 * (dtype == np.int16)
    chunk = (chunk % 3 > 1 if dtype == np.bool_ else chunk).astype(dtype)
    for channel_last in (None, False, True):
        back = decode_chunk(
            encode_chunk(replace(NONE, channel_last=channel_last), chunk), chunk.size
        )
        assert back.dtype == dtype and np.array_equal(back.reshape(shape), chunk)


@pytest.mark.parametrize("planes", [3, 4, 5, 6])
def test_planes_that_resemble_each_other_are_coded_three_by_three(planes):
    chunk = stack(planes)
    encoded = encode_chunk(NONE, chunk)
    assert kinds(encoded) == ["three planes of 24 rows", *(["rest"] if planes % 3 else [])]
    assert np.array_equal(decode_chunk(encoded).reshape(chunk.shape), chunk)
    tall = bbans.compress(chunk.reshape(-1, 30), model="none")
    assert len(encoded) < 0.9 * len(tall)
    apart = np.random.default_rng(0).integers(0, 256, chunk.shape, dtype=np.uint8)
    assert kinds(encode_chunk(NONE, apart)) == []
    assert len(encode_chunk(replace(NONE, effort="max"), chunk)) <= len(encoded)


def test_one_plane_is_the_file_of_an_image():
    chunk = stack(1)[0]
    assert encode_chunk(NONE, chunk) == bbans.compress(chunk, model="none")
    colour = smooth_image(20, 30)
    assert encode_chunk(NONE, colour) == bbans.compress(colour, model="none")
    assert np.array_equal(
        bbans.decompress(encode_chunk(NONE, np.stack([colour, colour]))),
        np.concatenate([colour, colour]),
    )


@pytest.mark.parametrize(
    ("chunk", "options", "message"),
    [
        (np.zeros((0, 4), np.uint8), {}, r"\(0, 4\)"),
        (np.zeros((4, 4), np.int32), {}, "found int32"),
        (np.zeros((4, 4), np.float32), {}, "numcodecs"),
        (np.zeros((4, 4), ">u2"), {}, "found >u2"),
        (np.zeros((4, 4), ">i2"), {}, "<i2"),
    ],
)
def test_what_is_no_chunk(chunk, options, message):
    with pytest.raises(InputError, match=message):
        encode_chunk(replace(NONE, **options), chunk)


def test_damaged_chunks_and_those_of_other_arrays():
    chunk = stack(3)
    encoded = encode_chunk(NONE, chunk)
    with pytest.raises(ChecksumError):
        decode_chunk(encoded[:-1] + bytes([encoded[-1] ^ 1]))
    for data_, limit in (
        (encoded, chunk.size - 1),
        (encode_chunk(NONE, chunk[0]), chunk[0].size - 1),
    ):
        with pytest.raises(LimitError):
            decode_chunk(data_, limit)
    with pytest.raises(BbansError):
        decode_chunk(b"", 100)
    image = chunk.reshape(-1, 30)
    for named in (
        [("three planes of 7 rows", np.stack([image] * 3, -1))],
        [("0", image), ("1", image.astype(np.uint16))],
    ):
        forged = chunks._archived(
            named, chunks.Settings(lambda image: bbans.compress(image, model="none"))
        )
        with pytest.raises(FormatError, match="the chunk is damaged"):
            decode_chunk(forged)
    with pytest.raises(FormatError, match="another's"):
        chunks.fitting(chunk.reshape(-1), (3, 24, 31), np.dtype("u1"))


def test_options():
    with pytest.raises(InputError, match="effort is fast, default, max"):
        chunk_coder(None, "much", None, True)
    with pytest.raises(ModelNotFoundError):
        chunk_coder("nobody", "default", None, True)
    assert (
        chunk_coder(None, "fast", None, True).model
        == bbans.load_model(FAST).id.hex()
        == chunk_coder(FAST, "max", None, True).model
    )
    with pytest.raises(ModelNotFoundError):
        encode_chunk(ChunkCoder("0" * 64), stack(1))


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The id of a model of 8 x 8 digits that is on the search path."""
    folder = tmp_path_factory.mktemp("models")
    net, _, history, _ = trained("codes", 120)
    (folder / "digits.safetensors").write_bytes(
        latent_run.model_file(net, RECIPES["codes"], history, data(17)[1])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(library.SEARCH_PATH_VARIABLE, str(folder))
        yield library.find_by_name("digits").id.hex()


def test_a_chains_planes_share_a_message(chain, tmp_path):
    chunk = digits(60, seed=5)[0].reshape(4, 15, 8, 8).astype(np.uint8)
    encoded = encode_chunk(chunk_coder("digits", "default", None, True), chunk)
    assert encoded == encode_chunk(ChunkCoder(chain), chunk)
    (tmp_path / "a.bbar").write_bytes(encoded)
    assert bbans.list_archive(tmp_path / "a.bbar").to_dict()["items"][0]["name"] == "00"
    create.create_archive(
        tmp_path / "b.bbar",
        [(f"{i:02d}", x) for i, x in enumerate(chunk.reshape(-1, 8, 8))],
        model="digits",
    )
    assert (tmp_path / "b.bbar").read_bytes() == encoded
    chunk[1, 2] = 200  # beyond the model's values: a file of its own among the others
    assert np.array_equal(
        decode_chunk(encode_chunk(ChunkCoder(chain), chunk), chunk.size).reshape(chunk.shape), chunk
    )


def filled(store_: str, array: np.ndarray, chunk: tuple[int, ...], **options) -> zarr.Array:
    made = zarr.create_array(
        store_, shape=array.shape, chunks=chunk, dtype=array.dtype, compressors=None, **options
    )
    made[:] = array
    return made


@pytest.mark.parametrize(
    ("array", "chunk"),
    [
        (stack(1, 50, 70)[0], (32, 32)),
        (stack(7, 30, 40, depth=16), (4, 30, 40)),
        (smooth_image(40, 50), (32, 32, 3)),
        (np.stack([smooth_image(20, 20, seed) for seed in range(3)]), (2, 20, 20, 3)),
    ],
    ids=["plane", "stack", "colour", "colours"],
)
def test_a_zarr_array_comes_back(array, chunk, tmp_path):
    filled(str(tmp_path / "a.zarr"), array, chunk, serializer=BBans(model="none"))
    opened = zarr.open_array(str(tmp_path / "a.zarr"), mode="r+")
    assert np.array_equal(opened[:], array)
    codec = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["codecs"]
    assert codec == [
        {"name": "bbans", "configuration": {"model": "none", "effort": "default"}}
    ]  # a filter may move the axes, so the shape of the array does not say where its colours are
    opened[..., :9] = 7
    assert np.array_equal(opened[..., 9:], array[..., 9:]) and (opened[..., :9] == 7).all()


@OTHER_FILTERS
def test_the_shape_after_filters_says_where_the_colours_are():
    """A transposed chunk is coded as the array that it was, a flattened one as its own shape."""
    colours = smooth_image(20, 30)
    planes = np.ascontiguousarray(np.moveaxis(colours, -1, 0))
    plain = encode_chunk(NONE, colours)
    for array, filters in (
        (colours, []),
        (planes, [zarr.codecs.TransposeCodec(order=(1, 2, 0))]),
        (colours + np.uint8(1), [FILTERS.FixedScaleOffset(offset=1, scale=1, dtype="u1")]),
    ):
        stored = zarr.storage.MemoryStore()
        filled(stored, array, array.shape, filters=filters, serializer=BBans(model="none"))
        (chunk,) = [key for key in stored._store_dict if key.startswith("c/")]
        assert stored._store_dict[chunk].to_bytes() == plain
        assert np.array_equal(zarr.open_array(stored)[:], array)


@OTHER_FILTERS
@pytest.mark.parametrize("dtype", ["u1", "u2", "i1", "i2", "bool", "f8", "i4"])
@pytest.mark.parametrize("name", ["delta", "transposed", "scaled", "none"])
def test_filters_of_zarr(name, dtype):
    array = (np.arange(2 * 12 * 10) % 97 * 2).reshape(2, 12, 10).astype(dtype)
    filters = {
        "none": [],
        "delta": [FILTERS.Delta(dtype=array.dtype.str)],
        "transposed": [zarr.codecs.TransposeCodec(order=(2, 0, 1))],
        "scaled": [
            FILTERS.FixedScaleOffset(offset=0, scale=0.5, dtype=array.dtype.str, astype="u1")
        ],
    }[name]
    if dtype == "bool" and name in ("delta", "scaled"):
        pytest.skip("numcodecs has no such filter of truth values")
    coded = dtype not in ("f8", "i4")
    store = zarr.storage.MemoryStore()
    if not coded:
        with pytest.raises(InputError, match=r"say BBans\(filtered=True\)"):
            filled(store, array, (2, 12, 10), filters=filters, serializer=BBans(model="none"))
        store = zarr.storage.MemoryStore()
    codec = BBans(model="none", filtered=not coded)
    if not coded and name != "scaled":
        with pytest.raises(InputError, match=f"found {array.dtype}"):
            filled(store, array, (2, 12, 10), filters=filters, serializer=codec)
        return
    filled(store, array, (2, 12, 10), filters=filters, serializer=codec)
    found = zarr.open_array(store)[:]
    assert found.dtype == array.dtype and np.array_equal(found, array)


@pytest.mark.parametrize("dtype", ["u1", "<u2", "i1", "<i2", "?"])
@pytest.mark.parametrize("filters", [None, "delta", "scaled"])
def test_filters_of_numcodecs(dtype, filters):
    if dtype == "?" and filters:
        pytest.skip("numcodecs has no such filter of truth values")
    array = (np.arange(2 * 12 * 10) % 97 * 2).reshape(2, 12, 10).astype(dtype)
    chosen = {
        None: None,
        "delta": [numcodecs.Delta(dtype)],
        "scaled": [numcodecs.FixedScaleOffset(0, 0.5, dtype, "u1")],
    }[filters]
    store = zarr.storage.MemoryStore()
    made = zarr.create_array(
        store,
        shape=array.shape,
        chunks=(2, 12, 10),
        dtype=array.dtype,
        zarr_format=2,
        filters=chosen,
        compressors=Numcodec("none"),
    )
    made[:] = array
    found = zarr.open_array(store)[:]
    assert found.dtype == array.dtype and np.array_equal(found, array)


def test_shards(tmp_path):
    array = stack(6, 32, 32)
    filled(
        str(tmp_path / "a.zarr"),
        array,
        (3, 16, 16),
        shards=(6, 32, 32),
        serializer=BBans(model="none"),
    )
    assert np.array_equal(zarr.open_array(str(tmp_path / "a.zarr"))[2:5, 10:20], array[2:5, 10:20])


def test_a_damaged_chunk_is_no_array(tmp_path):
    filled(str(tmp_path / "a.zarr"), stack(1)[0], (24, 30), serializer=BBans(model="none"))
    path = tmp_path / "a.zarr" / "c" / "0" / "0"
    path.write_bytes(encode_chunk(NONE, stack(1)[0][:, :29]))
    with pytest.raises(FormatError, match=r"\(24, 30\) of uint8 was expected"):
        zarr.open_array(str(tmp_path / "a.zarr"))[:]


OTHER = """
import sys, zlib, zarr
for path in sys.argv[1:]:
    array = zarr.open_array(path)
    print(zlib.crc32(array[:].tobytes()), 'bbans.' + str(array.metadata.zarr_format))
"""


def test_another_process_opens_stores_with_the_package_alone(tmp_path, repository):
    array = stack(4, 40, 60)
    filled(str(tmp_path / "3.zarr"), array, (4, 40, 60), serializer=BBans(effort="fast"))
    old = zarr.create_array(
        str(tmp_path / "2.zarr"),
        shape=array.shape,
        chunks=(4, 40, 60),
        dtype="u1",
        zarr_format=2,
        compressors=Numcodec(effort="fast"),
    )
    old[:] = array
    model = bbans.load_model(FAST).id.hex()
    assert f'"model": "{model}"' in (tmp_path / "3.zarr" / "zarr.json").read_text()
    assert f'"model": "{model}"' in (tmp_path / "2.zarr" / ".zarray").read_text()
    paths = [str(tmp_path / name) for name in ("3.zarr", "2.zarr")]
    done = subprocess.run(
        [sys.executable, "-c", OTHER, *paths], cwd=repository, capture_output=True, text=True
    )
    crc = container.pixels_crc(array.reshape(-1, 60), 8)
    assert done.stdout.split() == [str(crc), "bbans.3", str(crc), "bbans.2"], done.stderr


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_memory(order, tmp_path):
    array = stack(3, 20, 25, depth=16)
    made = zarr.create_array(
        str(tmp_path / "a.zarr"),
        shape=array.shape,
        chunks=(3, 20, 25),
        dtype="<u2",
        zarr_format=2,
        order=order,
        compressors=Numcodec("none"),
    )
    made[:] = array
    assert np.array_equal(zarr.open_array(str(tmp_path / "a.zarr"))[:], array)


def test_numcodecs_registry():
    codec = numcodecs.get_codec({"id": "bbans", "model": "none", "channel_last": False})
    assert isinstance(codec, Numcodec)
    assert codec.get_config() == {
        "id": "bbans",
        "model": "none",
        "effort": "default",
        "channel_last": False,
    }
    array, out = stack(3), np.zeros((3, 24, 30), np.uint8)
    codec.decode(codec.encode(array), out)
    assert np.array_equal(out, array)


def test_a_tiny_model_that_an_array_could_not_name(tmp_path):
    (tmp_path / "tiny.safetensors").write_bytes(
        model_file.serialise(tiny_model().config, tiny_model().layers, {})
    )
    with pytest.raises(ModelNotFoundError, match="bbans models add"):
        BBans(model=str(tmp_path / "tiny.safetensors"))
