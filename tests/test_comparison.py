"""`bbans bench`: sizes that are those of real files, every result compared, and dashes for what is
not there.
"""

import io
import json
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import images
from bbans.errors import InputError, VerificationError
from bbans.evaluation import compare
from bbans_cli.main import main
from tests.tiny import smooth_image, tiny_model

NAMES = ("PNG", "WebP", "JPEG XL e7", "bbans, no model")


def file_of(pixels: np.ndarray, depth: int | None = None) -> bytes:
    buffer = io.BytesIO()
    images.write_image(images.make_image(pixels, bit_depth=depth or 8 * pixels.itemsize), buffer)
    return buffer.getvalue()


def palette_file(transparent: bool) -> bytes:
    buffer = io.BytesIO()
    indices = np.random.default_rng(0).integers(0, 4, (20, 30)).astype(np.uint8)
    chunks = (
        images.PngChunk("PLTE", bytes(range(12))),
        *([images.PngChunk("tRNS", b"\x07")] if transparent else []),
    )
    images.write_image(images.make_image(indices, chunks, palette=True), buffer)
    return buffer.getvalue()


NOISE = np.random.default_rng(1).integers(0, 256, (20, 30, 4)).astype(np.uint8)
KINDS = {
    "colour": (file_of(NOISE[..., :3]), 1800, ()),
    "grey": (file_of(np.ascontiguousarray(NOISE[..., 0])), 600, ()),
    "grey and alpha": (file_of(np.ascontiguousarray(NOISE[..., :2])), 1200, ()),
    "colour and alpha": (file_of(NOISE), 2400, ()),
    "16 bits": (file_of(NOISE.astype(np.uint16) * 99), 4800, ("WebP",)),
    "2 bits": (file_of(NOISE[..., 0] % 4, 2), 600, ()),
    "palette": (palette_file(False), 600, ()),
    "transparent palette": (palette_file(True), 600, ()),
    "one pixel": (file_of(NOISE[:1, :1, 0]), 1, ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_is_restored_by_every_codec_that_holds_it(kind):
    data, raw_bytes, without = KINDS[kind]
    found = compare.measure(kind, data, compare.contenders("none"))
    assert tuple(score.codec for score in found.scores) == NAMES
    assert tuple(score.codec for score in found.scores if score.bytes is None) == without
    assert {score.raw_bytes for score in found.scores} == {raw_bytes}


def test_sizes_are_those_of_the_codecs_and_rates_follow_from_them():
    pixels = smooth_image(70, 90)
    found = compare.measure("x", file_of(pixels), compare.contenders("none", jpegxl_effort=3))
    rows = {row["codec"]: row for row in found.rows()}
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    assert rows["PNG"]["bytes"] == len(buffer.getvalue())
    assert rows["JPEG XL e3"]["bytes"] == len(
        imagecodecs.jpegxl_encode(pixels, lossless=True, effort=3)
    )
    ours = len(bbans.compress(pixels, model="none"))
    assert rows["bbans, no model"]["bytes"] == ours
    assert rows["bbans, no model"]["bits_per_subpixel"] == 8 * ours / (70 * 90 * 3)
    assert rows["bbans, no model"]["ratio_to_png"] == ours / len(buffer.getvalue())
    score = found.scores[-1]
    assert rows["bbans, no model"]["encode_mb_per_s"] == pytest.approx(
        70 * 90 * 3 / score.encode_seconds / 1e6
    )


def test_metadata_is_nobodys_cost():
    pixels = smooth_image(30, 40)
    buffer = io.BytesIO()
    images.write_image(
        images.make_image(
            pixels, (images.PngChunk("tEXt", b"Comment\0" + bytes(range(32, 127)) * 9),)
        ),
        buffer,
    )
    codecs = compare.contenders("none")
    with_text, plain = (
        compare.measure("x", data, codecs, warm=False)
        for data in (buffer.getvalue(), file_of(pixels))
    )
    assert [score.bytes for score in with_text.scores] == [score.bytes for score in plain.scores]


def test_sums_over_images_and_a_codec_that_lacks_one():
    codecs = compare.contenders("none")
    eight, deep = (
        compare.measure(str(i), file_of(x), codecs)
        for i, x in enumerate((NOISE, NOISE.astype(np.uint16) * 99))
    )
    both = compare.together([eight, deep])
    by_name = {score.codec: score for score in both.scores}
    assert by_name["PNG"].bytes == eight.scores[0].bytes + deep.scores[0].bytes
    assert (
        by_name["PNG"].encode_seconds
        == eight.scores[0].encode_seconds + deep.scores[0].encode_seconds
    )
    assert (by_name["WebP"].bytes, by_name["WebP"].raw_bytes) == (None, 2400 + 4800)
    assert both.rows()[1]["ratio_to_png"] is None


def test_a_missing_library_is_a_dash(monkeypatch, tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(file_of(NOISE))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert main(["bench", "--model", "none", str(tmp_path / "a.png")]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "JPEG XL" in line)
    assert line.count("–") == 5


def test_a_codec_that_restores_something_else_is_found_out():
    png, *_ = compare.contenders("none")
    for wrong in (
        lambda data: np.bitwise_xor(png.decode(data), 1),
        lambda data: png.decode(data).astype(np.uint16),
    ):
        with pytest.raises(VerificationError, match="PNG"):
            compare.measure("x", file_of(NOISE), [png._replace(decode=wrong)])


def test_a_models_files_and_its_name():
    pixels = smooth_image(40, 40)
    found = compare.measure("x", file_of(pixels), compare.contenders(tiny_model()))
    assert (found.scores[-1].codec, found.scores[-1].bytes) == (
        "bbans, tiny",
        len(bbans.compress(pixels, model=tiny_model())),
    )


def test_the_command_as_json_goes_on_after_an_image_that_is_none(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(file_of(NOISE))
    Path("b.png").write_bytes(b"junk")
    Path("c.png").write_bytes(file_of(NOISE[:10]))
    assert (
        main(["bench", "a.png", "b.png", "c.png", "--model", "none", "--json"])
        == InputError.exit_code
    )
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [image["file"] for image in found["images"]] == ["a.png", "c.png"]
    assert found["together"][0]["bytes"] == sum(
        image["codecs"][0]["bytes"] for image in found["images"]
    )
    assert err.startswith("bbans: b.png: ")


def test_the_command_prints_a_table_for_each_image_if_asked(tmp_path, capsys):
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        path.write_bytes(file_of(NOISE))
    assert main(["bench", "-v", "--model", "none", *map(str, paths)]) == 0
    assert capsys.readouterr().out.count("bbans, no model") == 3


def test_jpegs_are_compared_as_files_unless_taken_as_pixels():
    """Only JPEG XL and this package restore the file; all restore its pixels."""
    buffer = io.BytesIO()
    Image.fromarray(smooth_image(60, 80)).save(buffer, "JPEG")
    photo = buffer.getvalue()
    codecs = compare.contenders("none")
    png, webp, jpegxl, ours = compare.measure("x", photo, codecs).scores
    assert png.bytes is None and webp.bytes is None and jpegxl.bytes is not None
    assert ours.bytes == len(bbans.compress_jpeg(photo)) < len(photo)
    assert (ours.samples, ours.raw_bytes) == (60 * 80 * 3, 60 * 80 * 3)
    pixels = compare.measure("x", photo, codecs, as_pixels=True).scores
    assert all(score.bytes for score in pixels)


def test_a_jpeg_that_one_codec_refuses():
    buffer = io.BytesIO()
    Image.fromarray(smooth_image(60, 80)).convert("CMYK").save(buffer, "JPEG")
    *_, jpegxl, ours = compare.measure("x", buffer.getvalue(), compare.contenders("none")).scores
    assert jpegxl.bytes is None and ours.bytes is not None


def test_a_codec_that_restores_another_jpeg_is_found_out():
    buffer = io.BytesIO()
    Image.fromarray(smooth_image(16, 16)).save(buffer, "JPEG")
    codec = compare.contenders("none")[-1]._replace(decode_jpeg=lambda data: b"another")
    with pytest.raises(VerificationError, match="another image"):
        compare.measure("x", buffer.getvalue(), [codec])
