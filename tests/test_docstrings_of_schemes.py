"""Examples in the docstrings of schemes, tiles, images and execution run as written."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

PACKAGES = ("bbans.schemes", "bbans.tiles", "bbans.images", "bbans.execution")
MODULES = sorted(
    {
        name
        for package in PACKAGES
        for name in (
            package,
            *(
                module.name
                for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}.")
            ),
        )
    }
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    results = doctest.testmod(
        import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert results.failed == 0
