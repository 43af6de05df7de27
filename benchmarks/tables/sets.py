"""Data sets as arrays and samples, from the files they are published in."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbans.training.latent import Samples

Pixels = NDArray[np.uint8]
FASHION = Path("/usr/share/datasets/fashion-mnist")  # of the Debian package dataset-fashion-mnist


def binarised_mnist(data: Path) -> Pixels:
    """`(10000, 28, 28)` of 0 and 1: the fixed binarisation of Larochelle and Murray 2011."""
    return _binarised(data, "test")


def binarised_training(data: Path) -> Pixels:
    """`(50000, 28, 28)`, the training images of the same."""
    return _binarised(data, "train")


def binarised_samples(data: Path, validation: int, test: int) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test samples of the same: `validation` of the training images, which
    are then left out, `test` others.
    """
    training, tested = (
        part.reshape(len(part), -1) for part in (binarised_training(data), binarised_mnist(data))
    )
    return Samples(training[validation:]), Samples(training[:validation]), Samples(tested[:test])


def _binarised(data: Path, part: str) -> Pixels:
    with np.load(data / "binarized_mnist" / "binarized_mnist_larochelle.npz") as sets:
        return np.unpackbits(sets[part], axis=1)[:, :784].reshape(-1, 28, 28)


def mnist(data: Path) -> Pixels:
    """`(10000, 28, 28)` of 8 bits."""
    return _idx(data / "mnist")


def fashion_mnist(data: Path = FASHION) -> Pixels:
    """`(10000, 28, 28)` of 8 bits; `data` is the folder of the set itself."""
    return _idx(data)


def _idx(folder: Path) -> Pixels:
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
