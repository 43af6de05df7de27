"""16-bit grey images, made from photographs by downscaling in linear light: smaller than PNG and
JPEG 2000.
"""

import numpy as np
import pytest

import bbans
from bbans.images import load_folder

pytestmark = pytest.mark.shared
imagecodecs = pytest.importorskip("imagecodecs")


def downscaled(pixels, gamma):
    """By 4 in linear light; uint16, proportional to light or, with gamma, sRGB again."""
    h, w = (side // 4 * 4 for side in pixels.shape[:2])
    x = pixels[:h, :w] / 255
    light = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]
    small = light.reshape(h // 4, 4, w // 4, 4).mean((1, 3))
    if gamma:
        small = np.where(small <= 0.0031308, 12.92 * small, 1.055 * small ** (1 / 2.4) - 0.055)
    return np.round(65535 * small).astype(np.uint16)


@pytest.mark.parametrize("gamma", [False, True])
def test_deep_images_are_smaller_than_png_and_jpeg_2000(shared, gamma):
    ours = png = jpeg2000 = 0
    for _, pixels in load_folder(shared / "data" / "photos" / "kodak")[::3]:
        deep = downscaled(pixels, gamma)
        data = bbans.compress(deep, verify=False)
        assert np.array_equal(bbans.decompress(data), deep)
        ours += len(data)
        png += len(imagecodecs.png_encode(deep, level=9))
        jpeg2000 += len(
            imagecodecs.jpeg2k_encode(deep, level=0, reversible=True, codecformat="j2k")
        )
    assert ours < 0.98 * jpeg2000 and ours < 0.95 * png
