"""Files whose checksums are right and whose contents are not: each is refused by name, and no size
in them takes memory.
"""

from __future__ import annotations

import re
import time
import tracemalloc
import zlib

import pytest

from bbans import container
from bbans.container import MetadataChunk
from bbans.container.binary import u32, varint
from bbans.errors import (
    ChecksumError,
    FormatError,
    NotBbansError,
    TrailingDataError,
    TruncatedError,
    VersionError,
)
from tests.container.samples import MODEL, stored


def sealed(*sections: bytes) -> bytes:
    """Sections with right checksums: what a forger would make."""
    return b"".join(section + u32(zlib.crc32(section)) for section in sections)


def header(flags: int = 0, pixel_format: int = 0, sizes: bytes = b"", model: bytes = b"") -> bytes:
    """One tile of one pixel, or four sizes as they are given."""
    return (
        container.MAGIC
        + bytes([container.VERSION, flags | 4 * (not sizes), pixel_format])
        + (sizes or b"\1\1")
        + model
    )


PIXEL = u32(zlib.crc32(b"x"))


def table(entries: bytes) -> bytes:
    return varint(len(entries)) + entries


TABLE = table(b"\0\1" + PIXEL + PIXEL)
CODED_TABLE = table(b"\1\0\0\1" + PIXEL + PIXEL)
FIXED_TABLE = table(b"\2\0\1" + PIXEL + PIXEL)
GREY16 = container.format_of(1, 16, False).code
JPEG = b"\0\5" + u32(zlib.crc32(b"hello"))
"""The section of a stored JPEG of five bytes."""


def kept(method: int, size: int, payload_size: int) -> bytes:
    """The section of a JPEG by another method, with the payload `xy`."""
    crc = u32(zlib.crc32(b"xy"))
    return bytes([method]) + varint(size) + PIXEL + varint(payload_size) + crc


BODY = b"\1\x40" + bytes(64)
PACKED = zlib.compress(BODY)


