"""The whole tool with the shipped model: files in, files out, in this process and in fresh ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.cli.conftest import Run

Runner = Callable[..., Run]


@pytest.fixture(scope="module")
def pixels(repository: Path) -> np.ndarray:
    """A piece of a photograph with odd sides."""
    with Image.open(repository / "samples" / "tea-gardens.png") as image:
        return np.asarray(image)[100:197, 200:331].copy()


@pytest.fixture
def photo(here: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save("photo.png")
    return Path("photo.png")


def bbans(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    """The command in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "bbans_cli", *map(str, arguments)],
        capture_output=True,
        timeout=300,
        check=False,
    )


def read(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_round_trip_in_fresh_processes(photo: Path, pixels: np.ndarray) -> None:
    assert (done := bbans("compress", photo)).returncode == 0, done.stderr
    assert Path("photo.bbans").stat().st_size < photo.stat().st_size
    assert (done := bbans("decompress", "photo.bbans", "-o", "back.png")).returncode == 0, (
        done.stderr
    )
    assert np.array_equal(read("back.png"), pixels)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_same_bytes_whatever_the_threads(photo: Path, run: Runner) -> None:
    outs = [run("compress", photo, "-c", "--threads", threads).out for threads in (1, 2)]
    assert outs[0] == outs[1]
    assert outs[0]


def test_grey_and_tiny_images(here: Path, run: Runner, pixels: np.ndarray) -> None:
    cases = {
        "grey": pixels[..., 1],
        "one": pixels[:1, :1],
        "row": pixels[:1],
        "column": pixels[:, :1, 0],
        "flat": np.zeros((9, 7, 3), np.uint8),
    }
    for name, array in cases.items():
        Image.fromarray(array).save(f"{name}.png")
    assert run("compress", *(f"{name}.png" for name in cases), "-o", "small").code == 0
    assert run("decompress", *(f"small/{name}.bbans" for name in cases), "-o", "back").code == 0
    for name, array in cases.items():
        assert np.array_equal(read(f"back/{name}.png"), array), name
        assert Path(f"small/{name}.bbans").stat().st_size <= array.nbytes + 100, name


def test_metadata_is_kept_or_stripped(here: Path, run: Runner, pixels: np.ndarray) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "tea"
    Image.fromarray(pixels).save("a.png", icc_profile=profile, exif=exif)
    assert run("compress", "a.png").code == 0
    assert run("decompress", "a.bbans", "-o", "b.png").code == 0
    with Image.open("b.png") as image:
        assert image.info["icc_profile"] == profile
        assert image.getexif()[0x010E] == "tea"
    assert run("compress", "a.png", "--strip", "-f").code == 0
    assert run("decompress", "a.bbans", "-o", "c.png").code == 0
    with Image.open("c.png") as image:
        assert "icc_profile" not in image.info
        assert not image.getexif()


@pytest.mark.parametrize("name", ["back.tiff", "back.webp", "back.bmp", "back.ppm"])
def test_other_kinds_of_file(photo: Path, run: Runner, pixels: np.ndarray, name: str) -> None:
    assert run("compress", photo).code == 0
    assert run("decompress", "photo.bbans", "-o", name).code == 0
    assert np.array_equal(read(name), pixels)


def test_a_jpeg_comes_back_byte_for_byte(here: Path, run: Runner, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save("a.jpg", exif=b"Exif\0\0" + here.name.encode())
    photo = Path("a.jpg").read_bytes()
    assert run("compress", "a.jpg", "--model", "no-such-model").code == 0  # none is needed
    data = Path("a.bbans").read_bytes()
    Path("a.jpg").unlink()
    assert len(data) < len(photo) and run("verify", "a.bbans").code == 0
    for arguments, name in (((), "a.jpg"), (("-o", "b.jpeg"), "b.jpeg"), (("-o", "c"), "c")):
        assert run("decompress", "a.bbans", *arguments).code == 0
        assert Path(name).read_bytes() == photo
    assert run("decompress", "-c", "a.bbans").out == photo
    assert run("decompress", "-", stdin=data).out == photo
    assert run("decompress", "-", "-o", "d.jpg", stdin=data).code == 0
    assert Path("d.jpg").read_bytes() == photo
    assert run("decompress", "a.bbans", "-o", "e.png").code == 0
    assert np.array_equal(read("e.png"), read("a.jpg"))
    assert run("decompress", "a.bbans", "--format", "ppm").code == 0
    assert np.array_equal(read("a.ppm"), read("a.jpg"))
    assert run("decompress", "a.bbans", "--region", "3,5,40,30").code == 0  # pixels: a PNG
    assert np.array_equal(read("a.png"), read("a.jpg")[5:35, 3:43])
    assert run("decompress", "a.bbans", "--preview", "2", "-f").code == 0
    assert np.array_equal(read("a.png"), read("a.jpg")[::4, ::4])


def test_what_a_jpeg_cannot_be(here: Path, run: Runner, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save("a.jpg")
    Image.fromarray(pixels).save("p.png")
    result = run("compress", "a.jpg", "--strip")
    assert (result.code, len(result.err.splitlines())) == (3, 1) and "--as-pixels" in result.err
    assert not Path("a.bbans").exists()
    assert run("compress", "a.jpg", "p.png").code == 0
    for arguments in (("--format", "jpeg", "--preview", "1"), ("--preview", "1", "-o", "x.jpg")):
        assert run("decompress", "a.bbans", *arguments).code == 2
    assert run("decompress", "p.bbans", "-o", "x.jpg").code == 2
    result = run("decompress", "p.bbans", "--format", "jpeg")
    assert result.code == 4 and "no JPEG" in result.err
    stdin = Path("p.bbans").read_bytes()
    assert run("decompress", "-", "-o", "x.jpg", stdin=stdin).code == 4
    result = run("info", "a.bbans", "--heatmap", "h.png")
    assert (result.code, len(result.err.splitlines())) == (3, 1)
    assert not {"x.jpg", "h.png"} & {path.name for path in here.iterdir()}
    damaged = Path("a.bbans").read_bytes()[:-1]
    Path("a.bbans").write_bytes(damaged)
    for arguments in (["decompress", "-f"], ["decompress", "--keep-going", "-f"], ["verify"]):
        assert run(*arguments, "a.bbans").code == 5


def test_a_jpeg_whose_pixels_are_not_decoded(here: Path, run: Runner, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).convert("CMYK").save("a.jpg")
    photo = Path("a.jpg").read_bytes()
    assert run("compress", "a.jpg").code == 0
    result = run("decompress", "a.bbans", "-o", "x.png")
    assert result.code == 3 and "CMYK" in result.err and not Path("x.png").exists()
    assert run("decompress", "a.bbans", "-f").code == 0
    assert Path("a.jpg").read_bytes() == photo


def test_a_jpeg_as_pixels(here: Path, run: Runner, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save("a.jpg")
    assert run("compress", "a.jpg", "--as-pixels").code == 0
    assert run("decompress", "a.bbans").code == 0
    assert np.array_equal(read("a.png"), read("a.jpg"))


@pytest.mark.parametrize("content", [b"", b"junk", b"\x89PNG\r\n\x1a\n"])
def test_no_image(here: Path, run: Runner, content: bytes) -> None:
    Path("a.png").write_bytes(content)
    result = run("compress", "a.png")
    assert (result.code, len(result.err.splitlines())) == (3, 1)
    assert not Path("a.bbans").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: data[:40] + data[41:],
    ],
)
def test_a_damaged_file_gives_no_output(
    photo: Path, run: Runner, damage: Callable[[bytes], bytes]
) -> None:
    assert run("compress", photo, "-o", "good.bbans").code == 0
    Path("bad.bbans").write_bytes(damage(Path("good.bbans").read_bytes()))
    result = run("decompress", "bad.bbans", "good.bbans")
    assert (result.code, result.out, len(result.err.splitlines())) == (5, b"", 1)
    assert not Path("bad.png").exists()
    assert Path("good.png").exists()
    assert run("verify", "bad.bbans").code == 5
    assert run("info", "--account", "bad.bbans").code == 5


def test_info_adds_up(photo: Path, run: Runner, pixels: np.ndarray) -> None:
    assert run("compress", photo).code == 0
    size = Path("photo.bbans").stat().st_size
    found = json.loads(run("info", "--json", "--account", "photo.bbans").out)
    assert (found["width"], found["height"], found["file_bytes"]) == (131, 97, size)
    rates = found["bits_per_dimension"]
    assert rates["total"] == 8 * size / pixels.size
    assert rates["net"] <= rates["total"]
    assert sum(found["account_bits"].values()) == pytest.approx(8 * size, abs=1e-3)
    assert str(size) in run("info", "photo.bbans").out.decode()


def test_info_without_the_account_needs_no_model(photo: Path, run: Runner) -> None:
    assert run("compress", photo).code == 0
    found = json.loads(run("info", "--json", "photo.bbans").out)
    assert "account_bits" not in found


def test_verify(photo: Path, run: Runner) -> None:
    assert run("compress", photo).code == 0
    assert run("verify", "photo.bbans") == Run(0, b"photo.bbans: ok\n", "")


def test_an_unknown_model(photo: Path, run: Runner) -> None:
    result = run("compress", photo, "--model", "no-such-model")
    assert (result.code, len(result.err.splitlines())) == (6, 1)
    assert not Path("photo.bbans").exists()


def test_files_without_a_model(here: Path, run: Runner, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save("a.png")
    assert run("compress", "a.png", "--model", "none").code == 0
    assert "model none needed" in run("info", "a.bbans").out.decode()
    assert run("decompress", "a.bbans", "-o", "back.png").code == 0
    assert np.array_equal(read("back.png"), pixels)


def test_parts_of_an_image(here: Path, run: Runner, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save("a.png")
    assert run("compress", "a.png", "--model", "none").code == 0
    assert run("decompress", "a.bbans", "--region", "3,5,20,10", "-o", "region.png").code == 0
    assert np.array_equal(read("region.png"), pixels[5:15, 3:23])
    assert run("decompress", "a.bbans", "--preview", "2", "-o", "small.npy").code == 0
    assert np.array_equal(np.load("small.npy"), pixels[::4, ::4])
    for wrong in ("3,5,20", "a,b,c,d", "-1,0,2,2"):
        assert run("decompress", "a.bbans", "--region", wrong, "-o", "no.png").code == 2
    for options, code in (
        (("--region", "0,0,9999,1"), 3),
        (("--keep-going", "--preview", "1"), 2),
        (("--max-pixels", "10"), 5),
    ):
        result = run("decompress", "a.bbans", *options, "-o", "no.png")
        assert (result.code, Path("no.png").exists()) == (code, False)
    for command in ("info", "verify"):
        assert run(command, "--max-pixels", "10", "a.bbans").code == 5
        assert run(command, "--max-pixels", str(pixels.size // 3), "a.bbans").code == 0
    assert "tile 0: " in run("info", "-v", "a.bbans").out.decode()


def test_every_depth_and_alpha(here: Path, run: Runner, pixels: np.ndarray) -> None:
    np.save("deep.npy", pixels.astype(np.uint16) * 250)
    Image.fromarray(np.dstack([pixels, pixels[:, :, 0]])).save(
        "alpha.webp", lossless=True, exact=True
    )
    Image.fromarray(pixels).quantize(20).save("palette.png", bits=8)
    Path("bits.pbm").write_bytes(b"P4\n9 2\n\xa5\x80\x5a\x00")
    names = ["deep.npy", "alpha.webp", "palette.png", "bits.pbm"]
    assert run("compress", *names, "--model", "none").code == 0
    for name in names:
        stem, suffix = name.split(".")
        assert run("decompress", f"{stem}.bbans", "-o", f"back.{suffix}", "-f").code == 0
        if suffix in ("npy", "pbm"):
            assert Path(f"back.{suffix}").read_bytes() == Path(name).read_bytes()
        else:
            with Image.open(name) as a, Image.open(f"back.{suffix}") as b:
                assert (
                    a.mode == b.mode
                    and np.array_equal(np.asarray(a), np.asarray(b))
                    and a.getpalette() == b.getpalette()
                )


def test_train_and_use_the_model(here: Path, run: Runner, pixels: np.ndarray) -> None:
    Path("images").mkdir()
    generator = np.random.default_rng(0)
    for index in range(12):
        Image.fromarray(generator.permuted(pixels[:64, :64], axis=0)).save(f"images/{index}.png")
    Path("tiny.toml").write_text(
        "steps = 3\nbatch = 2\ncrop = 32\nlevels = 2\n[model]\nchannels = 8\nmixtures = "
        "2\nlatent_channels = 2\n"
    )
    result = run("train", "images", "--recipe", "tiny.toml", "-o", "own.safetensors")
    assert result.code == 0, result.err
    Image.fromarray(pixels).save("a.png")
    assert run("compress", "a.png", "--model", "own.safetensors").code == 0
    assert run("decompress", "a.bbans", "--model", "own.safetensors", "-o", "back.png").code == 0
    assert np.array_equal(read("back.png"), pixels)
    assert run("train", "images", "--recipe", "tiny.toml", "-o", "own.safetensors").code == 4
