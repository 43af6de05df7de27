"""The site of the documents: built strictly without a socket, complete, asking for nothing outside,
and drawn by a browser.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import bbans

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
    "--virtual-time-budget=4000 --dump-dom --enable-logging=stderr --v=0"
)
REFUSED = "violates the following Content Security Policy"
LOADING = {
    "src",
    "srcset",
    "poster",
    "data",
    "action",
    "background",
}  # and href, of everything but <a>

CODE = """
import sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request", "http.client.connect"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(hook)
from mkdocs.__main__ import cli
cli(["build", "--strict", "--quiet", "--site-dir", sys.argv[1]])
"""


class Requests(HTMLParser):
    """What a page loads by itself, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value or ""
            for name, value in attrs
            if name in LOADING or (name == "href" and tag != "a")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The site, built in a process that may not connect to anything."""
    target = tmp_path_factory.mktemp("site")
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(target)],
        cwd=repository,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_every_document_is_a_page_and_in_the_navigation(site: Path, repository: Path) -> None:
    documents = {
        path.relative_to(repository / "docs").with_suffix(".html")
        for path in (repository / "docs").rglob("*.md")
    }
    assert len(documents) >= 30 and all((site / page).is_file() for page in documents)
    documents.add(Path("tutorial.html"))
    index = (site / "index.html").read_text(encoding="utf-8")
    navigation = index[index.index('<nav class="md-nav md-nav--primary') : index.index("<article")]
    assert not [page for page in documents if f'href="{page.as_posix()}"' not in navigation], (
        "put them into nav of mkdocs.yml"
    )


def test_the_api_has_a_page_for_every_package_and_every_public_name(
    site: Path, repository: Path
) -> None:
    for path in (repository / "bbans").rglob("__init__.py"):
        package = ".".join(path.parent.relative_to(repository).parts)
        page = (site / "api" / f"{package}.html").read_text(encoding="utf-8")
        for module in path.parent.glob("*.py"):
            if module.stem not in ("__init__", "api"):
                assert f'id="{package}.{module.stem}"' in page
    page = (site / "api" / "bbans.html").read_text(encoding="utf-8")
    public = set(bbans.__all__) - {"__version__"}
    assert public and all(f'id="bbans.{name}"' in page for name in public)


def test_docstrings_read_as_they_are_written(site: Path, repository: Path) -> None:
    """No letter of an equation is taken for markup."""

    def plain(text: str) -> str:
        return re.sub(r"\s+", " ", text.replace("`", "")).strip()

    checked = 0
    for package in {path.parent for path in (repository / "bbans").rglob("__init__.py")}:
        name = ".".join(package.relative_to(repository).parts)
        text = plain(Requests((site / "api" / f"{name}.html").read_text(encoding="utf-8")).text)
        for path in sorted(package.glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            shown = [
                node
                for node in tree.body
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
            ]
            for node in [tree, *(shown if path.stem not in ("__init__", "api") else [])]:
                for line in (
                    (ast.get_docstring(node) or "").splitlines() if path.stem != "api" else []
                ):
                    if not re.match(r"\s*[-|]", line):  # lists and tables
                        assert plain(line) in text, f"{path.name}: {line}"
                        checked += 1
    assert checked > 1000


def test_nothing_outside_is_loaded(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        outside = [value for value in Requests(text).found if re.match(r"(?:[a-z]+:)?//", value)]
        assert not outside, f"{page.name} loads {outside}"
        policy = "default-src 'self' 'unsafe-inline' data: blob:"
        assert f'http-equiv="Content-Security-Policy" content="{policy}"' in text
    for style in site.rglob("*.css"):
        assert not re.search(
            r"(?:url\(|@import)\s*[\"']?(?:[a-z]+:)?//", style.read_text(encoding="utf-8")
        ), style.name


@pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium on the PATH: install the package chromium to see pages rendered",
)
def test_a_browser_renders_it_and_asks_for_nothing_that_is_refused(
    site: Path, tmp_path: Path
) -> None:
    command = [
        str(BROWSER),
        *FLAGS.split(),
        f"--user-data-dir={tmp_path / 'profile'}",
        (site / "api" / "bbans.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "data-js-focus-visible" in done.stdout, "the page's scripts run"
    assert REFUSED not in done.stderr
