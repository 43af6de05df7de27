"""Labels of a set of images: one integer per image, in the order of the set."""

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
    """Read `count` labels from an `.npy` file of integers or an idx file (also `.gz`), int64
    `(count,)`.

    Raises InputError on another number, type or shape, and on negative labels.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "labels.npy"), [3, 0, 3])
        ...     read_labels(Path(folder, "labels.npy"), count=3)
        array([3, 0, 3])
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            start = file.read(6)
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}); check the path") from None
    if start == b"\x93NUMPY":
        with guarded(source.name):
            labels = np.load(source, mmap_mode="r", allow_pickle=False)
    else:
        labels = read_idx(source, start[:2] == b"\x1f\x8b")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{source.name}: one integer an image was expected, found {labels.dtype} of shape "
            f"{labels.shape}"
        )
    if len(labels) != count:
        raise InputError(
            f"{source.name}: {count} labels were expected, one an image, found {len(labels)}"
        )
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < MAX_LABELS:
        raise InputError(
            f"{source.name}: labels from 0 on were expected, found {labels.min()} to {labels.max()}"
        )
    return np.asarray(labels, np.int64)
