"""One fuzzed file at a time through the public functions: what `tests/test_hostile_files.py` and
`benchmarks/fuzz.py` have in common.
"""

import random
import time
import warnings
import zlib
from dataclasses import replace
from functools import cache

import numpy as np

import bbans
from bbans import container, images, tiles
from bbans.errors import BbansError, FormatError, InputError, ModelNotFoundError
from bbans.files import tiling
from bbans.jpegs import jpegxl
from bbans.tiles.predicted import predicted, predicted_parts
from bbans.tiles.transforms import ycc_lattice
from bbans.tiles.transforms.views import views
from tests.chains import chain_file, chain_model, picture
from tests.jpegs import ARITHMETIC, encoded
from tests.mutations import forge, forged, mutated
from tests.tiny import prepared_file, smooth_image, tiny_model

SECONDS = 2.0
MAX_PIXELS = 2**11
CHAINS = ("pyramid of colours", "binary", "codes with a prior")
OPTIONS = {
    "binary": (
        {"scheme": "bits-back"},
        {"scheme": "bb-is", "particles": 3, "refine": 1},
        {"scheme": "bb-cis", "particles": 2},
    ),
    "pyramid of colours": ({"scheme": "two-part"},),
}


def options(data: bytes) -> dict[str, object]:
    """The model that the bytes name, where it is one of the seeds', and the limit."""
    named = [chain_model(name) for name in CHAINS if chain_model(name).id in data]
    return {"model": [*named, tiny_model()][0], "max_pixels": MAX_PIXELS}


CALLS = {
    "decompress": lambda data: bbans.decompress(data, threads=1, **options(data)),
    "info": lambda data: bbans.info(data, **options(data)),
    "salvage": lambda data: bbans.salvage(data, threads=1, **options(data)),
    "preview": lambda data: bbans.decompress(data, threads=1, preview=1, **options(data)),
}


