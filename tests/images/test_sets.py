"""Sets of images: folders, arrays and idx files, read one image at a time, with depth and names;
what is refused, by name.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bbans.errors import InputError, JpegInputError
from bbans.images import PngChunk, from_array, make_image, open_set, split_holdout, write_image
from tests.images.makers import encode, grey, rgb, samples

STACK = np.random.default_rng(0).integers(0, 256, (12, 5, 7), dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def test_a_folder_with_depth_palette_and_metadata(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    deep = make_image(samples(16, 3), (PngChunk("tEXt", b"a\0b"),), 16)
    for name, image in {
        "b/deep.png": deep,
        "bits.png": make_image(samples(1), (), 1),
        "grey.png": from_array(grey(3, 2)),
    }.items():
        with (tmp_path / name).open("wb") as file:
            write_image(image, file)
    (tmp_path / "a.jpg").write_bytes(encode(rgb(8, 8), "JPEG"))
    (tmp_path / "notes.txt").write_text("no image")
    found = open_set(tmp_path)
    assert found.names == ("a.jpg", "b/deep.png", "bits.png", "grey.png") and found.skipped == (
        "notes.txt",
    )
    with pytest.raises(JpegInputError, match=r"a\.jpg"):
        found[0]
    assert open_set(tmp_path, as_pixels=True)[0][1].shape == (8, 8, 3)
    assert found.image(1).metadata == deep.metadata and np.array_equal(found[1][1], deep.pixels)
    assert [found.image(i).bit_depth for i in (1, 2, 3)] == [16, 1, 8]
    assert open_set(tmp_path / "grey.png")[0][0] == "grey.png"


@pytest.mark.parametrize(
    "save",
    [np.save, lambda p, a: np.savez(p, images=a), lambda p, a: np.savez_compressed(p, images=a)],
)
@pytest.mark.parametrize(
    "stack",
    [
        STACK,
        STACK.astype(np.uint16) * 257,
        STACK > 100,
        np.stack([STACK] * 3, -1),
        STACK[..., None],
    ],
)
def test_arrays(
    tmp_path: Path, save: Callable[[Path, np.ndarray], None], stack: np.ndarray
) -> None:
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, stack)
    found = open_set(path)
    assert found.names == tuple(f"{i:02d}" for i in range(12))
    for i, (_, array) in enumerate(found):
        assert np.array_equal(array, stack[i].reshape(array.shape)) and array.ndim == (
            3 if stack.shape[3:] == (3,) else 2
        )
        assert array.dtype == (np.uint16 if stack.dtype == np.uint16 else np.uint8)
    assert found.image(3).bit_depth == {"bool": 1, "uint8": 8, "uint16": 16}[stack.dtype.name]
    assert [name for name, _ in found[2:4]] == ["02", "03"] and found[-1][0] == "11"


def test_several_arrays_in_one_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", test=STACK[:3], labels=np.arange(3), train=STACK[3:])
    found = open_set(tmp_path / "a.npz")
    assert found.names[:4] == ("test/0", "test/1", "test/2", "train/0") and len(found) == 12
    assert all(np.array_equal(found[i][1], STACK[i]) for i in (11, 0, 5, 2))


@pytest.mark.parametrize("packed", [False, True])
def test_flat_and_packed_rows_need_a_shape(tmp_path: Path, packed: bool) -> None:
    bits = (STACK > 128).reshape(12, 35)
    np.savez(tmp_path / "a.npz", x=np.packbits(bits, axis=1) if packed else bits)
    found = open_set(tmp_path / "a.npz", shape=(5, 7))
    assert found.image(0).bit_depth == 1
    assert np.array_equal(np.stack([array for _, array in found]), STACK > 128)
    for shape in (None, (5, 9), (28, 28)):
        with pytest.raises(InputError, match=r"a\.npz, array x: "):
            open_set(tmp_path / "a.npz", shape=shape)


@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(gzip.compress(idx(STACK)) if packed else idx(STACK))
    found = open_set(path)
    assert len(found) == 12 and all(
        np.array_equal(array, STACK[i]) for i, (_, array) in enumerate(found)
    )


BAD_IDX = {
    "idx of labels": (idx(np.zeros(9, np.uint8)), "images"),
    "idx of floats": (bytes([0, 0, 13, 3]) + bytes(12), "no idx|not an image"),
    "short idx": (idx(STACK)[:-1], "bytes of samples were expected"),
    "long idx": (idx(STACK) + b"x", "bytes of samples were expected"),
    "idx cut in its axes": (idx(STACK)[:9], "damaged idx"),
    "huge idx": (bytes([0, 0, 8, 4]) + b"\xff" * 16, "samples were expected|damaged"),
    "empty idx": (idx(STACK[:0]), "at least one image"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", BAD_IDX)
def test_damaged_idx_files(tmp_path: Path, name: str, packed: bool) -> None:
    data, words = BAD_IDX[name]
    (tmp_path / "x").write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(InputError, match=words if not packed else f"{words}|unsigned bytes"):
        open_set(tmp_path / "x")[0]


def test_what_is_no_set(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", np.zeros((2, 5, 5)))
    np.savez(tmp_path / "labels.npz", a=np.arange(3), b=np.arange(4))
    np.savez(tmp_path / "pickled.npz", a=np.array([{}], object))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04" + bytes(40))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(idx(STACK))[:40])
    (tmp_path / "folder").mkdir()
    cases = {
        "floats.npy": "float64",
        "labels.npz": "give a shape",
        "pickled.npz": "allow_pickle",
        "cut.npz": "damaged",
        "cut.gz": "cannot be",
    }
    for name, words in {**cases, "folder": "none among 0", "missing": "nothing"}.items():
        with pytest.raises(InputError, match=words) as caught:
            open_set(tmp_path / name)[0]
        assert name.split(".")[0] in str(caught.value) and "\n" not in str(caught.value)


def test_the_split_by_content_works_on_a_set(tmp_path: Path) -> None:
    stack = np.random.default_rng(1).integers(0, 256, (200, 5, 5), dtype=np.uint8)
    np.save(tmp_path / "a.npy", stack)
    train, holdout = split_holdout(open_set(tmp_path / "a.npy"))
    assert 5 <= len(holdout) <= 40 and len(train) + len(holdout) == 200
    again, _ = split_holdout([(str(i), array) for i, array in enumerate(stack)])
    assert [int(name) for name, _ in train] == [int(name) for name, _ in again]


@pytest.mark.shared
def test_mnist(shared: Path) -> None:
    digits = open_set(shared / "data" / "mnist" / "t10k-images-idx3-ubyte.gz")
    assert len(digits) == 10000 and digits[9999][1].shape == (28, 28) and digits.names[42] == "0042"
    binary = open_set(
        shared / "data" / "binarized_mnist" / "binarized_mnist_larochelle.npz", shape=(28, 28)
    )
    assert len(binary) == 70000 and {name.split("/")[0] for name in binary.names} == {
        "train",
        "valid",
        "test",
    }
    assert binary.image(0).bit_depth == 1 and 20 < binary[60123][1].sum() < 400
