"""The models of an archive: what it is made with, and what its groups and files need to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bbans import container, images, tiles
from bbans.archives.build import Settings
from bbans.archives.groups import load_embedded
from bbans.archives.restore import Sources
from bbans.container import archive_reader as reader
from bbans.container.schemes import Coding
from bbans.errors import FormatError, InputError
from bbans.execution.executor import Execution
from bbans.files import codec
from bbans.models import library, model_file
from bbans.models.image_model import ImageModel, image_model
from bbans.models.library import ModelLike, load_model
from bbans.options import NO_MODEL

ArchiveModel: TypeAlias = str | Path | model_file.Model | ImageModel | None


def models_for_writing(
    model: ArchiveModel, file_model: ModelLike
) -> tuple[ImageModel | None, Callable[[], ModelLike]]:
    """The chain that a model is, if it is one, and the model for single images, loaded when it is
    first asked for.
    """
    kept: list[ModelLike] = [file_model] if file_model == NO_MODEL else []

    def single() -> ModelLike:
        if not kept:
            kept.append(load_model(file_model))
        return kept[0]

    if model is None or isinstance(model, ImageModel):
        return model, single
    if model == NO_MODEL:
        return None, lambda: NO_MODEL
    loaded = load_model(model)
    if not loaded.capabilities.whole_images:
        return None, lambda: loaded
    return image_model(loaded, tiles.fastest_ops()), single


@dataclass(frozen=True)
class WorkerRequest:
    """How the workers of a cluster make an archive's parts: the files of its models, and the
    options of `archives.create_archive`.

    model: of a latent chain, None: no image is chained; coding: how it codes; single: for single
    images, None: the fixed predictor.
    """

    model: bytes | None
    coding: Coding
    single: bytes | None
    unordered: bool
    verify: bool


def worker_request(
    chain: ImageModel | None,
    coding: Coding,
    single: ModelLike,
    unordered: bool,
    verify: bool,
) -> WorkerRequest:
    """The recipe of these models. Raises InputError on a chain that was given without its file."""
    file = None
    if chain is not None:
        if chain.to_bytes is None:
            raise InputError(
                "the model was given without its file, so it cannot be sent to a cluster; give "
                "its name or file"
            )
        file = chain.to_bytes()
    return WorkerRequest(
        file,
        coding,
        None if single == NO_MODEL else load_model(single).to_bytes(),
        unordered,
        verify,
    )


def settings_of(request: WorkerRequest) -> Settings:
    """What a worker codes with. The number of images in a group is none of its business."""
    chain = (
        None
        if request.model is None
        else image_model(model_file.load_bytes(request.model, "sent"), tiles.fastest_ops())
    )
    single: ModelLike = (
        NO_MODEL if request.single is None else model_file.load_bytes(request.single, "sent")
    )

    return Settings(
        codec.encoder(codec.CompressOptions(single, verify=request.verify, execution=Execution(1))),
        chain,
        request.coding,
        unordered=request.unordered,
        verify=request.verify,
    )


def models_for_reading(
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
    chains: dict[bytes, ImageModel] = {model.id: model} if isinstance(model, ImageModel) else {}
    if not isinstance(model, ImageModel) and model not in (None, NO_MODEL):
        given = load_model(model)
        loaded[given.id] = given

    def by_id(model_id: bytes) -> model_file.Model:
        if model_id not in loaded:
            carried = [
                n
                for n, entry in enumerate(index.archive.models)
                if entry.id == model_id and entry.size
            ]
            loaded[model_id] = (
                load_embedded(data, index, carried[0]) if carried else library.find_by_id(model_id)
            )
        return loaded[model_id]

    def chain(number: int) -> ImageModel:
        model_id = index.archive.models[number].id
        if model_id not in chains:
            found = by_id(model_id)
            if not found.capabilities.whole_images:
                raise FormatError(
                    f"a group needs model {model_id.hex()}, which is no chain over images; the "
                    "archive is malformed"
                )
            chains[model_id] = image_model(found, tiles.fastest_ops())
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
