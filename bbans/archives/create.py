"""Writing of archives: many images in one file. Images that fit a latent model share messages, so
that only the first images of a group pay initial bits.

Images that do not fit the model (other sizes, photographs) become complete single-image files
inside the same archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bbans import images
from bbans.archives.members import Members, Named, Reading, Source, named_images
from bbans.archives.models import ArchiveModel
from bbans.archives.taking import check_all, check_kept, read_members
from bbans.archives.write import Writing, write_archive
from bbans.files import urls
from bbans.models.library import ModelLike
from bbans.options import Progress, SchemeOptions

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster


@dataclass(frozen=True)
class CreateResult:
    """Counts of images and groups, and sizes in bytes.

    items: all images; chained: those in chained groups. not_taken: files that are not in the
    archive, each with the reason. raw_bytes: size of all uncompressed samples. index_bytes,
    model_bytes: parts of file_bytes.
    restart_bytes: extra bytes of the groups' first images and of their ends; more with smaller
    groups. left_out: pairs of an image's name and, in words, what of its file the archive does not
    hold.
    """

    items: int
    chained: int
    groups: int
    not_taken: tuple[images.NotTaken, ...]
    raw_bytes: int
    file_bytes: int
    index_bytes: int
    model_bytes: int
    restart_bytes: float
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def skipped(self) -> tuple[str, ...]:
        """The names of the files that are left out.

        Examples:
            >>> others = (images.NotTaken("a", "in/a", "not an image", False),)
            >>> CreateResult(1, 0, 1, others, 6, 80, 40, 0, 0.0).skipped
            ('a',)
        """
        return tuple(other.name for other in self.not_taken)


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
    strict: bool = False,
    shape: tuple[int, int] | None = None,
    threads: int | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> CreateResult:
    """Write an archive of images and return counts and sizes.

    output: a path or URL. members: a folder, an image, `.npy`, `.npz` or idx file, or several of
    them, by paths or URLs; or pairs `(name, image)`, where image is an array, a Pillow image, an
    `images.Image` or an `images.JpegFile`. A JPEG is kept so that it comes back byte for byte.
    shape `(H, W)`: of images that arrays hold flat. as_pixels: code the decoded pixels of lossy
    files, JPEGs among them.

    Files that cannot be read, are no images or have a name that an archive cannot hold are left out
    and returned, each with its reason, unless none is left. strict: read all files before any work,
    and raise InputError on the first of these. Values in pairs are never left out.

    model: name, file or value. A latent model of whole images codes those of its shape in chained
    groups of up to `group` images, which are decoded together; other images are coded one by one
    with `file_model` (default: the photograph model). Any other model codes all images one by one.

    scheme (one of `schemes.registry.NAMES`), particles (of a scheme with importance weights) and
    refine (steps of posterior refinement) say how the latent model codes; the archive records them.
    unordered: give up the order within groups, which saves log2 n! bits for n images. embed_model:
    put the needed models into the archive. verify: decode every group and file on other arithmetic
    and compare. threads: how many groups and files are coded in parallel. cluster: workers that
    code them (`execution.dask.connected`), with twice as many in memory here as they have threads.
    The bytes do not depend on the last three. progress: called with "coded", the number of images
    done, and that of all, if members are files.

    Raises InputError on values, names and options that cannot be coded, ModelError,
    VerificationError, OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile, numpy as np
        >>> named_images = [("a", np.zeros((4, 4), np.uint8)), ("b", np.ones((2, 3), np.uint8))]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     create_archive(f"{folder}/two.bbar", named_images, model="none").items
        2
    """
    left_out: list[tuple[str, str]] = []
    not_taken: list[images.NotTaken] = []
    count: int | None = None
    unread = 0

    def read(folder: Path) -> Named:
        nonlocal count, unread
        found, others = named_images(members, Reading(shape, as_pixels, folder))
        check_kept(urls.located(output), found)
        if strict:
            check_all(found, others)
        not_taken.extend(others)
        count, unread = len(found) if isinstance(found, list) else None, len(others)
        return _noting(read_members(found, not_taken), left_out)

    def report(coded: int) -> None:
        if progress is not None and count is not None:
            progress("coded", coded + len(not_taken) - unread, count)

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
            progress=report,
        ),
    )
    built = written.built
    chained = sum(item.size == 0 for item in built.archive.items)
    return CreateResult(
        items=len(built.archive.items),
        chained=chained,
        groups=len(built.archive.groups),
        not_taken=tuple(not_taken),
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
        if isinstance(image, images.Image):
            left_out.extend((name, note) for note in image.left_out)
        yield name, image
