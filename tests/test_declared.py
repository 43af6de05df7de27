"""What a thing can do is declared in a table or a capability: nobody looks for attributes, and no
module but the tables knows a family by its name.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bbans.models.registry import FAMILIES

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted([*(ROOT / "bbans").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])
# attributes of objects of other libraries, which have them in some releases or on some systems
FOREIGN = {"O_BINARY", "errno", "strerror", "tile", "text", "n_frames", "lang", "tkey"}
SYSTEM = {"os", "torch", "torch._C", "mkldnn"}
# a recipe without a family is one of photographs
DEFAULT = {"training/run.py": {"photo"}}


def probes(tree: ast.AST) -> list[str]:
    """Calls that ask whether something has an attribute, or take a default where it has not."""
    probes = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("hasattr", "getattr"):
            of, name = ast.unparse(node.args[0]), node.args[1]
            known = isinstance(name, ast.Constant) and name.value in FOREIGN
            default = ast.unparse(node.func) == "hasattr" or len(node.args) == 3
            mask = isinstance(name, ast.JoinedStr)  # a buffer of torch, by its number
            if default and of not in SYSTEM and not known and not mask:
                probes.append(f"{node.lineno}: {ast.unparse(node)}")
    return probes


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_probes(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert probes(tree) == []
    place = path.relative_to(ROOT / "bbans").as_posix() if "bbans" in path.parts else path.name
    if place == "models/registry.py":
        return
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    named = {name for name in FAMILIES if name in strings}
    assert named <= DEFAULT.get(place, set()), f"{place} knows families by name"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("hasattr(config, 'codebook')", 1),
        ("getattr(config, 'classes', 0)", 1),
        ("getattr(layer, part)", 0),
        ("getattr(error, 'strerror', None)", 0),
        ("hasattr(os, 'sched_getaffinity')", 0),
    ],
)
def test_the_finder_of_probes(source: str, found: int) -> None:
    assert len(probes(ast.parse(source))) == found
