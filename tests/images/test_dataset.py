"""Training folders: which files are taken, as what, and which images are set aside."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from bbans.errors import InputError
from bbans.images import content_hash, load_folder, split_holdout
from tests.images.makers import encode, grey, make_png, rgb


def test_a_folder_of_everything(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "photo.png").write_bytes(encode(rgb(), "PNG"))
    (tmp_path / "a.jpg").write_bytes(encode(rgb(8, 8), "JPEG"))
    (tmp_path / "c.npy").write_bytes(b"")
    np.save(tmp_path / "c.npy", rgb(3, 4))
    np.save(tmp_path / "d.npy", grey(3, 4))
    np.save(tmp_path / "deep.npy", np.zeros((3, 4), np.uint16))
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "e.gif").write_bytes(encode(PIL.Image.new("P", (2, 3)), "GIF"))
    (tmp_path / "f.png").write_bytes(encode(PIL.Image.new("RGBA", (2, 3), (1, 2, 3, 4)), "PNG"))
    (tmp_path / "deep.png").write_bytes(make_png(1, 1, 16, 2, bytes(7)))
    (tmp_path / "deep.tif").write_bytes(encode(PIL.Image.new("I;16", (2, 3)), "TIFF"))
    (tmp_path / "cut.png").write_bytes(encode(rgb(), "PNG")[:-30])
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty").write_bytes(b"")
    lines: list[str] = []
    images = dict(load_folder(tmp_path, lines.append))
    assert list(images) == ["a.jpg", "b/photo.png", "c.npy", "d.npy", "e.gif", "f.png"]
    for array in images.values():
        assert (
            array.dtype == np.uint8
            and array.ndim == 3
            and array.shape[2] == 3
            and array.flags.c_contiguous
        )
    np.testing.assert_array_equal(images["b/photo.png"], rgb())
    np.testing.assert_array_equal(images["d.npy"], np.repeat(grey(3, 4)[:, :, None], 3, axis=2))
    assert images["f.png"][0, 0].tolist() == [1, 2, 3]
    assert len(lines) == 1 and "7 of 13 files" in lines[0] and "cut.png" in lines[0]
    assert len(load_folder(str(tmp_path / "b"))) == 1


def test_jpeg_xl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = pytest.importorskip("imagecodecs")
    (tmp_path / "a.jxl").write_bytes(codecs.jpegxl_encode(rgb(), lossless=True))
    (tmp_path / "b.jxl").write_bytes(b"noise")
    ((name, array),) = load_folder(tmp_path)
    assert name == "a.jxl"
    np.testing.assert_array_equal(array, rgb())
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(InputError, match=r"pip install \"bbans\[train\]\""):
        load_folder(tmp_path)


def test_folders_without_images(tmp_path: Path) -> None:
    for path, words in [(tmp_path / "none", "found nothing"), (tmp_path, "none among 0 files")]:
        with pytest.raises(InputError, match=words):
            load_folder(path)
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(InputError, match="none among 1 files"):
        load_folder(tmp_path)
    with pytest.raises(InputError, match="found a file"):
        load_folder(tmp_path / "notes.txt")


def test_content_hash_is_of_c_order_bytes() -> None:
    assert content_hash(rgb()) == hashlib.sha256(rgb().tobytes()).hexdigest()
    assert content_hash(np.asfortranarray(rgb())) == content_hash(rgb())


def test_the_holdout_depends_on_content_alone() -> None:
    images = [(str(seed), rgb(2, 2, seed)) for seed in range(300)]
    train, holdout = split_holdout(images)
    assert {name for name, _ in holdout} == {
        name for name, array in images if int(content_hash(array)[:8], 16) % 10 == 0
    }
    assert len(train) + len(holdout) == 300
    assert 10 <= len(holdout) <= 55  # binomial(300, 1/10); the seeds are fixed
    again, _ = split_holdout([(f"copy of {name}", array) for name, array in images[::-1]])
    assert [name for name, _ in again][::-1] == [f"copy of {name}" for name, _ in train]
    assert split_holdout(images, one_in=1) == ([], images)
