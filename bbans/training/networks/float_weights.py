"""Float weights of a photograph model as a file, to continue training from. The coder uses the
integer model only.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from bbans.errors import InputError
from bbans.models.photo import PhotoConfig
from bbans.training.networks.photo import PhotoNet


def to_bytes(net: PhotoNet) -> bytes:
    """Return the network's state as a safetensors file, row-major in any memory format.

    Examples:
        >>> to_bytes(PhotoNet(PhotoConfig(channels=4, hidden=4)))[8:9]
        b'{'
    """
    return save({name: value.detach().contiguous() for name, value in net.state_dict().items()})


def read(path: Path, config: PhotoConfig) -> dict[str, torch.Tensor]:
    """Read a state of `PhotoNet(config)`.

    Raises InputError if the file cannot be read or is of another network.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> net = PhotoNet(PhotoConfig(channels=4, hidden=4))
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "weights.safetensors")
        ...     _ = path.write_bytes(to_bytes(net))
        ...     read(path, net.config).keys() == net.state_dict().keys()
        True
    """
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"float weights {path} cannot be read ({error}); give the safetensors file of an "
            "earlier training run"
        ) from error
    needed = {name: tuple(value.shape) for name, value in PhotoNet(config).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if needed != found:
        names = sorted(name for name, _ in needed.items() ^ found.items())
        raise InputError(
            f"float weights {path} do not fit the recipe's [model] at {names[0]}; use the recipe "
            "they were made with"
        )
    return weights
