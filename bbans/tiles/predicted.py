"""Parts that a model codes, or the fixed predictor: colour, and alpha by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container.part_records import PHASES, Axis, TilePart
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_codecs import BITS_BACK, FIXED, PREPARED
from bbans.errors import TooFlatError
from bbans.models.fixed_predictor import FixedPredictor
from bbans.models.photo import ExactPhoto
from bbans.tiles.codec import Samples
from bbans.tiles.codecs.constant import encode_constant, is_constant
from bbans.tiles.codecs.pyramid import axis_of, code_channels, ideal_bits
from bbans.tiles.libraries import by_libraries
from bbans.tiles.transforms.pipeline import Prepared, prepare
from bbans.tiles.transforms.views import View


@dataclass(frozen=True)
class Plane:
    """One or three channels `original` as a model would code them: `prepared`, on the range of
    samples `axis`; net: None for the fixed predictor.
    """

    original: Samples
    prepared: Prepared
    axis: Axis | None
    net: ExactPhoto | None

    def ideal_bytes(self, samples: Samples) -> float:
        """Estimate the bytes of other samples `(h, w, channels)`, prepared in the same way."""
        predictor = FixedPredictor() if self.net is None else self.net
        return ideal_bits(predictor, samples, self.axis, 0, draws=1) / 8


@dataclass(frozen=True)
class Predicted:
    """colour: the choices for the first 1 or 3 channels of a view. rest: for the last of 2 or 4."""

    view: View
    colour: tuple[Plane, ...]
    rest: Plane | None


def predicted(view: View, net: ExactPhoto | None, orientations: Sequence[int] = ()) -> Predicted:
    """Prepare the channels of a view for a model: colour in each of the orientations, or without
    any in the one that suits it; then alpha, or the last phase of a mosaic.

    Examples:
        >>> import numpy as np
        >>> from bbans.container import FORMATS
        >>> predicted(View(np.zeros((4, 6, 4), np.uint8), FORMATS[3]), None).rest.axis is None
        True
    """
    channels, depth = view.samples.shape[2], view.pixel_format.bit_depth
    colour = view.samples[:, :, : 1 if channels < 3 else 3]
    preparations = [Prepared(colour)] if net is None else prepare(colour, orientations)
    planes = tuple(Plane(colour, p, _axis(p.samples, depth), net) for p in preparations)
    if channels in (1, 3):
        return Predicted(view, planes, None)
    last = view.samples[:, :, -1:]
    # a model of photographs does not know alpha
    last_net = net if view.steps & PHASES else None
    return Predicted(view, planes, Plane(last, Prepared(last), _axis(last, depth), last_net))


def _axis(samples: Samples, bit_depth: int) -> Axis | None:
    return None if is_constant(samples) else axis_of(samples, bit_depth)


def predicted_parts(ready: Predicted, exhaustive: bool) -> tuple[TilePart, ...]:
    """Code a view; exhaustive: in every latent precision.

    Examples:
        >>> import numpy as np
        >>> from bbans.container import FORMATS
        >>> view = View(np.zeros((4, 6, 2), np.uint8), FORMATS[2])
        >>> [part.channels for part in predicted_parts(predicted(view, None), exhaustive=False)]
        [1, 1]
    """
    pixel_format = ready.view.pixel_format
    choices = [predicted_part(plane, pixel_format, exhaustive) for plane in ready.colour]
    parts = [min(choices, key=part_bytes)]
    if ready.rest is not None:
        last = [predicted_part(ready.rest, pixel_format, exhaustive=False)]
        if last[0].codec == FIXED:
            last.append(by_libraries(ready.rest.original, pixel_format, thorough=True))
        parts.append(min(last, key=part_bytes))
    return tuple(parts)


def part_bytes(part: TilePart) -> int:
    """Return the bytes of a part's payload and, approximately, of its entry in the table of
    contents.

    Examples:
        >>> part_bytes(TilePart(FIXED, 1, bytes(4)))
        6
    """
    nested = part.transform.parts if part.transform is not None else ()
    entry = 2 + 5 * len(part.growth) + (part.axis is not None) * 5
    entry += sum(map(part_bytes, nested)) + 2 * bool(nested)
    return len(part.payload) + entry


def predicted_part(plane: Plane, pixel_format: PixelFormat, exhaustive: bool) -> TilePart:
    """Code prepared samples with the model, or the original ones by a library where they are too
    flat for it.

    exhaustive: return the shortest of every latent precision.

    Examples:
        >>> import numpy as np
        >>> from bbans.container import FORMATS
        >>> samples = np.zeros((2, 3, 1), np.uint8)
        >>> plane = Plane(samples, Prepared(samples), None, None)
        >>> len(predicted_part(plane, FORMATS[0], exhaustive=False).payload)
        1
    """
    prepared, net = plane.prepared, plane.net
    samples = prepared.samples
    if is_constant(plane.original):
        return encode_constant(plane.original, pixel_format)
    codec, predictor, latents = (
        (FIXED, FixedPredictor(), False) if net is None else (BITS_BACK, net, net.config.latents)
    )
    codec = PREPARED if prepared.orientation or prepared.lattice else codec
    best: TilePart | None = None
    try:
        for coded in code_channels(predictor, samples, plane.axis, latents):
            part = TilePart(
                codec,
                samples.shape[2],
                prepared.before + coded.words.astype("<u4").tobytes(),
                latent_precision=coded.latent_precision,
                growth=coded.growth,
                axis=plane.axis,
                orientation=prepared.orientation,
                lattice=prepared.lattice,
            )
            best = part if best is None else min(best, part, key=part_bytes)
            if not exhaustive:
                break
    except TooFlatError:
        return by_libraries(plane.original, pixel_format, thorough=True)
    assert best is not None  # without latents there is no underflow
    return best
