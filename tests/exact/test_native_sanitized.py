"""The compiled core by itself (`native_check.cpp`): under the sanitizers of addresses and of
undefined behaviour, and for 64-bit ARM in an emulator.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CORE = HERE.parent.parent / "bbans" / "exact" / "native"
PYTHON = ("module", "bind_", "level_")
"""Files of the binding, and those with flags of their own, by how their names begin."""
X86 = {
    "level_avx2": ("-mavx2",),
    "level_avx512": (
        *(f"-mavx512{part}" for part in ("f", "bw", "vl", "dq", "vnni")),
        "-Wno-maybe-uninitialized",  # of GCC 12's own intrinsics, as in setup.py
        "-Wno-uninitialized",
    ),
}


def built(
    folder: Path, compiler: str, flags: tuple[str, ...], special: dict[str, tuple[str, ...]]
) -> Path:
    """The program, compiled and linked."""
    sources = {path: () for path in CORE.glob("*.cpp") if not path.name.startswith(PYTHON)}
    sources |= {
        CORE / f"{name}.cpp": own for name, own in {"level_portable": (), **special}.items()
    }
    sources[HERE / "native_check.cpp"] = ()

    def compiled(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        command = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", *flags]
        call(*command, *sources[source], "-I", CORE, "-c", source, "-o", target)
        return target

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sources))
    call(compiler, *flags, *objects, "-pthread", "-o", folder / "check")
    return folder / "check"


def call(*command: str | Path) -> str:
    """What a command prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def can_sanitize(compiler: str, folder: Path) -> bool:
    """Whether the sanitizers' libraries are there."""
    (folder / "empty.cpp").write_text("int main() {}\n")
    command = [
        compiler,
        "-fsanitize=address,undefined",
        folder / "empty.cpp",
        "-o",
        folder / "empty",
    ]
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


def test_under_sanitizers(tmp_path: Path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None or not can_sanitize(compiler, tmp_path):
        pytest.skip("there is no compiler with sanitizers")
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    flags = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    special = X86 if x86 else {}
    program = built(tmp_path, compiler, (*flags, *(["-DBBANS_X86"] if x86 else [])), special)
    assert call(program).split()[0] == "portable"


def test_on_an_emulated_arm(tmp_path: Path) -> None:
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("no compiler or emulator of 64-bit ARM: g++-aarch64-linux-gnu, qemu-user")
    flags = ("-O2", "-static", "-DBBANS_NEON")
    program = built(tmp_path, compiler, flags, {"level_neon": ()})
    assert call(emulator, program).split() == ["portable", "neon"]
