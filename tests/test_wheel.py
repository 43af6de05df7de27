"""The wheel: what is in it, and that it works from an environment of its own, which sees the
dependencies installed here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from configparser import ConfigParser
from email import message_from_bytes
from pathlib import Path

import numpy as np
import pip
import pytest
from PIL import Image

SOURCES = ("bbans", "cli", "pyproject.toml", "README.md", "LICENSE", "WEIGHTS-LICENSE.md")
EXTRAS = {"bench", "dask", "dev", "docs", "fast", "plots", "train", "zarr"}


def call(*command: str | Path, cwd: Path) -> str:
    """The output of a command that sees nothing of this checkout."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME")
    }
    variables["BBANS_NUMBA"] = (
        "0"  # in a new place numba compiles everything again, for the same bytes
    )
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git knows, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    for name in SOURCES:
        if (repository / name).is_dir():
            shutil.copytree(
                repository / name, tree / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(repository / name, tree / name)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    call(sys.executable, "-m", "pip", "wheel", *options, tree, cwd=folder)
    (found,) = folder.glob("bbans-*-py3-none-any.whl")
    return found


def test_what_is_in_it(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        scripts = ConfigParser()
        scripts.read_string(archive.read(f"{info}/entry_points.txt").decode())
        metadata = message_from_bytes(archive.read(f"{info}/METADATA"))
    kept = [
        *(repository / "bbans").rglob("*.py"),
        *(repository / "bbans" / "weights").iterdir(),
        repository / "bbans" / "py.typed",
    ]
    kept += (repository / "bbans" / "evaluation" / "report").glob("*.css")
    wanted = {path.relative_to(repository).as_posix() for path in kept}
    wanted |= {f"bbans_cli/{path.name}" for path in (repository / "cli").glob("*.py")}
    assert {name for name in names if not name.startswith(info)} == wanted, (
        "packages and package-data of pyproject.toml"
    )
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/WEIGHTS-LICENSE.md"} <= names
    assert scripts["console_scripts"]["bbans"] == "bbans_cli.main:main"
    assert metadata["Name"] == "bbans" and set(metadata.get_all("Provides-Extra") or []) >= EXTRAS
    plain = [line for line in metadata.get_all("Requires-Dist") or [] if "extra ==" not in line]
    assert len(plain) <= 8, "the default install stays lean"


def test_it_works_in_an_environment_of_its_own(
    wheel: Path, repository: Path, tmp_path: Path
) -> None:
    call(sys.executable, "-m", "venv", "--without-pip", "environment", cwd=tmp_path)
    scripts = tmp_path / "environment" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    # pip from here, run by the environment's Python; what is installed here becomes visible to it
    # afterwards only
    call(
        python, Path(pip.__file__).parent, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path
    )
    place = Path(
        call(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path
        ).strip()
    )
    (place / "dependencies.pth").write_text(
        "\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}) + "\n"
    )

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Image.open(repository / "samples" / "tea-gardens.png") as sample:
        pixels = np.asarray(sample.crop((200, 100, 320, 180)))
    Image.fromarray(pixels).save(elsewhere / "photo.png")
    where = "import bbans, bbans_cli; print(bbans.__file__, bbans_cli.__file__, sep='\\n')"
    assert all(
        Path(line).is_relative_to(place)
        for line in call(python, "-c", where, cwd=elsewhere).splitlines()
    )
    version = call(scripts / "bbans", "--version", cwd=elsewhere)
    assert version.startswith("bbans ") and "photo-fast-1" in version
    call(scripts / "bbans", "compress", "photo.png", cwd=elsewhere)
    call(scripts / "bbans", "decompress", "photo.bbans", "-o", "back.png", cwd=elsewhere)
    with Image.open(elsewhere / "back.png") as back:
        assert np.array_equal(np.asarray(back), pixels)
