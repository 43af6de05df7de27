"""Synthetic digits: strokes of ten shapes on 8 x 8, moved, weighted and noisy; enough structure for
a latent variable to matter.
"""

import numpy as np

SHAPES = (
    "0110 1001 1001 1001 0110",
    "0010 0110 0010 0010 0111",
    "0110 1001 0010 0100 1111",
    "1110 0001 0110 0001 1110",
    "1001 1001 1111 0001 0001",
    "1111 1000 1110 0001 1110",
    "0110 1000 1110 1001 0110",
    "1111 0001 0010 0100 0100",
    "0110 1001 0110 1001 0110",
    "0110 1001 0111 0001 0110",
)
SIDE = 8


def digits(
    count: int, seed: int = 0, levels: int = 17, moved: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Samples uint8 `(count, 64)` in 0..levels - 1 and labels int64 `(count,)`; in the middle
    unless `moved`.
    """
    rng = np.random.default_rng(seed)
    masks = np.array([[[int(c) for c in row] for row in shape.split()] for shape in SHAPES])
    labels = rng.integers(0, 10, count)
    images = np.zeros((count, SIDE, SIDE))
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, 4), rng.integers(0, 5)
        if not moved:
            top, left = 1, 2
        image[top : top + 5, left : left + 4] = masks[label] * rng.uniform(0.5, 1.0)
    images += rng.normal(0, 0.03, images.shape) * (images > 0)
    return np.rint(images.clip(0, 1) * (levels - 1)).astype(np.uint8).reshape(count, -1), labels
