"""Archives through the public functions: what comes back, names, groups, damage, models, and what
is refused.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans import images
from bbans.archives import create
from bbans.archives.groups import encode_group
from bbans.archives.write import Writing, write_archive
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records
from bbans.container import schemes
from bbans.container.binary import FileBuffer
from bbans.container.schemes import PLAIN
from bbans.errors import (
    FormatError,
    InputError,
    LimitError,
    ModelFormatError,
    ModelNotFoundError,
    OutputError,
    OutputExistsError,
    TruncatedError,
    UnsupportedImageError,
    VerificationError,
)
from bbans.models import model_file
from bbans.models.image_model import ImageModel
from tests.images.makers import samples
from tests.linear_chain import draws, linear
from tests.tiny import smooth_image, tiny_model

SHAPE = (6, 8)
CHAIN = ImageModel(linear(48, 6), (*SHAPE, 1), 256, bytes(range(7, 39)))
TINY = tiny_model()


def thumbnails(count: int, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    return [
        (f"thumbs/{i}.png", x.reshape(SHAPE))
        for i, x in enumerate(draws(CHAIN.latent, count, seed))
    ]


def restored(path: Path, **options: Any) -> dict[str, np.ndarray]:
    return {name: image.pixels for name, image in bbans.read_archive(path, model=CHAIN, **options)}


def same(one: dict[str, np.ndarray], two: list[tuple[str, Any]]) -> bool:
    return set(one) == {name for name, _ in two} and all(
        one[name].dtype == np.asarray(x).dtype and np.array_equal(one[name], x) for name, x in two
    )


def mixture() -> list[tuple[str, Any]]:
    """Thumbnails with other images between them."""
    found: list[tuple[str, Any]] = thumbnails(25)
    found.insert(3, ("photo.png", smooth_image(20, 24)))
    found.insert(9, ("deep/grey.png", samples(16, 1, 6, 8)))
    found.append(("last.png", smooth_image(6, 9, channels=1)))
    return found


def test_a_chain_and_files_in_one_archive(tmp_path: Path) -> None:
    path, given_images = tmp_path / "a.bbar", mixture()
    result = bbans.create_archive(path, given_images, model=CHAIN, file_model="none", group=10)
    assert (result.items, result.chained, result.file_bytes) == (28, 25, path.stat().st_size)
    assert same(restored(path), given_images)
    info = bbans.list_archive(path)
    assert [item.name for item in info.items] == [name for name, _ in given_images]
    kinds = [(group.kind, group.items) for group in info.groups]
    assert kinds == [("files", 2), ("chained", 10), ("chained", 10), ("files", 1), ("chained", 5)]
    assert sum(group.bytes for group in info.groups) + info.index_bytes == info.file_bytes
    assert [(item.group, item.position) for item in info.items][:5] == [
        (1, 0),
        (1, 1),
        (1, 2),
        (0, 0),
        (1, 3),
    ]
    assert info.models == ((CHAIN.id.hex(), 0),)
    assert info.to_dict()["groups"][1]["starters"] == 1 and len(info.lines(each_item=True)) == 36


@pytest.mark.parametrize(
    ("scheme", "particles"), [("bits-back", None), ("bit-swap", 1), ("bb-is", 5), ("bb-cis", None)]
)
@pytest.mark.parametrize("unordered", [False, True])
def test_schemes_are_read_from_the_archive(
    tmp_path: Path, scheme: str, particles: int | None, unordered: bool
) -> None:
    """Whoever extracts says neither scheme nor particles: groups do."""
    path, given_images = tmp_path / "a.bbar", thumbnails(40)
    bbans.create_archive(
        path, given_images, model=CHAIN, scheme=scheme, particles=particles, unordered=unordered
    )
    assert same(restored(path), given_images)
    (group,) = bbans.list_archive(path).groups
    assert group.scheme is not None and group.scheme.lower() == scheme
    assert (
        group.particles == (particles or (8 if scheme == "bb-cis" else 1))
        and group.unordered is unordered
    )


def test_groups_of_many_particles_keep_to_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are at most 2^12 / K, groups at most 2^30 / K samples: here smaller, so that they are
    met.
    """
    monkeypatch.setattr(records, "MAX_BATCH_PARTICLES", 16)
    monkeypatch.setattr(schemes, "MAX_WEIGHTED_SAMPLES", 48 * 5 * 30)
    path = tmp_path / "a.bbar"
    bbans.create_archive(path, thumbnails(50), model=CHAIN, scheme="bb-is", particles=5)
    assert same(restored(path), thumbnails(50))
    groups = reader.read_archive_index(path.read_bytes()).archive.groups
    stretches = [stretch for group in groups for stretch in group.schedule]  # type: ignore[union-attr]
    assert max(stretch.batch for stretch in stretches if stretch.kind) == 16 // 5
    assert [sum(s.batches * s.batch for s in group.schedule) for group in groups] == [30, 20]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scheme": "deterministic"}, "not coded with 'deterministic'; take one of bits-back"),
        ({"scheme": "bits-back", "particles": 2}, "take bb-is or bb-cis"),
        ({"particles": 2}, "bits-back has one particle"),
        ({"scheme": "bb-is", "particles": 257}, "up to 256 particles"),
        ({"scheme": "bb-is", "particles": 5000}, "1 to 1024 particles"),
        ({"scheme": "bb-is", "model": "none"}, "are for a latent chain"),
    ],
)
def test_schemes_that_do_not_fit(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        bbans.create_archive(tmp_path / "a.bbar", thumbnails(3), **{"model": CHAIN, **options})


def test_smaller_groups_cost_what_is_reported(tmp_path: Path) -> None:
    given_images = thumbnails(300)
    sizes, reported = [], []
    for group in (300, 30):
        result = bbans.create_archive(tmp_path / f"{group}", given_images, model=CHAIN, group=group)
        sizes.append(result.file_bytes - result.index_bytes)
        reported.append(result.restart_bytes)
    assert reported[1] > 5 * reported[0]
    assert sizes[1] - sizes[0] == pytest.approx(reported[1] - reported[0], rel=0.35)


def test_only_the_groups_asked_for_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, given_images = tmp_path / "a", mixture()
    bbans.create_archive(path, given_images, model=CHAIN, file_model="none", group=10)
    read = []
    monkeypatch.setattr(
        reader,
        "read_message",
        lambda data, index, n, real=reader.read_message: read.append(n) or real(data, index, n),
    )
    assert same(
        restored(path, names=["thumbs/12.png", "photo.png"]), [given_images[14], given_images[3]]
    )
    assert read == [2]
    with pytest.raises(InputError, match="no 'thumbs/99.png' and 1 others"):
        restored(path, names=["thumbs/1.png", "thumbs/99.png", "nothing"])


def test_an_unordered_archive_saves_the_order(tmp_path: Path) -> None:
    """With images from an array their names are positions, and go with the order."""
    stack = draws(CHAIN.latent, 400, 5).reshape(400, *SHAPE)
    np.save(tmp_path / "a.npy", stack)
    sizes = {}
    for unordered in (False, True):
        path = tmp_path / f"{unordered}"
        bbans.create_archive(path, tmp_path / "a.npy", model=CHAIN, unordered=unordered)
        sizes[unordered] = path.stat().st_size
        back = restored(path)
        assert list(back) == [f"{i:03d}" for i in range(400)]
        found = np.stack(list(back.values()))
        assert np.array_equal(found, stack) != unordered
        assert sorted(x.tobytes() for x in found) == sorted(x.tobytes() for x in stack)
    saved = math.lgamma(401) / math.log(2)
    # The draws of z differ, by 60 bits an archive and standard error: 5 of them.
    assert abs(8 * (sizes[False] - sizes[True]) - saved) < 9 + 5 * 60 * math.sqrt(2)


def test_names_travel_with_unordered_images(tmp_path: Path) -> None:
    metadata = [(images.PngChunk("tEXt", f"n\0{i}".encode()),) for i in range(60)]
    given_images = [
        (name, images.from_array(x, m))
        for (name, x), m in zip(thumbnails(60), metadata, strict=True)
    ]
    bbans.create_archive(tmp_path / "a", given_images, model=CHAIN, unordered=True, group=25)
    back = dict(bbans.read_archive(tmp_path / "a", model=CHAIN))
    assert list(back) != [name for name, _ in given_images]
    for name, image in given_images:
        assert (
            np.array_equal(back[name].pixels, image.pixels)
            and back[name].metadata == image.metadata
        )


def test_files_alone_with_the_shipped_model(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    text = images.PngChunk("tEXt", b"Comment\0kept")
    given_images = {
        "a.png": images.from_array(smooth_image(30, 40), (text,)),
        "sub/b.png": images.make_image(samples(1), (), 1),
    }
    for name, image in given_images.items():
        with (folder / name).open("wb") as file:
            images.write_image(image, file)
    (folder / "notes.txt").write_text("no image")
    result = bbans.create_archive(tmp_path / "a.bbar", folder)
    assert (result.items, result.chained, result.groups, result.skipped) == (
        2,
        0,
        1,
        ("notes.txt",),
    )
    done = bbans.extract_archive(tmp_path / "a.bbar", output=tmp_path / "out")
    assert done.lost == () and sorted(done.written) == [
        tmp_path / "out" / name for name in given_images
    ]
    for name in given_images:
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    bbans.extract_archive(tmp_path / "a.bbar", ["a.png"], output=tmp_path / "out", format="TIFF")
    assert np.array_equal(
        images.read_image(tmp_path / "out" / "a.png.tiff").pixels, given_images["a.png"].pixels
    )


def photograph(path: Path, embed_model: bool) -> np.ndarray:
    """Write an archive of a photograph that the tiny model codes, although JPEG XL is shorter."""
    photo = smooth_image(20, 24)
    write_archive(
        path,
        lambda folder: iter([("p.png", images.from_array(photo))]),
        Writing(TINY, embed_model=embed_model, model_only=True),
    )
    return photo


def test_an_archive_that_carries_its_model(tmp_path: Path) -> None:
    for embed in (False, True):
        photo = photograph(tmp_path / f"{embed}", embed)
    with pytest.raises(ModelNotFoundError):
        list(bbans.read_archive(tmp_path / "False"))
    ((name, image),) = bbans.read_archive(tmp_path / "True")
    assert name == "p.png" and np.array_equal(image.pixels, photo)
    info = bbans.list_archive(tmp_path / "True")
    assert info.models[0][0] == TINY.id.hex() and info.models[0][1] > 1000
    raw = bytearray((tmp_path / "True").read_bytes())
    raw[info.index_bytes + 100] ^= 1
    (tmp_path / "damaged").write_bytes(raw)
    with pytest.raises(FormatError, match="embedded model 0"):
        list(bbans.read_archive(tmp_path / "damaged"))
    with pytest.raises(InputError, match="without its file"):
        bbans.create_archive(tmp_path / "c", thumbnails(12), model=CHAIN, embed_model=True)


def test_the_wrong_embedded_model_is_refused(tmp_path: Path) -> None:
    photograph(tmp_path / "a", embed_model=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_file, "model_id", lambda config, tensors: bytes(range(32)))
        with pytest.raises(ModelFormatError, match="another model"):
            list(bbans.read_archive(tmp_path / "a"))


def test_damage_in_a_group_loses_that_group_only(tmp_path: Path) -> None:
    path, given_images = tmp_path / "a", mixture()
    bbans.create_archive(path, given_images, model=CHAIN, file_model="none", group=10)
    raw = path.read_bytes()
    buffer = FileBuffer(path)
    index = reader.read_archive_index(buffer)
    buffer.close()
    members = index.members()
    ends = [*index.groups[1:], index.end]
    for number, (start, end) in enumerate(zip(index.groups, ends, strict=True)):
        at = start + (end - start) // 2
        (tmp_path / "b").write_bytes(raw[:at] + bytes([raw[at] ^ 16]) + raw[at + 1 :])
        with pytest.raises(FormatError):
            restored(tmp_path / "b")
        lost: list[Any] = []
        back = restored(tmp_path / "b", lost=lost)
        missing = {image.name for image in lost}
        inside = {given_images[i][0] for i in members[number]}
        assert missing and missing <= inside and (missing == inside or number in (0, 3))
        assert same(back, [(name, x) for name, x in given_images if name not in missing])
    (tmp_path / "b").write_bytes(raw[: index.groups[3] - 1])
    with pytest.raises(TruncatedError):
        restored(tmp_path / "b")
    lost = []
    assert same(
        restored(tmp_path / "b", lost=lost),
        [given_images[i] for group in members[:2] for i in group],
    )
    done = bbans.extract_archive(
        tmp_path / "b", output=tmp_path / "out", model=CHAIN, keep_going=True
    )
    assert (
        len(done.written) == 12
        and len(done.lost) == 16
        and "ends in its payloads" in done.lost[0].reason
    )


def test_existing_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        bbans.create_archive(path, thumbnails(12), model=CHAIN)
    assert path.read_bytes() == b"precious"
    bbans.create_archive(path, thumbnails(12), model=CHAIN, overwrite=True)
    (tmp_path / "out" / "thumbs").mkdir(parents=True)
    (tmp_path / "out" / "thumbs" / "2.png").write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        bbans.extract_archive(path, output=tmp_path / "out", model=CHAIN)
    assert [file.name for file in (tmp_path / "out").rglob("*") if file.is_file()] == ["2.png"]
    assert (
        len(
            bbans.extract_archive(
                path, output=tmp_path / "out", model=CHAIN, overwrite=True
            ).written
        )
        == 12
    )


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    bbans.create_archive(tmp_path / "a", thumbnails(12), model=CHAIN)
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "thumbs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="leads out"):
        bbans.extract_archive(tmp_path / "a", output=tmp_path / "out", model=CHAIN)
    assert not list((tmp_path / "elsewhere").iterdir())


PIXEL = np.zeros(SHAPE, np.uint8)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["../a.png"], "relative path"),
        (["/a.png"], "relative path"),
        (["a//b"], "relative path"),
        (["a/./b"], "relative path"),
        ([""], "1 to 4096 bytes"),
        (["a\\b"], "backslash"),
        (["a\nb"], "control character"),
        (["a" * 256], "long parts"),
        (["\udcff"], "no text in Unicode"),
        (["a", "b", "a"], "names differ"),
        (["a/b", "a"], "names differ"),
    ],
)
def test_names_that_are_refused(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        bbans.create_archive(tmp_path / "a", [(name, PIXEL) for name in names], model=CHAIN)
    assert not (tmp_path / "a").exists()


def test_two_names_for_one_file(tmp_path: Path) -> None:
    bbans.create_archive(tmp_path / "a", [("x", PIXEL), ("x.png", PIXEL)], model=CHAIN)
    with pytest.raises(OutputError, match="two images"):
        bbans.extract_archive(tmp_path / "a", output=tmp_path / "out", model=CHAIN)


def test_inputs_that_are_refused(tmp_path: Path) -> None:
    for members, error in (
        ([], InputError),
        ([("a", np.zeros((2, 2)))], UnsupportedImageError),
        (tmp_path / "none", InputError),
    ):
        with pytest.raises(error):
            bbans.create_archive(tmp_path / "a", members, model=CHAIN)
    with pytest.raises(InputError, match="1 to 65536 images"):
        bbans.create_archive(tmp_path / "a", thumbnails(2), model=CHAIN, group=0)
    assert not (tmp_path / "a").exists()
    (tmp_path / "a").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="not a bbans archive"):
        bbans.list_archive(tmp_path / "a")


