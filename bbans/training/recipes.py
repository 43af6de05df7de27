"""Recipe files: TOML whose keys are the fields of a recipe, with `[record]` for what the model
file says about itself.
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
    """The recipe's `[record]` table (licence, attribution, notes: text only), which goes into the
    model file as it stands.
    """
    record = {} if path is None else read_toml(path).get("record", {})
    if not isinstance(record, dict) or not all(isinstance(value, str) for value in record.values()):
        raise InputError(
            f"recipe {path}: [record] holds text only, such as licence = 'CC0'; put its values in "
            "quotes"
        )
    return record


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file. Raises InputError."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
        return content
    except (OSError, ValueError) as error:
        raise InputError(f"recipe {path} cannot be read: {error}") from error


def checked(path: Path, defaults: Any, raw: dict[str, Any]) -> dict[str, Any]:
    """The settings of a table, each a field of `defaults` and of its type; lists as tuples.

    Raises InputError.
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
