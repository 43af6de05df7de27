"""What all tests share: the folder of photographs beside the repository, and repeatable hypothesis
runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Torch's own generator starts a test where it starts it alone: no result hangs on which tests
    ran before.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def no_models_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The folder that `bbans models add` fills, which is on the search path, is an empty one."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
            patch.setenv(variable, str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with `data/` and `interop/`; for tests marked `shared`."""
    return SHARED
