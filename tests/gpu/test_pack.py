"""What a pack holds: parts of the images it was made from, split as `bbans train` splits them,
within its limit, the same every time.
"""

import json

import numpy as np
import pytest
from PIL import Image

from bbans.images import content_hash, load_folder, split_holdout
from benchmarks.gpu import pack
from tests.tiny import smooth_image


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for seed in range(24):
        Image.fromarray(smooth_image(96, 100, seed)).save(folder / f"{seed:02}.png")
    Image.fromarray(smooth_image(520, 1100, 99)).save(folder / "wide.png")
    return folder


def test_a_pack_is_parts_of_its_images(source, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "SIDES", (512, 96))
    index = pack.pack(source, tmp_path / "p", 2**21, method=0)
    named = load_folder(source)
    whole, held_out = dict(named), {name for name, _ in split_holdout(named)[1]}
    assert json.loads((tmp_path / "p" / "index.json").read_text()) == json.loads(json.dumps(index))
    found = {
        path.relative_to(tmp_path / "p").as_posix(): path
        for path in (tmp_path / "p").glob("*/*.webp")
    }
    assert sorted(found) == sorted(index["crops"])
    for place, crop in index["crops"].items():
        with Image.open(found[place]) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        top, left, h, w = crop["rectangle"]
        assert np.array_equal(pixels, whole[crop["source"]][top : top + h, left : left + w])
        assert content_hash(pixels) == crop["sha256"] and place.startswith("holdout") == (
            crop["source"] in held_out
        )
    assert (
        held_out
        and {
            crop["source"] for place, crop in index["crops"].items() if place.startswith("holdout")
        }
        == held_out
    )


def test_a_pack_keeps_to_its_limit_and_is_the_same_again(source, tmp_path):
    first, second = (pack.pack(source, tmp_path / name, 60_000, method=0) for name in "ab")
    assert first == second and 0 < len(first["crops"]) < 25
    assert sum(path.stat().st_size for path in (tmp_path / "a").rglob("*.webp")) <= 60_000
    with pytest.raises(SystemExit, match="held-out images alone"):
        pack.pack(source, tmp_path / "c", 1000, method=0)


def test_crops_come_by_their_side_and_share_no_pixels():
    images = [
        ("large", np.zeros((1400, 2100, 3), np.uint8)),
        ("small", np.zeros((512, 512, 3), np.uint8)),
    ]
    crops = list(pack.chosen(images, (1024, 512, 256)))
    sides = [crop.rows.stop - crop.rows.start for crop in crops]
    assert sides == sorted(sides, reverse=True) and sides[0] == 1024
    assert [side for crop, side in zip(crops, sides, strict=True) if crop.name == "small"] == [512]
    covered = np.zeros((1400, 2100), int)
    for crop in crops:
        if crop.name == "large":
            covered[crop.rows, crop.columns] += 1
    assert covered.max() == 1 and covered.sum() == sum(
        s * s for c, s in zip(crops, sides, strict=True) if c.name == "large"
    )


def test_sets_are_carried_and_counted(source, tmp_path):
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / "a.gz").write_bytes(bytes(100_000))
    index = pack.pack(
        source, tmp_path / "p", 160_000, sets=tmp_path / "data", names=("mnist",), method=0
    )
    assert (tmp_path / "p" / "sets" / "mnist" / "a.gz").stat().st_size == 100_000
    assert index["crops"] == pack.pack(source, tmp_path / "q", 60_000, method=0)["crops"]
    with pytest.raises(SystemExit, match="no data set"):
        pack.pack(source, tmp_path / "p", 160_000, sets=tmp_path, names=("mnist",), method=0)


def test_another_folder_is_not_deleted(source, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr("sys.argv", ["pack", str(source), str(tmp_path / "mine")])
    with pytest.raises(SystemExit, match="no pack"):
        pack.main()
