"""Comparison with other lossless codecs on given images: bytes, bits per subpixel, ratio to PNG and
speed. Every result is decoded and compared with the image.

PNG and WebP are those of Pillow at higher efforts, JPEG XL is that of imagecodecs. All codecs code
the samples alone, without metadata, in this process, on as many threads as each library uses by
default. A codec that is not installed, or that cannot represent an image, has no result for it.
Speeds are in 10^6 bytes of raw samples per second of wall-clock time.

A JPEG whose pixels are not asked for is to be restored byte for byte, metadata included. Only JPEG
XL and this package can; speeds are in bytes of the decoded samples.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import PngImagePlugin, WebPImagePlugin

from bbans import images
from bbans.errors import InputError, OutputError, VerificationError
from bbans.files.decoder import decompress
from bbans.files.encoder import compress
from bbans.files.jpeg import compress_jpeg, pixel_format_of, restore_jpeg
from bbans.models.library import ModelLike, load_model

Pixels = NDArray[Any]
REFERENCE, OURS = "PNG", "bbans"
WARM_UP_SIDE = 64
"""Rows and columns of the crop that is coded before anything is timed."""
WEBP = {"lossless": True, "exact": True, "quality": 80, "method": 6}


class Contender(NamedTuple):
    """A codec in the comparison.

    convert: from an image to what the codec encodes and must restore, an array of samples or the
    image itself; None if the codec cannot represent the image. encode, decode: to bytes and back;
    decode returns an array of samples. encode_jpeg, decode_jpeg: from the bytes of a JPEG to bytes
    and back; None if the codec cannot.
    """

    name: str
    convert: Callable[[images.Image], Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    encode_jpeg: Callable[[bytes], bytes] | None = None
    decode_jpeg: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True)
class Score:
    """The result of a codec on one image, or the sum over several.

    samples: number of subpixels. raw_bytes: size of the uncompressed samples. bytes: compressed
    size; None if the codec has no result. encode_seconds, decode_seconds: wall-clock times.
    """

    codec: str
    samples: int
    raw_bytes: int
    bytes: int | None = None
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0

    def to_dict(self, reference: Score) -> dict[str, Any]:
        """Return plain values for JSON: the fields, the rate in bits per subpixel, the ratio to the
        size of `reference`, and speeds in 10^6 bytes per second.

        Examples:
            >>> png = Score("PNG", 100, 100, 80, 1.0, 1.0)
            >>> values = Score("bbans", 100, 100, 60, 1.0, 1.0).to_dict(png)
            >>> values["ratio_to_png"], values["bits_per_subpixel"]
            (0.75, 4.8)
        """
        rates: dict[str, float | None] = {
            "bits_per_subpixel": None,
            "ratio_to_png": None,
            "encode_mb_per_s": None,
            "decode_mb_per_s": None,
        }
        if self.bytes is not None:
            rates = {
                "bits_per_subpixel": 8 * self.bytes / self.samples,
                "ratio_to_png": None if reference.bytes is None else self.bytes / reference.bytes,
                "encode_mb_per_s": self.raw_bytes / self.encode_seconds / 1e6,
                "decode_mb_per_s": self.raw_bytes / self.decode_seconds / 1e6,
            }
        return {**asdict(self), **rates}


@dataclass(frozen=True)
class ImageScores:
    """The results of all codecs on one image, or the sums over several."""

    name: str
    scores: tuple[Score, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return the values of every codec for JSON, with ratios to PNG."""
        reference = next(score for score in self.scores if score.codec == REFERENCE)
        return [score.to_dict(reference) for score in self.scores]


