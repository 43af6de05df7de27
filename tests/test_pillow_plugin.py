"""The Pillow plugin: lazy opening, every mode, metadata both ways, Pillow's own errors, imageio on
top.
"""

from __future__ import annotations

import io
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import PIL.Image
import pytest
from PIL import PngImagePlugin, UnidentifiedImageError

import bbans
import bbans.integrations.pillow
from bbans import container
from bbans.files import decoder, encoder
from bbans.images import PngChunk, from_pillow, make_image, to_pillow
from tests.images.makers import MODES, assert_same, make
from tests.images.makers import itxt as itxt_payload
from tests.tiny import smooth_image, tiny_model

ICC, EXIF, XMP = (
    b"profile" * 9,
    b"Exif\0\0"
    + b"MM\0*\0\0\0\x08\0\x01\x01\x1a\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\0"
    + b"\0\0\0\x48\0\0\0\x01",
    b"<x/>",
)


def file_of(image: object) -> io.BytesIO:
    return io.BytesIO(bbans.compress(image, model="none", verify=False))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_opens_as_it_converts(mode, monkeypatch):
    image = make(*mode)
    file = file_of(image)
    if mode[0] == 16 and mode[1] > 1:
        with pytest.raises(OSError, match="no mode for [234] channels of 16 bits"):
            PIL.Image.open(file)
        return
    expected = to_pillow(image)
    monkeypatch.setattr(
        decoder, "decompress_image", lambda *_, **__: pytest.fail("decoded before it was asked for")
    )
    opened = PIL.Image.open(file)
    assert (opened.format, opened.mode, opened.size, opened.get_format_mimetype()) == (
        "BBANS",
        expected.mode,
        (7, 5),
        "image/x-bbans",
    )
    monkeypatch.undo()
    assert np.array_equal(np.asarray(opened), np.asarray(expected))
    assert opened.convert("RGBA").tobytes() == expected.convert("RGBA").tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_saving_and_opening_is_the_identity(mode, tmp_path):
    drawn = PIL.Image.fromarray(smooth_image(20, 30))
    source = (
        PIL.Image.fromarray(smooth_image(20, 30, channels=1).astype(np.uint16) * 257)
        if mode == "I;16"
        else drawn.convert(mode)
    )
    source.save(tmp_path / "a.bbans", model="none")
    with PIL.Image.open(tmp_path / "a.bbans") as opened:
        assert opened.mode == mode and opened.tobytes() == source.tobytes()
        assert_same(from_pillow(opened), from_pillow(source))


