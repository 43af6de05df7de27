"""Writing of archives: many images in one file. Images that fit a latent model share messages, so
that only the first images of a group pay initial bits.

Images that do not fit the model (other sizes, photographs) become complete single-image files
inside the same archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bbans.archives.members import Members, Named, Reading, Source, named_images
from bbans.archives.models import ArchiveModel
from bbans.archives.write import Writing, write_archive
from bbans.models.library import ModelLike
from bbans.options import SchemeOptions

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster


@dataclass(frozen=True)
class CreateResult:
    """Counts of images and groups, and sizes in bytes.

    items: all images; chained: those in chained groups. skipped: files that are not images.
    raw_bytes: size of all uncompressed samples. index_bytes, model_bytes: parts of file_bytes.
    restart_bytes: extra bytes of the groups' first images and of their ends; more with smaller
    groups. left_out: pairs of an image's name and, in words, what of its file the archive does not
    hold.
    """

    items: int
    chained: int
    groups: int
    skipped: tuple[str, ...]
    raw_bytes: int
    file_bytes: int
    index_bytes: int
    model_bytes: int
    restart_bytes: float
    left_out: tuple[tuple[str, str], ...] = ()


def create_archive(
    output: Source,
    members: Members,
    *,
    model: ArchiveModel = None,
    file_model: ModelLike = None,
    group: int = 1000,
    unordered: bool = False,
    embed_model: bool = False,
    scheme: str | None = None,
    particles: int | None = None,
    refine: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
    as_pixels: bool = False,
    shape: tuple[int, int] | None = None,
    threads: int | None = None,
    cluster: Cluster | None = None,
) -> CreateResult:
    """Write an archive of images and return counts and sizes.

    output: a path or URL. members: a folder, an image, `.npy`, `.npz` or idx file, or several of
    them, by paths or URLs; or pairs `(name, image)`, where image is an array, a Pillow image or an
    `images.Image`. shape `(H, W)`: of images that arrays hold flat. as_pixels: accept lossy
    files and code their decoded pixels.

    model: name, file or value. A latent model of whole images codes those of its shape in chained
    groups of up to `group` images, which are decoded together; other images are coded one by one
    with `file_model` (default: the photograph model). Any other model codes all images one by one.

    scheme (one of `schemes.registry.NAMES`), particles (of a scheme with importance weights) and
    refine (steps of posterior refinement) say how the latent model codes; the archive records them.
    unordered: give up the order within groups, which saves log2 n! bits for n images. embed_model:
    put the needed models into the archive. verify: decode every group and file on other arithmetic
    and compare. threads: how many groups and files are coded in parallel. cluster: workers that
    code them (`execution.dask.connected`), with twice as many in memory here as they have threads.
    The bytes do not depend on the last three.

    Raises InputError on images, names and options that cannot be coded, ModelError,
    VerificationError, OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile, numpy as np
        >>> named_images = [("a", np.zeros((4, 4), np.uint8)), ("b", np.ones((2, 3), np.uint8))]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     create_archive(f"{folder}/two.bbar", named_images, model="none").items
        2
    """
    left_out: list[tuple[str, str]] = []
    skipped: list[str] = []

    def read(folder: Path) -> Named:
        named, unread = named_images(members, Reading(shape, as_pixels, folder))
        skipped.extend(unread)
        return _noting(named, left_out)

    written = write_archive(
        output,
        read,
        Writing(
            model,
            file_model,
            group,
            unordered,
            embed_model,
            SchemeOptions(scheme, particles, refine),
            verify,
            overwrite,
            threads,
            cluster,
        ),
    )
    built = written.built
    chained = sum(item.size == 0 for item in built.archive.items)
    return CreateResult(
        items=len(built.archive.items),
        chained=chained,
        groups=len(built.archive.groups),
        skipped=tuple(skipped),
        raw_bytes=built.raw_bytes,
        file_bytes=written.file_bytes,
        index_bytes=written.index_bytes,
        model_bytes=sum(map(len, built.models)),
        restart_bytes=built.restart_bits / 8,
        left_out=tuple(left_out),
    )


def _noting(named: Named, left_out: list[tuple[str, str]]) -> Named:
    """Yield names and images, and append what was left out of each."""
    for name, image in named:
        left_out.extend((name, note) for note in image.left_out)
        yield name, image
