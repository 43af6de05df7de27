"""JPEG files: restored byte for byte whatever they are, never much longer, refused by name where a
file is damaged or forged.
"""

import io
import random
import sys
import time
import tracemalloc
import zlib
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import container, images
from bbans.container.binary import varint
from bbans.errors import (
    BbansError,
    ChecksumError,
    FormatError,
    InputError,
    LimitError,
    TruncatedError,
    UnsupportedImageError,
)
from bbans.jpegs import jpegxl, lzma2
from bbans.jpegs.jpegxl_stream import check_codestream, check_reconstruction
from tests.container import independent
from tests.jpegs import KINDS, LZMA, STORED, jpeg, photo
from tests.mutations import forge, forged, mutated

READ = [kind for kind in KINDS if kind not in ("CMYK", "12 bits", "no height", "header alone")]
DECODED = [kind for kind in READ if not kind.startswith(("cut", "no end"))]


def transcoded(box: bytes, size: int) -> bytes:
    """What the second reader cannot do itself."""
    try:
        return bytes(imagecodecs.jpegxl_decode_jpeg(box, out=size))
    except (RuntimeError, ValueError) as error:
        raise independent.Refused(str(error)) from error


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_comes_back_byte_for_byte(kind):
    source, method = jpeg(kind), KINDS[kind][1]
    data = bbans.compress_jpeg(source)
    assert bbans.restore_jpeg(data) == source
    assert independent.restore(independent.read(data), transcoded) == source
    assert len(data) <= len(source) + 40 < len(source) + 64
    facts = bbans.info(data)
    assert facts.jpeg.bytes == len(source) and facts.file_bytes == len(data)
    assert facts.jpeg.method == method or (method is None and facts.jpeg.method in (LZMA, STORED))
    assert facts.framing_bits / 8 == len(data) - len(container.read(data).jpeg.payload) <= 40
    bbans.verify(data)


def test_what_transcoding_saves():
    """A fifth of photographs; what is set aside costs no more than LZMA makes of it."""
    for kind in ("4:4:4", "4:2:2", "RGB", "quality 98", "progressive", "optimised"):
        assert len(bbans.compress_jpeg(jpeg(kind))) < 0.88 * len(jpeg(kind))
    bare = len(bbans.compress_jpeg(jpeg("4:2:0")))
    for kind, raw in (("comment", 104), ("bytes after the end", 190), ("profile", 606)):
        assert bare < len(bbans.compress_jpeg(jpeg(kind))) <= bare + raw


@pytest.mark.parametrize("kind", DECODED)
def test_pixels_are_those_of_the_jpeg(kind):
    """Samples and metadata as with `as_pixels`, whole, in part and in small."""
    source = jpeg(kind)
    expected = images.read_image(source, as_pixels=True)
    data = bbans.compress_jpeg(source)
    image = bbans.decompress_image(data)
    assert images.same_image(image, expected)
    assert np.array_equal(image.pixels, np.asarray(Image.open(io.BytesIO(source))))
    facts = bbans.info(data)
    shape = (facts.height, facts.width, facts.channels)
    assert image.pixels.reshape(shape).shape == shape and facts.bit_depth == 8
    height, width = shape[:2]
    assert np.array_equal(bbans.decompress(data, preview=2), expected.pixels[::4, ::4])
    region = (width // 3, height // 3, width - width // 3, 1)
    x, y, columns, rows = region
    assert np.array_equal(
        bbans.decompress(data, region=region), expected.pixels[y : y + rows, x : x + columns]
    )
    salvaged, damage = bbans.salvage(data)
    assert images.same_image(salvaged, expected) and damage == ()
    for options in ({"region": (0, 0, width + 1, 1)}, {"preview": 11}):
        with pytest.raises(InputError):
            bbans.decompress(data, **options)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in DECODED])
def test_a_jpeg_without_pixels_is_kept_nevertheless(kind):
    data = bbans.compress_jpeg(jpeg(kind))
    with pytest.raises(InputError, match="restore the JPEG itself") as caught:
        bbans.decompress(data)
    assert "\n" not in str(caught.value)


