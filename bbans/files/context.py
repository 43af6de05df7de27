"""What files are coded with: the model that was asked for, or the one that a file names."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bbans import container, tiles
from bbans.errors import FormatError, InputError
from bbans.models.library import ModelLike, find_by_id, load_model
from bbans.models.model_file import Model, load_bytes
from bbans.options import NO_MODEL, SchemeOptions


@dataclass(frozen=True)
class ContextRequest:
    """What a context is made of: a model, or its file where it goes to another machine, None: the
    fixed predictor; how it shall code; and whether by other arithmetic than is fastest, to check
    with.
    """

    model: Model | bytes | None
    scheme: SchemeOptions
    independent: bool = False

    def serialised(self) -> ContextRequest:
        """The request as it goes to the workers of a cluster."""
        if not isinstance(self.model, Model):
            return self
        return replace(self, model=self.model.to_bytes())


def build_context(request: ContextRequest) -> tiles.Context:
    """The model of a request with its network, to code as is asked.

    Raises InputError where it cannot.
    """
    model, scheme = request.model, request.scheme
    if isinstance(model, bytes):
        model = load_bytes(model, "sent")
    context = tiles.Context()
    if model is not None:
        ops = tiles.fastest_ops()
        context = tiles.context_of(model, ops.independently() if request.independent else ops)
    return tiles.resolve_scheme(context, scheme.scheme, scheme.particles, scheme.refine)


def context_of_file(index: container.Index, model: ModelLike) -> tiles.Context:
    """The model that a file needs, with its network; none when no tile needs one."""
    wanted = index.header.model_id
    if wanted == container.NO_MODEL:
        return tiles.Context()
    chosen = None if model in (None, NO_MODEL) else load_model(model)
    if chosen is None or chosen.id != wanted:
        chosen = find_by_id(wanted)
    try:
        return tiles.context_of(chosen, tiles.fastest_ops())
    except InputError as error:
        raise FormatError(f"the file is forged or damaged: {error}") from error
