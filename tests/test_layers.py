"""The layers of the design, read from the imports: a package uses only what its row allows, anywhere in its files."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What a layer may import from bbans, and from elsewhere besides the standard library.
# `distributions` may give codecs; the rest of `models` and `inference` is "and below".
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "coding": ({"errors"}, {"numpy", "numba"}),
    "distributions": ({"errors", "coding"}, {"numpy", "numba"}),
    "exact": ({"errors"}, {"numpy", "torch"}),
    "models": ({"errors", "exact", "distributions"}, {"numpy", "torch", "safetensors"}),
    "inference": (
        {"errors", "exact", "distributions", "coding", "models", "schemes", "container", "images"},
        {"numpy", "torch", "PIL", "tomli"},
    ),
    "schemes": ({"errors", "coding", "distributions"}, {"numpy"}),
    "container": ({"errors"}, {"numpy"}),
    "images": ({"errors"}, {"numpy", "PIL", "imagecodecs"}),
    "numbered": ({"errors", "schemes", "container"}, set()),
    "tiles": ({"errors", "exact", "distributions", "models", "schemes", "container", "numbered"}, {"numpy", "PIL", "imagecodecs"}),
    "given": ({"errors", "images", "container", "carried", "models", "tiles"}, {"numpy"}),
    "carried": ({"errors", "images", "container"}, set()),
    "urls": ({"errors"}, {"fsspec"}),
    "places": ({"errors", "images", "container", "urls"}, set()),
    "spread": ({"exact"}, set()),
    "cluster": ({"errors", "spread"}, {"distributed"}),
    "assembly": ({"errors", "container", "tiles", "spread"}, {"numpy"}),
    "description": ({"errors", "models", "schemes", "container", "tiles"}, {"numpy"}),
    "archive": ({"errors", "spread", "images", "carried", "container", "numbered", "schemes", "exact", "models"}, {"numpy"}),
    "api": (
        {
            "errors",
            "images",
            "assembly",
            "container",
            "schemes",
            "inference",
            "models",
            "tiles",
            "description",
            "carried",
            "given",
            "spread",
            "cluster",
            "places",
        },
        {"numpy", "PIL"},
    ),
    "archives_info": ({"container"}, set()),
    "archives_models": ({"errors", "images", "container", "models", "tiles", "archive", "api"}, set()),
    "archives_members": ({"errors", "images", "api", "places", "urls"}, set()),
    "archives": (
        {
            "errors",
            "images",
            "container",
            "archive",
            "archives_info",
            "archives_members",
            "archives_models",
            "api",
            "cluster",
            "places",
            "spread",
            "urls",
        },
        set(),
    ),
    "chunks": ({"errors", "images", "container", "models", "tiles", "archive", "archives_models", "api"}, {"numpy"}),
    "zarr": ({"chunks"}, {"numpy", "zarr"}),
    "numcodecs": ({"errors", "chunks"}, {"numpy", "numcodecs"}),
    "evaluation": ({"errors", "images", "models", "tiles", "schemes", "api"}, {"numpy"}),
    "pictures": ({"errors", "images", "distributions", "inference", "models", "tiles", "schemes", "api", "evaluation"}, {"numpy"}),
    "comparison": ({"errors", "images", "api"}, {"numpy", "PIL", "imagecodecs"}),
    "heatmaps": ({"errors", "images"}, {"numpy", "PIL"}),
    "plots": ({"errors", "images", "description"}, {"matplotlib"}),
    "reports": (
        {"errors", "images", "models", "schemes", "tiles", "api", "evaluation", "pictures", "heatmaps"},
        {"numpy", "PIL"},
    ),
    "pillow": ({"errors", "images", "container", "carried", "api"}, {"PIL"}),
    "library": ({"errors", "images", "models", "api"}, set()),
    "__init__": ({"api", "archives", "evaluation", "pictures"}, set()),
}
CLI = (
    {
        "api",
        "archives",
        "cluster",
        "comparison",
        "evaluation",
        "heatmaps",
        "library",
        "plots",
        "pictures",
        "reports",
        "spread",
        "urls",
        "errors",
    },
    {"click", "rich"},
)
WITHOUT_TORCH = ("coding", "distributions", "schemes", "container", "images")


def imported_modules(path: Path) -> set[str]:
    """Full names of what a file imports, wherever it does; `from a import b` gives both a.b and a."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "bbans" else {node.module}
        elif isinstance(node, ast.ImportFrom) and node.level > 0:
            names.add(f"<relative>.{node.module}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module", "__import__"):
            names |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return names


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT / "bbans").parts[0].removesuffix(".py")


def violations(path: Path, layer: str | None, ours: set[str], theirs: set[str]) -> list[str]:
    found = []
    for name in sorted(imported_modules(path)):
        top, _, rest = name.partition(".")
        if top == "bbans":
            allowed = rest.split(".")[0] in ours | {layer}
        else:
            allowed = top in theirs | {"tomllib"} | sys.stdlib_module_names or (layer is None and top == "<relative>")
        if not allowed:
            found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "bbans").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_the_layers(path: Path) -> None:
    layer = layer_of(path)
    assert layer in LAYERS, f"{layer} has no row in LAYERS"
    assert violations(path, layer, *LAYERS[layer]) == []


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
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


def test_torch_is_out_of_reach_of_the_lower_layers() -> None:
    reached = set(WITHOUT_TORCH)
    while True:
        wider = reached.union(*(LAYERS[layer][0] for layer in reached))
        if wider == reached:
            break
        reached = wider
    assert [layer for layer in reached if "torch" in LAYERS[layer][1]] == []


def test_every_package_is_installed() -> None:
    if sys.version_info < (3, 11):
        import tomli as tomllib
    else:
        import tomllib
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in (ROOT / "bbans").rglob("__init__.py")}
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
