"""Every block of Python and every `sh` block of commands in the documents runs, page by page, and
prints what the page says.
"""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from bbans_cli.main import main

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
LANGUAGES = ("python", "sh", "text", "hex")
NEEDED = {"README.md", "quickstart.md", "how-bits-back-works.md"}
PHOTO = (200, 100, 440, 260)  # of the sample, as docs/quickstart.md says


def opened(page: Path) -> list[str]:
    """The languages of a page's blocks."""
    return re.findall(
        r"^```(\S*)\n.*?^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def run_page(page: Path) -> int:
    """Run the blocks in order, in one namespace; a block of `text` is what the one before it
    printed. The number of blocks.
    """
    printed = ""

    def call(example: Example) -> None:
        for line in example.parsed.splitlines():
            command, *words = shlex.split(line, comments=True)
            assert command == "bbans", f"{line}: a command of ours was expected"
            assert main(words) == 0, line

    def compare(example: Example) -> None:
        assert printed.strip() == example.parsed.strip()

    evaluators = (("python", PythonEvaluator()), ("sh", call), ("text", compare))
    examples = list(
        Sybil([CodeBlockParser(language, evaluator) for language, evaluator in evaluators])
        .parse(page)
        .examples()
    )
    for example in examples:
        with redirect_stdout(io.StringIO()) as out:
            example.evaluate()
        printed = out.getvalue()
    return len(examples)


def test_pages_with_code_are_found() -> None:
    languages = {page.name: opened(page) for page in PAGES}
    assert set().union(*languages.values()) <= set(LANGUAGES), (
        "a block says its language, one that is run or known"
    )
    assert {name for name, found in languages.items() if "python" in found} >= NEEDED


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:distributed", "ignore::ResourceWarning"
)  # dask's, as in tests/test_cluster.py
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if {"python", "sh"} & set(opened(page))],
    ids=lambda page: page.stem,
)
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Image.open(REPOSITORY / "samples" / "tea-gardens.png") as sample:
        Image.fromarray(np.asarray(sample.crop(PHOTO))).save(
            tmp_path / "photo.png"
        )  # the pixels alone
    monkeypatch.chdir(tmp_path)
    assert run_page(page) == sum(language != "hex" for language in opened(page))


def test_what_a_page_says_is_compared(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for said in ("4", "5"):
        page.write_text(
            f"```python\nx = 2\n```\n\n```python\nprint(x + 2)\n```\n\n```text\n{said}\n```\n"
        )
        if said == "4":
            assert run_page(page) == 3
        else:
            with pytest.raises(AssertionError):
                run_page(page)
