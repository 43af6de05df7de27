"""Lossless image compression with trained latent-variable models and bits-back coding.

Public names are imported on first use, so that `import bbans` takes milliseconds.

Examples:
    >>> import bbans, numpy as np
    >>> data = bbans.compress(np.zeros((64, 64), np.uint8), model="none")
    >>> bbans.decompress(data).shape
    (64, 64)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bbans.archives.create import create_archive
    from bbans.archives.read import extract_archive, list_archive, read_archive, verify_archive
    from bbans.archives.stacks import compress_stack, decompress_stack, is_stack, read_stack
    from bbans.evaluation.evaluate import evaluate
    from bbans.evaluation.pictures import interpolate, reconstruct, sample
    from bbans.exact.engines import engine
    from bbans.files.decoder import decompress, decompress_image, open, salvage, verify
    from bbans.files.encoder import compress
    from bbans.files.info import info
    from bbans.files.jpeg import compress_jpeg, restore_jpeg
    from bbans.files.on_disk import (
        CompressResult,
        compress_file,
        decompress_file,
        original_suffix,
    )
    from bbans.models.library import load_model
    from bbans.options import TrainOptions
    from bbans.training.run import train_model

__version__ = "0.1.0"
PLACES = {
    "CompressResult": "files.on_disk",
    "TrainOptions": "options",
    "compress": "files.encoder",
    "compress_file": "files.on_disk",
    "compress_stack": "archives.stacks",
    "compress_jpeg": "files.jpeg",
    "create_archive": "archives.create",
    "decompress": "files.decoder",
    "decompress_file": "files.on_disk",
    "decompress_image": "files.decoder",
    "decompress_stack": "archives.stacks",
    "engine": "exact.engines",
    "evaluate": "evaluation.evaluate",
    "extract_archive": "archives.read",
    "info": "files.info",
    "interpolate": "evaluation.pictures",
    "is_stack": "archives.stacks",
    "list_archive": "archives.read",
    "load_model": "models.library",
    "open": "files.decoder",
    "original_suffix": "files.on_disk",
    "read_archive": "archives.read",
    "read_stack": "archives.stacks",
    "reconstruct": "evaluation.pictures",
    "restore_jpeg": "files.jpeg",
    "salvage": "files.decoder",
    "sample": "evaluation.pictures",
    "train_model": "training.run",
    "verify": "files.decoder",
    "verify_archive": "archives.read",
}
"""The module of every public name, relative to this package; imported when the name is used."""
__all__ = [
    "CompressResult",
    "TrainOptions",
    "__version__",
    "compress",
    "compress_file",
    "compress_jpeg",
    "compress_stack",
    "create_archive",
    "decompress",
    "decompress_file",
    "decompress_image",
    "decompress_stack",
    "engine",
    "evaluate",
    "extract_archive",
    "info",
    "interpolate",
    "is_stack",
    "list_archive",
    "load_model",
    "open",
    "original_suffix",
    "read_archive",
    "read_stack",
    "reconstruct",
    "restore_jpeg",
    "salvage",
    "sample",
    "train_model",
    "verify",
    "verify_archive",
]


def __getattr__(name: str) -> Any:
    if name in PLACES:
        return getattr(import_module(f"bbans.{PLACES[name]}"), name)
    raise AttributeError(f"module 'bbans' has no attribute {name!r}")
