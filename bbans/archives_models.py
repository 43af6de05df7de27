"""The models of an archive: what it is made with, and what its groups and files need to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from bbans import api, archive, images, tiles
from bbans import container as files
from bbans.archive import ChainModel
from bbans.container import archive_reader as reader
from bbans.container.codings import Coding
from bbans.errors import FormatError, InputError
from bbans.models import store

ArchiveModel: TypeAlias = str | Path | store.Model | ChainModel | None


def to_write(model: ArchiveModel, file_model: api.ModelLike) -> tuple[ChainModel | None, Callable[[], api.ModelLike]]:
    """The chain that a model is, if it is one, and the model for single images, loaded when it is first asked for."""
    kept: list[api.ModelLike] = [file_model] if file_model == store.NO_MODEL else []

    def single() -> api.ModelLike:
        if not kept:
            kept.append(api.load_model(file_model))
        return kept[0]

    if model is None or isinstance(model, ChainModel):
        return model, single
    if model == store.NO_MODEL:
        return None, lambda: store.NO_MODEL
    loaded = api.load_model(model)
    chain = archive.chain_model(loaded, tiles.fastest_ops())
    return chain, single if chain is not None else lambda: loaded


@dataclass(frozen=True)
class Recipe:
    """How the workers of a cluster make an archive's parts: the files of its models, and the options of `archives.create_archive`.

    model: of a latent chain, None: no image is chained; coding: how it codes; single: for single images, None:
    the fixed predictor.
    """

    model: bytes | None
    coding: Coding | None
    single: bytes | None
    unordered: bool
    verify: bool


def recipe(chain: ChainModel | None, single: api.ModelLike, unordered: bool, verify: bool) -> Recipe:
    """The recipe of these models. Raises InputError on a chain that was given without its file."""
    file = None
    if chain is not None:
        if chain.file is None:
            raise InputError("the model was given without its file, so it cannot be sent to a cluster; give its name or file")
        file = chain.file()
    coding = None if chain is None else chain.coding
    return Recipe(file, coding, None if single == store.NO_MODEL else archive.model_file(api.load_model(single)), unordered, verify)


def settings_of(recipe: Recipe) -> archive.Settings:
    """What a worker codes with. The number of images in a group is none of its business."""
    chain = None if recipe.model is None else archive.chain_model(store.load_bytes(recipe.model, "sent"), tiles.fastest_ops())
    if chain is not None and recipe.coding is not None:
        chain = replace(chain, coding=recipe.coding)
    single: api.ModelLike = store.NO_MODEL if recipe.single is None else store.load_bytes(recipe.single, "sent")

    return archive.Settings(
        api.compressor(single, verify=recipe.verify, threads=1), chain, unordered=recipe.unordered, verify=recipe.verify
    )


def to_read(data: files.Buffer, index: reader.ArchiveIndex, model: ArchiveModel, threads: int | None, max_pixels: int) -> archive.Sources:
    """Models by id: the one given, those of the archive, then those of the search path; each is loaded once."""
    loaded: dict[bytes, store.Model] = {}
    chains: dict[bytes, ChainModel] = {model.id: model} if isinstance(model, ChainModel) else {}
    if not isinstance(model, ChainModel) and model not in (None, store.NO_MODEL):
        given = api.load_model(model)
        loaded[given.id] = given

    def by_id(model_id: bytes) -> store.Model:
        if model_id not in loaded:
            carried = [n for n, entry in enumerate(index.archive.models) if entry.id == model_id and entry.size]
            loaded[model_id] = archive.load_embedded(data, index, carried[0]) if carried else store.find_by_id(model_id)
        return loaded[model_id]

    def chain(number: int) -> ChainModel:
        model_id = index.archive.models[number].id
        if model_id not in chains:
            found = archive.chain_model(by_id(model_id), tiles.fastest_ops())
            if found is None:
                raise FormatError(f"a group needs model {model_id.hex()}, which is no chain over images; the archive is malformed")
            chains[model_id] = found
        return chains[model_id]

    def image(raw: bytes) -> images.Image:
        needed = files.read_header(raw).model_id
        return api.decompress_image(raw, model=None if needed == files.NO_MODEL else by_id(needed), threads=threads, max_pixels=max_pixels)

    return archive.Sources(chain, image)
