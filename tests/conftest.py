"""What all tests share: the folder of photographs beside the repository, and repeatable hypothesis runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("BBANS_SHARED") or REPOSITORY.parent / "shared")

# derandomize: the same examples in every run; no deadline: a first call may build tables
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("shared") and not (SHARED / "data").is_dir():
        pytest.skip(f"no data folder at {SHARED}; set BBANS_SHARED to where it is")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with `data/` and `interop/`; for tests marked `shared`."""
    return SHARED
