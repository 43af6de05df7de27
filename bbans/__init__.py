"""Lossless image codecs from trained latent-variable models, by bits-back coding."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bbans.api import CompressResult, compress, decompress, decompress_image, info, load_model, open, salvage, verify
    from bbans.archives import create_archive, extract_archive, list_archive, read_archive

__version__ = "0.1.0"
__all__ = [
    "CompressResult",
    "__version__",
    "compress",
    "create_archive",
    "decompress",
    "decompress_image",
    "extract_archive",
    "info",
    "list_archive",
    "load_model",
    "open",
    "read_archive",
    "salvage",
    "verify",
]


def __getattr__(name: str) -> Any:
    # resolved on first use, so that `import bbans` takes milliseconds
    if name in __all__:
        return getattr(import_module("bbans.archives" if name.endswith("_archive") else "bbans.api"), name)
    raise AttributeError(f"module 'bbans' has no attribute {name!r}")
