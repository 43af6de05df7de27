"""Inputs and outputs by URL: the same files as by path, errors by name, nothing overwritten
unasked.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest

import bbans
from bbans import images
from bbans.errors import InputError, OutputError, OutputExistsError
from bbans.files import urls
from bbans_cli.main import main
from tests.images.makers import rgb, written
from tests.tiny import smooth_image

NONE = ["-q", "--model", "none"]


@pytest.fixture
def memory():
    """An empty file system in memory."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()


def png(seed: int = 0) -> bytes:
    return written(images.from_array(rgb(9, 7, seed)))


def test_which_names_are_urls(tmp_path):
    for name in ("a.png", "/a/b.png", "C:/a.png", "a:b", "memory:/a", "-", str(tmp_path)):
        assert urls.located(name) == Path(name)
    for name in ("memory://a.png", "zip://a.png::file:///b.zip", "s3+x://b/c"):
        assert urls.located(name) == name
    assert urls.located(Path("memory://a")) == Path("memory:/a")
    assert urls.located((tmp_path / "a.png").as_uri()) == tmp_path / "a.png"
    assert [urls.name_of(url) for url in ("m://a/b.png", "m://a/b/", "zip://c.png::m://a.zip")] == [
        "b.png",
        "b",
        "c.png",
    ]


def test_files_by_url_are_those_by_path(memory, tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    memory.pipe("/in/a.png", png())
    by_path = bbans.compress_file(tmp_path / "a.png", tmp_path / "a.bbans", model="none")
    assert (
        bbans.compress_file("memory://in/a.png", "memory://new/out/a.bbans", model="none")
        == by_path
    )
    assert memory.cat("/new/out/a.bbans") == (tmp_path / "a.bbans").read_bytes()
    bbans.decompress_file("memory://new/out/a.bbans", "memory://back.png")
    assert np.array_equal(images.read_image(memory.cat("/back.png")).pixels, rgb(9, 7))
    assert bbans.open("memory://new/out/a.bbans").size == (7, 9)
    with pytest.raises(OutputExistsError, match=r"memory://back\.png: exists"):
        bbans.decompress_file("memory://new/out/a.bbans", "memory://back.png")
    bbans.decompress_file("memory://new/out/a.bbans", "memory://back.png", overwrite=True)


def test_errors_by_name(memory, monkeypatch):
    memory.pipe("/a.txt", b"no image")
    with pytest.raises(InputError, match=r"memory://b\.png: cannot be read: nothing is there"):
        bbans.compress_file("memory://b.png", "memory://b.bbans")
    with pytest.raises(InputError, match=r"memory://a\.txt: not an image"):
        bbans.compress_file("memory://a.txt", "memory://b.bbans")
    with pytest.raises(InputError, match="cannot be reached"):
        bbans.open("nonsense://a.bbans")
    memory.pipe("/a.png", png())
    monkeypatch.setattr(
        type(memory),
        "pipe_file",
        lambda *_, **__: (_ for _ in ()).throw(RuntimeError("full\nof it")),
    )
    with pytest.raises(OutputError, match=r"memory://b\.bbans: cannot be written: full of it"):
        bbans.compress_file("memory://a.png", "memory://b.bbans", model="none")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match="pip install fsspec"):
        bbans.open("memory://a.bbans")