def test_an_orientation_stays_in_the_file_and_turns_nothing(tmp_path):
    source = jpeg("EXIF")
    data = bbans.compress_jpeg(source)
    path = tmp_path / "a.bbans"
    path.write_bytes(data)
    opened = bbans.open(path)
    assert opened.size == (131, 97) and opened.getexif()[0x0112] == 6
    assert Image.open(io.BytesIO(bbans.restore_jpeg(data))).getexif()[0x0112] == 6


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", InputError, "found one that starts with nothing"),
        (b"\x89PNG", InputError, "89 50 4e"),
        (b"\xff\xd8\xff", InputError, "4 to"),
        (b"\xff\xd8\xff\xd9", InputError, "a frame with sides"),
        (b"\xff\xd8\xff\xda\0\2data\xff\xd9", InputError, "a frame with sides"),
        (b"\xff\xd8\xff\xc0\0\x06\x08\0\1", InputError, "a frame with sides"),
        (b"\xff\xd8\xff\xc0\0\x0b\x08\0\0\0\3\1\1\x11\0", InputError, "a frame with sides"),
        (b"\xff\xd8\xff\xc0\0\x0b\x08\0\2\0\0\1\1\x11\0", InputError, "a frame with sides"),
        (b"\xff\xd8\xff\xc0\0\x08\x08\0\2\0\3\0", InputError, "a frame with sides"),
        (b"\xff\xd8\xff\xc0\xff\xff\x08\0\2\0\3\1\1\x11\0", InputError, "a frame with sides"),
        (b"\xff\xd8\xff\xf7\0\x0b\x08\0\2\0\3\1\1\x11\0", UnsupportedImageError, "JPEG-LS"),
        (b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0", InputError, "65535 x 65535"),
    ],
)
def test_what_is_no_jpeg(data, error, words):
    with pytest.raises(error, match=words) as caught:
        bbans.compress_jpeg(data)
    assert "\n" not in str(caught.value)


def test_a_file_without_a_jpeg_restores_none():
    with pytest.raises(InputError, match="no JPEG"):
        bbans.restore_jpeg(bbans.compress(photo(), model="none"))


def test_the_encoder_gives_the_library_no_jpeg_that_claims_too_much(monkeypatch):
    """It would take gigabytes, or end the process, for pixels that the file cannot hold."""

    def called(*_, **__):
        raise AssertionError("the library was called")

    frame = b"\x08\x7f\xff\x7f\xff\3\1\x11\0\2\x11\0\3\x11\0"
    source = b"\xff\xd8\xff\xc0\0\x11" + frame + b"\xff\xda\0\2" + bytes(10_000)
    monkeypatch.setattr(imagecodecs, "jpegxl_encode_jpeg", called)
    data = bbans.compress_jpeg(source)
    assert bbans.restore_jpeg(data) == source and bbans.info(data).jpeg.method == LZMA
    monkeypatch.undo()
    assert container.fits_blocks(32767, 32767, 2**21) and not container.fits_blocks(32767, 32767, 9)


def test_a_library_that_restores_another_jpeg_is_not_believed(monkeypatch):
    source = jpeg("4:2:0")
    right = imagecodecs.jpegxl_decode_jpeg
    monkeypatch.setattr(
        imagecodecs,
        "jpegxl_decode_jpeg",
        lambda *args, **options: right(*args, **options)[:-3] + b"abc",
    )
    data = bbans.compress_jpeg(source)
    assert bbans.info(data).jpeg.method == LZMA and bbans.restore_jpeg(data) == source


def test_without_the_library(monkeypatch):
    """LZMA in its place; a file that needs it is refused by its name."""
    source = jpeg("4:2:0")
    data = bbans.compress_jpeg(source)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(FormatError, match="install imagecodecs"):
        bbans.restore_jpeg(data)
    other = bbans.compress_jpeg(source)
    assert bbans.info(other).jpeg.method == LZMA and bbans.restore_jpeg(other) == source


