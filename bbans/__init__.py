"""Lossless image codecs from trained latent-variable models, by bits-back coding."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bbans.api import CompressResult, compress, decompress, decompress_image, info, load_model, open, salvage, verify
    from bbans.archives import create_archive, extract_archive, list_archive, read_archive
    from bbans.evaluation import evaluate
    from bbans.pictures import interpolate, reconstruct, sample

__version__ = "0.1.0"
__all__ = [
    "CompressResult",
    "__version__",
    "compress",
    "create_archive",
    "decompress",
    "decompress_image",
    "evaluate",
    "extract_archive",
    "info",
    "interpolate",
    "list_archive",
    "load_model",
    "open",
    "read_archive",
    "reconstruct",
    "salvage",
    "sample",
    "verify",
]
ELSEWHERE = {
    "create_archive": "archives",
    "evaluate": "evaluation",
    "extract_archive": "archives",
    "interpolate": "pictures",
    "list_archive": "archives",
    "read_archive": "archives",
    "reconstruct": "pictures",
    "sample": "pictures",
}


def __getattr__(name: str) -> Any:
    # resolved on first use, so that `import bbans` takes milliseconds
    if name in __all__:
        return getattr(import_module(f"bbans.{ELSEWHERE.get(name, 'api')}"), name)
    raise AttributeError(f"module 'bbans' has no attribute {name!r}")
