"""Coding needs no torch, and what need not compute imports nothing heavy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.frozen.decode import expected
from tests.tiny import smooth_image


def environment(repository: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(repository)}


def run(code: str, repository: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a fresh process does in a folder."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(repository),
        capture_output=True,
        text=True,
    )


CODE = """
import sys
sys.modules["torch"] = None
from tests.frozen.decode import decoded
for pair in decoded():
    print(*pair)
"""


def test_golden_files_decode_without_torch(repository):
    done = run(CODE, repository, repository)
    assert done.stdout.split() == [word for pair in expected() for word in pair], done.stderr


CODED = """
import sys
from bbans_cli.main import main
for command in (["compress", "a.png"], ["decompress", "a.bbans", "-o", "b.png"]):
    assert main(command) == 0
assert "torch" not in sys.modules
sys.modules["torch"] = None
print(main(["train", "images", "-o", "mine.safetensors"]))
"""


def test_coding_loads_no_torch_and_training_asks_for_it(repository, tmp_path):
    Image.fromarray(smooth_image(140, 130)).save(tmp_path / "a.png")
    (tmp_path / "images").mkdir()
    done = run(CODED, repository, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "3"
    assert "pip install torch, or bbans[train]" in done.stderr


HELP, VERSION = (
    f"from bbans_cli.main import main; main(['{option}'])" for option in ("--help", "--version")
)
HEAVY = ("torch", "numpy", "PIL", "rich", "imagecodecs")


@pytest.mark.parametrize(
    ("statement", "without"),
    [("import bbans", HEAVY), (HELP, HEAVY), (VERSION, ("torch", "imagecodecs"))],
)
def test_importing_does_not_import_what_is_heavy(repository, statement, without):
    code = (
        f"import sys; {statement}; print(sorted(set({without}) & set(sys.modules)), "
        "file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(repository),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "[]"
