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

from bbans.exact import engines
from tests.engines import LEVELS

SOURCES = (
    "bbans",
    "cli",
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "WEIGHTS-LICENSE.md",
)
EXTRAS = {"bench", "dask", "dev", "docs", "plots", "train", "zarr"}
NO_COMPILER = {"CC": "false", "CXX": "false"}


def call(*command: str | Path, cwd: Path, **more: str) -> str:
    """The output of a command that sees nothing of this checkout; both streams of it."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME")
    }
    variables |= more
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
    return done.stdout + done.stderr


def built(repository: Path, folder: Path, **variables: str) -> Path:
    """A wheel, built from a copy of what git knows, without network."""
    tree = folder / "tree"
    for name in SOURCES:
        if (repository / name).is_dir():
            shutil.copytree(
                repository / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.so")
            )
        else:
            shutil.copy(repository / name, tree / name)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    call(sys.executable, "-m", "pip", "wheel", *options, tree, cwd=folder, **variables)
    (found,) = folder.glob("bbans-*.whl")
    return found


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the compiled core, where there is a compiler."""
    return built(repository, tmp_path_factory.mktemp("wheel"))


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
    kept += (repository / "bbans" / "distributions").glob("*.npy")
    wanted = {path.relative_to(repository).as_posix() for path in kept}
    wanted |= {f"bbans_cli/{path.name}" for path in (repository / "cli").glob("*.py")}
    found = {name for name in names if not name.startswith(info)}
    core = {name for name in found if name.startswith("bbans/exact/_native.")}
    assert found - core == wanted, "packages and package-data of pyproject.toml"
    assert len(core) == (1 if LEVELS else 0)
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/WEIGHTS-LICENSE.md"} <= names
    assert scripts["console_scripts"]["bbans"] == "bbans_cli.main:main"
    assert metadata["Name"] == "bbans" and set(metadata.get_all("Provides-Extra") or []) >= EXTRAS
    plain = [line for line in metadata.get_all("Requires-Dist") or [] if "extra ==" not in line]
    assert len(plain) <= 8, "the default install stays lean"


def test_it_works_in_an_environment_of_its_own(
    wheel: Path, repository: Path, tmp_path: Path
) -> None:
    scripts, said = coded_elsewhere(wheel, repository, tmp_path)
    assert LEVELS or "reference engine" in said
    assert f"engine {engines.engine()}" in call(scripts / "bbans", "--version", cwd=tmp_path)


def test_without_a_compiler_it_is_installed_and_says_so(repository: Path, tmp_path: Path) -> None:
    without = built(repository, tmp_path, **NO_COMPILER)
    with zipfile.ZipFile(without) as archive:
        assert not [name for name in archive.namelist() if "_native" in name]
    scripts, said = coded_elsewhere(without, repository, tmp_path)
    assert said.count("reference engine, many times slower") == 1
    assert "engine reference" in call(scripts / "bbans", "--version", cwd=tmp_path)


def coded_elsewhere(wheel: Path, repository: Path, tmp_path: Path) -> tuple[Path, str]:
    """Installs a wheel, compresses an image with it and restores it; returns the folder of its
    scripts, and what `compress` said.
    """
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
    said = call(scripts / "bbans", "compress", "photo.png", cwd=elsewhere)
    call(scripts / "bbans", "decompress", "photo.bbans", "-o", "back.png", cwd=elsewhere)
    with Image.open(elsewhere / "back.png") as back:
        assert np.array_equal(np.asarray(back), pixels)
    return scripts, said
