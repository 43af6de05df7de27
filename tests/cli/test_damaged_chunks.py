"""A PNG whose pixels are whole and whose other chunks are not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans import images
from bbans.errors import InputError
from bbans.images.formats import png
from bbans.images.formats.png_pixels import png_bytes
from tests.cli.conftest import Run
from tests.tiny import smooth_image

Runner = Callable[..., Run]
PIXELS = smooth_image(9, 12)
CHUNKS = (
    images.PngChunk("gAMA", struct.pack(">I", 45455)),
    images.PngChunk("tEXt", b"Comment\0hello"),
    images.PngChunk("tRNS", bytes(6)),
    images.PngChunk("tIME", bytes(7), after_pixels=True),
)
WHOLE = png_bytes(images.from_array(PIXELS, CHUNKS))


def damaged(*kinds: str) -> bytes:
    """The file with a wrong checksum in chunks of these kinds."""
    data = bytearray(WHOLE)
    for kind in kinds:
        at = data.index(kind.encode())
        (size,) = struct.unpack_from(">I", data, at - 4)
        data[at + 4 + size] ^= 1
    return bytes(data)


@pytest.mark.parametrize("kinds", [("tEXt",), ("tRNS",), ("tIME",), ("gAMA", "tEXt", "tIME")])
def test_they_are_left_out_when_that_is_asked_for(
    here: Path, run: Runner, kinds: tuple[str, ...]
) -> None:
    Path("a.png").write_bytes(damaged(*kinds))
    refused = run("compress", "a.png", "--model", "none")
    assert refused.code == 3 and "--keep-going" in refused.err and refused.err.count("\n") == 1
    assert f"checksum of its {kinds[0]} chunk" in refused.err and not Path("a.bbans").exists()
    kept = run("compress", "--keep-going", "-q", "a.png", "--model", "none")
    assert kept.code == 0
    lines = kept.err.splitlines()
    assert len(lines) == len(kinds)
    for line, kind in zip(lines, kinds, strict=True):
        assert line.startswith(
            f"bbans: a.png: not kept: its {kind} chunk, whose checksum does not match"
        )
        assert ("transparency" in line) == (kind == "tRNS")
    assert run("decompress", "a.bbans", "-o", "b.png").code == 0
    back = images.read_image("b.png")
    assert np.array_equal(back.pixels, PIXELS)
    assert back.metadata == tuple(chunk for chunk in CHUNKS if chunk.kind not in kinds)


@pytest.mark.parametrize("kind", ["IHDR", "IDAT", "IEND"])
def test_pixels_that_are_damaged_are_refused(here: Path, run: Runner, kind: str) -> None:
    Path("a.png").write_bytes(damaged(kind, "tEXt"))
    refused = run("compress", "--keep-going", "a.png", "--model", "none")
    assert refused.code == 3 and f"checksum of its {kind} chunk" in refused.err
    assert "--keep-going" not in refused.err and not Path("a.bbans").exists()


def test_a_whole_file_is_as_it_is(here: Path, run: Runner) -> None:
    assert png.without_damaged_chunks(WHOLE) == (WHOLE, ())
    behind = damaged("tEXt") + b"behind"
    assert png.without_damaged_chunks(behind)[0].endswith(b"IEND\xaeB`\x82behind")
    Path("a.png").write_bytes(WHOLE)
    plain = bbans.compress_file("a.png", "a.bbans", model="none")
    same = bbans.compress_file("a.png", "b.bbans", model="none", keep_going=True)
    assert plain == same and same.left_out == ()
    assert Path("a.bbans").read_bytes() == Path("b.bbans").read_bytes()
    Path("a.ppm").write_bytes(b"P2 2 1 255 7")
    with pytest.raises(InputError):
        bbans.compress_file("a.ppm", "c.bbans", model="none", keep_going=True)


def test_a_palette_is_no_ancillary_chunk(here: Path) -> None:
    palette = images.PngChunk("PLTE", bytes(range(6)))
    image = images.make_image(np.array([[0, 1]], np.uint8), (palette,), 1, True)
    data = png_bytes(image)
    at = data.index(b"PLTE")
    broken = data[: at + 4] + b"\xff" + data[at + 5 :]
    assert zlib.crc32(b"PLTE" + bytes(range(6))) == struct.unpack_from(">I", data, at + 10)[0]
    Path("a.png").write_bytes(broken)
    with pytest.raises(InputError, match="PLTE"):
        bbans.compress_file("a.png", "a.bbans", model="none", keep_going=True)
