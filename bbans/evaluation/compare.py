"""Other lossless codecs on one's own images: bytes, bits per subpixel, ratio to PNG, and speed,
each result restored and compared.

PNG and WebP are Pillow's at their higher efforts, JPEG XL is that of imagecodecs. Everyone codes
the samples alone, without metadata, in this process, on the threads that each library takes by
itself. A codec that is not installed, or that cannot hold an image, has no figures for it. Speed is
in 10^6 bytes of raw samples a second of wall-clock time: noisy on a machine that does other work.
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
from bbans.files.codec import compress, decompress
from bbans.models.library import ModelLike, load_model

Pixels = NDArray[Any]
REFERENCE, OURS = "PNG", "bbans"
WARMED_UP = 64  # rows and columns of the crop that is coded before anything is timed
WEBP = {"lossless": True, "exact": True, "quality": 80, "method": 6}


class Contender(NamedTuple):
    """A codec: `wanted(image)` is what it is given and has to restore, None where it cannot hold
    that.
    """

    name: str
    wanted: Callable[[images.Image], Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


@dataclass(frozen=True)
class Score:
    """A codec on one image, or on several: bytes and seconds.

    `bytes` is None where it has no result.
    """

    codec: str
    samples: int
    raw_bytes: int
    bytes: int | None = None
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0

    def to_dict(self, reference: Score) -> dict[str, Any]:
        """Plain values beside those of PNG; rates in bits per subpixel, speeds in MB/s."""
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
    """All codecs on one image."""

    name: str
    scores: tuple[Score, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Plain values of every codec."""
        reference = next(score for score in self.scores if score.codec == REFERENCE)
        return [score.to_dict(reference) for score in self.scores]


def contenders(
    model: ModelLike = None,
    *,
    effort: str = "default",
    jpegxl_effort: int = 7,
    threads: int | None = None,
) -> tuple[Contender, ...]:
    """The codecs that are compared, ours last; `model` and `effort` are those of `compress`.

    Raises ModelError.
    """
    if model not in (None, "none"):
        model = load_model(model)

    def ours(picture: images.Image) -> bytes:
        return compress(picture, model=model, effort=effort, verify=False, threads=threads)

    def restored(data: bytes) -> Pixels:
        return decompress(data, model=model, threads=threads)

    def jpegxl(samples: Pixels) -> bytes:
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(samples, lossless=True, effort=jpegxl_effort))

    def from_jpegxl(data: bytes) -> Any:
        import imagecodecs

        return imagecodecs.jpegxl_decode(data)

    name = OURS if model is None and effort == "default" else f"{OURS}, {_said(model, effort)}"
    return (
        Contender(REFERENCE, lambda picture: picture, _png, _from_png),
        Contender("WebP", _shown, _webp, _from_webp),
        Contender(f"JPEG XL e{jpegxl_effort}", _flat, jpegxl, from_jpegxl),
        Contender(name, lambda picture: picture, ours, restored),
    )


def measure(
    name: str,
    data: bytes,
    codecs: Sequence[Contender],
    *,
    as_pixels: bool = False,
    warm: bool = True,
) -> ImageScores:
    """All codecs on an image file's bytes.

    With `warm` a corner is coded first, so that loading a codec is not timed.

    Raises InputError where the file is none that is coded, VerificationError where a codec restores
    something else.
    """
    picture = images.without_metadata(images.read_image(data, as_pixels=as_pixels))
    if warm:
        _warm_up(picture, codecs)
    return ImageScores(name, tuple(_score(codec, picture) for codec in codecs))


def together(found: Sequence[ImageScores]) -> ImageScores:
    """The sums over images; a codec without a result on one of them has none."""
    sums = []
    for column in zip(*(image.scores for image in found), strict=True):
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


def _said(model: Any, effort: str) -> str:
    if model is None:
        return effort
    return "no model" if model == "none" else str(model.name)


def _warm_up(picture: images.Image, codecs: Sequence[Contender]) -> None:
    corner = images.make_image(
        picture.pixels[:WARMED_UP, :WARMED_UP], picture.metadata, picture.bit_depth, picture.palette
    )
    for codec in codecs:
        try:
            _score(codec, corner)
        except InputError:  # a model of small images takes the whole
            _score(codec, picture)


def _score(codec: Contender, picture: images.Image) -> Score:
    shape = codec.name, picture.pixels.size, picture.pixels.nbytes
    wanted = codec.wanted(picture)
    if wanted is None:
        return Score(*shape)
    try:
        started = time.perf_counter()
        data = codec.encode(wanted)
        middle = time.perf_counter()
        back = codec.decode(data)
        ended = time.perf_counter()
    except (ImportError, OutputError):  # not installed, or not for so large an image
        return Score(*shape)
    expected = wanted.pixels if isinstance(wanted, images.Image) else wanted
    if back.dtype != expected.dtype or not np.array_equal(back, expected):
        raise VerificationError(
            f"{codec.name} restored another image than it was given; please report this"
        )
    return Score(*shape, len(data), middle - started, ended - middle)


def _png(picture: images.Image) -> bytes:
    buffer = io.BytesIO()
    if picture.bit_depth == 8 and not picture.palette:
        PillowImage.fromarray(picture.pixels).save(buffer, "PNG", optimize=True)
    else:  # kinds that Pillow has no mode for
        images.write_image(picture, buffer)
    return buffer.getvalue()


def _from_png(data: bytes) -> Pixels:
    depth, colour = data[24], data[25]
    if depth == 8 and colour != 3:
        return np.asarray(PngImagePlugin.PngImageFile(io.BytesIO(data)))
    return images.read_image(data).pixels


def _shown(picture: images.Image) -> Pixels | None:
    """The colours of 8 bits that one sees, `(h, w, 3 or 4)`; None of 16-bit samples."""
    if picture.bit_depth == 16:
        return None
    source = images.to_pillow(picture)
    clear = source.mode in ("LA", "RGBA") or "transparency" in source.info
    return np.asarray(source.convert("RGBA" if clear else "RGB"))


def _flat(picture: images.Image) -> Pixels | None:
    """The samples, and the colours that a palette's indices stand for."""
    return _shown(picture) if picture.palette else picture.pixels


def _webp(samples: Pixels) -> bytes:
    buffer = io.BytesIO()
    try:
        PillowImage.fromarray(samples).save(buffer, "WEBP", **WEBP)
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"the image cannot be written as WebP: {error}") from error
    return buffer.getvalue()


def _from_webp(data: bytes) -> Pixels:
    return np.asarray(WebPImagePlugin.WebPImageFile(io.BytesIO(data)))
