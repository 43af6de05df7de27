"""Arrays to bytes and back through the whole stack: every shape, content and mode; damage; the
account; other processes.
"""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import bbans
from bbans import container, images, tiles
from bbans.errors import (
    BbansError,
    ChecksumError,
    FormatError,
    InputError,
    ModelNotFoundError,
    VerificationError,
)
from bbans.files import decoder, tiling
from bbans.files.info import info
from bbans.models import library, model_file
from bbans.tiles import decode as tile_decoding
from tests.tiny import smooth_image, tiny_model

MODEL = tiny_model()


def checkerboard(h, w):
    return np.where(np.add.outer(np.arange(h), np.arange(w)) % 2, 255, 0).astype(np.uint8)


def text_like(h, w):
    rng = np.random.default_rng(0)
    return np.where(rng.random((h, w, 1)) < 0.1, 0, 255).astype(np.uint8).repeat(3, 2)


CONTENTS = {
    "smooth": smooth_image,
    "noise": lambda h, w: np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8),
    "black": lambda h, w: np.zeros((h, w, 3), np.uint8),
    "white": lambda h, w: np.full((h, w, 3), 255, np.uint8),
    "gradient": lambda h, w: np.broadcast_to(
        np.linspace(0, 255, w).astype(np.uint8)[None, :, None], (h, w, 3)
    ).copy(),
    "checkerboard": lambda h, w: checkerboard(h, w)[..., None].repeat(3, 2),
    "text": text_like,
    "grey": lambda h, w: smooth_image(h, w, channels=1),
    "grey checkerboard": checkerboard,
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 19), (23, 1), (2, 3), (31, 37), (64, 96)])
def test_every_content_and_shape_comes_back(content, shape):
    image = CONTENTS[content](*shape)
    data = bbans.compress(image, model=MODEL, verify=False)
    back = bbans.decompress(data, model=MODEL)
    assert back.dtype == np.uint8 and np.array_equal(back, image)
    assert len(data) <= image.nbytes + 96


@settings(max_examples=30, deadline=None)
@given(
    arrays(
        np.uint8,
        st.one_of(
            st.tuples(st.integers(1, 24), st.integers(1, 24)),
            st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)),
        ),
    )
)
def test_any_array_comes_back(image):
    assert np.array_equal(
        bbans.decompress(bbans.compress(image, model=MODEL, verify=False), model=MODEL), image
    )


def test_tiles_are_independent_and_threads_do_not_matter(monkeypatch):
    monkeypatch.setattr(tiling, "TILE_SIDE", 24)
    monkeypatch.setattr(tiling, "GRAPHIC_TILE", (24, 24))
    image = smooth_image(50, 70)
    data = bbans.compress(image, model=MODEL, threads=1)
    assert bbans.compress(image, model=MODEL, threads=3) == data
    content = container.read(data)
    assert len(content.tiles) == 9
    assert np.array_equal(bbans.decompress(data, model=MODEL, threads=2), image)


def test_the_encoder_is_deterministic_and_pillow_and_grey_are_taken():
    image = smooth_image(40, 40)
    assert bbans.compress(image, model=MODEL) == bbans.compress(Image.fromarray(image), model=MODEL)
    grey = smooth_image(40, 40, channels=1)
    assert bbans.decompress(
        bbans.compress(Image.fromarray(grey), model=MODEL), model=MODEL
    ).shape == (40, 40)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4),
    ],
)
def test_arrays_that_are_no_image_are_refused(bad):
    with pytest.raises(InputError):
        bbans.compress(bad, model=MODEL)


def small_file():
    return bbans.compress(smooth_image(20, 20), model=MODEL, model_only=True)


def test_small_file_uses_the_model():
    assert codecs_of(small_file()) == [container.BITS_BACK]


def codecs_of(data):
    return [part.codec for tile in container.read(data).tiles for part in tile.parts]


def test_every_flipped_byte_is_noticed():
    data = small_file()
    for position in range(len(data)):
        for mask in (0x01, 0xFF):
            damaged = bytearray(data)
            damaged[position] ^= mask
            with pytest.raises((FormatError, ModelNotFoundError)):
                bbans.decompress(bytes(damaged), model=MODEL)


def test_every_truncation_and_appended_garbage_is_noticed():
    data = small_file()
    for length in range(len(data)):
        with pytest.raises(FormatError):
            bbans.decompress(data[:length], model=MODEL)
    for garbage in (b"\0", b"x" * 100, data):
        with pytest.raises(FormatError):
            bbans.decompress(data + garbage, model=MODEL)