def test_the_commands(memory, tmp_path, capsys):
    for i in range(2):
        memory.pipe(f"/in/{i}.png", png(i))
        (tmp_path / f"{i}.png").write_bytes(png(i))
        assert main(["compress", *NONE, str(tmp_path / f"{i}.png")]) == 0
    assert main(["compress", *NONE, "memory://in/0.png", "memory://in/1.png"]) == 0
    assert (
        main(
            ["compress", *NONE, "memory://in/0.png", str(tmp_path / "1.png"), "-o", "memory://to/"]
        )
        == 0
    )
    assert main(["compress", *NONE, "memory://in/1.png", "-o", "memory://one.bbans"]) == 0
    for name, i in (("in/0", 0), ("in/1", 1), ("to/0", 0), ("to/1", 1), ("one", 1)):
        assert memory.cat(f"/{name}.bbans") == (tmp_path / f"{i}.bbans").read_bytes()
    assert main(["compress", *NONE, "memory://in/0.png"]) == OutputExistsError.exit_code
    assert main(["verify", "-q", "memory://one.bbans"]) == main(["info", "memory://one.bbans"]) == 0
    assert main(["decompress", "-q", "memory://one.bbans", "-o", str(tmp_path / "back.tiff")]) == 0
    assert main(["decompress", "-q", "memory://one.bbans", "-o", "memory://back.bmp"]) == 0
    assert np.array_equal(images.read_image(tmp_path / "back.tiff").pixels, rgb(9, 7, 1))
    assert memory.cat("/back.bmp").startswith(b"BM")
    uri = (tmp_path / "0.png").as_uri()
    assert main(["compress", *NONE, uri, "-o", (tmp_path / "u.bbans").as_uri()]) == 0
    assert (tmp_path / "u.bbans").read_bytes() == (tmp_path / "0.bbans").read_bytes()
    capsys.readouterr()
    assert main(["decompress", "-q", "memory://none.bbans"]) == InputError.exit_code
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["compress", *NONE, "memory://in/0.png", "-o", "memory://in/0.png"]) == 2


def test_a_file_inside_another(tmp_path, memory):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("deep/a.png", png())
    url = f"zip://deep/a.png::{(tmp_path / 'a.zip').as_uri()}"
    assert main(["compress", *NONE, url]) == 2
    assert main(["compress", *NONE, url, "-o", str(tmp_path)]) == 0
    assert np.array_equal(bbans.decompress((tmp_path / "a.bbans").read_bytes()), rgb(9, 7))


def test_archives(memory, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    np.save(tmp_path / "many.npy", np.stack([smooth_image(6, 9, i) for i in range(3)]))
    memory.pipe("/many.npy", (tmp_path / "many.npy").read_bytes())
    for name in ("a.png", "deep/b.png"):
        (tmp_path / "in" / name).write_bytes(png(len(name)))
        memory.pipe(f"/in/{name}", png(len(name)))
    memory.pipe("/in/notes.txt", b"no image")
    here = bbans.create_archive(
        tmp_path / "a.bbar", [tmp_path / "in", tmp_path / "many.npy"], model="none"
    )
    there = bbans.create_archive(
        "memory://x/a.bbar", ["memory://in", "memory://many.npy"], model="none"
    )
    assert there.skipped == ("memory://in/notes.txt",) and there.file_bytes == here.file_bytes
    assert memory.cat("/x/a.bbar") == (tmp_path / "a.bbar").read_bytes()
    assert bbans.list_archive("memory://x/a.bbar") == bbans.list_archive(tmp_path / "a.bbar")
    assert [name for name, _ in bbans.read_archive("memory://x/a.bbar")] == [
        item.name for item in bbans.list_archive(tmp_path / "a.bbar").items
    ]
    assert main(["archive", "create", *NONE, "memory://in/", "-o", "memory://x/b.bbar"]) == 0
    assert (
        main(["archive", "create", *NONE, "memory://in/", "-o", "memory://x/b.bbar"])
        == OutputExistsError.exit_code
    )
    assert (
        main(["archive", "extract", "-q", "memory://x/b.bbar", "-o", str(tmp_path / "back")]) == 0
    )
    assert np.array_equal(
        images.read_image(tmp_path / "back" / "deep" / "b.png").pixels, rgb(9, 7, 10)
    )
    with pytest.raises(OutputError, match="folder of this machine"):
        bbans.extract_archive("memory://x/b.bbar", output="memory://back")
    memory.pipe("/empty/notes.txt", b"no image")
    with pytest.raises(InputError, match="found none among 1 files"):
        bbans.create_archive("memory://x/c.bbar", "memory://empty", model="none")
