"""Batches of crops: every crop is part of an image under a symmetry of the square, and colours
change as often as they should.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bbans.training import crops
from bbans.training.crops import PHOTO_YCC, YCBCR, halve_chroma, subpixels, to_grey
from tests.tiny import smooth_image

CROP = 16
IMAGES = [smooth_image(24, 40, 0), smooth_image(33, 21, 1), smooth_image(16, 16, 2)]


def drawn(batch=64, seed=0, grey=0.0, chroma=0.0, images=IMAGES):
    return crops.draw(
        crops.store(images), batch, CROP, grey, chroma, torch.Generator().manual_seed(seed)
    )


def symmetries(square):
    return [
        np.ascontiguousarray(turned)
        for k in range(4)
        for turned in (np.rot90(square, k), np.rot90(square, k)[:, ::-1])
    ]


def place_of(crop):
    """Image, row, column and symmetry of a crop `(3, CROP, CROP)`, found by search."""
    wanted = crop.permute(1, 2, 0).numpy().astype(np.uint8)
    for which, image in enumerate(IMAGES):
        windows = np.lib.stride_tricks.sliding_window_view(
            image, (CROP, CROP), axis=(0, 1)
        ).transpose(0, 1, 3, 4, 2)
        for s, turned in enumerate(symmetries(wanted)):
            at = np.argwhere((windows == turned).all((2, 3, 4)))
            if len(at):
                return which, *at[0], s
    raise AssertionError("no part of any image")


def test_every_crop_is_part_of_an_image_under_a_symmetry():
    x, grey = drawn()
    assert (
        x.dtype == torch.float32
        and x.shape == (64, 3, CROP, CROP)
        and x.is_contiguous(memory_format=torch.channels_last)
    )
    places = [place_of(crop) for crop in x]
    assert (
        not grey.any()
        and {place[3] for place in places} == set(range(8))
        and {place[0] for place in places} == {0, 1, 2}
    )
    # corners are reached
    every = [
        place_of(crop) for seed in range(1, 5) for crop in drawn(seed=seed, images=IMAGES[1:2]).x
    ]
    assert {p[1] for p in every} == set(range(18)) and {p[2] for p in every} == set(range(6))


def test_batches_are_a_function_of_the_generator():
    assert torch.equal(drawn(seed=3).x, drawn(seed=3).x) and not torch.equal(
        drawn(seed=3).x, drawn(seed=4).x
    )


def within(share, found, of):
    """Whether a share is that of `found` in `of`: 5 standard deviations, one false alarm in 1.7
    million.
    """
    return abs(found / of - share) < 5 * math.sqrt(share * (1 - share) / of)


def test_images_are_drawn_by_the_root_of_their_area():
    """Plain images, so that a crop says whose it is."""
    plain = [
        np.full((*size, 3), value, np.uint8)
        for value, size in enumerate([(16, 16), (32, 32), (64, 16)])
    ]
    x, _ = drawn(4000, images=plain)
    of = torch.bincount(x[:, 0, 0, 0].long(), minlength=3)
    assert all(within(share, int(n), 4000) for share, n in zip((0.2, 0.4, 0.4), of, strict=True))


def test_colours_change_as_often_as_they_should():
    """One crop of noise: what became of it is what it is nearest to."""
    noise, n = np.random.default_rng(0).integers(60, 200, (CROP, CROP, 3), np.uint8), 4000
    x, grey = crops.draw(crops.store([noise]), n, CROP, 0.25, 0.4, torch.Generator().manual_seed(5))
    assert within(0.25, int(grey.sum()), n) and (x[grey].amax(1) - x[grey].amin(1)).max() <= 2
    plain = torch.stack([torch.from_numpy(s).permute(2, 0, 1).float() for s in symmetries(noise)])
    kinds = list(itertools.product((YCBCR, PHOTO_YCC), (True, False), (False, True)))
    seen = {
        "plain": plain,
        **{kind: halved_alone(plain, *kind) for kind in kinds if kind[1:] != (True, True)},
    }
    distance = torch.cdist(
        x[~grey].flatten(1),
        torch.cat(list(seen.values())).flatten(1),
        compute_mode="donot_use_mm_for_euclid_dist",
    )
    found = [list(seen)[int(i) // 8] for i in distance.argmin(1)]
    nearest, next_nearest = distance.topk(2, largest=False)[0].unbind(1)
    assert nearest.max() < 15 and next_nearest.min() > 25, (nearest.max(), next_nearest.min())
    changed = [kind for kind in found if kind != "plain"]
    at_means = [kind for kind in changed if not kind[1]]
    assert within(0.4, len(changed), len(found)) and within(
        0.5, len(changed) - len(at_means), len(changed)
    )
    assert within(0.6, sum(kind[0] is PHOTO_YCC for kind in changed), len(changed))
    assert within(0.2, sum(kind[2] for kind in at_means), len(at_means))


def halved_alone(x, space, cosited, nearest):
    """The same for a batch of one kind, by another way: convolution with the matrix, and its
    inverse.
    """
    matrix = torch.tensor(space)
    planes = torch.einsum("oc,nchw->nohw", matrix.double(), x.double()).float().round()
    y, chroma = planes[:, :1], planes[:, 1:]
    if cosited:
        small = chroma[..., ::2, ::2]
        size = (2 * small.shape[-2] - 1, 2 * small.shape[-1] - 1)
        chroma = F.pad(
            F.interpolate(small, size, mode="bilinear", align_corners=True),
            (0, 1, 0, 1),
            mode="replicate",
        )
    else:
        chroma = F.interpolate(
            F.avg_pool2d(chroma, 2).round(),
            scale_factor=2,
            mode="nearest" if nearest else "bilinear",
        )
    inverse = torch.linalg.inv(matrix.double())
    return (
        torch.einsum("oc,nchw->nohw", inverse, torch.cat([y, chroma.round()], 1).double())
        .float()
        .round()
        .clamp(0, 255)
    )


def halved(x, spaces, cosited, nearest):
    matrices = torch.tensor(spaces)
    return halve_chroma(
        x, matrices, torch.linalg.inv(matrices), torch.tensor(cosited), torch.tensor(nearest)
    )


def test_chroma_is_halved_image_by_image():
    x, _ = drawn(8)
    kinds = list(itertools.product((YCBCR, PHOTO_YCC), (True, False), (True, False)))
    together = halved(x, *zip(*kinds, strict=True))
    for i, kind in enumerate(kinds):
        alone, other = (
            halved_alone(x[i : i + 1], *k)[0] for k in (kind, (kind[0], not kind[1], kind[2]))
        )
        # ties may round otherwise
        assert (together[i] != alone).float().mean() < 0.02 and (
            together[i] - alone
        ).abs().max() <= 3
        assert (together[i] != other).float().mean() > 0.2


@pytest.mark.parametrize("cosited", [True, False])
@pytest.mark.parametrize("space", [YCBCR, PHOTO_YCC])
def test_halved_chroma_keeps_grey_and_luma(space, cosited):
    x, _ = drawn(4)
    y = halved(x, [space] * 4, [cosited] * 4, [False] * 4)
    assert y.shape == x.shape and torch.equal(y, y.round()) and y.min() >= 0 and y.max() <= 255
    luma, before = ((v * x.new_tensor(space[0])[:, None, None]).sum(1) for v in (y, x))
    assert (luma - before).abs()[
        (y > 0).all(1) & (y < 255).all(1)
    ].max() < 1.2  # the luma step and the rounding of RGB
    grey = to_grey(x)
    assert (halved(grey, [space] * 4, [cosited] * 4, [False] * 4) - grey).abs().max() <= 1


def test_grey_is_rounded_luma():
    x = torch.tensor([255.0, 0.0, 10.0])[:, None, None]
    assert (to_grey(x) == round(255 * 0.299 + 1.14)).all() and to_grey(x).shape == (3, 1, 1)
    assert (
        subpixels(torch.zeros(4, 3, 32, 32), torch.tensor([True, False, False, True]))
        == 32 * 32 * 8
    )