def contenders(
    model: ModelLike = None,
    *,
    effort: str = "default",
    jpegxl_effort: int = 7,
    threads: int | None = None,
) -> tuple[Contender, ...]:
    """Return the codecs to compare: PNG, WebP, JPEG XL, and this package last.

    model: a name, file or value; None for that of `effort` ("fast", "default" or "max"), "none" for
    the fixed predictor. threads: of this package. Raises ModelError.

    Examples:
        >>> [codec.name for codec in contenders()]
        ['PNG', 'WebP', 'JPEG XL e7', 'bbans']
    """
    if model not in (None, "none"):
        model = load_model(model)

    def ours(image: images.Image) -> bytes:
        return compress(image, model=model, effort=effort, verify=False, threads=threads)

    def from_ours(data: bytes) -> Pixels:
        return decompress(data, model=model, threads=threads)

    def jpegxl(samples: Pixels) -> bytes:
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(samples, lossless=True, effort=jpegxl_effort))

    def from_jpegxl(data: bytes) -> Any:
        import imagecodecs

        return imagecodecs.jpegxl_decode(data)

    def jpegxl_of_jpeg(data: bytes) -> bytes:
        import imagecodecs

        try:
            return bytes(imagecodecs.jpegxl_encode_jpeg(data))
        except imagecodecs.JpegxlError as error:
            raise OutputError(f"JPEG XL does not transcode the JPEG: {error}") from error

    def jpeg_of_jpegxl(data: bytes) -> bytes:
        import imagecodecs

        return bytes(imagecodecs.jpegxl_decode_jpeg(data, numthreads=1))

    name = OURS if model is None and effort == "default" else f"{OURS}, {_setting(model, effort)}"
    return (
        Contender(REFERENCE, _unsigned, _png, _from_png),
        Contender("WebP", _rgb, _webp, _from_webp),
        Contender(
            f"JPEG XL e{jpegxl_effort}",
            _samples,
            jpegxl,
            from_jpegxl,
            jpegxl_of_jpeg,
            jpeg_of_jpegxl,
        ),
        Contender(name, lambda image: image, ours, from_ours, compress_jpeg, restore_jpeg),
    )


def measure(
    name: str,
    data: bytes,
    codecs: Sequence[Contender],
    *,
    as_pixels: bool = False,
    warm: bool = True,
) -> ImageScores:
    """Measure all codecs on the image in the bytes of an image file, or on the JPEG itself.

    as_pixels: code the decoded pixels of a lossy file. warm: code a corner of the image
    first, so that loading a codec is not timed.

    Raises InputError if the file cannot be read or coded, and VerificationError if a codec does not
    restore the samples.

    Examples:
        >>> buffer = io.BytesIO()
        >>> PillowImage.new("L", (32, 32)).save(buffer, "PNG")
        >>> [score.samples for score in measure("a", buffer.getvalue(), contenders()[:1]).scores]
        [1024]
    """
    source = images.read_source(data, as_pixels=as_pixels)
    if isinstance(source, images.JpegFile):
        jpeg = source
        if warm:
            for codec in codecs:
                _score_jpeg(codec, jpeg)
        return ImageScores(name, tuple(_score_jpeg(codec, jpeg) for codec in codecs))
    image = images.without_metadata(source)
    if warm:
        _warm_up(image, codecs)
    return ImageScores(name, tuple(_score(codec, image) for codec in codecs))


def together(results: Sequence[ImageScores]) -> ImageScores:
    """Return the sums over images; a codec without a result on one of them has no sum.

    Examples:
        >>> results = [ImageScores(name, (Score("PNG", 10, 10, 5),)) for name in "ab"]
        >>> together(results).scores[0].bytes
        10
    """
    sums = []
    for column in zip(*(image.scores for image in results), strict=True):
        samples, raw = (
            sum(score.samples for score in column),
            sum(score.raw_bytes for score in column),
        )
        sizes = [score.bytes for score in column if score.bytes is not None]
        times = (
            sum(score.encode_seconds for score in column),
            sum(score.decode_seconds for score in column),
        )
        total = Score(column[0].codec, samples, raw, sum(sizes), *times)
        sums.append(total if len(sizes) == len(column) else Score(column[0].codec, samples, raw))
    return ImageScores("all images", tuple(sums))


def _setting(model: Any, effort: str) -> str:
    """Return the words for a model or effort other than the default."""
    if model is None:
        return effort
    return "no model" if model == "none" else str(model.name)