def test_a_group_that_does_not_verify_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bbans.archives.build.decode_group", lambda model, group, payload, items: [PIXEL] * items
    )
    with pytest.raises(VerificationError):
        bbans.create_archive(tmp_path / "a", thumbnails(12), model=CHAIN)
    assert not list(tmp_path.iterdir())


def test_images_that_the_chain_makes_larger_become_files(tmp_path: Path) -> None:
    noise = [
        (f"{i}x", np.random.default_rng(i).integers(0, 256, SHAPE, dtype=np.uint8))
        for i in range(4)
    ]
    result = bbans.create_archive(tmp_path / "a", noise, model=CHAIN, file_model="none")
    assert result.chained == 0 and same(restored(tmp_path / "a"), noise)


def test_several_sources(tmp_path: Path) -> None:
    stack = draws(CHAIN.latent, 3).reshape(3, *SHAPE)
    np.save(tmp_path / "stack.npy", stack)
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "one.png", tmp_path / "folder" / "two.png"):
        with path.open("wb") as file:
            images.write_image(images.from_array(stack[0]), file)
    bbans.create_archive(
        tmp_path / "a",
        [tmp_path / "one.png", tmp_path / "folder", tmp_path / "stack.npy"],
        model=CHAIN,
    )
    assert list(restored(tmp_path / "a")) == [
        "one.png",
        "folder/two.png",
        "stack/0",
        "stack/1",
        "stack/2",
    ]


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(["chained", "copy", "grey", "rgb"]), min_size=1, max_size=14),
    st.integers(1, 8),
    st.booleans(),
)
def test_every_mixture_comes_back(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], group: int, unordered: bool
) -> None:
    xs = draws(CHAIN.latent, len(kinds), 2).reshape(-1, *SHAPE)
    make = {
        "chained": lambda i: xs[i],
        "copy": lambda i: xs[0],
        "grey": lambda i: xs[i, :5],
        "rgb": lambda i: np.stack([xs[i]] * 3, -1),
    }
    given_images = [(f"{kind}/{i}", make[kind](i)) for i, kind in enumerate(kinds)]
    path = tmp_path_factory.mktemp("archive") / "a"
    create.create_archive(
        path, given_images, model=CHAIN, file_model="none", group=group, unordered=unordered
    )
    assert same(restored(path), given_images)
    if not unordered:
        assert [item.name for item in bbans.list_archive(path).items] == [
            name for name, _ in given_images
        ]