@cache
def seeds() -> tuple[bytes, ...]:
    """Small files of every codec, several formats, one tile and several, with and without
    metadata; and of JPEGs by every method.
    """
    rng = np.random.default_rng(0)
    text = (images.PngChunk("tEXt", b"Comment\0" + b"word " * 20),)
    palette = images.PngChunk("PLTE", bytes(range(12)))
    photo, grey = smooth_image(24, 29), smooth_image(17, 19, channels=1)
    drawing = np.kron(rng.integers(0, 4, (4, 5, 3)), np.ones((5, 5, 1))).astype(np.uint8) * 60
    pictures = [
        images.from_array(photo, text),
        images.from_array(grey),
        images.from_array(grey.astype(np.uint16) * 201 + 7),
        images.from_array(
            np.dstack([photo, np.add.outer(np.arange(24), np.arange(29)).astype(np.uint8)])
        ),
        images.from_array(drawing, text),
        images.from_array(drawing.astype(np.uint16) * 257),
        images.make_image(drawing[:, :, 0] // 60, (palette, *text), 2, True),
        images.make_image(grey >> 7, (), 1),
        images.from_array(np.full((9, 7, 4), 5, np.uint16)),
        images.from_array(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)),
    ]
    found = [
        bbans.compress(p, model=model, verify=False, model_only=True)
        for p in pictures
        for model in (tiny_model(), "none")
    ]
    found += [bbans.compress(p, model="none", verify=False) for p in pictures]
    wide, mosaic = grey.astype(np.uint16) * 201 + 7, np.tile([[20, 90], [160, 220]], (8, 9))
    found += transformed_files(wide[:, :, None].repeat(3, 2))
    found += transformed_files((mosaic[:, :, None] + np.arange(18)[:, None] // 4).astype(np.uint8))
    sides, graphic = tiling.TILE_SIDE, tiling.GRAPHIC_TILE
    tiling.TILE_SIDE, tiling.GRAPHIC_TILE = 16, (16, 16)
    try:
        found += [bbans.compress(p, model="none", verify=False) for p in pictures[::2]]
    finally:
        tiling.TILE_SIDE, tiling.GRAPHIC_TILE = sides, graphic
    found += [prepared_file(photo, 3), prepared_file(photo.astype(np.uint16) * 257, 6)]
    for number in ycc_lattice.LATTICES:
        on_lattice = ycc_lattice.to_rgb(smooth_image(45, 45), number)
        on_lattice[7, 7] = 1, 2, 3  # an exception
        found.append(prepared_file(on_lattice, 0))
    found += [
        chain_file(chain_model(name), picture(chain_model(name)), **options)
        for name in CHAINS
        for options in ({}, *OPTIONS.get(name, ()))
    ]
    found += jpeg_seeds(smooth_image(40, 48))
    return tuple(dict.fromkeys(found))


def transformed_files(pixels: np.ndarray) -> list[bytes]:
    """A file of each view of an image `(h, w, channels)`, coded by the tiny model."""
    pixel_format = container.format_of(pixels.shape[2], 8 * pixels.itemsize, False)
    context = tiles.context_of(tiny_model(), tiles.fastest_ops())
    h, w = pixels.shape[:2]
    crc = container.pixels_crc(pixels, pixel_format.bit_depth)
    files = []
    for view in views(pixels, pixel_format):
        inside = predicted_parts(predicted(view, context.net), exhaustive=False)
        record = container.TileRecord(view.parts_of_tile(pixels.shape[2], inside), crc)
        fields = (w, h, pixel_format.code, w, h, tiny_model().id, (), (record,))
        files.append(container.write(container.Container(*fields)))
    return files


def jpeg_seeds(photo: np.ndarray) -> list[bytes]:
    """Files of JPEGs that are kept by each method; small ones are not transcoded by themselves."""
    found = [bbans.compress_jpeg(data) for data in (encoded(photo[:1, :1]), ARITHMETIC)]
    for data in (
        encoded(photo, quality=95, subsampling=0, comment=b"a comment" * 40),
        encoded(photo[:, :, 1], quality=98, progressive=True) + b"bytes after the end" * 20,
    ):
        file = container.read(bbans.compress_jpeg(data))
        payload = jpegxl.encode(images.jpeg_file(data, MAX_PIXELS))
        transcoded = container.JpegRecord(
            container.TRANSCODED_JPEG, len(data), zlib.crc32(data), payload
        )
        found.append(container.write(replace(file, jpeg=transcoded)))
    return found


@cache
def containers() -> tuple[container.Container, ...]:
    """The seeds, taken apart."""
    return tuple(map(container.read, seeds()))


def attempt(call: str, data: bytes) -> BbansError | None:
    """The error that a function ends in; anything that is not allowed is an AssertionError."""
    error, spent = _timed(call, data)
    if (
        spent >= SECONDS
        # a file that is slow is slow again; what is done once in a process, or beside other work,
        # is
        # not
    ):
        error, spent = _timed(call, data)
    assert spent < SECONDS, f"{call} took {spent:.1f} seconds\n{data.hex()}"
    assert error is None or "\n" not in str(error), repr(str(error))
    return error


def _timed(call: str, data: bytes) -> tuple[BbansError | None, float]:
    start = time.process_time()
    error: BbansError | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            CALLS[call](data)
    except (FormatError, ModelNotFoundError) as found:
        error = found
    except InputError as found:
        # of tiles of odd sides there is no preview, and of a JPEG that is cut there are no pixels
        assert call == "preview" or "restore the JPEG itself" in str(found), data.hex()
        error = found
    except Exception as found:
        raise AssertionError(
            f"{call} ended in {type(found).__name__}: {found}\n{data.hex()}"
        ) from found
    return error, time.process_time() - start


def try_mutated(rng: random.Random) -> BbansError | None:
    """A damaged file through one of the functions: refused, unless what can be salvaged of it was
    asked for.
    """
    data, call = mutated(rng.choice(seeds()), rng, seeds()), rng.choice(tuple(CALLS))
    error = attempt(call, data)
    assert error is not None or call == "salvage" or data in seeds(), data.hex()
    return error


def try_forged(rng: random.Random) -> BbansError | None:
    """A forged file through one of the functions."""
    data = forge(forged(rng.choice(containers()), rng, sides=50), rng)
    return attempt(rng.choice(tuple(CALLS)), data)