def _warm_up(image: images.Image, codecs: Sequence[Contender]) -> None:
    corner = images.rebuilt(image, image.pixels[:WARM_UP_SIDE, :WARM_UP_SIDE])
    for codec in codecs:
        try:
            _score(codec, corner)
        except InputError:  # a model of whole images does not fit the corner
            _score(codec, image)


def _score(codec: Contender, image: images.Image) -> Score:
    """Time encoding and decoding of an image. Raises VerificationError on another result."""
    header = codec.name, image.pixels.size, image.pixels.nbytes
    converted = codec.convert(image)
    if converted is None:
        return Score(*header)
    expected = converted.pixels if isinstance(converted, images.Image) else converted

    def same(restored: Any) -> bool:
        return restored.dtype == expected.dtype and np.array_equal(restored, expected)

    return _timed(header, codec.encode, codec.decode, converted, same)


def _score_jpeg(codec: Contender, jpeg: images.JpegFile) -> Score:
    """Time encoding and decoding of a JPEG. Raises VerificationError on another result."""
    pixel_format = pixel_format_of(jpeg)
    samples = jpeg.width * jpeg.height * pixel_format.channels
    header = codec.name, samples, pixel_format.raw_bytes(jpeg.height, jpeg.width)
    if codec.encode_jpeg is None or codec.decode_jpeg is None:
        return Score(*header)
    return _timed(
        header, codec.encode_jpeg, codec.decode_jpeg, jpeg.data, lambda found: found == jpeg.data
    )


def _timed(
    header: tuple[str, int, int],
    encode: Callable[[Any], bytes],
    decode: Callable[[bytes], Any],
    source: Any,
    same: Callable[[Any], bool],
) -> Score:
    """Time encoding and decoding; the score has no result if the codec is not installed or cannot
    hold the source. Raises VerificationError unless what is restored is the `same`.
    """
    try:
        started = time.perf_counter()
        data = encode(source)
        encoded = time.perf_counter()
        restored = decode(data)
        decoded = time.perf_counter()
    except (ImportError, OutputError):  # not installed, or the image is too large for the format
        return Score(*header)
    if not same(restored):
        raise VerificationError(
            f"{header[0]} restored another image than it was given; please report this"
        )
    return Score(*header, len(data), encoded - started, decoded - encoded)


def _unsigned(image: images.Image) -> images.Image:
    """Return the image with its samples as they are coded, for codecs of unsigned numbers."""
    return images.make_image(
        images.coded_samples(image), image.metadata, image.bit_depth, image.palette
    )


def _png(image: images.Image) -> bytes:
    buffer = io.BytesIO()
    if image.bit_depth == 8 and not image.palette:
        PillowImage.fromarray(image.pixels).save(buffer, "PNG", optimize=True)
    else:  # kinds for which Pillow has no mode
        images.write_image(image, buffer)
    return buffer.getvalue()


def _from_png(data: bytes) -> Pixels:
    depth, colour = data[24], data[25]
    if depth == 8 and colour != 3:
        return np.asarray(PngImagePlugin.PngImageFile(io.BytesIO(data)))
    return images.read_image(data).pixels


def _rgb(image: images.Image) -> Pixels | None:
    """Return the image as RGB or RGBA, uint8 `(h, w, 3 or 4)`, or None if it has 16-bit samples."""
    if image.bit_depth == 16:
        return None
    source = images.to_pillow(_unsigned(image))
    transparent = source.mode in ("LA", "RGBA") or "transparency" in source.info
    return np.asarray(source.convert("RGBA" if transparent else "RGB"))


def _samples(image: images.Image) -> Pixels | None:
    """Return the samples, with palette indices replaced by their colours."""
    return _rgb(image) if image.palette else images.coded_samples(image)


def _webp(samples: Pixels) -> bytes:
    buffer = io.BytesIO()
    try:
        PillowImage.fromarray(samples).save(buffer, "WEBP", **WEBP)
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"the image cannot be written as WebP: {error}") from error
    return buffer.getvalue()


def _from_webp(data: bytes) -> Pixels:
    return np.asarray(WebPImagePlugin.WebPImageFile(io.BytesIO(data)))
