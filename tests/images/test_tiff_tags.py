"""Tags of a TIFF through a compressed file and back: of every kind, in both byte orders, read by
tifffile; what cannot be carried is named.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest

import bbans
from bbans import container, images
from bbans.errors import FormatError, InputError, UnsupportedImageError
from bbans.files.metadata import chunks_of, restored
from bbans.images import PngChunk, make_image, read_image, without_metadata
from bbans.images.formats import tiff_carried, tiff_directory
from bbans.images.metadata import resolution_chunk, xmp_chunk
from tests.container import independent
from tests.images.makers import encode, make, rgb, samples, written

tifffile = pytest.importorskip("tifffile")

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
OME = "<?xml version='1.0'?><OME><Image ID='Image:0'/></OME>" + " " * 500
GEO = [
    (33550, "d", 3, (10.0, 10.0, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 5e5, 5.1e6, 0.0), True),
    (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    (34737, "s", 0, "WGS 84 / UTM zone 32N|", True),
    (42113, "s", 0, "-9999", True),
]
PRIVATE = [
    (65000, "B", 5, bytes(range(5)), True),
    (65001, "h", 2, (-3, 4), True),
    (65002, "2i", 1, (-7, 9), True),
    (65003, "f", 1, 0.1, True),
    (65004, "Q", 1, 2**40, True),
]
SOURCES: dict[str, dict[str, Any]] = {
    "GeoTIFF": {"extratags": GEO, "metadata": None},
    "OME": {"description": OME, "metadata": None, "software": "a microscope"},
    "no unit": {"resolution": ((37, 10), (37, 10)), "resolutionunit": 1, "metadata": None},
    "300 dpi": {"resolution": (300, 300), "resolutionunit": 2, "metadata": None},
    "XMP and profile": {
        "extratags": [(700, "B", len(XMP) + 2, XMP + b"\0\0", True)],
        "iccprofile": b"a profile " * 9,
        "metadata": None,
    },
    "private": {"extratags": PRIVATE[:4], "metadata": None, "datetime": "2026:01:02 03:04:05"},
    "private, BigTIFF": {"extratags": PRIVATE, "bigtiff": True, "metadata": None},
}


def facts(data: bytes) -> list[dict[int, tuple[Any, ...]]]:
    """Type, count and value of every tag that does not say how pixels are stored, of every page."""
    with tifffile.TiffFile(BytesIO(data)) as opened:
        return [
            {
                tag.code: (tag.dtype, tag.count, tag.value)
                for tag in page.tags
                if tag.code not in tiff_carried.STORAGE
            }
            for page in opened.pages
        ]


def there_and_back(data: bytes) -> bytes:
    """A TIFF, compressed and restored; the second reader finds the same tags in the file."""
    image = read_image(data)
    file = bbans.compress(image, model="none")
    restored = bbans.decompress_image(file)
    assert images.same_image(restored, image)
    tags = independent.tags(independent.read(file))
    assert image.tiff is not None and tags is not None
    assert tags[0] == image.tiff.big_endian
    assert [(number, value) for number, kind, _, value in tags[1] if kind] == [
        (tag.tag, tag.value) for tag in image.tiff.tags if tag.type
    ]
    return written(restored, "TIFF")


def made(array: Any = GREY, **options: Any) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("name", SOURCES)
def test_tags_come_back(name: str, byte_order: str) -> None:
    options = SOURCES[name]
    if options.get("bigtiff") and byte_order == ">":
        pytest.skip("a big-endian BigTIFF is not read")
    data = made(byteorder=byte_order, **options)
    back = there_and_back(data)
    assert facts(back) == facts(data) and back[:4] == data[:4]
    np.testing.assert_array_equal(tifffile.imread(BytesIO(back)), GREY)


def test_an_imagej_description_is_read_by_its_reader() -> None:
    data = made(samples(16), imagej=True, resolution=(3.7, 3.7), metadata={"unit": "um"})
    with tifffile.TiffFile(BytesIO(there_and_back(data))) as opened:
        assert opened.is_imagej and opened.imagej_metadata["unit"] == "um"


def test_exif_and_gps_directories() -> None:
    import PIL.Image
    from PIL import ExifTags
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    tags[0x010E] = "a view"
    tags[34665] = {0x829A: 1 / 125, 0x9003: "2026:01:02 03:04:05"}
    tags[34853] = {1: "N", 2: (48.0, 30.0, 15.5)}
    data = encode(rgb(), "TIFF", tiffinfo=tags)
    back = there_and_back(data)
    assert facts(back) == facts(data)
    assert {34665, 34853} <= set(facts(back)[0])
    # PNG has what it had before: an EXIF block with the same values
    kinds = {chunk.kind: chunk.payload for chunk in read_image(data).metadata}
    found = PIL.Image.Exif()
    found.load(kinds["eXIf"])
    assert found[0x010E] == "a view" and found.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"


def test_a_profile_and_a_packet_are_stored_once() -> None:
    noise = np.random.default_rng(0).bytes(3000)
    packet = b"<x>" + noise.hex().encode() + b"</x>"
    data = made(iccprofile=noise, extratags=[(700, "B", len(packet), packet, True)], metadata=None)
    chunk = chunks_of(read_image(data))[-1]
    assert chunk.kind == container.TIFF_TAGS and len(chunk.payload) < 60
    assert facts(there_and_back(data)) == facts(data)


def test_a_value_that_no_chunk_holds() -> None:
    data = made(iccprofile=b"a profile", metadata=None)
    tagged = chunks_of(read_image(data))[-1]
    pixel_format = container.FORMATS[container.GREY8]
    with pytest.raises(FormatError, match="34675 should be 9 bytes of another chunk"):
        restored(GREY, (tagged,), pixel_format)


@pytest.mark.parametrize("depth", [1, 8, 16])
def test_white_that_was_zero_is_zero_again(depth: int) -> None:
    """Readers of raw samples find those that were there."""
    source = samples(depth) > 0 if depth == 1 else samples(depth)
    data = made(source, photometric="miniswhite", metadata=None)
    image, back = read_image(data), there_and_back(data)
    np.testing.assert_array_equal(image.pixels, (2**depth - 1) - source.astype(image.pixels.dtype))
    with tifffile.TiffFile(BytesIO(back)) as opened:
        assert opened.pages[0].photometric == 0
        np.testing.assert_array_equal(opened.asarray(), source)
    with pytest.raises(FormatError, match="not grey"):
        restored(rgb(), (chunks_of(image)[-1],), container.FORMATS[container.RGB8])


def test_stripped() -> None:
    image = read_image(made(**SOURCES["GeoTIFF"]))
    assert image.tiff is not None and without_metadata(image).tiff is None


def test_a_part_of_an_image_has_no_tags() -> None:
    file = bbans.compress(read_image(made(**SOURCES["GeoTIFF"])), model="none")
    assert bbans.decompress_image(file, region=(0, 0, 2, 2)).tiff is None
    assert bbans.decompress_image(file).tiff is not None


@pytest.mark.parametrize("dots", [72, 96, 150, 300, 600, 299.9, 118.11])
def test_resolutions_of_png_in_tiff(dots: float) -> None:
    """Whole dots per inch come out whole, others as the pixels per metre that PNG has."""
    chunk = resolution_chunk((dots, dots))
    image = make(8, extra=(chunk,))
    ((kind, count, value),) = (facts(written(image, "TIFF"))[0][tag] for tag in (282,))
    (metres,) = {*struct.unpack(">II", chunk.payload[:8])}
    assert value == ((int(dots), 1) if dots == int(dots) else (metres, 100))
    assert read_image(written(image, "TIFF")).metadata == (chunk,)


def test_an_xmp_packet_of_png_is_written() -> None:
    image = make(8, extra=(xmp_chunk(XMP),))
    assert facts(written(image, "TIFF"))[0][700][2] == XMP
    assert read_image(written(image, "TIFF")).metadata == image.metadata


def test_what_cannot_be_carried_is_named() -> None:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(rgb(32, 32), subifds=2, metadata=None, photometric="rgb")
        writer.write(rgb(16, 16), subfiletype=1, metadata=None, photometric="rgb")
        writer.write(rgb(8, 8), subfiletype=1, metadata=None, photometric="rgb")
    image = read_image(buffer.getvalue())
    assert image.left_out == ("2 images in SubIFDs (a pyramid's levels or thumbnails)",)
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(GREY, metadata=None)
        writer.write(GREY[::2, ::2], subfiletype=1, metadata=None)
    image = read_image(buffer.getvalue())
    assert image.left_out == ("1 images of lower resolution (thumbnails, levels of a pyramid)",)
    np.testing.assert_array_equal(image.pixels, GREY)
    data = made(extratags=[(34412, "B", 3, b"lsm", True), *GEO], metadata=None)
    assert read_image(data).left_out == ("Zeiss LSM data (tag 34412)",)
    turned = made(extratags=[*GEO, (274, "H", 1, 6, True)], metadata=None)
    (note,) = read_image(turned).left_out
    assert note == "orientation 6, to which its geographic tags refer"
    assert read_image(made(metadata=None)).left_out == ()


def test_what_png_does_not_keep_is_named() -> None:
    plain = encode(rgb(), "PNG")
    assert read_image(plain).left_out == ()
    assert read_image(plain + b"tail").left_out == ("4 bytes after its end (IEND)",)


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")


def one_page(*more: bytes, following: int = 0) -> bytes:
    """A little-endian TIFF of one grey pixel, with entries more."""
    short = lambda tag, value: entry(tag, 3, 1, struct.pack("<H", value))  # noqa: E731
    entries = [short(256, 1), short(257, 1), short(258, 8), short(262, 1)]
    entries += [entry(273, 4, 1, struct.pack("<I", 8)), entry(279, 4, 1, b"\1"), *more]
    entries.sort(key=lambda raw: raw[:2][::-1])
    body = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 10) + b"\7\0" + body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (one_page(following=10), "go round in a circle"),
        (one_page(following=12), "no directory|overlap|incomplete|circle|tags are read"),
        (one_page(following=3), "no directory at byte 3"),
        (one_page(following=2**31), "no directory"),
        (one_page(entry(65000, 1, 2**31, b"\1")), None),
        (one_page(entry(65000, 1, 2**20, b"\1")), "tag 65000 is beyond the end"),
        (one_page(entry(34665, 3, 1, b"\1")), "34665 is no directory"),
        (one_page(entry(34665, 4, 1, b"\xff\xff")), "no directory at byte 65535"),
    ],
)
def test_hostile_directories(data: bytes, words: str | None) -> None:
    if words is None:
        assert read_image(data).left_out == ("tag 65000, of 2147483648 bytes",)
        return
    with pytest.raises(InputError, match=words):
        read_image(data)


def test_directories_that_overlap_take_no_time() -> None:
    """A chain over every second byte of a file, each of as many tags as there may be."""
    count = 3000
    head = b"II*\0" + struct.pack("<I", 8)
    body = bytearray(struct.pack("<H", 4000) * 40_000)
    data = bytes(head + body)
    with pytest.raises(InputError, match="damaged TIFF"):
        tiff_directory.chain(data)
    # directories of no tags one after the other are pages, and have an end
    empty = b"".join(
        struct.pack("<HI", 0, 8 + 6 * (n + 1) if n < count - 1 else 0) for n in range(count)
    )
    assert len(tiff_directory.chain(head + empty)) == count


def test_an_exif_directory_that_holds_itself() -> None:
    data = one_page(entry(34665, 4, 1, struct.pack("<I", 10)))
    image = read_image(data)
    assert image.tiff is not None
    assert "the directory of tag 34665" in image.left_out


def test_planes_without_directories_are_refused() -> None:
    described = b"ImageJ=1.54f\nimages=9\nslices=9\n\0"
    data = made(extratags=[(270, "s", 0, described, True)], metadata=None)
    with pytest.raises(UnsupportedImageError, match="9 planes has directories for 1"):
        read_image(data)
    stk = made(extratags=[(33629, "2I", 4, (1,) * 8, True)], metadata=None)
    with pytest.raises(UnsupportedImageError, match="MetaMorph"):
        read_image(stk)


def test_damaged_tags_of_a_file() -> None:
    for payload in (b"", b"\2\0", b"\0\1", b"\0\0\0", b"\0\1\x80\2\3\1\1\0"):
        with pytest.raises(FormatError):
            container.metadata.check_metadata([container.MetadataChunk(8, False, payload)])  # type: ignore[attr-defined]
    good = container.MetadataChunk(8, False, b"\0\0")
    for chunks in ([good, good], [container.MetadataChunk(8, True, b"\0\0")]):
        with pytest.raises(FormatError):
            container.metadata.check_metadata(chunks)  # type: ignore[attr-defined]


def test_images_without_tags_are_as_before() -> None:
    image = make_image(GREY, (PngChunk("gAMA", bytes(4)),))
    assert [chunk.kind for chunk in chunks_of(image)] == [container.PNG_CHUNK]
