"""Decode the golden files with other versions of Python, numpy and torch, and compare the pixels:
`make portability`.

Makes a virtual environment for each combination under --folder; what the package index does not
have is skipped with a message. Prints a table; `docs/portability.md` keeps the last one.

python benchmarks/portability.py --torch --torch-index https://download.pytorch.org/whl/cpu
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.frozen.decode import expected  # noqa: E402 the repository is not installed here

MAX_BYTES = 300 * 2**20  # of a torch wheel; only builds for the CPU are asked for, which have them
CODE = """
import platform, sys
from importlib.metadata import version
sys.path.insert(0, sys.argv[1])
from tests.frozen.decode import decoded
for pair in decoded():
    print(*pair)
torch = version("torch") if "torch" in sys.modules else "-"
print("", platform.python_version(), version("numpy"), torch)
"""


def constrained(name: str) -> str:
    """The version in constraints.txt."""
    found = re.search(rf"^{name}==([^;\s]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found is not None, name
    return found[1]


def pythons() -> list[str]:
    """This Python, then 3.10 to 3.13 where they are found, one of each."""
    kept = Path.home() / ".pyenv" / "versions"
    found = {".".join(map(str, sys.version_info[:2])): sys.executable}
    for minor in ("3.10", "3.11", "3.12", "3.13"):
        installed = sorted(kept.glob(f"{minor}.*/bin/python"))
        other = str(installed[-1]) if installed else shutil.which(f"python{minor}")
        if other and minor not in found:
            found[minor] = other
    return list(found.values())


def combinations(with_torch: bool, old_torch: str) -> list[tuple[str, str, str | None]]:
    """Python, numpy, torch (None: without)."""
    here, *others = pythons()
    numpys = ("1.26.4", constrained("numpy"))
    found: list[tuple[str, str, str | None]] = [(here, numpy, None) for numpy in numpys]
    found += [(other, "2.2.6", None) for other in others]
    if with_torch:
        found += [(here, numpys[1], constrained("torch")), (here, "1.26.4", old_torch)]
    return found


def fits(python: str, torch: str, index: list[str]) -> bool:
    """Whether the index has this torch and it is not too large."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            python,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "-d",
            folder,
            f"torch=={torch}+cpu",
            *index,
        ]
        done = subprocess.run(command, capture_output=True, check=False)
        return done.returncode == 0 and all(
            path.stat().st_size <= MAX_BYTES for path in Path(folder).iterdir()
        )


def check(
    folder: Path, python: str, numpy: str, torch: str | None, index: list[str], any_build: bool
) -> str:
    """A row of the table for one combination."""
    name = f"Python {python}, numpy {numpy}, torch {torch or '-'}"
    local = "+cpu"
    if torch and not fits(python, torch, index):
        local = ""
    if torch and not local and not any_build:
        return f"{name}: skipped, the index has no CPU build of up to {MAX_BYTES >> 20} MiB"
    place = folder / re.sub(r"\W+", "-", name)
    subprocess.run([python, "-m", "venv", place], check=True)
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet"]
    torches = [[*pip, f"torch=={torch}{local}", *index]] if torch else []
    steps = [[*pip, f"numpy=={numpy}", "pillow", "safetensors", "imagecodecs"], *torches]
    for step in steps:
        if (done := subprocess.run(step, capture_output=True, text=True, check=False)).returncode:
            return (
                f"{name}: skipped, pip: "
                f"{done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}"
            )
    done = subprocess.run(
        [place / "bin" / "python", "-c", CODE, ROOT],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    if done.returncode:
        return f"{name}: FAILED: {done.stderr.strip().splitlines()[-1]}"
    *lines, versions = done.stdout.splitlines()
    wanted = dict(expected())
    found = dict(line.split() for line in lines)
    same = sum(found.get(name) == value for name, value in wanted.items())
    return "| {} | {} | {} | {} |".format(*versions.split(), f"{same} of {len(wanted)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, help="where the environments are made (default: a temporary folder)"
    )
    parser.add_argument("--torch", action="store_true", help="also with two versions of torch")
    parser.add_argument(
        "--old-torch",
        default="2.2.2",
        help="the oldest version to try; pyproject.toml asks for 2.2",
    )
    parser.add_argument("--torch-index", default="")
    parser.add_argument(
        "--any-build",
        action="store_true",
        help="the index's own build, gigabytes, where it has none for the CPU",
    )
    options = parser.parse_args()
    index = ["--index-url", options.torch_index] if options.torch_index else []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        print("| Python | numpy | torch | golden files |\n|---|---|---|---|", flush=True)
        rows = []
        for combination in combinations(options.torch, options.old_torch):
            rows.append(check(folder, *combination, index, options.any_build))
            print(rows[-1], flush=True)
    sys.exit(any("FAILED" in row or re.search(r"\| (\d+) of (?!\1 )", row) for row in rows))


if __name__ == "__main__":
    main()