def test_a_damaged_file_leaves_no_output(tmp_path):
    data, source, target = small_file(), tmp_path / "a.bbans", tmp_path / "a.png"
    for position in range(len(data)):
        source.write_bytes(data[:position] + bytes([data[position] ^ 0x5A]) + data[position + 1 :])
        with pytest.raises(BbansError) as caught:
            bbans.decompress_file(source, target, model=MODEL)
        assert caught.value.exit_code in (5, 6)
        assert [p.name for p in tmp_path.iterdir()] == ["a.bbans"]


def test_a_damaged_payload_with_a_right_payload_checksum_is_noticed():
    """What the container's checksums cannot see, the pixels' checksum or the message's end does."""
    content = container.read(small_file())
    (tile,) = content.tiles
    for position in range(0, len(tile.payload), 11):
        payload = bytearray(tile.payload)
        payload[position] ^= 0x10
        (part,) = tile.parts
        forged = container.write(
            replace(content, tiles=(replace(tile, parts=(replace(part, payload=bytes(payload)),)),))
        )
        with pytest.raises(FormatError):
            bbans.decompress(forged, model=MODEL)


def test_a_wrong_backend_result_is_repaired_by_the_oracle(monkeypatch):
    """A tile whose first decoding fails its checksum is decoded again in float64 before damage is
    reported.
    """
    data, image = small_file(), smooth_image(20, 20)
    real, calls = tile_decoding._decode, []

    def faulty(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise ChecksumError("as if a convolution had rounded")
        return real(*arguments)

    monkeypatch.setattr(tile_decoding, "_decode", faulty)
    assert np.array_equal(bbans.decompress(data, model=MODEL), image) and len(calls) == 2


def test_verification_catches_a_wrong_encoder(monkeypatch):
    real = tiles.encode_tile

    def wrong(pixels, *others):
        return real(pixels ^ 1, *others)

    monkeypatch.setattr(tiles, "encode_tile", wrong)
    with pytest.raises(VerificationError):
        bbans.compress(smooth_image(16, 16), model=MODEL)


def test_a_file_whose_model_is_absent_names_it():
    data = small_file()
    with pytest.raises(ModelNotFoundError, match=MODEL.id.hex()[:16]):
        bbans.decompress(data)


def test_account_sums_to_the_file():
    for image in (
        smooth_image(90, 70),
        smooth_image(64, 64, channels=1),
        np.zeros((3, 3, 3), np.uint8),
    ):
        data = bbans.compress(image, model=MODEL)
        facts = info(data, model=MODEL)
        content = facts.to_dict()
        assert sum(content["account_bits"].values()) == pytest.approx(8 * len(data), abs=1e-3)
        assert content["bits_per_dimension"]["total"] == 8 * len(data) / image.size
        assert content["account_bits"]["initial"] == 0
        assert any("sum, equal to the file" in line for line in facts.lines())
        brief = info(data, account=False)
        assert (
            brief.account is None
            and "account_bits" not in brief.to_dict()
            and len(brief.lines()) == 3
        )


def test_metadata_comes_back_and_strip_drops_it(tmp_path):
    text = PngInfo()
    text.add_text("Comment", "a note")
    text.add_itxt("Title", "ein schönes Bild", "de", "Titel")
    exif = Image.Exif()
    exif[0x010E] = "description"
    source, target, back = tmp_path / "a.png", tmp_path / "a.bbans", tmp_path / "b.png"
    Image.fromarray(smooth_image(20, 20)).save(
        source, pnginfo=text, exif=exif, icc_profile=b"not really a profile " * 20, dpi=(300, 300)
    )
    bbans.compress_file(source, target, model=MODEL)
    bbans.decompress_file(target, back, model=MODEL)
    with Image.open(source) as a, Image.open(back) as b:
        a.load(), b.load()
        assert a.info == b.info and a.getexif() == b.getexif()
    assert images.read_image(source).metadata == images.read_image(back).metadata
    bbans.compress_file(source, target, model=MODEL, strip=True, overwrite=True)
    assert info(target.read_bytes(), account=False).metadata_chunks == 0


def test_other_kinds_of_metadata_are_taken_and_malformed_ones_named(tmp_path):
    content = container.read(small_file())

    def carrying(*chunks):
        return container.write(
            replace(
                content,
                metadata=tuple(
                    container.MetadataChunk(kind, False, payload) for kind, payload in chunks
                ),
            )
        )

    data = carrying(
        (container.ICC_PROFILE, b"profile"),
        (container.EXIF, b"II*\0"),
        (container.XMP, b"<x/>"),
        (container.TEXT, b"Title\0x"),
        (99, b"?"),
    )
    assert [c.kind for c in decoder.decompress_image(data, model=MODEL).metadata] == [
        "iCCP",
        "eXIf",
        "iTXt",
        "tEXt",
    ]
    for payload in (b"no keyword", b"Title\0\xff"):
        with pytest.raises(FormatError):
            bbans.decompress(carrying((container.TEXT, payload)), model=MODEL)
    (tmp_path / "a.bbans").write_bytes(carrying((container.PNG_CHUNK, b"IDATx")))
    with pytest.raises(FormatError):
        bbans.decompress_file(tmp_path / "a.bbans", tmp_path / "a.png", model=MODEL)
    assert not (tmp_path / "a.png").exists()


def test_open_gives_a_pillow_image(tmp_path):
    path = tmp_path / "a.bbans"
    path.write_bytes(small_file())
    assert np.array_equal(np.asarray(bbans.open(path, model=MODEL)), smooth_image(20, 20))
    with pytest.raises(InputError):
        bbans.open(tmp_path / "absent.bbans")


def test_public_names():
    assert sorted(bbans.__all__) == [
        "CompressResult",
        "TrainOptions",
        "__version__",
        "compress",
        "compress_file",
        "compress_jpeg",
        "compress_stack",
        "create_archive",
        "decompress",
        "decompress_file",
        "decompress_image",
        "decompress_stack",
        "engine",
        "evaluate",
        "extract_archive",
        "info",
        "interpolate",
        "is_stack",
        "list_archive",
        "load_model",
        "open",
        "original_suffix",
        "read_archive",
        "read_stack",
        "reconstruct",
        "restore_jpeg",
        "salvage",
        "sample",
        "train_model",
        "verify",
        "verify_archive",
    ]
    assert all(getattr(bbans, name) is not None for name in bbans.__all__)
    with pytest.raises(AttributeError):
        bbans.absent  # noqa: B018


def test_other_processes_and_carriers_make_the_same_files(tmp_path):
    """Fresh processes, with one thread, a small instruction set, and no torch-like backend, decode
    what this one wrote.
    """
    (tmp_path / "tiny.safetensors").write_bytes(
        model_file.serialise(MODEL.config, MODEL.layers, {})
    )
    shapes = [(1, 1), (1, 7), (11, 1), (17, 9), (45, 61)]
    cases = [make(*shape) for make in CONTENTS.values() for shape in shapes]
    for i, image in enumerate(cases):
        np.save(tmp_path / f"{i}.npy", image)
        (tmp_path / f"{i}.bbans").write_bytes(bbans.compress(image, model=MODEL))
    code = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import numpy as np
import bbans
from bbans import tiles
if sys.argv[2] == "torch":
    from bbans.exact.torch_ops import torch_ops
    tiles.fastest_ops = torch_ops
for i in range(len(list(Path(sys.argv[1]).glob('*.npy')))):
    image, data = np.load(f"{sys.argv[1]}/{i}.npy"), Path(f"{sys.argv[1]}/{i}.bbans").read_bytes()
    assert np.array_equal(bbans.decompress(data), image)
    assert bbans.compress(image, model="tiny") == data
print("same" if sys.argv[2] == "torch" or "torch" not in sys.modules else "torch was imported")
"""
    import os

    for backend, variables in (
        ("torch", {"OMP_NUM_THREADS": "1"}),
        ("torch", {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}),
        ("default", {}),
        (
            "reference",
            {
                "OPENBLAS_NUM_THREADS": "1",
                "BBANS_ENGINE": "reference",
                "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3",
            },
        ),
    ):
        environment = {**os.environ, library.SEARCH_PATH_VARIABLE: str(tmp_path), **variables}
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), backend],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == "same", done.stderr


def test_named_errors_all_have_exit_codes():
    def family(error):
        return {error} | {e for sub in error.__subclasses__() for e in family(sub)}

    assert all(1 <= e.exit_code <= 11 for e in family(BbansError))