@pytest.mark.parametrize("kind", ["4:2:0", "one pixel", "arithmetic"])
def test_damage_anywhere_is_refused(kind):
    """Every byte, by every function; and every length. One file of each method."""
    data = bbans.compress_jpeg(jpeg(kind))
    rng = random.Random(kind)
    for at in range(len(data)):
        bad = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        for call in (bbans.restore_jpeg, bbans.verify):
            with pytest.raises(FormatError):
                call(bad)
        with pytest.raises(TruncatedError):
            bbans.restore_jpeg(data[:at])
    for call in (bbans.decompress, bbans.salvage, bbans.verify):
        with pytest.raises(FormatError):
            call(data[:-1] + bytes([data[-1] ^ 1]))


def test_damaged_and_forged_files_end_in_named_errors():
    """What comes out, if anything, is a JPEG with the right checksum; both readers agree."""
    rng = random.Random(0)
    seeds = [
        bbans.compress_jpeg(jpeg(kind))
        for kind in ("quality 98", "grey", "profile", "arithmetic", "one pixel", "no end")
    ]
    names = set()
    for n in range(1500):
        seed = rng.choice(seeds)
        damaged = mutated(seed, rng, seeds)
        data = damaged if n % 3 == 0 else forge(forged(container.read(seed), rng), rng)
        start = time.process_time()
        try:
            restored = bbans.restore_jpeg(data, max_pixels=2**22)
        except BbansError as error:
            names.add(type(error).__name__)
            assert "\n" not in str(error)
            with pytest.raises(independent.Refused):
                file = independent.read(data, 2**22)
                if file.jpeg is None:
                    raise independent.Refused("no JPEG") from None
                independent.restore(file, transcoded)
        else:
            assert independent.restore(independent.read(data, 2**22), transcoded) == restored
        assert time.process_time() - start < 2
    assert names >= {"FormatError", "ChecksumError", "VersionError", "TruncatedError"}


def record(kind: str, **changed) -> bytes:
    """A file with some fields changed, and right checksums."""
    file = container.read(bbans.compress_jpeg(jpeg(kind)))
    sides = {
        "tile_width": changed.get("width", file.width),
        "tile_height": changed.get("height", file.height),
    }
    own = {key: changed.pop(key) for key in tuple(changed) if key in ("payload", "size", "crc")}
    return container.write(replace(file, **sides, **changed, jpeg=replace(file.jpeg, **own)))


def test_other_sides_than_those_of_the_jpeg():
    for kind, words in (("4:2:0", "131 x 97 pixels"), ("one pixel", "1 x 1"), ("arithmetic", "16")):
        with pytest.raises(FormatError, match=words):
            bbans.restore_jpeg(record(kind, width=40, height=30))
        with pytest.raises(FormatError, match="components"):
            bbans.restore_jpeg(record(kind, pixel_format=1 if kind == "arithmetic" else 0))
    with pytest.raises(FormatError, match="rgb16"):
        bbans.decompress(record("4:2:0", pixel_format=5))
    with pytest.raises(ChecksumError):
        bbans.restore_jpeg(record("4:2:0", crc=1))


def test_a_payload_that_holds_no_jpeg():
    file = container.read(bbans.compress_jpeg(jpeg("arithmetic")))
    other = container.JpegRecord(0, 4, zlib.crc32(b"text"), b"text")
    with pytest.raises(FormatError, match="holds no JPEG"):
        bbans.restore_jpeg(container.write(replace(file, jpeg=other)))


