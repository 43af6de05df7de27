"""Decoding needs numpy alone, and what need not compute imports nothing heavy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frozen.decode import expected


def environment(repository: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(repository)}


CODE = """
import sys
sys.modules["torch"] = None
from tests.frozen.decode import decoded
for pair in decoded():
    print(*pair)
"""


def test_golden_files_decode_without_torch(repository):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=repository,
        env=environment(repository),
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [word for pair in expected() for word in pair], done.stderr


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
