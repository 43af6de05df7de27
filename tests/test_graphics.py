"""Images that are no photographs cost what the best of WebP, JPEG XL and PNG takes, and 1 % and 16
bytes more at most.
"""

import pytest

from benchmarks import graphics
from benchmarks.processed import processed

IMAGES = {
    **{f"icon {side}": graphics.icon(side, side) for side in (16, 32, 72, 136)},
    "screen": graphics.screen(320, 200, 1),
}
SLOW = ("64 colours", "64 colours, dithered", "256 colours", "256 colours, dithered")
PROCESSED = {name: pixels for name, pixels in processed().items() if name not in SLOW}


@pytest.mark.parametrize("name", IMAGES)
def test_drawings_are_never_far_above_the_best(name):
    (row,) = graphics.compare(iter([(name, IMAGES[name])]))
    assert not graphics.is_over(row), row
    assert row["bbans"] < 0.6 * row["raw"]


@pytest.mark.parametrize("name", PROCESSED)
def test_images_of_tools_are_never_far_above_the_best(name):
    (row,) = graphics.compare(iter([(name, PROCESSED[name])]))
    assert not graphics.is_over(row), row
