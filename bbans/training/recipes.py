"""Recipe files: TOML whose keys are the fields of a recipe, with a table `[record]` that the model
file stores.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from bbans.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_record(path: Path | None) -> dict[str, str]:
    """Return a recipe's `[record]` table (licence, attribution, notes: text only), which the model
    file stores unchanged. Raises InputError.

    Examples:
        >>> read_record(None)
        {}
    """
    record = {} if path is None else read_toml(path).get("record", {})
    if not isinstance(record, dict) or not all(isinstance(value, str) for value in record.values()):
        raise InputError(
            f"recipe {path}: [record] holds text only, such as licence = 'CC0'; put its values in "
            "quotes"
        )
    return record


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises InputError if it cannot be read.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "recipe.toml")
        ...     _ = path.write_text("steps = 5")
        ...     read_toml(path)
        {'steps': 5}
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
        return content
    except (OSError, ValueError) as error:
        raise InputError(f"recipe {path} cannot be read: {error}") from error


def checked(path: Path, defaults: Any, raw: dict[str, Any]) -> dict[str, Any]:
    """Check a table: each key must be a field of `defaults`, with a value of its type. Returns the
    table, lists as tuples.

    Raises InputError.

    Examples:
        >>> from bbans.training.terms import Training
        >>> checked(Path("r.toml"), Training(), {"particles": 2})
        {'particles': 2}
    """
    raw = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    known = {f.name: type(getattr(defaults, f.name)) for f in fields(defaults)}
    for key, value in raw.items():
        if key not in known or not isinstance(
            value, (int, float) if known[key] is float else known[key]
        ):
            raise InputError(
                f"recipe {path}: {key} = {value!r} is not a known setting of the right type; "
                f"known are {', '.join(sorted(known))}"
            )
    return raw
