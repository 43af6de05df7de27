"""Labels beside a set of images: one integer an image, in the order of the set."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError
from bbans.images.pillow_convert import guarded
from bbans.images.sets import read_idx

MAX_LABELS = 2**30


def read_labels(path: str | os.PathLike[str], count: int) -> NDArray[np.int64]:
    """Labels `(count,)`, 0 or more, of an `.npy` file of integers or an idx file (also `.gz`).

    Raises InputError.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            start = file.read(6)
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}); check the path") from None
    if start == b"\x93NUMPY":
        with guarded(source.name):
            found = np.load(source, mmap_mode="r", allow_pickle=False)
    else:
        found = read_idx(source, start[:2] == b"\x1f\x8b")
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise InputError(
            f"{source.name}: one integer an image was expected, found {found.dtype} of shape "
            f"{found.shape}"
        )
    if len(found) != count:
        raise InputError(
            f"{source.name}: {count} labels were expected, one an image, found {len(found)}"
        )
    if count and not 0 <= int(found.min()) <= int(found.max()) < MAX_LABELS:
        raise InputError(
            f"{source.name}: labels from 0 on were expected, found {found.min()} to {found.max()}"
        )
    return np.asarray(found, np.int64)
