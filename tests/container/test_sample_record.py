"""What samples mean, a metadata chunk of kind 7: both readers take the same records, refuse the
same forgeries, and see the same values.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

import bbans
from bbans import container as files
from bbans import images
from bbans.container import MetadataChunk, SampleRecord, sample_chunks
from bbans.container.binary import varint
from bbans.errors import FormatError, VersionError
from bbans.images.sample_kind import LAST_CHANNELS
from tests.container import independent
from tests.container.samples import stored
from tests.mutations import forge

FORMATS = files.FORMATS.values()
LIMITS = (0, 1, 126, 127, 254, 255, 4095, 32766, 32767, 65534, 65535)


def file_of(
    pixel_format: files.PixelFormat, chunks: tuple[MetadataChunk, ...], raw: bytes
) -> bytes:
    """A file of one pixel, whatever its chunks say, with right checksums."""
    palette = (MetadataChunk(5, True, b"PLTE" + bytes(6)),) if pixel_format.palette else ()
    tile = stored(raw, pixel_format.channels)
    content = files.Container(
        1, 1, pixel_format.code, 1, 1, files.NO_MODEL, chunks + palette, (tile,)
    )
    return forge(content, random.Random(0))


def outcome(data: bytes) -> np.ndarray | None:
    """The values that both readers find; None if both refuse."""
    try:
        image = bbans.decompress_image(data)
    except FormatError:
        with pytest.raises(independent.Refused):
            independent.decode(data)
        return None
    found = independent.decode(data)
    np.testing.assert_array_equal(image.pixels.reshape(found.shape).astype(np.int64), found)
    return found


@pytest.mark.parametrize("pixel_format", FORMATS, ids=lambda f: f.name)
def test_every_payload_is_taken_or_refused_by_both(pixel_format: files.PixelFormat) -> None:
    taken = 0
    width = pixel_format.raw_bytes(1, 1)
    for flags in (*range(1, 33), 64, 128):
        for largest in LIMITS if flags & 16 else (None,):
            payload = bytes([flags]) + (b"" if largest is None else varint(largest))
            for critical in (False, True):
                chunks = (MetadataChunk(7, critical, payload),)
                low, high = (file_of(pixel_format, chunks, bytes([b]) * width) for b in (0, 255))
                taken += (outcome(low) is not None) + (outcome(high) is not None)
    bits, several = pixel_format.bit_depth, pixel_format.channels > 1
    assert (taken > 0) == (not pixel_format.palette and (bits >= 8 or bits == 1))
    assert not several or taken > 5


def test_other_forgeries() -> None:
    grey = files.FORMATS[4]
    signed = MetadataChunk(7, True, b"\1")
    for chunks in (
        (signed, signed),
        (signed, MetadataChunk(5, False, b"tRNS\0\1")),
        (MetadataChunk(7, True, b"\1\0"),),
        (MetadataChunk(7, False, b""),),
        (MetadataChunk(7, False, b"\x10\xff\x80\0"),),
        (MetadataChunk(7, False, b"\x10\xff"),),
    ):
        assert outcome(file_of(grey, chunks, b"\0\1")) is None
        with pytest.raises(FormatError):
            files.read(file_of(grey, chunks, b"\0\1"))
        content = files.Container(1, 1, 4, 1, 1, files.NO_MODEL, chunks, (stored(b"\0\1", 1),))
        with pytest.raises(FormatError):  # the writer keeps the rules that the reader checks
            files.write(content)
    assert outcome(file_of(grey, (signed,), b"\0\1")).item() == 256 - 32768


@pytest.mark.parametrize("last_channel", range(3))
@pytest.mark.parametrize("largest", [None, 100])
@pytest.mark.parametrize("signed", [False, True])
def test_records_come_back(signed: bool, largest: int | None, last_channel: int) -> None:
    record = SampleRecord(signed, False, largest, last_channel)
    chunks = sample_chunks(record)
    assert files.record_of_samples(chunks, files.FORMATS[3]) == record
    assert all(chunk.critical == (signed or last_channel > 0) for chunk in chunks)
    assert bool(chunks) == (record != SampleRecord())
    kind = images.SampleKind(signed, False, largest, LAST_CHANNELS[last_channel])
    pixels = np.arange(24).reshape(2, 3, 4).astype(np.int8 if signed else np.uint8)
    image = images.make_image(pixels, samples=kind)
    data = bbans.compress(image, model="none")
    assert files.read(data).metadata == chunks
    assert images.same_image(bbans.decompress_image(data), image)
    np.testing.assert_array_equal(independent.decode(data), pixels)


def test_an_earlier_release_refuses_or_has_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To a reader that does not know kind 7, signed samples are a critical chunk of an unknown
    kind; a largest value and truth values are carried along unread.
    """
    signed = bbans.compress(np.array([[-1, 5]], np.int16), model="none")
    limited = images.make_image(
        np.array([[7, 4095]], np.uint16), (), 16, samples=images.SampleKind(largest=4095)
    )
    ancillary = bbans.compress(limited, model="none")
    truth = bbans.compress(np.array([[True, False]]), model="none")
    module = "bbans.container.metadata.METADATA_KINDS"
    monkeypatch.setattr(module, frozenset(range(1, 7)))
    with pytest.raises(VersionError, match="critical metadata of kind 7"):
        files.read(signed)
    for data in (ancillary, truth):
        assert [chunk.kind for chunk in files.read(data).metadata] == [7]


def test_damage_of_every_byte() -> None:
    data = bbans.compress(np.array([[-1, 5], [300, -300]], np.int16), model="none")
    for at in range(len(data)):
        for bit in range(8):
            other = bytearray(data)
            other[at] ^= 1 << bit
            with pytest.raises(FormatError):
                bbans.decompress(bytes(other))


def test_a_smaller_file_is_not_bought_with_the_record() -> None:
    """As one stored tile or not, what samples mean stays."""
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, (5, 5)).astype(np.int16)
    data = bbans.compress(noise, model="none")
    assert len(data) < noise.nbytes + 60
    np.testing.assert_array_equal(bbans.decompress(data), noise, strict=True)
    assert replace(files.read(data)).metadata == sample_chunks(SampleRecord(signed=True))
