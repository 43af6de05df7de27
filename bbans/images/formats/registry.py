"""Table of image formats: how each is detected from a file's bytes, and its reader and writer.

File names are not used for detection. `register` adds a row, also from a module outside this
package; nothing else has to be changed. Importing this module is cheap: readers and writers are
imported when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bbans.errors import InputError, UnsupportedImageError

if TYPE_CHECKING:
    from bbans.images.formats.jpeg import JpegFile
    from bbans.images.image import Image

HERE = "bbans.images.formats"
JPEG = "jpeg"
"""The kind of a JPEG that is restored byte for byte."""
LOSSY_ADVICE = (
    "its pixels cost more than its own bytes; keep the file as it is, or ask for its "
    "pixels (--as-pixels)"
)


@dataclass(frozen=True)
class ImageFormat:
    """A format of image files.

    name: as users write it, in capitals. label: for messages. suffixes: of file names, in lower
    case; files are written with the first. detect: whether a file's bytes are of this format.
    reader, writer: functions, or "module:function". `reader(data, as_pixels, max_pixels)` returns
    the image; `as_pixels` accepts lossy files. `writer(image)` returns a file's bytes; None: the
    format is not written. lossless: whether files of the format are suitable input. keeper:
    `keeper(data, max_pixels)` takes a file as it is, to be restored byte for byte; None: files of
    the format are read. `mender(data)` returns a damaged file without the damaged parts that are no
    pixels, and a line for each; None: the format has no such parts.
    """

    name: str
    label: str
    suffixes: tuple[str, ...]
    detect: Callable[[bytes], bool]
    reader: str | Callable[[bytes, bool, int], Image]
    writer: str | Callable[[Image], bytes] | None = None
    lossless: bool = True
    keeper: str | Callable[[bytes, int], JpegFile] | None = None
    mender: str | Callable[[bytes], tuple[bytes, tuple[str, ...]]] | None = None

    def read(self, data: bytes, as_pixels: bool, max_pixels: int) -> Image:
        """Return the image of a file's bytes. Raises InputError."""
        image: Image = _loaded(self.reader)(data, as_pixels, max_pixels)
        return image

    def keep(self, data: bytes, max_pixels: int) -> JpegFile:
        """Return a file as it is. Raises InputError."""
        assert self.keeper is not None
        file: JpegFile = _loaded(self.keeper)(data, max_pixels)
        return file

    def mend(self, data: bytes) -> tuple[bytes, tuple[str, ...]]:
        """Return a file's bytes without damaged parts that are no pixels, and a line for each.

        Raises InputError.
        """
        if self.mender is None:
            return data, ()
        mended: tuple[bytes, tuple[str, ...]] = _loaded(self.mender)(data)
        return mended

    def write(self, image: Image) -> bytes:
        """Return the bytes of a file. Raises OutputError on an image that the format cannot
        hold.
        """
        assert self.writer is not None
        data: bytes = _loaded(self.writer)(image)
        return data


def _loaded(function: str | Callable[..., Any]) -> Callable[..., Any]:
    """Import a function that is given as "module:function"."""
    if not isinstance(function, str):
        return function
    module, name = function.split(":")
    loaded: Callable[..., Any] = getattr(import_module(module), name)
    return loaded


FORMATS: dict[str, ImageFormat] = {}
"""All formats by name, in the order in which they are tried."""


def register(row: ImageFormat) -> None:
    """Add a format. Raises ValueError if the name is taken.

    Examples:
        >>> register(FORMATS["PNG"])
        Traceback (most recent call last):
        ...
        ValueError: the format 'PNG' is there already; choose another name
    """
    if row.name in FORMATS:
        raise ValueError(f"the format {row.name!r} is there already; choose another name")
    FORMATS[row.name] = row


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(magics)


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _is_bmp(data: bytes) -> bool:
    return data.startswith(b"BM") and len(data) > 26


def _is_pnm(data: bytes) -> bool:
    return data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace()


def _is_jpegls(data: bytes) -> bool:
    """Whether a JPEG's first frame header is that of JPEG-LS, SOF55."""
    at = 2
    while data.startswith(b"\xff\xd8\xff") and at + 4 <= len(data):
        if data[at : at + 2] == b"\xff\xf7":
            return True
        if data[at] != 0xFF or not 0xE0 <= data[at + 1] <= 0xFE:  # no application data or comment
            return False
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


