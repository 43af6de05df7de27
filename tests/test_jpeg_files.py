"""JPEG files where people meet them: files on disk and at URLs, archives, Pillow, JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

import bbans
import bbans.integrations.pillow
from bbans import container, images
from bbans.container import archive_reader
from bbans.errors import FormatError, InputError, JpegInputError, OutputError, OutputExistsError
from bbans.files.on_disk import original_suffix
from tests.jpegs import encoded, jpeg, photo
from tests.test_archives import CHAIN, thumbnails

SOURCES = {
    "a/photo.jpg": "EXIF",
    "a/PHOTO.JPEG": "progressive",
    "cmyk.jfif": "CMYK",
    "named.png": "profile",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """JPEGs, one with the name of a PNG, and an image."""
    root = tmp_path / "images"
    (root / "a").mkdir(parents=True)
    for name, kind in SOURCES.items():
        (root / name).write_bytes(jpeg(kind))
    Image.fromarray(photo()).save(root / "b.png")
    return root


def restored_name(name: str) -> str:
    return "named.png.jpg" if name == "named.png" else name


def test_a_folder_of_jpegs_comes_back(folder: Path, tmp_path: Path) -> None:
    path, back = tmp_path / "a.bbar", tmp_path / "back"
    made = bbans.create_archive(path, folder, model="none")
    assert made.items == 5 and made.skipped == ()
    assert made.raw_bytes == 5 * photo().size  # CMYK counts as RGB
    facts = bbans.list_archive(path)
    assert [item.name for item in facts.items] == sorted([*SOURCES, "b.png"])
    written = bbans.extract_archive(path, output=back).written
    assert {file.relative_to(back).as_posix() for file in written} == {
        *map(restored_name, SOURCES),
        "b.png",
    }
    for name, kind in SOURCES.items():
        assert (back / restored_name(name)).read_bytes() == jpeg(kind)
    with Image.open(back / "b.png") as image:
        assert np.array_equal(np.asarray(image), photo())
    with pytest.raises(OutputExistsError):
        bbans.extract_archive(path, ["a/photo.jpg"], output=back)


def test_pixels_of_an_archive_of_jpegs(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.bbar"
    bbans.create_archive(path, folder, model="none")
    found = dict(bbans.read_archive(path, ["a/photo.jpg", "b.png"]))
    assert images.same_image(found["a/photo.jpg"], images.read_image(jpeg("EXIF"), as_pixels=True))
    with pytest.raises(InputError, match=r"cmyk\.jfif: .*CMYK"):
        list(bbans.read_archive(path))
    extracted = bbans.extract_archive(path, output=tmp_path / "png", format="png", keep_going=True)
    assert [lost.name for lost in extracted.lost] == ["cmyk.jfif"] and len(extracted.written) == 4
    with Image.open(tmp_path / "png" / "a" / "photo.jpg.png") as image:
        assert np.array_equal(np.asarray(image), found["a/photo.jpg"].pixels)


def test_jpegs_beside_a_chain_and_as_pixels(folder: Path, tmp_path: Path) -> None:
    """No chain takes a JPEG, even of its shape; as pixels all are images."""
    path = tmp_path / "a.bbar"
    small = encoded(thumbnails(1)[0][1].astype(np.uint8))
    members = [*thumbnails(30), ("small.jpg", images.jpeg_file(small, 100))]
    made = bbans.create_archive(path, members, model=CHAIN, file_model="none")
    assert (made.items, made.chained) == (31, 30)
    bbans.extract_archive(path, ["small.jpg"], output=tmp_path, model=CHAIN)
    assert (tmp_path / "small.jpg").read_bytes() == small
    (folder / "cmyk.jfif").unlink()
    bbans.create_archive(path, folder, model="none", as_pixels=True, overwrite=True)
    data = path.read_bytes()
    index = archive_reader.read_archive_index(data)
    files = [archive_reader.read_item_file(data, index, i) for i in range(4)]
    assert not any(container.read_header(raw).has_jpeg for raw in files)


def test_a_damaged_jpeg_in_an_archive(folder: Path, tmp_path: Path) -> None:
    """The others come back; a damaged header is no reason to fail before."""
    path = tmp_path / "a.bbar"
    bbans.create_archive(path, folder, model="none")
    data = bytearray(path.read_bytes())
    index = archive_reader.read_archive_index(bytes(data))
    first, second = (
        next(i for i, item in enumerate(index.archive.items) if item.name == name)
        for name in ("a/photo.jpg", "cmyk.jfif")
    )
    data[index.items[first] + 10] ^= 1  # in the header
    data[index.items[second] + index.archive.items[second].size - 1] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError):
        bbans.extract_archive(path, output=tmp_path / "one")
    extracted = bbans.extract_archive(path, output=tmp_path / "two", keep_going=True)
    assert {lost.name for lost in extracted.lost} == {"a/photo.jpg", "cmyk.jfif"}
    assert len(extracted.written) == 3


def test_files_on_disk_and_at_urls(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(jpeg("EXIF"))
    result = bbans.compress_file(source, tmp_path / "a.bbans")
    assert result.source_bytes == len(jpeg("EXIF")) and result.raw_bytes == photo().size
    assert result.file_bytes == (tmp_path / "a.bbans").stat().st_size < result.source_bytes
    with pytest.raises(OutputExistsError):
        bbans.compress_file(source, tmp_path / "a.bbans")
    with pytest.raises(InputError, match="as-pixels"):
        bbans.compress_file(source, tmp_path / "b.bbans", strip=True)
    bbans.compress_file(source, tmp_path / "b.bbans", strip=True, as_pixels=True, model="none")
    assert original_suffix(tmp_path / "a.bbans") == ".jpg"
    assert original_suffix(tmp_path / "b.bbans") is None
    for target, kept in (("x.jpg", True), ("x", True), ("x.raw", True), ("x.png", False)):
        bbans.decompress_file(tmp_path / "a.bbans", tmp_path / target)
        assert ((tmp_path / target).read_bytes() == jpeg("EXIF")) == kept
    with pytest.raises(OutputError, match="no JPEG"):
        bbans.decompress_file(tmp_path / "b.bbans", tmp_path / "y.jpg", format="jpeg")
    with pytest.raises(OutputError, match="pixels"):
        bbans.decompress_file(tmp_path / "a.bbans", tmp_path / "y.jpg", format="JPEG", preview=1)
    bbans.decompress_file(tmp_path / "a.bbans", tmp_path / "y.jpg", region=(0, 0, 9, 9))
    assert (tmp_path / "y.jpg").read_bytes().startswith(b"\x89PNG")  # a part is pixels
    files = fsspec.filesystem("memory")
    files.pipe("/jpegs/a.jpg", jpeg("EXIF"))
    bbans.compress_file("memory://jpegs/a.jpg", "memory://jpegs/a.bbans")
    assert original_suffix("memory://jpegs/a.bbans") == ".jpg"
    bbans.decompress_file("memory://jpegs/a.bbans", "memory://jpegs/back.jpg")
    assert files.cat("/jpegs/back.jpg") == jpeg("EXIF")
    bbans.create_archive("memory://jpegs/a.bbar", "memory://jpegs", model="none")
    names = [item.name for item in bbans.list_archive("memory://jpegs/a.bbar").items]
    assert names == ["a.jpg", "back.jpg"]
    bbans.extract_archive("memory://jpegs/a.bbar", ["a.jpg"], output=tmp_path / "back")
    assert (tmp_path / "back" / "a.jpg").read_bytes() == jpeg("EXIF")


@pytest.mark.parametrize("kind", ["EXIF", "grey", "profile", "progressive"])
def test_pillow_opens_what_holds_a_jpeg(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bbans"
    path.write_bytes(bbans.compress_jpeg(jpeg(kind)))
    (tmp_path / "a.jpg").write_bytes(jpeg(kind))
    with Image.open(path) as ours, Image.open(tmp_path / "a.jpg") as theirs:
        assert (ours.format, ours.mode, ours.size) == ("BBANS", theirs.mode, theirs.size)
        assert dict(ours.getexif()) == dict(theirs.getexif())
        assert ours.info.get("icc_profile") == theirs.info.get("icc_profile")
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    with Image.open(path) as ours:
        ours.verify()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(OSError, match="cannot identify|checksum"):
        Image.open(path)


def test_pillow_has_no_pixels_of_cmyk(tmp_path: Path) -> None:
    """As with `as_pixels`; a program that wants them opens the JPEG."""
    path = tmp_path / "a.bbans"
    path.write_bytes(bbans.compress_jpeg(jpeg("CMYK")))
    with pytest.raises(OSError, match="CMYK"), Image.open(path) as image:
        image.load()
    with pytest.raises(InputError, match="CMYK"):
        bbans.open(path)


def test_sets_of_images_refuse_jpegs_as_before(folder: Path) -> None:
    """What trains and evaluates reads pixels, which have to be asked for."""
    found = images.open_set(folder)
    at = found.names.index("a/photo.jpg")
    with pytest.raises(JpegInputError, match="as-pixels"):
        found.image(at)
    kept = found.source(at)
    assert isinstance(kept, images.JpegFile) and kept.data == jpeg("EXIF")
    assert (kept.width, kept.height, kept.components, kept.precision) == (131, 97, 3, 8)
    assert isinstance(found.source(found.names.index("b.png")), images.Image)
    pixels = images.open_set(folder, as_pixels=True).source(at)
    assert isinstance(pixels, images.Image)
    with pytest.raises(InputError, match=r"no\.jpg: damaged JPEG"):
        (folder / "no.jpg").write_bytes(b"\xff\xd8\xff\xd9")
        images.read_source(folder / "no.jpg")


def test_json_of_a_jpeg() -> None:
    data = bbans.compress_jpeg(jpeg("quality 98"))
    facts = json.loads(json.dumps(bbans.info(data).to_dict()))
    assert facts["jpeg"] == {"method": "JPEG XL", "bytes": len(jpeg("quality 98"))}
    assert (facts["tiles"], facts["codecs"], facts["parts"]) == (0, {}, [])
    assert facts["bits_per_dimension"] == {"total": 8 * len(data) / photo().size}
    lines = bbans.info(data).lines(each_tile=True)
    assert len(lines) == 3 and "JPEG XL" in lines[1] and "of the JPEG" in lines[2]
    with pytest.raises(InputError, match="as-pixels"):
        bbans.info(data, costs=True)
    assert "jpeg" not in bbans.info(bbans.compress(photo(), model="none")).to_dict()
    assert replace(bbans.info(data), jpeg=None).lines()[1].startswith("tiles:")
