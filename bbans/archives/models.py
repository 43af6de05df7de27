"""The models of an archive: what it is made with, and what its groups and files need to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from bbans import container, images, tiles
from bbans.archives.build import Settings
from bbans.archives.groups import ChainModel, chain_model, load_embedded
from bbans.archives.restore import Sources
from bbans.container import archive_reader as reader
from bbans.container.schemes import Coding
from bbans.errors import FormatError, InputError
from bbans.files import codec
from bbans.models import model_file

ArchiveModel: TypeAlias = str | Path | model_file.Model | ChainModel | None


def to_write(
    model: ArchiveModel, file_model: codec.ModelLike
) -> tuple[ChainModel | None, Callable[[], codec.ModelLike]]:
    """The chain that a model is, if it is one, and the model for single images, loaded when it is
    first asked for.
    """
    kept: list[codec.ModelLike] = [file_model] if file_model == model_file.NO_MODEL else []

    def single() -> codec.ModelLike:
        if not kept:
            kept.append(codec.load_model(file_model))
        return kept[0]

    if model is None or isinstance(model, ChainModel):
        return model, single
    if model == model_file.NO_MODEL:
        return None, lambda: model_file.NO_MODEL
    loaded = codec.load_model(model)
    chain = chain_model(loaded, tiles.fastest_ops())
    return chain, single if chain is not None else lambda: loaded


@dataclass(frozen=True)
class Recipe:
    """How the workers of a cluster make an archive's parts: the files of its models, and the
    options of `archives.create_archive`.

    model: of a latent chain, None: no image is chained; coding: how it codes; single: for single
    images, None: the fixed predictor.
    """

    model: bytes | None
    coding: Coding | None
    single: bytes | None
    unordered: bool
    verify: bool


def recipe(
    chain: ChainModel | None, single: codec.ModelLike, unordered: bool, verify: bool
) -> Recipe:
    """The recipe of these models. Raises InputError on a chain that was given without its file."""
    file = None
    if chain is not None:
        if chain.file is None:
            raise InputError(
                "the model was given without its file, so it cannot be sent to a cluster; give "
                "its name or file"
            )
        file = chain.file()
    coding = None if chain is None else chain.coding
    return Recipe(
        file,
        coding,
        None if single == model_file.NO_MODEL else codec.load_model(single).to_bytes(),
        unordered,
        verify,
    )


def settings_of(recipe: Recipe) -> Settings:
    """What a worker codes with. The number of images in a group is none of its business."""
    chain = (
        None
        if recipe.model is None
        else chain_model(model_file.load_bytes(recipe.model, "sent"), tiles.fastest_ops())
    )
    if chain is not None and recipe.coding is not None:
        chain = replace(chain, coding=recipe.coding)
    single: codec.ModelLike = (
        model_file.NO_MODEL
        if recipe.single is None
        else model_file.load_bytes(recipe.single, "sent")
    )

    return Settings(
        codec.compressor(single, verify=recipe.verify, threads=1),
        chain,
        unordered=recipe.unordered,
        verify=recipe.verify,
    )


def to_read(
    data: container.Buffer,
    index: reader.ArchiveIndex,
    model: ArchiveModel,
    threads: int | None,
    max_pixels: int,
) -> Sources:
    """Models by id: the one given, those of the archive, then those of the search path; each is
    loaded once.
    """
    loaded: dict[bytes, model_file.Model] = {}
    chains: dict[bytes, ChainModel] = {model.id: model} if isinstance(model, ChainModel) else {}
    if not isinstance(model, ChainModel) and model not in (None, model_file.NO_MODEL):
        given = codec.load_model(model)
        loaded[given.id] = given

    def by_id(model_id: bytes) -> model_file.Model:
        if model_id not in loaded:
            carried = [
                n
                for n, entry in enumerate(index.archive.models)
                if entry.id == model_id and entry.size
            ]
            loaded[model_id] = (
                load_embedded(data, index, carried[0])
                if carried
                else model_file.find_by_id(model_id)
            )
        return loaded[model_id]

    def chain(number: int) -> ChainModel:
        model_id = index.archive.models[number].id
        if model_id not in chains:
            found = chain_model(by_id(model_id), tiles.fastest_ops())
            if found is None:
                raise FormatError(
                    f"a group needs model {model_id.hex()}, which is no chain over images; the "
                    "archive is malformed"
                )
            chains[model_id] = found
        return chains[model_id]

    def image(raw: bytes) -> images.Image:
        needed = container.read_header(raw).model_id
        return codec.decompress_image(
            raw,
            model=None if needed == container.NO_MODEL else by_id(needed),
            threads=threads,
            max_pixels=max_pixels,
        )

    return Sources(chain, image)
