"""The compiled core, `bbans.exact._native`. Everything else is in pyproject.toml.

Each instruction set has a source file of its own, compiled with its own flags; the module asks the
processor which of them it has. Where the core cannot be built, as without a compiler, the package
is installed without it and runs on its reference engine.
"""

import platform
import sys
from pathlib import Path

import nanobind
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("bbans", "exact", "native")
X86, ARM = {"x86_64", "amd64"}, {"aarch64", "arm64"}
AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni")
# GCC 12 takes undefined operands inside its own intrinsics for ours.
QUIET = ("-Wno-maybe-uninitialized", "-Wno-uninitialized")
MACHINE = platform.machine().lower()
NANOBIND_SOURCE = str(Path(nanobind.source_dir(), "nb_combined.cpp"))
STABLE = sys.version_info >= (3, 12) and sys.implementation.name == "cpython"


def levels(msvc: bool) -> dict[str, tuple[str, ...]]:
    """Return the flags of every instruction set of this machine, by its name."""
    if MACHINE in X86 and msvc:
        return {"portable": (), "avx2": ("/arch:AVX2",), "avx512": ("/arch:AVX512",)}
    if MACHINE in X86:
        return {"portable": (), "avx2": ("-mavx2",), "avx512": (*AVX512, *QUIET)}
    return {"portable": (), **({"neon": ()} if MACHINE in ARM else {})}


class BuildCore(build_ext):
    """Compiles the files with flags of their own before the others."""

    def build_extension(self, ext: Extension) -> None:
        """Compile and link."""
        msvc = self.compiler.compiler_type == "msvc"
        flags = ["/O2", "/std:c++17", "/EHsc"] if msvc else ["-O3", "-g0", "-std=c++17"]
        hidden = [] if msvc else ["-fvisibility=hidden"]
        special = {str(FOLDER / f"level_{name}.cpp"): own for name, own in levels(msvc).items()}
        # nanobind asks for this of its own sources
        special[NANOBIND_SOURCE] = () if msvc else ("-fno-strict-aliasing",)
        ext.extra_compile_args = [*flags, *hidden]
        ext.extra_objects = []
        for source, own in special.items():
            ext.extra_objects += self.compiler.compile(
                [source],
                output_dir=self.build_temp,
                macros=ext.define_macros,
                include_dirs=ext.include_dirs,
                extra_postargs=[*flags, *hidden, *own],
                depends=ext.depends,
            )
        super().build_extension(ext)


def core() -> Extension:
    """Return the extension module."""
    root = Path(nanobind.source_dir()).parent
    macros = [("NDEBUG", None), ("NB_COMPACT_ASSERTIONS", None)]
    if STABLE:
        macros.append(("Py_LIMITED_API", "0x030C0000"))
    if MACHINE in X86:
        macros.append(("BBANS_X86", None))
    if MACHINE in ARM:
        macros.append(("BBANS_NEON", None))
    # sorted, so that the same tree makes the same file
    sources = sorted(str(p) for p in FOLDER.glob("*.cpp") if not p.name.startswith("level_"))
    return Extension(
        "bbans.exact._native",
        sources,
        include_dirs=[nanobind.include_dir(), str(root / "ext" / "robin_map" / "include")],
        define_macros=macros,
        depends=[str(path) for path in FOLDER.glob("*.?pp")],
        language="c++",
        py_limited_api=STABLE,
        optional=True,
    )


setup(
    ext_modules=[core()],
    cmdclass={"build_ext": BuildCore},
    options={"bdist_wheel": {"py_limited_api": "cp312"}} if STABLE else {},
)
