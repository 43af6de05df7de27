"""The layers of the design, read from the imports: a package uses only what its row allows,
anywhere in its files.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What a package may import from bbans, and from elsewhere besides the standard library: a row a
# package, lowest first.
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "options": ({"errors"}, set()),
    "exact": ({"errors"}, {"numpy", "torch"}),
    "coding": ({"errors", "exact"}, {"numpy"}),
    "distributions": ({"errors", "coding", "exact"}, {"numpy"}),
    "container": ({"errors"}, {"numpy"}),
    "images": ({"errors"}, {"numpy", "PIL", "imagecodecs"}),
    "execution": ({"errors", "exact"}, {"distributed"}),
    "models": (
        {"errors", "options", "exact", "distributions", "images"},
        {"numpy", "safetensors"},
    ),
    "schemes": ({"errors", "coding", "distributions", "container", "models"}, {"numpy"}),
    "tiles": (
        {"errors", "exact", "distributions", "models", "schemes", "container"},
        {"numpy", "PIL", "imagecodecs"},
    ),
    "jpegs": ({"errors", "images", "container"}, {"imagecodecs"}),
    "files": (
        {
            "errors",
            "options",
            "images",
            "container",
            "models",
            "schemes",
            "tiles",
            "jpegs",
            "execution",
        },
        {"numpy", "PIL", "fsspec"},
    ),
    "archives": (
        {
            "errors",
            "options",
            "execution",
            "images",
            "container",
            "schemes",
            "exact",
            "models",
            "tiles",
            "files",
        },
        {"numpy"},
    ),
    "training": (
        {"errors", "options", "exact", "distributions", "coding", "models", "schemes", "images"},
        {"numpy", "torch", "safetensors", "PIL", "tomli"},
    ),
    "evaluation": (
        {
            "errors",
            "options",
            "images",
            "distributions",
            "models",
            "tiles",
            "schemes",
            "container",
            "files",
        },
        {"numpy", "PIL", "imagecodecs", "matplotlib"},
    ),
    "integrations": (
        {
            "errors",
            "options",
            "execution",
            "images",
            "container",
            "models",
            "schemes",
            "tiles",
            "archives",
            "files",
        },
        {"numpy", "PIL", "zarr", "numcodecs"},
    ),
    "__init__": (
        {"options", "exact", "models", "files", "archives", "evaluation", "training"},
        set(),
    ),
}
CLI = (
    {
        "errors",
        "options",
        "models",
        "training",
        "evaluation",
        "execution",
        "files",
        "container",
        "images",
    },
    {"click", "rich"},
)
TORCH_ALLOWED = ("exact", "training")


def imported_modules(path: Path) -> set[str]:
    """Full names of what a file imports, wherever it does; `from a import b` gives both a.b and
    a.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= (
                {f"{node.module}.{alias.name}" for alias in node.names}
                if node.module == "bbans"
                else {node.module}
            )
        elif isinstance(node, ast.ImportFrom) and node.level > 0:
            names.add(f"<relative>.{node.module}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "import_module",
            "importlib.import_module",
            "__import__",
        ):
            names |= {
                argument.value for argument in node.args if isinstance(argument, ast.Constant)
            }
    return names


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT / "bbans").parts[0].removesuffix(".py")


def violations(path: Path, layer: str | None, ours: set[str], theirs: set[str]) -> list[str]:
    found = []
    for name in sorted(imported_modules(path)):
        top, _, rest = name.partition(".")
        if top == "bbans":
            allowed = rest.split(".")[0] in ours | {layer} or (not rest and layer is None)
        else:
            allowed = top in theirs | {"tomllib"} | sys.stdlib_module_names or (
                layer is None and top == "<relative>"
            )
        if not allowed:
            found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bbans").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_go_down_the_layers(path: Path) -> None:
    layer = layer_of(path)
    assert layer in LAYERS, f"{layer} has no row in LAYERS"
    assert violations(path, layer, *LAYERS[layer]) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_command_line_uses_the_public_api_only(path: Path) -> None:
    assert violations(path, None, *CLI) == []


def test_no_cycles_between_layers() -> None:
    seen: set[str] = set()
    rows = dict(LAYERS)
    while rows:
        free = {layer for layer, (ours, _) in rows.items() if ours <= seen}
        assert free, f"a cycle among {sorted(rows)}"
        seen |= free
        rows = {layer: row for layer, row in rows.items() if layer not in free}


def imported_at_once(path: Path) -> set[str]:
    """Modules of bbans and others that importing a file imports: not those that a function or a
    type checker asks for.
    """
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_torch_is_loaded_by_training_and_by_the_engine_that_runs_on_it() -> None:
    """What decodes can be imported without torch: only two packages have modules that load it, and
    nobody else loads those.
    """
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in (ROOT / "bbans").rglob("*.py")
    }
    imports = {
        name.removesuffix(".__init__"): imported_at_once(path) for name, path in modules.items()
    }
    heavy = {"torch"}
    while wider := {name for name, needed in imports.items() if needed & heavy} - heavy:
        heavy |= wider
    reached = {name.split(".")[1] for name in heavy - {"torch"}}
    assert reached == set(TORCH_ALLOWED), sorted(heavy)


def test_every_package_is_installed() -> None:
    if sys.version_info < (3, 11):
        import tomli as tomllib
    else:
        import tomllib
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]["packages"]
    folders = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for path in (ROOT / "bbans").rglob("__init__.py")
    }
    assert set(listed) == folders | {"bbans_cli"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn", {"torch.nn"}),
        ("def f():\n    from torch import nn", {"torch"}),
        ("from bbans import coding, exact", {"bbans.coding", "bbans.exact"}),
        ("from bbans.exact import ops", {"bbans.exact"}),
        ("from importlib import import_module\nimport_module('torch')", {"importlib", "torch"}),
        ("from . import rans", {"<relative>.None"}),
    ],
)
def test_the_reader_of_imports(tmp_path: Path, source: str, expected: set[str]) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    assert imported_modules(path) == expected
