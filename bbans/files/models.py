"""The models at hand: those on the search path, what one of them is, and how a new one joins
them.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bbans import images
from bbans.errors import ModelError, ModelFormatError
from bbans.files.codec import ModelLike, load_model
from bbans.models import model_file

SHOWN_CHARACTERS = 16


@dataclass(frozen=True)
class ModelInfo:
    """A model: `parameters` counts integers, `record` says how it was made."""

    name: str
    path: str | None
    id: str
    family: str
    parameters: int
    default: bool
    config: dict[str, Any]
    record: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def line(self) -> str:
        """One line for people."""
        mark = "  (default)" if self.default else ""
        return (
            f"{self.name:24} {self.family:14} {self.id[:SHOWN_CHARACTERS]}  "
            f"{self.parameters:9} parameters{mark}"
        )

    def lines(self) -> list[str]:
        """All that is known, for people; the training's history is left out."""
        said = {
            key: value for key, value in self.record.items() if key not in ("history", "recipe")
        }
        lines = [self.line(), f"id {self.id}"] + ([f"file {self.path}"] if self.path else [])
        lines += [f"config {key} {value}" for key, value in sorted(self.config.items())]
        return lines + [f"{key} {value}" for key, value in sorted(said.items())]


def model_names() -> list[str]:
    """Names of the files on the search path, sorted, and "none"; whether they can be used is not
    looked at.
    """
    return sorted(
        {
            path.stem
            for folder in model_file.search_path()
            for path in model_file.model_files(folder)
        }
        | {model_file.NO_MODEL}
    )


def list_models() -> list[ModelInfo]:
    """Models on the search path, of those with one name the first; files that cannot be used are
    left out.
    """
    found: dict[str, ModelInfo] = {}
    for folder in model_file.search_path():
        for path in model_file.model_files(folder):
            try:
                found.setdefault(path.stem, _described(model_file.load_file(path), path))
            except ModelError:
                continue
    return list(found.values())


def show_model(model: ModelLike = None) -> ModelInfo:
    """A model by name or file; default: the photograph model.

    Raises ModelNotFoundError, ModelFormatError.
    """
    return _described(
        load_model(model),
        Path(model) if isinstance(model, (str, Path)) and os.path.isfile(model) else None,
    )


def add_model(source: Path, *, overwrite: bool = False) -> Path:
    """Copy a model file to the user's folder of the search path, where files find it.

    Raises ModelError, OutputExistsError.
    """
    if not os.path.isfile(source):  # unlike Path.is_file, no error where it may not be looked at
        raise ModelFormatError(
            f"no model file at {source}; give the path of a .safetensors file that `bbans train` "
            "made"
        )
    model_file.load_file(source)
    target = model_file.user_folder() / f"{source.stem}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    images.atomic_write(target, source.read_bytes(), overwrite=overwrite)
    return target


def _described(model: model_file.Model, path: Path | None) -> ModelInfo:
    parameters = sum(
        part.size for layer in model.layers.values() for part in (layer.weight, layer.bias)
    )
    record, config = dict(model.record), asdict(model.config)
    default = model.name == model_file.DEFAULT_MODEL
    return ModelInfo(
        model.name,
        None if path is None else str(path),
        model.id.hex(),
        model.family,
        parameters,
        default,
        config,
        record,
    )