@pytest.mark.parametrize("payload", [b"\0\7", b"\0\1\0\2\0\3"])
def test_a_transparent_colour_comes_back(payload):
    image = make(8, len(payload) // 2, extra=(PngChunk("tRNS", payload),))
    opened = PIL.Image.open(file_of(image))
    assert opened.info["transparency"] == (7 if len(payload) == 2 else (1, 2, 3))
    assert_same(from_pillow(opened), image)


def test_metadata_comes_and_goes(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Title", "waves")
    chunks.add_itxt("Author", "Γ", "el", "συγγραφέας")
    chunks.add_text("Comment", "long " * 99, zip=True)
    PIL.Image.fromarray(smooth_image(9, 9)).save(
        tmp_path / "a.png", pnginfo=chunks, icc_profile=ICC, exif=EXIF, dpi=(300, 300)
    )
    with PIL.Image.open(tmp_path / "a.png") as source:
        source.load()
        source.save(tmp_path / "a.bbans", model="none", xmp=XMP)
    with PIL.Image.open(tmp_path / "a.bbans") as opened:
        assert (
            opened.info["icc_profile"] == ICC
            and opened.info["xmp"] == XMP
            and opened.getexif()[0x011A] == 72
        )
        assert opened.info["dpi"] == pytest.approx((300, 300), abs=0.02)
        assert (
            dict(opened.text) == {"Title": "waves", "Author": "Γ", "Comment": "long " * 99}
            and opened.info["Title"] == "waves"
        )
        assert opened.text["Author"].lang == "el" and opened.text["Author"].tkey == "συγγραφέας"
        opened.save(
            tmp_path / "b.bbans",
            model="none",
            icc_profile=None,
            exif=PIL.Image.Exif(),
            text={"Title": "other"},
        )
        opened.save(tmp_path / "c.bbans", model="none")
    assert (
        decoder.decompress_image((tmp_path / "c.bbans").read_bytes()).metadata
        == from_pillow(opened).metadata
    )
    with PIL.Image.open(tmp_path / "b.bbans") as again:
        assert "icc_profile" not in again.info and "exif" not in again.info
        assert again.info["xmp"] == XMP and again.text["Title"] == "other"


def test_what_cannot_be_read_of_the_texts_is_left_out():
    chunks = [
        ("zTXt", b"a\0\0no zlib"),
        ("iTXt", b"b\0\0\0"),
        ("iTXt", b"c\0\0\0\0\0\xff"),
        ("zTXt", b"d\0\0x\x9c\x03"),
    ]
    image = make_image(
        smooth_image(3, 3),
        (
            *(PngChunk(*c) for c in chunks),
            PngChunk("iTXt", itxt_payload(b"e", "kept", packed=True)),
        ),
    )
    opened = PIL.Image.open(file_of(image))
    assert dict(opened.text) == {"e": "kept"}


def test_options_reach_the_encoder(monkeypatch):
    seen = {}
    monkeypatch.setattr(encoder, "compress", lambda picture, **options: seen.update(options) or b"")
    PIL.Image.new("L", (2, 2)).save(
        io.BytesIO(), "BBANS", model="m", effort="max", verify=False, threads=1, quality=3
    )
    assert seen == {"model": "m", "effort": "max", "verify": False, "threads": 1}


def test_errors_are_those_that_pillow_raises(tmp_path):
    data = file_of(smooth_image(40, 40)).getvalue()
    with pytest.raises(UnidentifiedImageError, match="header is damaged"):
        PIL.Image.open(io.BytesIO(data[:12] + b"\x7f" + data[13:]))
    with pytest.raises(UnidentifiedImageError, match="ends in its payloads"):
        PIL.Image.open(io.BytesIO(data[:-1]))
    broken = data[:-1] + bytes([data[-1] ^ 1])
    for use in (lambda image: image.load(), lambda image: image.verify()):
        with (
            PIL.Image.open(io.BytesIO(broken)) as opened,
            pytest.raises(OSError, match="checksum of its payload"),
        ):
            use(opened)
    PIL.Image.open(io.BytesIO(data)).verify()
    image, missing = smooth_image(40, 40), tiny_model(seed=5)
    with pytest.raises(OSError, match="needs model"):
        PIL.Image.open(
            io.BytesIO(bbans.compress(image, model=missing, verify=False, model_only=True))
        ).load()
    with pytest.raises(OSError, match="CMYK"):
        PIL.Image.new("CMYK", (2, 2)).save(tmp_path / "a.bbans")
    assert not (tmp_path / "a.bbans").exists()


def forged(chunk: PngChunk, pixel_format: int) -> bytes:
    part = container.TilePart(container.CONSTANT, 1, b"\0")
    crc = container.pixels_crc(np.zeros((2, 2), np.uint8), 8)
    kept = (
        container.MetadataChunk(
            container.PNG_CHUNK, chunk.kind[0].isupper(), chunk.kind.encode() + chunk.payload
        ),
    )
    return container.write(
        container.Container(
            2,
            2,
            pixel_format,
            2,
            2,
            container.NO_MODEL,
            kept,
            (container.TileRecord((part,), crc),),
        )
    )


@pytest.mark.parametrize(
    ("chunk", "code", "message"),
    [
        (PngChunk("tRNS", b"\0"), container.GREY8, "transparent colour"),
        (PngChunk("tEXt", b"a\0b"), 14, "palette .* found none"),
    ],
)
def test_metadata_that_no_image_may_have(chunk, code, message):
    with pytest.raises(UnidentifiedImageError, match=message):
        PIL.Image.open(io.BytesIO(forged(chunk, code)))


def test_pillows_own_limit_of_pixels_counts(monkeypatch):
    file = file_of(np.zeros((30, 30), np.uint8))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 400)
    with pytest.raises(PIL.Image.DecompressionBombError):
        PIL.Image.open(file)


def test_imageio_reads_and_writes(tmp_path):
    image = smooth_image(20, 30)
    iio.imwrite(tmp_path / "a.bbans", image, plugin="pillow", model="none")
    assert np.array_equal(iio.imread(tmp_path / "a.bbans"), image)
    assert np.array_equal(bbans.decompress((tmp_path / "a.bbans").read_bytes()), image)
    sixteen = smooth_image(20, 30, channels=1).astype(np.uint16) * 99
    iio.imwrite(tmp_path / "b.bbans", sixteen, plugin="pillow", model="none")
    assert np.array_equal(iio.imread(tmp_path / "b.bbans"), sixteen)
    assert iio.improps(tmp_path / "b.bbans").shape == (20, 30)


def test_a_file_opens_where_only_the_plugin_was_imported(repository, tmp_path):
    image = smooth_image(64, 64)
    PIL.Image.fromarray(image).save(tmp_path / "a.bbans", effort="fast")
    code = (
        "import sys, bbans.integrations.pillow; from PIL import Image; import zlib; "
        "print(zlib.crc32(Image.open(sys.argv[1]).tobytes()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.bbans")],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(container.pixels_crc(image, 8))], done.stderr