def test_a_group_of_another_model_is_refused(tmp_path: Path) -> None:
    bbans.create_archive(tmp_path / "a", thumbnails(8), model=CHAIN)
    other = ImageModel(linear(48, 6, seed=1), (*SHAPE, 1), 256, CHAIN.id)
    with pytest.raises(FormatError):
        list(bbans.read_archive(tmp_path / "a", model=other))
    tall = ImageModel(CHAIN.latent, (8, 6, 1), 256, CHAIN.id)
    with pytest.raises(FormatError, match="its group holds others"):
        list(bbans.read_archive(tmp_path / "a", model=tall))


def test_the_record_of_a_group_is_valid() -> None:
    group, payload, encoded = encode_group(CHAIN, PLAIN, [x for _, x in thumbnails(50)], 8, True)
    records.check_group("group", group, 1)
    records.check_schedule("group", group, 50)
    assert len(payload) == group.size == 4 * len(encoded.words)


def test_samples_of_other_depths(tmp_path: Path) -> None:
    """A model of few levels codes what holds no others, at the depth that it came with; what does
    not fit is a file.
    """
    few = ImageModel(CHAIN.latent, (*SHAPE, 1), 200, CHAIN.id)
    given_images = [(name, x.clip(0, 199)) for name, x in thumbnails(20)]
    given_images += [
        ("white", np.full(SHAPE, 255, np.uint8)),
        ("bits", images.make_image(samples(1, 1, *SHAPE), (), 1)),
    ]
    given_images += [
        (f"deep/{name}", x.clip(0, 199).astype(np.uint16)) for name, x in thumbnails(20, 1)
    ]
    result = bbans.create_archive(tmp_path / "a", given_images, model=few, file_model="none")
    assert result.chained == 40
    back = dict(bbans.read_archive(tmp_path / "a", model=few))
    for name, image in given_images:
        expected = image if isinstance(image, images.Image) else images.from_array(image)
        assert back[name].bit_depth == expected.bit_depth and np.array_equal(
            back[name].pixels, expected.pixels
        )
    kinds = [(group.kind, group.items) for group in bbans.list_archive(tmp_path / "a").groups]
    assert kinds == [("files", 2), ("chained", 20), ("chained", 20)]


def test_the_limit_of_images_in_an_archive(tmp_path: Path) -> None:
    path, given_images = tmp_path / "a.bbar", thumbnails(5)
    bbans.create_archive(path, given_images, model=CHAIN)
    for read in (
        bbans.list_archive,
        lambda path, **o: list(bbans.read_archive(path, **o)),
        bbans.extract_archive,
    ):
        with pytest.raises(LimitError, match="5 items, more than the limit of 4"):
            read(path, max_items=4)
    assert len(bbans.list_archive(path, max_items=5).items) == len(restored(path, max_items=5)) == 5
    done = bbans.extract_archive(path, output=tmp_path / "out", model=CHAIN, max_items=5)
    assert len(done.written) == 5
