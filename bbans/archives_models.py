"""The models of an archive: what it is made with, and what its groups and files need to be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from bbans import api, archive, images, tiles
from bbans import container as files
from bbans.archive import ChainModel
from bbans.container import archive_reader as reader
from bbans.errors import FormatError
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
