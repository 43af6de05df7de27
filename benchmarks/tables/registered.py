"""Tables of the documents that come from the tables of the package."""

from __future__ import annotations

from collections.abc import Iterable

from bbans.container import schemes, tile_codecs
from bbans.images.formats.registry import FORMATS
from bbans.models.registry import FAMILIES
from bbans.options import EFFORTS
from bbans.training.registry import OBJECTIVES


def _table(head: tuple[str, ...], lines: Iterable[tuple[object, ...]]) -> str:
    rows = ["| " + " | ".join(map(str, line)) + " |" for line in (head, *lines)]
    return "\n".join([rows[0], "|---" * len(head) + "|", *rows[1:]])


def families() -> str:
    """Each family with what a model of its default config can do."""
    lines = []
    for name, row in FAMILIES.items():
        declared = row.capabilities(row.config())
        given = declared.side_information or "nothing"
        lines.append((f"`{name}`", declared.media, declared.posterior, declared.depth, given))
    return _table(
        ("family, default config", "images", "posterior", "layers", "given with an image"), lines
    )


def schemes_table() -> str:
    """Each scheme with where it may stand and what is written of it."""
    lines = (
        (
            row.number,
            f"`{row.name}`",
            row.label,
            "yes" if row.in_files else "no",
            "yes" if row.in_archives else "no",
            row.particles,
            row.refinement,
            row.fineness,
        )
        for row in schemes.SCHEMES.values()
    )
    head = (
        "number",
        "name",
        "label",
        "files of one image",
        "archives",
        "most particles",
        "most refinement",
        "most fineness",
    )
    return _table(head, lines)


def codecs() -> str:
    """Each tile codec with the fields of its entry."""
    fields = ("latent_precision", "prepared", "predictive", "coded")
    names = ("latent precision", "orientation and lattice", "range and growth", "scheme")
    lines = []
    for row in tile_codecs.CODECS.values():
        written = [name for field, name in zip(fields, names, strict=True) if vars(row)[field]]
        needs = "yes" if row.modelled else "no"
        lines.append((row.number, row.name, ", ".join(written) or "none", needs))
    return _table(("number", "tile codec", "fields besides channels and size", "a model"), lines)


def formats() -> str:
    """Each image format with its suffixes."""
    lines = (
        (
            row.label,
            " ".join(f"`{suffix}`" for suffix in row.suffixes),
            "yes" if row.writer is not None else "no",
        )
        for row in FORMATS.values()
    )
    return _table(("image format", "suffixes", "written"), lines)


def efforts() -> str:
    """Each effort with its model."""
    lines = (
        (f"`{row.name}`", f"`{row.model}`", "all" if row.exhaustive else "the one that suits")
        for row in EFFORTS.values()
    )
    return _table(("effort", "model", "orientations tried"), lines)


def objectives() -> str:
    """Each training objective."""
    lines = (
        (
            f"`{row.name}`",
            "one" if row.own_terms else "several",
            "yes" if row.grouped else "no",
        )
        for row in OBJECTIVES.values()
    )
    return _table(("objective", "samples an image", "in groups"), lines)


TABLES = {
    "families": families,
    "schemes": schemes_table,
    "tile-codecs": codecs,
    "image-formats": formats,
    "efforts": efforts,
    "objectives": objectives,
}
"""The tables of `docs/architecture.md` by their names."""