def packed(size: int, stream: bytes) -> bytes:
    return b"\1" + varint(size) + varint(len(stream)) + stream


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (sealed(header(flags=16), TABLE) + b"x", VersionError, "flags 0x14"),
        (sealed(header(sizes=b"\1\1\1\1"), TABLE) + b"x", FormatError, "which is left out"),
        (sealed(header(pixel_format=15), TABLE) + b"x", VersionError, "pixel format 15"),
        (sealed(header(sizes=b"\x81\0\1\1\1"), TABLE) + b"x", FormatError, "shortest form"),
        (
            sealed(header(sizes=b"\x81\x80\x80\x80\x80\0\1\1\1"), TABLE) + b"x",
            FormatError,
            "too many bytes",
        ),
        (
            sealed(header(sizes=b"\xff\xff\xff\xff\x1f\1\1\1"), TABLE) + b"x",
            FormatError,
            "at most 4294967295",
        ),
        (sealed(header(sizes=b"\0\1\1\1"), TABLE) + b"x", FormatError, "width must be"),
        (sealed(header(sizes=b"\1\1\2\1"), TABLE) + b"x", FormatError, "tile width must be"),
        (sealed(header(flags=2, model=bytes(32)), TABLE) + b"x", FormatError, "zeros"),
        (sealed(header(flags=2, model=MODEL), TABLE) + b"x", FormatError, "no tile needs"),
        (sealed(header(), CODED_TABLE) + b"x", FormatError, "names none"),
        (sealed(header(), table(b"\x0b\1" + PIXEL * 2)) + b"x", VersionError, "codec 0xb"),
        # transforms: of no steps, unknown, to a palette, nested, of a table without bytes
        (sealed(header(), table(b"\x0a\0\0\0\1" + PIXEL * 2)) + b"x", FormatError, "no meaning"),
        (
            sealed(header(), table(b"\x0a\x10\0\0\1" + PIXEL * 2)) + b"x",
            VersionError,
            "transform 0x10",
        ),
        (
            sealed(header(), table(b"\x0a\x08\x63\0\1" + PIXEL * 2)) + b"x",
            VersionError,
            "format 99",
        ),
        (
            sealed(header(), table(b"\x0a\x08\x0e\0\1" + PIXEL * 2)) + b"x",
            FormatError,
            "no meaning",
        ),
        (
            sealed(header(), table(b"\x0a\x08\0\x0a\x08\0\0\1" + PIXEL * 2)) + b"x",
            FormatError,
            "another transform",
        ),
        (sealed(header(), table(b"\x0a\x04\0\0\0\1" + PIXEL * 2)) + b"x", FormatError, "table"),
        (sealed(header(), table(b"\x0a\x01\3\x30\4" + PIXEL * 2)) + b"xxxx", FormatError, "phases"),
        (sealed(header(), table(b"\x28\6\1\2\3" + PIXEL * 2)) + b"x", VersionError, "scheme 6"),
        (sealed(header(), table(b"\x28\2\0\0" + PIXEL * 2)) + b"x", VersionError, "scheme 2"),
        (sealed(header(), table(b"\x40\1" + PIXEL * 2)) + b"x", VersionError, "codec 0x40"),
        (
            sealed(header(), table(b"\x10\1" + PIXEL * 2)) + b"x",
            FormatError,
            "channels of a part must be 1 to 1",
        ),
        (
            sealed(header(flags=2, model=MODEL), table(b"\1\0\1\5\0\1" + PIXEL * 2)) + b"x",
            FormatError,
            "lanes",
        ),
        (
            sealed(header(pixel_format=GREY16), table(b"\2\0\0\0\0\1" + PIXEL * 2)) + b"x",
            FormatError,
            "range of samples",
        ),
        (
            sealed(header(pixel_format=GREY16), table(b"\2\1\xff\xff\3\0\0\1" + PIXEL * 2)) + b"x",
            FormatError,
            "smallest sample",
        ),
        (
            sealed(header(pixel_format=GREY16), table(b"\2\0\1\7\0\1" + PIXEL * 2)) + b"x",
            VersionError,
            "curve 7",
        ),
        (
            sealed(header(), table(b"\0\2" + PIXEL * 2)) + b"xy",
            FormatError,
            "payload must be 1 bytes",
        ),
        (
            sealed(header(), table(b"\3\2" + PIXEL * 2)) + b"xy",
            FormatError,
            "payload must be 1 bytes",
        ),
        (sealed(header(), table(b"\0\1" + PIXEL + u32(1))) + b"x", FormatError, "must be equal"),
        (sealed(header(), table(TABLE[1:] + b"\0")) + b"x", FormatError, "after its last tile"),
        (
            sealed(header(), table(b"\2\xff" + b"\1" * 10)) + b"x",
            FormatError,
            "ends in its table of contents",
        ),
        (sealed(header(), table(TABLE[1:-1])) + b"x", FormatError, "too few for 1 tiles"),
        (sealed(header(), table(b"\0\1" + PIXEL)) + b"x", FormatError, "too few for 1 tiles"),
        (sealed(header(), TABLE) + b"y", ChecksumError, "tile 0 of 1"),
        (sealed(header(flags=1), b"\0\0", TABLE) + b"x", FormatError, "left out"),
        (sealed(header(flags=1), b"\2\1\1", TABLE) + b"x", VersionError, "compression 2"),
        (sealed(header(flags=1), b"\0\2\0\0", TABLE) + b"x", FormatError, "kind must be"),
        (
            sealed(header(flags=1), b"\0\2\xe3\0", TABLE) + b"x",
            VersionError,
            "critical metadata of kind 99",
        ),
        (sealed(header(flags=1), b"\0\2\1\5", TABLE) + b"x", TruncatedError, "metadata"),
        *(
            (sealed(header(flags=1), b"\0" + table(body), TABLE) + b"x", error, words)
            for body, error, words in (
                (b"\7\1\0", FormatError, "says nothing"),
                (b"\7\0", TruncatedError, "samples in the metadata"),
                (b"\7\1\1", FormatError, "is critical where it need not be"),
                (b"\x87\1\x10", TruncatedError, "samples in the metadata"),
                (b"\x87\2\x10\7", FormatError, "is critical where it need not be"),
                (b"\x87\1\x20", VersionError, "samples have flags 0x20"),
                (b"\x87\1\x0c", VersionError, "samples have flags 0x0c"),
                (b"\x87\2\1\0", FormatError, "bytes left over"),
                (b"\7\3\x10\xff\1", FormatError, "not what the file says"),
                (b"\7\2\x10\0", FormatError, "not what the file says"),
                (b"\x87\2\x11\x7f", FormatError, "not what the file says"),
                (b"\7\4\x10\xff\xff\3", FormatError, "at most 65534"),
                (b"\7\1\2", FormatError, "not what the file says"),
                (b"\x87\1\4", FormatError, "not what the file says"),
                (b"\x87\1\1\5\6tRNS\0\1", FormatError, "not what the file says"),
                (b"\x87\1\1\x87\1\1", FormatError, "one chunk about samples, found 2"),
            )
        ),
        (
            sealed(header(flags=1), packed(2, zlib.compress(b"\1\0")), TABLE) + b"x",
            FormatError,
            "smaller",
        ),
        (
            sealed(header(flags=1), packed(65, PACKED), TABLE) + b"x",
            FormatError,
            "decompress to 65",
        ),
        (
            sealed(header(flags=1), packed(67, PACKED), TABLE) + b"x",
            FormatError,
            "decompress to 67",
        ),
        (
            sealed(header(flags=1), packed(66, PACKED + b"x"), TABLE) + b"x",
            FormatError,
            "decompress to 66",
        ),
        (
            sealed(header(flags=1), packed(66, PACKED[:-1]), TABLE) + b"x",
            FormatError,
            "decompress to 66",
        ),
        (
            sealed(header(flags=1), packed(66, b"not zlib"), TABLE) + b"x",
            FormatError,
            "metadata is damaged",
        ),
        (
            sealed(header(flags=1), b"\0" + varint(2**26 + 1) + b"\1\0", TABLE) + b"x",
            FormatError,
            "at most 67108864",
        ),
        (sealed(header(flags=9), JPEG) + b"hello", FormatError, "no metadata besides"),
        (sealed(header(flags=10, model=MODEL), JPEG) + b"hello", FormatError, "does not need"),
        (sealed(header(flags=8, sizes=b"\3\3\2\2"), JPEG) + b"hello", FormatError, "has no tiles"),
        (sealed(header(flags=8, sizes=b"\3\3\3\3"), JPEG) + b"hello", FormatError, "left out"),
        (sealed(header(flags=8, pixel_format=2), JPEG) + b"hello", FormatError, "grey or RGB"),
        (
            sealed(header(flags=12, sizes=varint(65536) + b"\1"), JPEG) + b"hello",
            FormatError,
            "width of a JPEG",
        ),
        (sealed(header(flags=8), b"\3" + JPEG[1:]) + b"hello", VersionError, "method 3"),
        (sealed(header(flags=8), b"\0\3" + PIXEL) + b"xyz", FormatError, "size of the JPEG"),
        (
            sealed(header(flags=8), b"\0" + varint(2**30 + 1) + PIXEL) + b"x",
            FormatError,
            "at most 1073741824",
        ),
        (sealed(header(flags=8), kept(1, 5, 0)), FormatError, "payload size"),
        (sealed(header(flags=8), kept(1, 5, 5)) + b"hello", FormatError, "payload size"),
        (sealed(header(flags=8), kept(1, 5, 2)) + b"zz", ChecksumError, "its payload"),
        (sealed(header(flags=8), kept(1, 5, 2)) + b"x", TruncatedError, "payloads"),
        (sealed(header(flags=8), kept(1, 5, 2)) + b"xyz", TrailingDataError, "1 bytes follow"),
        (sealed(header(flags=8), JPEG) + b"hullo", ChecksumError, "its payload"),
        (
            sealed(header(flags=12, sizes=varint(2**15) * 2), kept(2, 2**20, 2)) + b"xy",
            FormatError,
            "has no 32768 x 32768 pixels",
        ),
        (sealed(header(flags=8), JPEG)[:-3], TruncatedError, "JPEG section"),
        (b"", TruncatedError, "no bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), NotBbansError, "not a bbans file"),
        (sealed(header(), TABLE).replace(b"\r\n", b"\n"), NotBbansError, "text mode"),
        (b";" + sealed(header(), TABLE)[1:], NotBbansError, "top bits"),
        (container.MAGIC + b"\7" + bytes(60), VersionError, "version 7"),
        (container.MAGIC + b"\0" + bytes(60), VersionError, "version 0 was a draft"),
    ],
)
def test_forged_files_are_refused_by_name(
    data: bytes, error: type[FormatError], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)) as caught:
        container.read(data)
    assert "\n" not in str(caught.value)


