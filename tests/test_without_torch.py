"""Decoding needs numpy alone, and what need not compute imports nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def environment(repository: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(repository)}


CODE = """
import sys
sys.modules["torch"] = None
from pathlib import Path
import bbans
from tests.frozen.make import pixel_hash
for name in sys.argv[1:]:
    print(name, pixel_hash(bbans.decompress(Path("tests/frozen", name + ".bbans").read_bytes())))
"""


def test_golden_files_decode_without_torch(repository):
    hashes = json.loads((repository / "tests" / "frozen" / "hashes.json").read_text())
    names = sorted(hashes)
    done = subprocess.run([sys.executable, "-c", CODE, *names], cwd=repository, env=environment(repository), capture_output=True, text=True)
    assert done.stdout.split() == [word for name in names for word in (name, hashes[name]["pixels"])], done.stderr


@pytest.mark.parametrize("statement", ["import bbans", "from bbans_cli.main import main; main(['--help'])"])
def test_importing_does_not_import_torch(repository, statement):
    code = f"import sys; {statement}; print('torch' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(repository), capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"
