"""Examples in docstrings run and print what they say; every public function has one."""

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

PACKAGES = (
    "bbans.archives",
    "bbans.coding",
    "bbans.container",
    "bbans.distributions",
    "bbans.evaluation",
    "bbans.exact",
    "bbans.execution",
    "bbans.files",
    "bbans.images",
    "bbans.integrations",
    "bbans.models",
    "bbans.schemes",
    "bbans.tiles",
    "bbans.training",
    "bbans_cli",
)
MAIN = "bbans_cli.__main__"  # importing it runs the command line
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
WITHOUT_EXAMPLES = {
    # compiled loops; the examples of `colour` and `mixture` run them
    # needs a running cluster
    "bbans.execution.dask",
}


def modules() -> list[str]:
    names = ["bbans", "bbans.options"]
    for package in PACKAGES:
        children = pkgutil.walk_packages(import_module(package).__path__, f"{package}.")
        names += [package, *(module.name for module in children if module.name != MAIN)]
    return names


def public_functions(name: str) -> list[str]:
    module = import_module(name)
    return [
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and inspect.isroutine(value)
        and getattr(value, "__module__", None) == name
    ]


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str) -> None:
    results = doctest.testmod(import_module(name), optionflags=FLAGS)
    assert results.failed == 0
    if public_functions(name):
        assert bool(results.attempted) == (name not in WITHOUT_EXAMPLES)


@pytest.mark.parametrize(
    "name",
    [name for name in modules() if name.startswith("bbans.") and name not in WITHOUT_EXAMPLES],
)
def test_every_public_function_has_an_example(name: str) -> None:
    module = import_module(name)
    functions = {key: getattr(module, key) for key in public_functions(name)}
    assert [key for key, value in functions.items() if ">>>" not in (value.__doc__ or "")] == []


def test_every_exception_is_a_module() -> None:
    assert set(modules()) >= WITHOUT_EXAMPLES
