"""Stacks: pages, frames and planes in one file and back, on the command line too; tags of pages,
limits, damage, permission bits.
"""

from __future__ import annotations

import json
import os
import random
import struct
import tracemalloc
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bbans
from bbans import container
from bbans.container import archive_reader, archive_writer
from bbans.errors import (
    BbansError,
    FormatError,
    InputError,
    JpegInputError,
    LimitError,
    OutputError,
    UnsupportedImageError,
)
from bbans.images import stacks
from bbans_cli.main import main
from tests.frozen.make import tagged
from tests.fuzzing import attempt
from tests.images.makers import encode, grey
from tests.images.test_tiff_tags import facts
from tests.mutations import forge, mutated
from tests.tiny import smooth_image

tifffile = pytest.importorskip("tifffile")

RNG = np.random.default_rng(5)
PLANES = np.stack([smooth_image(40, 50, channels=1) + np.uint8(i) for i in range(4)])
BANDS = RNG.integers(0, 4000, (24, 28, 6)).astype(np.uint16)


def written(pages: list[tuple[np.ndarray, dict[str, Any]]], **options: Any) -> bytes:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer, **options) as writer:
        for pixels, page in pages:
            writer.write(pixels, metadata=None, contiguous=False, **page)
    return buffer.getvalue()


MIXED = written(
    [
        (PLANES[0], {"description": "first", "resolution": (300, 300), "software": "s"}),
        (smooth_image(9, 11), {"photometric": "rgb", "description": "colours"}),
        (BANDS, {"photometric": "minisblack", "planarconfig": "contig", "compression": "zlib"}),
        (BANDS[:, :, 0], {"tile": (16, 16), "extratags": [(65000, "d", 1, 0.1, True)]}),
        (
            np.moveaxis(BANDS[..., :5], -1, 0),
            {"photometric": "rgb", "planarconfig": "separate", "extrasamples": [0, 2]},
        ),
    ]
)
TIFFS = {
    "mixed": MIXED,
    "big-endian": written([(p, {"resolution": (3, 4)}) for p in BANDS.T], byteorder=">"),
    "BigTIFF": written([(p, {"compression": "lzw"}) for p in PLANES], bigtiff=True),
    "bits": written([(p > 100, {"compression": "packbits"}) for p in PLANES]),
}


def pages_of(data: bytes) -> list[np.ndarray]:
    with tifffile.TiffFile(BytesIO(data)) as opened:
        return [page.asarray() for page in opened.pages]


def through(data: bytes, folder: Path, **options: Any) -> bytes:
    """A file, compressed as a stack and restored to a file of its kind."""
    (folder / "a").write_bytes(data)
    bbans.compress_stack(folder / "a", folder / "b", model="none", overwrite=True, **options)
    assert bbans.is_stack(folder / "b") and bbans.is_stack(data)
    bbans.decompress_stack(folder / "b", folder / "c", overwrite=True)
    return (folder / "c").read_bytes()


@pytest.mark.parametrize("name", TIFFS)
def test_pages_and_their_tags_come_back(name: str, tmp_path: Path) -> None:
    data = TIFFS[name]
    back = through(data, tmp_path)
    for one, two in zip(pages_of(data), pages_of(back), strict=True):
        np.testing.assert_array_equal(one, two, strict=True)
    assert facts(back) == facts(data) and back[:2] == data[:2]
    with tifffile.TiffFile(BytesIO(data)) as one, tifffile.TiffFile(BytesIO(back)) as two:
        for first, second in zip(one.pages, two.pages, strict=True):
            for fact in ("samplesperpixel", "bitspersample", "planarconfig", "extrasamples"):
                assert getattr(first, fact) == getattr(second, fact), fact
            assert first.photometric == second.photometric
    assert through(back, tmp_path) == back