def test_the_forger_can_make_a_good_file() -> None:
    """The cases above fail for what they name, not for a flaw of their making."""
    assert container.read(sealed(header(), TABLE) + b"x").tiles == (stored(b"x", 1),)
    assert (
        container.read(sealed(header(flags=2, model=MODEL), CODED_TABLE) + b"x").model_id == MODEL
    )
    assert (
        container.read(sealed(header(), FIXED_TABLE) + b"x").tiles[0].parts[0].codec
        == container.FIXED
    )
    jpeg = container.read(sealed(header(flags=8), JPEG) + b"hello").jpeg
    assert jpeg == container.JpegRecord(0, 5, zlib.crc32(b"hello"), b"hello")
    assert container.read(sealed(header(flags=8), kept(1, 5, 2)) + b"xy").jpeg is not None
    assert container.read(sealed(header(flags=1), packed(66, PACKED), TABLE) + b"x").metadata == (
        MetadataChunk(1, False, bytes(64)),
    )


HUGE = varint(2**32 - 1)
BOMB = zlib.compress(bytes(2**27), 9)
BOMBS = {
    "huge JPEG": sealed(header(flags=8), b"\0" + varint(2**30) + PIXEL) + b"x",
    "huge payload of a JPEG": sealed(header(flags=8), kept(1, 2**30, 2**30 - 1)) + b"xy",
    "huge image": sealed(header(flags=4, sizes=HUGE * 2), TABLE) + b"x",
    "huge image of tiny tiles": sealed(header(sizes=HUGE * 2 + b"\1\1"), TABLE) + b"x",
    "too many tiles for the file": sealed(header(sizes=varint(2**15) * 2 + b"\1\1"), TABLE) + b"x",
    "huge payload": sealed(
        header(flags=2, model=MODEL), table(b"\1\0\0" + varint(2**63 - 1) + PIXEL * 2)
    )
    + b"x",
    "huge stored image": sealed(
        header(flags=4, sizes=varint(2**15) * 2), table(b"\0" + varint(2**30) + PIXEL * 2)
    )
    + b"x",
    "huge flat image": sealed(header(flags=4, sizes=varint(2**16) * 2), table(b"\3\1" + PIXEL * 2))
    + b"x",
    "huge table": sealed(header(), varint(2**63 - 1)) + b"x",
    "long metadata": sealed(header(flags=1), b"\0" + varint(2**26) + b"\1\0", TABLE) + b"x",
    "metadata that decompresses to more than it says": sealed(
        header(flags=1), packed(200_000, BOMB), TABLE
    )
    + b"x",
    "long chunk": sealed(header(flags=1), b"\0\6\1" + varint(2**26) + b"x", TABLE) + b"x",
    "many chunks": sealed(
        header(flags=1), packed(2 * (2**16 + 1), zlib.compress(b"\1\0" * (2**16 + 1))), TABLE
    )
    + b"x",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_without_memory(data: bytes) -> None:
    start = time.process_time()
    with pytest.raises(FormatError):
        container.read(data)
    assert time.process_time() - start < 2
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            container.read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20
