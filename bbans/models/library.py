"""The model library: the search path of model folders, look-up of a model by name, file or id,
descriptions of models, and installation of new ones.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bbans.errors import ModelError, ModelFormatError, ModelNotFoundError
from bbans.images.atomic import atomic_write
from bbans.models.model_file import Model, load_file
from bbans.options import EFFORTS, NO_MODEL

SHIPPED = Path(__file__).resolve().parent.parent / "weights"
SEARCH_PATH_VARIABLE = "BBANS_MODEL_PATH"
DEFAULT_MODEL = EFFORTS["default"].model
SUFFIX = ".safetensors"
SHOWN_CHARACTERS = 16

ModelLike = str | Path | Model | None
"""A model's name or file path, a loaded model, or None for the default model."""


def load_model(model: ModelLike = None) -> Model:
    """Load a model by its name on the search path or by the path of its file.

    model: None for the default photograph model; a loaded model is returned unchanged. Raises
    ModelNotFoundError, and ModelFormatError on a malformed file.

    Examples:
        >>> load_model("photo-fast-1").family
        'photo'
    """
    return model if isinstance(model, Model) else find_by_name(str(model or DEFAULT_MODEL))


def user_folder() -> Path:
    """Return the folder where `bbans models add` puts models: `bbans/models` in LOCALAPPDATA on
    Windows, elsewhere in XDG_DATA_HOME or ~/.local/share.

    Examples:
        >>> user_folder().name
        'models'
    """
    home = Path(os.path.expanduser("~"))  # unlike Path.home(), no error where there is none
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "bbans" / "models"


def search_path() -> list[Path]:
    """Return the folders that are searched for models: those of the environment variable
    BBANS_MODEL_PATH, the user's, then the package's own.

    Examples:
        >>> search_path()[-1].name
        'weights'
    """
    return [
        *(Path(p) for p in os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep) if p),
        user_folder(),
        SHIPPED,
    ]


def model_files(folder: Path) -> list[Path]:
    """Return the model files in a folder, sorted; empty if the folder is missing or unreadable.

    Examples:
        >>> model_files(Path("no such folder"))
        []
    """
    try:
        files = (
            path
            for path in folder.iterdir()
            if path.name.endswith(SUFFIX) and not path.name.startswith(".")
        )
        return sorted(path for path in files if os.path.isfile(path))
    except (OSError, ValueError):
        return []


def find_by_name(name: str) -> Model:
    """Load a model by its name on the search path, or by file path. Raises ModelNotFoundError and
    ModelFormatError.

    Examples:
        >>> find_by_name(DEFAULT_MODEL).family
        'photo'
    """
    if name.endswith(SUFFIX) or os.sep in name:
        return load_file(Path(name))
    for path in (path for folder in search_path() for path in model_files(folder)):
        if path.name == f"{name}{SUFFIX}":
            return load_file(path)
    raise ModelNotFoundError(
        f"no model named {name!r} on the search path; give a file's path, or set "
        f"{SEARCH_PATH_VARIABLE} to its folder"
    )


def find_by_id(id_prefix: bytes) -> Model:
    """Load the model whose id begins with the bytes that a coded file stores.

    Skips unusable model files. Raises ModelNotFoundError.

    Examples:
        >>> find_by_id(load_model().id[:8]).name == DEFAULT_MODEL
        True
    """
    unusable = ""
    for path in (path for folder in search_path() for path in model_files(folder)):
        try:
            model = load_file(path)
        except ModelError as error:
            unusable = f" ({error})"
            continue
        if model.id.startswith(id_prefix):
            return model
    raise ModelNotFoundError(
        f"the file needs model {id_prefix.hex()}, which is not here{unusable}; "
        f"give it with --model, add it with `bbans models add`, or set {SEARCH_PATH_VARIABLE} to "
        "its folder"
    )


@dataclass(frozen=True)
class ModelInfo:
    """A description of a model: `parameters` counts integers, `record` says how it was trained and
    under which licence.
    """

    name: str
    path: str | None
    id: str
    family: str
    parameters: int
    default: bool
    config: dict[str, Any]
    record: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary of plain values."""
        return asdict(self)

    def line(self) -> str:
        """Return one line of text: name, family, beginning of the id, number of parameters."""
        mark = "  (default)" if self.default else ""
        return (
            f"{self.name:24} {self.family:14} {self.id[:SHOWN_CHARACTERS]}  "
            f"{self.parameters:9} parameters{mark}"
        )

    def lines(self) -> list[str]:
        """Return all fields as lines of text, except the history and recipe of the training."""
        said = {
            key: value for key, value in self.record.items() if key not in ("history", "recipe")
        }
        lines = [self.line(), f"id {self.id}"] + ([f"file {self.path}"] if self.path else [])
        lines += [f"config {key} {value}" for key, value in sorted(self.config.items())]
        return lines + [f"{key} {value}" for key, value in sorted(said.items())]


def model_names() -> list[str]:
    """Return the names of the model files on the search path, sorted, and "none". The files are not
    opened.

    Examples:
        >>> DEFAULT_MODEL in model_names()
        True
    """
    return sorted(
        {path.stem for folder in search_path() for path in model_files(folder)} | {NO_MODEL}
    )


def list_models() -> list[ModelInfo]:
    """Describe the models on the search path; the first of several with one name counts, and
    unusable files are skipped.

    Examples:
        >>> DEFAULT_MODEL in [model.name for model in list_models()]
        True
    """
    models: dict[str, ModelInfo] = {}
    for folder in search_path():
        for path in model_files(folder):
            try:
                models.setdefault(path.stem, _described(load_file(path), path))
            except ModelError:
                continue
    return list(models.values())


def show_model(model: ModelLike = None) -> ModelInfo:
    """Describe a model by name or file path; None is the default model.

    Raises ModelNotFoundError and ModelFormatError.

    Examples:
        >>> show_model().default
        True
    """
    return _described(
        load_model(model),
        Path(model) if isinstance(model, (str, Path)) and os.path.isfile(model) else None,
    )


def add_model(source: Path, *, overwrite: bool = False) -> Path:
    """Copy a model file to the user's folder of the search path, where look-ups by name and id find
    it; return the copy's path.

    Raises ModelError on a missing or malformed file, OutputExistsError if the name is taken and
    `overwrite` is false.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from unittest.mock import patch
        >>> with TemporaryDirectory() as home:
        ...     with patch.dict(os.environ, XDG_DATA_HOME=home, LOCALAPPDATA=home):
        ...         add_model(SHIPPED / "photo-fast-1.safetensors").name
        'photo-fast-1.safetensors'
    """
    if not os.path.isfile(source):  # unlike Path.is_file, no error without permission
        raise ModelFormatError(
            f"no model file at {source}; give the path of a .safetensors file that `bbans train` "
            "made"
        )
    load_file(source)
    target = user_folder() / f"{source.stem}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, source.read_bytes(), overwrite=overwrite)
    return target


def _described(model: Model, path: Path | None) -> ModelInfo:
    parameters = sum(
        part.size for layer in model.layers.values() for part in (layer.weight, layer.bias)
    )
    record, config = dict(model.record), asdict(model.config)
    default = model.name == DEFAULT_MODEL
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