def test_an_ome_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif", PLANES, metadata={"axes": "ZYX", "PhysicalSizeX": 0.25}, ome=True
    )
    (back := tmp_path / "b.ome.tif").write_bytes(
        through((tmp_path / "a.ome.tif").read_bytes(), tmp_path)
    )
    with tifffile.TiffFile(back) as opened:
        assert opened.is_ome and 'PhysicalSizeX="0.25"' in opened.ome_metadata
        np.testing.assert_array_equal(opened.asarray(), PLANES)


ARRAYS = {
    "planes": PLANES,
    "channels": np.moveaxis(PLANES, 0, -1)[None],
    "bands": BANDS,
    "big-endian bands": BANDS.astype(">u2"),
    "Fortran": np.asfortranarray(PLANES),
    "Fortran bands": np.asfortranarray(BANDS),
    "bool": PLANES > 100,
    "five axes": RNG.integers(0, 9, (2, 3, 7, 9, 3)).astype(np.uint8),
    "sets of bands": RNG.integers(0, 9, (2, 30, 28, 5)).astype(np.uint8),
    "one channel": PLANES[..., None],
    "one page": PLANES[:1],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(name: str, tmp_path: Path) -> None:
    """Byte for byte as files, and as arrays."""
    array, file = ARRAYS[name], BytesIO()
    np.save(file, array)
    assert through(file.getvalue(), tmp_path) == file.getvalue()
    found = bbans.read_stack(tmp_path / "b")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    bbans.compress_stack(array, tmp_path / "direct", model="none")
    np.testing.assert_array_equal(bbans.read_stack(tmp_path / "direct"), array)


def test_frames_come_back(tmp_path: Path) -> None:
    data = b"P5\n3 1\n255\nabcP6\n1 2\n65535\nabcdefghijklP4\n9 1\n\x80\x80"
    assert through(data, tmp_path) == data
    result = bbans.compress_stack(data + b" end", tmp_path / "end", model="none")
    assert result.left_out == ("of page 3: 4 bytes after its last image",)


def test_other_kinds_of_files_of_a_stack(tmp_path: Path) -> None:
    bbans.compress_stack(PLANES, tmp_path / "a", model="none")
    for kind in ("TIFF", "PPM"):
        bbans.decompress_stack(tmp_path / "a", tmp_path / kind, format=kind)
        bbans.compress_stack(tmp_path / kind, tmp_path / f"{kind}.b", model="none")
        np.testing.assert_array_equal(bbans.read_stack(tmp_path / f"{kind}.b"), PLANES)
    bbans.compress_stack(BANDS, tmp_path / "bands", model="none")
    bbans.decompress_stack(tmp_path / "bands", tmp_path / "bands.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "bands.tif"), BANDS)
    for source, kind, words in (("bands", "PPM", "6 samples"), ("a", "PNG", "holds no stack")):
        with pytest.raises(OutputError, match=words):
            bbans.decompress_stack(tmp_path / source, tmp_path / "no", format=kind)
    (tmp_path / "mixed.tif").write_bytes(MIXED)
    bbans.compress_stack(tmp_path / "mixed.tif", tmp_path / "mixed", model="none")
    with pytest.raises(OutputError, match="pages of one size and type"):
        bbans.read_stack(tmp_path / "mixed")
    assert not (tmp_path / "no").exists()


def test_pages_are_coded_as_files_are(tmp_path: Path) -> None:
    """A page of the stack is the file that the page alone would be."""
    bbans.compress_stack(PLANES, tmp_path / "a", model="none")
    data = (tmp_path / "a").read_bytes()
    index = archive_reader.read_archive_index(data)
    for number, plane in enumerate(PLANES):
        raw = archive_reader.read_item_file(data, index, number)
        assert raw == bbans.compress(plane, model="none")
    assert len(data) - sum(item.size for item in index.archive.items) < 60


def test_the_photograph_model_and_threads(tmp_path: Path) -> None:
    for threads in (1, 2):
        path = tmp_path / str(threads)
        bbans.compress_stack(PLANES[:2], path, effort="fast", threads=threads)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    np.testing.assert_array_equal(bbans.read_stack(tmp_path / "1"), PLANES[:2])


def test_single_images_are_no_stacks(tmp_path: Path) -> None:
    singles = [encode(grey(), kind) for kind in ("PNG", "TIFF", "PPM", "BMP")]
    np.save(file := BytesIO(), PLANES[0])
    np.save(colours := BytesIO(), smooth_image(5, 6))
    for data in (*singles, file.getvalue(), colours.getvalue(), b"", b"text", b"P5 3 3 255 a"):
        assert not bbans.is_stack(data)
    assert not bbans.is_stack(tmp_path / "missing")
    with pytest.raises(InputError, match="single image"):
        bbans.compress_stack(singles[0], tmp_path / "a", model="none")
    bbans.create_archive(tmp_path / "b.bbar", [("a", PLANES[0])], model="none")
    with pytest.raises(FormatError, match="archive of single images"):
        bbans.read_stack(tmp_path / "b.bbar")
    assert not bbans.is_stack(tmp_path / "b.bbar")


def test_what_is_refused_by_name(tmp_path: Path) -> None:
    jpegs = written([(smooth_image(16, 16), {"photometric": "rgb"})] * 2)
    floats = written([(PLANES[0].astype(np.float32), {})] * 2)
    with pytest.raises(UnsupportedImageError, match="page 1: .*floating-point"):
        bbans.compress_stack(floats, tmp_path / "a", model="none")
    np.save(file := BytesIO(), PLANES.astype(np.int64))
    with pytest.raises(UnsupportedImageError, match="int64"):
        bbans.compress_stack(file.getvalue(), tmp_path / "a", model="none")
    with pytest.raises(InputError, match="up to 8"):
        bbans.compress_stack(np.zeros((1,) * 9, np.uint8), tmp_path / "a", model="none")
    with pytest.raises(UnsupportedImageError, match="is no single image: compress it as a stack"):
        bbans.compress_file(_saved(tmp_path, jpegs), tmp_path / "a", model="none")
    images = [__import__("PIL.Image").Image.fromarray(smooth_image(16, 16)) for _ in range(2)]
    data = encode(images[0], "TIFF", compression="jpeg", save_all=True, append_images=images[1:])
    with pytest.raises(JpegInputError, match="page 1"):
        bbans.compress_stack(data, tmp_path / "a", model="none")
    bbans.compress_stack(data, tmp_path / "a", model="none", as_pixels=True)
    assert bbans.read_stack(tmp_path / "a").shape == (2, 16, 16, 3)
    assert not (tmp_path / "b").exists()


def _saved(folder: Path, data: bytes) -> Path:
    (folder / "saved").write_bytes(data)
    return folder / "saved"


def test_limits(tmp_path: Path) -> None:
    bbans.compress_stack(PLANES, tmp_path / "a", model="none")
    with pytest.raises(LimitError, match="8000 pixels"):
        bbans.read_stack(tmp_path / "a", max_pixels=7999)
    with pytest.raises(LimitError):
        bbans.decompress_stack(tmp_path / "a", tmp_path / "b", max_pixels=1999)
    with pytest.raises(LimitError, match="limit of 3"):
        bbans.decompress_stack(tmp_path / "a", tmp_path / "b", max_items=3)
    bbans.decompress_stack(tmp_path / "a", tmp_path / "b", max_pixels=2000, max_items=4)


def test_pages_are_in_memory_one_at_a_time(tmp_path: Path) -> None:
    """40 pages of a megabyte: reading them takes a few, and so does writing."""
    page = np.zeros((1024, 1024), np.uint8)
    (tmp_path / "a.tif").write_bytes(written([(page, {})] * 40))
    with (tmp_path / "a.tif").open("rb") as file:
        from bbans.container import FileBuffer

        tracemalloc.start()
        try:
            stack = stacks.open_stack(FileBuffer(file))
            assert stack is not None and sum(1 for _ in stack.pages()) == 40
            assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
        finally:
            tracemalloc.stop()
    bbans.compress_stack(tmp_path / "a.tif", tmp_path / "a", model="none", threads=1)
    tracemalloc.start()
    try:
        bbans.decompress_stack(tmp_path / "a", tmp_path / "b.tif", threads=1)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["mixed", "big-endian", "frames", "array"])
def test_damaged_sources_end_in_named_errors(name: str, tmp_path: Path) -> None:
    """Bytes of the directories and of the rest changed: an error of ours, or a stack."""
    np.save(file := BytesIO(), PLANES)
    others = {"frames": b"P5\n3 1\n255\nabcP6\n1 2\n255\nabcdef", "array": file.getvalue()}
    data = TIFFS.get(name) or others[name]
    rng, refused = random.Random(name), 0
    for _ in range(120):
        changed = mutated(data, rng, [data])
        try:
            stack = stacks.open_stack(changed, max_pixels=2**16)
            for _ in stack.pages() if stack is not None else ():
                pass
        except BbansError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 10


def test_a_chain_of_pages_that_comes_back_to_itself(tmp_path: Path) -> None:
    data = bytearray(written([(PLANES[0], {})] * 3))
    with tifffile.TiffFile(BytesIO(data)) as opened:
        last, first = opened.pages[2].offset, opened.pages[0].offset
    (count,) = struct.unpack_from("<H", data, last)
    struct.pack_into("<I", data, last + 2 + 12 * count, first)
    with pytest.raises(InputError, match="go round in a circle"):
        bbans.compress_stack(bytes(data), tmp_path / "a", model="none")


def test_damaged_archives_of_stacks(tmp_path: Path) -> None:
    bbans.compress_stack(MIXED, tmp_path / "a", model="none")
    data = (tmp_path / "a").read_bytes()
    rng = random.Random(1)
    whole = 0
    for _ in range(150):
        (tmp_path / "b").write_bytes(mutated(data, rng, [data]))
        try:
            bbans.decompress_stack(tmp_path / "b", tmp_path / "c", overwrite=True, max_pixels=2**16)
            whole += 1
        except (FormatError, OutputError) as error:
            assert "\n" not in str(error)
    assert whole < 15


def test_damaged_and_forged_tags() -> None:
    """A file with tags, damaged, and its chunks changed under right checksums: refused or whole."""
    content = container.read(bbans.compress(tagged(PLANES[0]), model="none"))
    rng, refused = random.Random(7), 0
    for number in range(300):
        chunks = list(content.metadata)
        at = number % len(chunks)
        payload = mutated(chunks[at].payload, rng, [chunks[at].payload])
        chunks[at] = replace(chunks[at], payload=payload)
        data = forge(replace(content, metadata=tuple(chunks)), rng)
        refused += attempt("decompress", data) is not None
        attempt("decompress", mutated(data, rng, [data]))
    assert refused > 50


def test_another_byte_order_in_a_page_is_refused(tmp_path: Path) -> None:
    """A forged stack whose pages have tags of two byte orders."""
    for order, name in zip("<>", "ab", strict=True):
        data = written([(PLANES[0], {"resolution": (3, 4)})] * 2, byteorder=order)
        bbans.compress_stack(data, tmp_path / name, model="none")
    one, two = ((tmp_path / name).read_bytes() for name in "ab")
    first, second = (archive_reader.read_archive_index(data) for data in (one, two))
    files = (
        archive_reader.read_item_file(one, first, 0),
        archive_reader.read_item_file(two, second, 1),
    )
    items = (first.archive.items[0], second.archive.items[1])
    archive = replace(first.archive, items=items)
    (tmp_path / "forged").write_bytes(archive_writer.write_index(archive) + b"".join(files))
    with pytest.raises(OutputError, match="one byte order"):
        bbans.decompress_stack(tmp_path / "forged", tmp_path / "c")


# The command line


def test_commands(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scan.tif").write_bytes(MIXED)
    np.save("bands.npy", BANDS)
    Path("single.tif").write_bytes(encode(grey(), "TIFF", dpi=(300, 300)))
    none = ("--model", "none")
    assert main(["compress", *none, "scan.tif", "bands.npy", "single.tif"]) == 0
    for name in ("scan.tif", "bands.npy", "single.tif"):
        Path(name).rename(f"was-{name}")
    assert main(["decompress", "scan.bbans", "bands.bbans", "single.bbans"]) == 0
    assert facts(Path("scan.tif").read_bytes()) == facts(MIXED)
    assert Path("bands.npy").read_bytes() == Path("was-bands.npy").read_bytes()
    assert facts(Path("single.tif").read_bytes()) == facts(Path("was-single.tif").read_bytes())
    assert main(["verify", "scan.bbans", "single.bbans"]) == 0
    capsys.readouterr()
    assert main(["info", "scan.bbans"]) == 0
    assert "stack: a TIFF of 5 pages, 2 of more samples" in capsys.readouterr().out
    assert main(["info", "--json", "bands.bbans"]) == 0
    assert json.loads(capsys.readouterr().out)["stack"] == "an array of uint16 (24, 28, 6)"
    assert main(["archive", "list", "bands.bbans"]) == 0
    assert capsys.readouterr().out.split() == list("012345")
    assert main(["archive", "extract", "bands.bbans", "-o", "out", "3"]) == 0
    np.testing.assert_array_equal(
        np.asarray(__import__("PIL.Image").Image.open("out/3.png")), BANDS[:, :, 3]
    )
    assert main(["decompress", "single.bbans", "-o", "a.png"]) == 0
    assert main(["decompress", "bands.bbans", "--format", "tiff", "-o", "a.tif"]) == 0
    np.testing.assert_array_equal(tifffile.imread("a.tif"), BANDS)
    assert main(["decompress", "bands.bbans", "-o", "b.png"]) == 4
    assert main(["decompress", "bands.bbans", "--preview", "1", "-f"]) == 3
    assert main(["info", "--plot", "bands.bbans"]) == 3
    data = bytearray(Path("bands.bbans").read_bytes())
    data[-9] ^= 1
    Path("broken.bbans").write_bytes(data)
    assert main(["verify", "broken.bbans"]) == 5
    assert main(["compress", "--strip", *none, "-f", "was-single.tif", "-o", "s.bbans"]) == 0
    assert bbans.original_suffix("s.bbans") is None and bbans.original_suffix("none") is None


def test_what_is_not_kept_is_a_line(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    small = {"subfiletype": 1}
    Path("a.tif").write_bytes(written([(PLANES[0], {}), (PLANES[0][::2, ::2], small)]))
    Path("b.png").write_bytes(encode(grey(), "PNG") + b"tail")
    assert main(["compress", "--model", "none", "a.tif", "b.png"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "bbans: a.tif: not kept: 1 images of lower resolution (thumbnails, levels of a pyramid)",
        "bbans: b.png: not kept: 4 bytes after its end (IEND)",
    ]
    assert main(["compress", "--model", "none", "-q", "-f", "a.tif", "b.png"]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 2  # what is lost is said all the same


@pytest.mark.skipif(os.name == "nt", reason="permission bits are those of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o444])
def test_permission_bits_are_kept(mode: int, tmp_path: Path) -> None:
    def bits(name: str) -> int:
        return (tmp_path / name).stat().st_mode & 0o777

    np.save(tmp_path / "a.npy", PLANES[0])
    np.save(tmp_path / "s.npy", PLANES)
    for name in "as":
        (tmp_path / f"{name}.npy").chmod(mode)
    bbans.compress_file(tmp_path / "a.npy", tmp_path / "a.bbans", model="none")
    bbans.decompress_file(tmp_path / "a.bbans", tmp_path / "a.png")
    bbans.compress_stack(tmp_path / "s.npy", tmp_path / "s.bbans", model="none")
    bbans.decompress_stack(tmp_path / "s.bbans", tmp_path / "s.tif")
    bbans.extract_archive(tmp_path / "s.bbans", ["0"], output=tmp_path)
    names = ("a.bbans", "a.png", "s.bbans", "s.tif", "0.png")
    assert {name: bits(name) for name in names} == dict.fromkeys(names, mode)