def test_every_bit_of_the_header_of_a_stream(monkeypatch):
    """Whatever of it is changed under right checksums, the JPEG is refused or the same; mostly
    before the library is asked.
    """
    file = container.read(bbans.compress_jpeg(jpeg("4:2:0")))
    payload = file.jpeg.payload
    start = payload.index(b"\xff\x0a")
    check_codestream(payload[start:], 131, 97)
    refused, asked = 0, []
    right = imagecodecs.jpegxl_decode_jpeg
    monkeypatch.setattr(
        imagecodecs,
        "jpegxl_decode_jpeg",
        lambda *args, **options: asked.append(1) or right(*args, **options),
    )
    for bit in range(8 * 14):
        at = start + bit // 8
        bad = payload[:at] + bytes([payload[at] ^ 1 << bit % 8]) + payload[at + 1 :]
        try:
            bbans.restore_jpeg(container.write(replace(file, jpeg=replace(file.jpeg, payload=bad))))
        except FormatError:
            refused += 1
    assert refused > 90 and len(asked) < 50
    with pytest.raises(FormatError, match="ends in its header"):
        check_codestream(payload[start : start + 5], 131, 97)


def test_reconstruction_data_of_many_markers():
    def marked(markers: list[int]) -> bytes:
        bits = sum(marker << 1 + 6 * i for i, marker in enumerate(markers))
        return bits.to_bytes(1 + 6 * len(markers) // 8, "little")

    end, application, scan = 0xD9 - 0xC0, 0xE5 - 0xC0, 0xDA - 0xC0
    check_reconstruction(marked([application] * 64 + [scan] * 999 + [end]))
    for markers in ([application] * 65 + [end], [0x3F] * 65 + [end], [scan] * 16384 + [end]):
        with pytest.raises(FormatError, match="too many markers"):
            check_reconstruction(marked(markers))
    with pytest.raises(FormatError):
        check_reconstruction(marked([scan] * 9))


def test_pieces_that_do_not_fit():
    file = container.read(bbans.compress_jpeg(jpeg("4:2:0")))
    size, rest = file.jpeg.size, file.jpeg.payload[1:]
    assert file.jpeg.payload[0] == 0  # nothing was set aside

    def with_pieces(pieces: bytes, claimed: int | None = None) -> bytes:
        packed = lzma2.pack(pieces)
        sizes = (len(pieces) if claimed is None else claimed, len(packed))
        return b"".join(map(varint, sizes)) + packed + rest

    for payload, words in (
        (with_pieces(b"\xff\x7f\1x"), "beyond its end|cannot be restored"),
        (with_pieces(b"\1\2x"), "ends in its metadata"),
        (with_pieces(b"\1\1x", 2), "does not make 2 bytes"),
        (with_pieces(b"\0" + varint(size) + bytes(size)), "more metadata"),
        (b"\0\3" + rest[1:], "3 bytes were added"),
        (b"", "ends in its JPEG"),
    ):
        with pytest.raises(FormatError, match=words):
            jpegxl.decode(payload, size, 131, 97)


def test_bombs_are_refused_before_memory_is_taken():
    """LZMA of zeros that claims a gigabyte, and a limit on pixels that limits bytes too."""
    file = container.read(bbans.compress_jpeg(jpeg("arithmetic")))
    packed = lzma2.pack(bytes(2**22))
    bomb = container.JpegRecord(container.LZMA_JPEG, 2**30, 1, packed)
    data = container.write(replace(file, jpeg=bomb))
    for call in (bbans.restore_jpeg, bbans.decompress, bbans.verify, bbans.salvage):
        with pytest.raises(LimitError, match="raise the limit"):
            call(data, max_pixels=2**20)
    small = replace(bomb, size=2**20)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="does not make 1048576 bytes"):
            bbans.restore_jpeg(container.write(replace(file, jpeg=small)))
        assert tracemalloc.get_traced_memory()[1] < lzma2.DICTIONARY + 2**23
    finally:
        tracemalloc.stop()
    with pytest.raises(FormatError, match="has no 32000 x 32000 pixels"):
        container.write(
            replace(
                file,
                **dict.fromkeys(("width", "tile_width", "height", "tile_height"), 32000),
                jpeg=container.JpegRecord(container.TRANSCODED_JPEG, 1000, 1, b"payload"),
            )
        )