for _row in (
    ImageFormat(
        "PNG",
        "PNG",
        (".png",),
        _starts(b"\x89PNG"),
        f"{HERE}.png_pixels:read_png",
        f"{HERE}.png_pixels:png_bytes",
        mender=f"{HERE}.png:without_damaged_chunks",
    ),
    ImageFormat(
        "WEBP", "WebP", (".webp",), _is_webp, f"{HERE}.webp:read_webp", f"{HERE}.webp:webp_bytes"
    ),
    ImageFormat(
        "TIFF",
        "TIFF",
        (".tiff", ".tif"),
        _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        f"{HERE}.tiff:read_tiff",
        f"{HERE}.tiff:tiff_bytes",
    ),
    ImageFormat("BMP", "BMP", (".bmp",), _is_bmp, f"{HERE}.bmp:read_bmp", f"{HERE}.bmp:bmp_bytes"),
    ImageFormat(
        "PPM",
        "PPM",
        (".ppm", ".pgm", ".pbm", ".pam", ".pnm"),
        _is_pnm,
        f"{HERE}.pnm:read_pnm",
        f"{HERE}.pnm:pnm_bytes",
    ),
    ImageFormat(
        "NPY",
        "NPY",
        (".npy",),
        _starts(b"\x93NUMPY"),
        f"{HERE}.npy:read_npy",
        f"{HERE}.npy:npy_bytes",
    ),
    ImageFormat(
        "JPEG 2000",
        "JPEG 2000",
        (".jp2", ".j2k"),
        _starts(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        f"{HERE}.jpeg2000:read_jpeg2000",
    ),
    ImageFormat(
        "JPEG",
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        _starts(b"\xff\xd8\xff"),
        f"{HERE}.jpeg:read_jpeg",
        lossless=False,
        keeper=f"{HERE}.jpeg:jpeg_file",
    ),
):
    register(_row)

# Formats that are known by name only, so that the error can say what the file is: offset, bytes,
# name.
UNREAD = (
    (0, b"GIF8", "GIF"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x00\x00\x01\x00", "icon"),
    (0, b"qoif", "QOI"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"PF", "floating-point PNM"),
    (0, b"Pf", "floating-point PNM"),
)


def format_of_bytes(data: bytes) -> ImageFormat:
    r"""Detect the format of a file from its first bytes.

    Raises UnsupportedImageError for known formats that are not read, InputError for everything
    else.

    Examples:
        >>> format_of_bytes(b"\x89PNG\r\n").name
        'PNG'
    """
    if not data:
        raise InputError("an image was expected, found an empty file")
    if _is_jpegls(data):
        raise UnsupportedImageError("a file of format JPEG-LS is not read: convert it to PNG")
    for row in FORMATS.values():
        if row.detect(data):
            return row
    for offset, magic, name in UNREAD:
        if data.startswith(magic, offset):
            raise UnsupportedImageError(f"a file of format {name} is not read: convert it to PNG")
    *labels, last = (row.label for row in FORMATS.values() if row.lossless)
    raise InputError(f"not an image: {', '.join(labels)} or {last} was expected")


def written() -> dict[str, tuple[str, ...]]:
    """Return the suffixes of the formats that are written, by their names in lower case.

    Examples:
        >>> written()["png"]
        ('.png',)
    """
    return {row.name.lower(): row.suffixes for row in FORMATS.values() if row.writer is not None}


def format_of_suffix(suffix: str | None) -> str | None:
    """Return the format (a name of the table of formats) that is written with a suffix, or None.

    Examples:
        >>> format_of_suffix(".tif"), format_of_suffix(".jpg")
        ('TIFF', None)
    """
    rows = (
        row for row in FORMATS.values() if row.writer and suffix and suffix.lower() in row.suffixes
    )
    return next((row.name for row in rows), None)


def suffixes() -> tuple[str, ...]:
    """Return the suffixes of all formats that are read.

    Examples:
        >>> ".png" in suffixes()
        True
    """
    return tuple(suffix for row in FORMATS.values() for suffix in row.suffixes)
