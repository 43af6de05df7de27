"""Model files: safetensors with integer tensors, the config that inference needs, and the training
record.

Model id = SHA-256 over the arithmetic version, the canonical JSON of the config, then every tensor
by name (name, dtype, shape, little-endian bytes). The training record and the licence do not enter
it.
"""

from __future__ import annotations

import hashlib
import json
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bbans.errors import ModelFormatError, ModelNotFoundError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Engine
from bbans.models.base import Capabilities
from bbans.models.registry import FAMILIES, family_name

ARITHMETIC = "bbans-exact-1"  # changes whenever the meaning of any integer in a model does
MAX_FILE_BYTES = 2**30


@dataclass(frozen=True)
class Model:
    """A loaded, checked model. `id` has 32 bytes and stands for the rest in comparisons; `record`
    says how the model was trained and under which licence.
    """

    name: str
    config: Any = field(compare=False)
    layers: Mapping[str, IntConv] = field(compare=False)
    record: Mapping[str, Any] = field(compare=False)
    id: bytes

    @property
    def family(self) -> str:
        """The name of the model's family, a key of `models.registry.FAMILIES`."""
        return family_name(self.config)

    @property
    def capabilities(self) -> Capabilities:
        """What the family declares of a model of this config."""
        return FAMILIES[self.family].capabilities(self.config)

    def network(self, ops: Engine) -> Any:
        """Build the model on a backend of exact operations: an `ExactPhoto`, or a latent model of
        whole images.
        """
        return FAMILIES[self.family].network(self.config, self.layers, ops)

    def to_bytes(self) -> bytes:
        """Serialise the model: return a model file with the same id and layers."""
        return serialise(self.config, self.layers, self.record)


def canonical_config(config: Any) -> str:
    """Return the canonical JSON of a config, with the family's name: keys sorted, no spaces.

    Examples:
        >>> from bbans.models.photo import PhotoConfig
        >>> canonical_config(PhotoConfig())[:35]
        '{"channels":48,"family":"photo","hi'
    """
    return json.dumps(
        {"family": family_name(config), **asdict(config)}, sort_keys=True, separators=(",", ":")
    )


def model_id(config: Any, tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """SHA-256(arithmetic version, config, tensors): return the 32 bytes that identify a model in
    every file coded with it.

    Examples:
        >>> from bbans.models.photo import PhotoConfig
        >>> len(model_id(PhotoConfig(), {}))
        32
    """
    digest = hashlib.sha256()
    for part in (ARITHMETIC, canonical_config(config)):
        digest.update(part.encode() + b"\0")
    for name in sorted(tensors):
        t = tensors[name]
        digest.update(f"{name}\0{t.dtype.name}\0{','.join(map(str, t.shape))}\0".encode())
        digest.update(t.astype(t.dtype.newbyteorder("<")).tobytes())
    return digest.digest()


def to_tensors(layers: Mapping[str, IntConv]) -> dict[str, NDArray[Any]]:
    """Return layers as named tensors: weight int16, bias int32 and shift int8 of each.

    Examples:
        >>> to_tensors({})
        {}
    """
    return {
        f"{name}.{part}": np.ascontiguousarray(getattr(layer, part))
        for name, layer in layers.items()
        for part in ("weight", "bias", "shift")
    }


def to_layers(tensors: Mapping[str, NDArray[Any]]) -> dict[str, IntConv]:
    """Invert `to_tensors`: return layers by name. Raises ModelFormatError on missing parts or wrong
    types.

    Examples:
        >>> to_layers({})
        {}
    """
    layers = {}
    for name in {key.rpartition(".")[0] for key in tensors}:
        parts = [tensors.get(f"{name}.{part}") for part in ("weight", "bias", "shift")]
        for part, dtype, ranks in zip(
            parts, (np.int16, np.int32, np.int8), ((4,), (1, 2), (1,)), strict=True
        ):
            if part is None or part.dtype != dtype or part.ndim not in ranks or part.size == 0:
                raise ModelFormatError(
                    f"layer {name}: needs weight int16, bias int32 and shift int8; the model file "
                    "is malformed"
                )
        layers[name] = IntConv(*parts)  # type: ignore[arg-type]
    return layers


def serialise(config: Any, layers: Mapping[str, IntConv], record: Mapping[str, Any]) -> bytes:
    """Return the bytes of a model file. Raises ModelFormatError and AccumulatorBoundError on layers
    that do not fit the config.

    Examples:
        >>> from bbans.models.library import load_model
        >>> model = load_model()
        >>> load_bytes(serialise(model.config, model.layers, {}), "copy").id == model.id
        True
    """
    FAMILIES[family_name(config)].check_layers(config, layers)
    metadata = {
        "config": canonical_config(config),
        "arithmetic": ARITHMETIC,
        "record": json.dumps(record, sort_keys=True),
    }
    return _sorted_header(save(to_tensors(layers), metadata))


def _sorted_header(data: bytes) -> bytes:
    """Sort the keys of a safetensors header: the library writes the metadata in no fixed order."""
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(
        json.loads(data[8 : 8 + size]), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def load_file(path: Path) -> Model:
    """Read and check a model file.

    Raises ModelNotFoundError, ModelFormatError or AccumulatorBoundError.

    Examples:
        >>> from bbans.models.library import DEFAULT_MODEL, SHIPPED
        >>> load_file(SHIPPED / f"{DEFAULT_MODEL}.safetensors").family
        'photo'
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = (
            ""
            if isinstance(error, FileNotFoundError)
            else f" ({getattr(error, 'strerror', None) or error})"
        )
        raise ModelNotFoundError(
            f"no model file at {path}{reason}; give the path of a .safetensors file that `bbans "
            "train` made"
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise ModelNotFoundError(
            f"no model file at {path}; give the path of a .safetensors file that `bbans train` made"
        )
    if status.st_size > MAX_FILE_BYTES:
        raise ModelFormatError(
            f"{path} is over {MAX_FILE_BYTES} bytes, too large for a model; check the path"
        )
    state = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return _parsed(path, state)


@lru_cache(maxsize=4)
def _parsed(path: Path, state: tuple[int, ...]) -> Model:
    """The model of a file in this state: read once, for commands that work on many images."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("arithmetic") != ARITHMETIC:
            raise ModelFormatError(
                f"{path} uses arithmetic {metadata.get('arithmetic')!r}, this release "
                f"{ARITHMETIC!r}; install the release that made it"
            )
        raw = json.loads(metadata["config"])
        name = raw.pop("family")
        if name not in FAMILIES:
            raise ModelFormatError(
                f"{path} holds a model of the family {str(name)[:40]!r}; install a release that "
                "knows it"
            )
        family = FAMILIES[name]
        config = family.config(
            **{key: tuple(value) if type(value) is list else value for key, value in raw.items()}
        )
        record = json.loads(metadata.get("record", "{}"))
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise ModelFormatError(
            f"{path} is no model file ({type(error).__name__}); give one that `bbans train` made"
        ) from error
    layers = to_layers(tensors)
    family.check(config)
    family.check_layers(config, layers)
    return Model(path.stem, config, layers, record, model_id(config, tensors))


def load_bytes(data: bytes, name: str) -> Model:
    """Read and check the bytes of a model file, and name the model.

    Raises ModelFormatError or AccumulatorBoundError.

    Examples:
        >>> from bbans.models.library import load_model
        >>> load_bytes(load_model().to_bytes(), "copy").name
        'copy'
    """
    with tempfile.TemporaryDirectory(prefix="bbans-") as folder:
        path = Path(folder, f"{name}.safetensors")
        path.write_bytes(data)
        return load_file(path)
