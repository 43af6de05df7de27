"""Models of archives: those for writing, and those that groups and files need for reading."""

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
from bbans.files import decoder, encoder
from bbans.files.jpeg import with_jpegs
from bbans.models import library, model_file
from bbans.models.image_model import ImageModel, image_model
from bbans.models.library import ModelLike, load_model
from bbans.options import NO_MODEL

ArchiveModel: TypeAlias = str | Path | model_file.Model | ImageModel | None


def models_for_writing(
    model: ArchiveModel, file_model: ModelLike
) -> tuple[ImageModel | None, Callable[[], ModelLike]]:
    """Return the latent model of chained groups, if any, and a function that gives the model of
    single-image files.

    The function loads its model on the first call: `file_model`, or `model` itself if that is not a
    latent model of whole images. Raises ModelError, and InputError on a conditional model.

    Examples:
        >>> latent_model, file_model_of = models_for_writing("none", None)
        >>> latent_model, file_model_of()
        (None, 'none')
    """
    loaded_file_model: list[ModelLike] = [file_model] if file_model == NO_MODEL else []

    def file_model_of() -> ModelLike:
        if not loaded_file_model:
            loaded_file_model.append(load_model(file_model))
        return loaded_file_model[0]

    if model is None or isinstance(model, ImageModel):
        return model, file_model_of
    if model == NO_MODEL:
        return None, lambda: NO_MODEL
    loaded = load_model(model)
    if not loaded.capabilities.whole_images:
        return None, lambda: loaded
    return image_model(loaded, tiles.fastest_ops()), file_model_of


@dataclass(frozen=True)
class WorkerRequest:
    """A picklable description of the settings with which workers of a cluster code an archive.

    model: bytes of the file of the latent model; None: no image is chained. coding: its scheme.
    file_model: bytes of the file of the model for single-image files; None: the fixed predictor.
    unordered, verify: options of `archives.create_archive`. effort, model_only: of single-image
    files.
    """

    model: bytes | None
    coding: Coding
    file_model: bytes | None
    unordered: bool
    verify: bool
    effort: str = "default"
    model_only: bool = False


def worker_request(
    latent_model: ImageModel | None,
    coding: Coding,
    file_model: ModelLike,
    unordered: bool,
    verify: bool,
    effort: str = "default",
    model_only: bool = False,
) -> WorkerRequest:
    """Return the request for workers to code with the given models.

    Raises InputError if the latent model was given as a value without a file.

    Examples:
        >>> from bbans.container.schemes import PLAIN
        >>> worker_request(None, PLAIN, "none", unordered=False, verify=True).model is None
        True
    """
    latent_model_file = None
    if latent_model is not None:
        if latent_model.to_bytes is None:
            raise InputError(
                "the model was given without its file, so it cannot be sent to a cluster; give "
                "its name or file"
            )
        latent_model_file = latent_model.to_bytes()
    return WorkerRequest(
        latent_model_file,
        coding,
        None if file_model == NO_MODEL else load_model(file_model).to_bytes(),
        unordered,
        verify,
        effort,
        model_only,
    )


def settings_of(request: WorkerRequest) -> Settings:
    """Return the settings of a worker, which codes groups of any number of images.

    Raises ModelError.

    Examples:
        >>> from bbans.container.schemes import PLAIN
        >>> settings_of(worker_request(None, PLAIN, "none", False, verify=True)).model is None
        True
    """
    latent_model = (
        None
        if request.model is None
        else image_model(model_file.load_bytes(request.model, "sent"), tiles.fastest_ops())
    )
    file_model: ModelLike = (
        NO_MODEL
        if request.file_model is None
        else model_file.load_bytes(request.file_model, "sent")
    )
    options = encoder.CompressOptions(
        file_model,
        request.effort,
        verify=request.verify,
        execution=Execution(1),
        model_only=request.model_only,
    )
    return Settings(
        with_jpegs(encoder.encoder(options)),
        latent_model,
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
) -> Sources[images.Image]:
    """Return the functions that find models and decode files for reading an archive.

    A model is looked up by its id: first the given one, then those embedded in the archive, then
    those of the search path; each is loaded once. threads, max_pixels: limits of decoding a file.
    The functions raise FormatError and ModelNotFoundError.

    Examples:
        >>> import tempfile, numpy as np
        >>> from bbans.archives.create import create_archive
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     named_images = [("a", np.zeros((2, 3), np.uint8))]
        ...     _ = create_archive(f"{folder}/a.bbar", named_images, model="none")
        ...     data = Path(folder, "a.bbar").read_bytes()
        >>> index = reader.read_archive_index(data)
        >>> sources = models_for_reading(data, index, model=None, threads=1, max_pixels=100)
        >>> sources.image(reader.read_item_file(data, index, 0)).pixels.shape
        (2, 3)
    """
    loaded: dict[bytes, model_file.Model] = {}
    image_models: dict[bytes, ImageModel] = (
        {model.id: model} if isinstance(model, ImageModel) else {}
    )
    if not isinstance(model, ImageModel) and model not in (None, NO_MODEL):
        given = load_model(model)
        loaded[given.id] = given

    def by_id(model_id: bytes) -> model_file.Model:
        """Return the given, the embedded or the installed model with this id."""
        if model_id not in loaded:
            embedded = [
                n
                for n, entry in enumerate(index.archive.models)
                if entry.id == model_id and entry.size
            ]
            loaded[model_id] = (
                load_embedded(data, index, embedded[0])
                if embedded
                else library.find_by_id(model_id)
            )
        return loaded[model_id]

    def group_model(number: int) -> ImageModel:
        """Return the model with this number in the archive, for chained groups."""
        model_id = index.archive.models[number].id
        if model_id not in image_models:
            model_of_group = by_id(model_id)
            if not model_of_group.capabilities.whole_images:
                raise FormatError(
                    f"a group needs model {model_id.hex()}, which is no chain over images; the "
                    "archive is malformed"
                )
            image_models[model_id] = image_model(model_of_group, tiles.fastest_ops())
        return image_models[model_id]

    def image(raw: bytes) -> images.Image:
        """Decode a single-image file."""
        model_id = container.read_header(raw).model_id
        return decoder.decompress_image(
            raw,
            model=None if model_id == container.NO_MODEL else by_id(model_id),
            threads=threads,
            max_pixels=max_pixels,
        )

    return Sources(group_model, image)
