"""Drawn images cost what lossless WebP at its best takes, and 1 % or the container's 8 bytes more
at most.
"""

import pytest

from benchmarks import graphics

IMAGES = {
    **{f"icon {side}": graphics.icon(side, side) for side in (16, 32, 72, 136)},
    "screen": graphics.screen(320, 200, 1),
}


@pytest.mark.parametrize("name", IMAGES)
def test_never_far_above_webp(name):
    (row,) = graphics.compare(iter([(name, IMAGES[name])]))
    assert row["bbans"] <= max(1.01 * row["webp"], row["webp"] + 8)
    assert row["bbans"] < 0.6 * row["raw"]
