"""What mkdocs asks while it builds the site: decisions in the navigation, the tutorial, and the
packages' pages from docstrings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = "bbans"


def packages(root: Path) -> list[str]:
    """Dotted names of the package and of those below it."""
    return sorted(
        ".".join(path.parent.relative_to(root).parts)
        for path in (root / PACKAGE).rglob("__init__.py")
    )


def page(root: Path, name: str) -> str:
    """Markdown that shows what a package says of itself, then each of its modules; of the whole,
    its public names.
    """
    modules = sorted(
        path.stem for path in root.joinpath(*name.split(".")).glob("*.py") if path.stem[0] != "_"
    )
    lines = [f"# {name}", ""]
    if name == PACKAGE:
        lines += [
            f"::: {name}",
            "    options:",
            "      show_submodules: false",
            "      show_root_heading: false",
            "",
        ]
        lines += [
            f"::: {name}.{module}\n" for module in modules if module != "api"
        ]  # whose functions are the public names
    else:
        lines += [
            f"::: {name}",
            "    options:",
            "      members: false",
            "      show_root_heading: false",
            "",
        ]
        lines += [f"::: {name}.{module}\n" for module in modules]
    return "\n".join(lines)


def tutorial(notebook: Path) -> str:
    """The notebook's cells as Markdown, its code as blocks."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    shown = [
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    ]
    shown.insert(1, f"This page as a notebook that runs: [{notebook.name}]({notebook.name}).")
    return "\n\n".join(shown)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation's lists of decisions and packages."""
    root, docs = Path(config.config_file_path).parent, Path(config.docs_dir)
    filled: dict[str, list[Any]] = {
        "Decisions": [
            f"decisions/{path.name}" for path in sorted((docs / "decisions").glob("*.md"))
        ],
        "API": [{name: f"api/{name}.md"} for name in packages(root)],
    }
    for section in config.nav or []:
        if isinstance(section, dict):
            section.update({title: pages for title, pages in filled.items() if title in section})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the tutorial and the packages' pages."""
    root = Path(config.config_file_path).parent
    files.append(
        File.generated(
            config, "tutorial.md", content=tutorial(Path(config.docs_dir, "tutorial.ipynb"))
        )
    )
    for name in packages(root):
        files.append(File.generated(config, f"api/{name}.md", content=page(root, name)))
    return files
