"""Coding contexts: the model, arithmetic and scheme with which files are coded and decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bbans import container, tiles
from bbans.errors import FormatError, InputError
from bbans.models.library import ModelLike, find_by_id, load_model
from bbans.models.model_file import Model, load_bytes
from bbans.options import NO_MODEL, SchemeOptions


@dataclass(frozen=True)
class ContextRequest:
    """A picklable description of a context, from which workers build it.

    model: a loaded model, the bytes of its file (for another process), or None for the fixed
    predictor. scheme: how a latent model codes. independent: use arithmetic with which the
    fastest can be verified. model_only: code no tile by a library where the model can code it.
    library_margin: as in `options.Effort`.
    """

    model: Model | bytes | None
    scheme: SchemeOptions
    independent: bool = False
    model_only: bool = False
    library_margin: float = 1.03

    def serialised(self) -> ContextRequest:
        """Return the request with its model as the bytes of a file, for the workers of a
        cluster.

        Examples:
            >>> ContextRequest(None, SchemeOptions()).serialised().model is None
            True
        """
        if not isinstance(self.model, Model):
            return self
        return replace(self, model=self.model.to_bytes())


def build_context(request: ContextRequest) -> tiles.Context:
    """Build the context of a request: the model's network on exact arithmetic, and the scheme.

    Raises InputError if the model cannot be coded with the scheme.

    Examples:
        >>> build_context(ContextRequest(None, SchemeOptions())).model is None
        True
    """
    model, scheme = request.model, request.scheme
    if isinstance(model, bytes):
        model = load_bytes(model, "sent")
    context = tiles.Context()
    if model is not None:
        ops = tiles.fastest_ops()
        context = tiles.context_of(model, ops.independently() if request.independent else ops)
    context = replace(context, model_only=request.model_only, library_margin=request.library_margin)
    return tiles.resolve_scheme(context, scheme.scheme, scheme.particles, scheme.refine)


def context_of_file(index: container.Index, model: ModelLike) -> tiles.Context:
    """Build the context that decodes a file; it has no model if no tile needs one.

    model: used if its id is the one in the file; otherwise the search path is looked through.
    Raises ModelNotFoundError, and FormatError if the file cannot have been coded with the model.

    Examples:
        >>> import numpy as np
        >>> from bbans.files.encoder import compress
        >>> data = compress(np.zeros((8, 8), np.uint8), model="none")
        >>> context_of_file(container.read_index(data), model=None).model is None
        True
    """
    model_id = index.header.model_id
    if model_id == container.NO_MODEL:
        return tiles.Context()
    loaded = None if model in (None, NO_MODEL) else load_model(model)
    if loaded is None or loaded.id != model_id:
        loaded = find_by_id(model_id)
    try:
        return tiles.context_of(loaded, tiles.fastest_ops())
    except InputError as error:
        raise FormatError(f"the file is forged or damaged: {error}") from error
