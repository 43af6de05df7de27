"""Every file, module and attribute that a document names is there: documents do not keep the names
of a tree that has gone.
"""

from __future__ import annotations

import re
from importlib import import_module, util
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_layers import LAYERS

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),  # docs/decisions is history
]
# a path of a Python file, `*` for any name, from the repository or, without `bbans/`, the package
PATH = re.compile(r"(?<![\w./<>*-])((?:[\w*]+/)+[\w*]+\.py)\b")
OURS = ("bbans", "cli", "tests", "benchmarks")
PLACES = (REPOSITORY, REPOSITORY / "bbans")
# a module, or a name in it; photo.bbans, bbans.safetensors and the like are files
DOTTED = re.compile(r"(?<![\w./:-])((?:bbans|benchmarks)(?:\.[A-Za-z_]\w*)+)(?![\w/])")
FILES = ("bbar", "json", "md", "npy", "png", "py", "safetensors", "toml", "txt")
IMPORTED = re.compile(
    r"^\s*from (bbans(?:\.\w+)*) import (\w+(?: as \w+)?(?:, \w+(?: as \w+)?)*)", re.MULTILINE
)
# names of our packages' modules in prose, without `bbans.`: `schemes.bits_back`
PACKAGES = "|".join(sorted(path.parent.name for path in REPOSITORY.glob("bbans/*/__init__.py")))
SHORT = re.compile(rf"`((?:{PACKAGES})(?:\.[A-Za-z_]\w*)+)`")


def paths(text: str) -> list[str]:
    """The paths of Python files that a text names."""
    return PATH.findall(text)


def names(text: str) -> list[str]:
    """The dotted names of ours that a text names, in full."""
    found = [name for name in DOTTED.findall(text) if name.split(".")[1] not in FILES]
    found += [
        f"bbans.{name}" for name in SHORT.findall(text) if name.rsplit(".", 1)[1] not in FILES
    ]
    for module, imported in IMPORTED.findall(text):
        found += [f"{module}.{part.split(' as ')[0].strip()}" for part in imported.split(",")]
    return found


def is_there(path: str) -> bool:
    """Whether a path, or one that it is a pattern of, is in the repository or in the package."""
    folders = (REPOSITORY,) if path.startswith(tuple(f"{top}/" for top in OURS)) else PLACES
    return any(next(folder.glob(path), None) is not None for folder in folders)


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one, of a class or of its fields."""
    first, *rest = name.split(".")
    at: object = import_module(first)
    for position, part in enumerate(rest, 2):
        if hasattr(at, part):
            at = getattr(at, part)
        elif isinstance(at, ModuleType):
            module = ".".join(name.split(".")[:position])
            if util.find_spec(module) is None:
                return False
            at = import_module(module)
        elif part in getattr(at, "__annotations__", {}):  # a field without a default
            return position == len(rest) + 1
        else:
            return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_document_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [path for path in paths(text) if not is_there(path)] == []
    assert sorted({name for name in names(text) if not resolves(name)}) == []


def test_names_are_found() -> None:
    found = [page.read_text(encoding="utf-8") for page in PAGES]
    assert sum(len(paths(text)) for text in found) > 40
    assert sum(len(names(text)) for text in found) > 40


def test_paths_and_names_that_have_gone() -> None:
    text = """`bbans/inference/run.py`, `tests/test_layers.py`, `models/vae*.py`, `models/store*.py`
    and `bbans.models.store.load`, `schemes.names`, `bbans.cluster`, bbans.compress(x),
    `bbans.models.registry.Family.config`, images.npy, photo.bbans, `images.npy`, bbans.safetensors
    from bbans.schemes import bits_back, stream as s
    """
    assert [path for path in paths(text) if not is_there(path)] == [
        "bbans/inference/run.py",
        "models/store*.py",
    ]
    assert [name for name in names(text) if not resolves(name)] == [
        "bbans.models.store.load",
        "bbans.cluster",
        "bbans.schemes.names",
        "bbans.schemes.stream",
    ]
    assert "bbans.compress" in names(text) and "bbans.models.registry.Family.config" in names(text)


LIBRARIES = 48  # the column of the drawing from which on it names libraries


def test_the_drawing_of_the_layers_is_that_of_their_table() -> None:
    """A package may import those on lines below its own, and none of its own line or above."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = (
        page.split("## Layers")[1]
        .split("## ")[0]
        .replace("bbans/__init__.py", "__init__".ljust(17))
    )
    below: set[str] = set()
    for line in reversed(re.findall(r"^ {4}(\S.*)$", drawing, re.MULTILINE)):
        packages = set(line[:LIBRARIES].split()) - {"cli"}
        assert all(LAYERS[package][0] <= below for package in packages), line
        below |= packages
    assert below == set(LAYERS)
