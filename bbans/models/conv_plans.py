"""Plans of convolutional networks: lists of steps, and the encoder and decoder of small images.

A plan is a list of convolutions, re-arrangements of positions into channels and back, and reshapes;
`models.conv` executes it on integers, `training.networks.conv` on reals. Input fields have offset
0, so that padding with zeros is neutral: sides that a block does not divide are padded, and cropped
later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from bbans.models.mlp import ACT_TOP, ACT_UNIT, Field


class Layer(NamedTuple):
    """A convolution with a kernel of `side` x `side` (1 only on maps of one position); `residual`
    adds the input to its sums.

    The fields describe its channels. Every layer but the `last` one of a network ends in a clipped
    rectifier.
    """

    name: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    side: int = 3
    residual: bool = False
    last: bool = False


class ToDepth(NamedTuple):
    """Re-arrange blocks of `rows` x `columns` positions into channels (`Ops.to_depth`)."""

    rows: int
    columns: int


class ToSpace(NamedTuple):
    """Re-arrange channels into blocks of `rows` x `columns` positions, cropped to `height` x
    `width` (`Ops.to_space`).
    """

    rows: int
    columns: int
    height: int
    width: int


class Reshape(NamedTuple):
    """View each item's numbers as a map of another shape, channel by channel, row by row."""

    channels: int
    height: int
    width: int


class Join(NamedTuple):
    """Append the inputs besides the first as further channels of a map of one position."""


Step = Layer | ToDepth | ToSpace | Reshape | Join


@dataclass(frozen=True)
class Conv:
    """The plan of a network: steps from an input of `height` x `width` positions to the fields
    `outputs`, whose counts are per position.
    """

    height: int
    width: int
    steps: tuple[Step, ...]
    outputs: tuple[Field, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The convolutions, in order."""
        return tuple(step for step in self.steps if isinstance(step, Layer))

    @property
    def positions(self) -> int:
        """The number of positions of the largest map."""
        return max(
            [
                self.height * self.width,
                *(step.height * step.width for step in self.steps if isinstance(step, ToSpace)),
            ]
        )


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network for images of `height` x `width` positions, whose sides are halved
    `halvings` times, down to 1 position.

    At every size below the first the network has `maps` channels, one convolution that enters the
    size, and `blocks` residual convolutions.

    Examples:
        >>> Sizes(28, 28, maps=8, halvings=2, blocks=1).shapes
        [(28, 28), (14, 14), (7, 7)]
    """

    height: int
    width: int
    maps: int
    halvings: int
    blocks: int

    @property
    def factors(self) -> list[tuple[int, int]]:
        """Divisors of rows and columns at each halving: 2, or 1 where the side is 1 already."""
        return [(min(2, h), min(2, w)) for h, w in self.shapes[:-1]]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of the image, then after each halving."""
        shapes = [(self.height, self.width)]
        for _ in range(self.halvings):
            h, w = shapes[-1]
            shapes.append((-(-h // 2), -(-w // 2)))
        return shapes

    @property
    def flat(self) -> int:
        """The number of values in the smallest map."""
        h, w = self.shapes[-1]
        return self.maps * h * w


def encoder(image: Field, sides: tuple[Field, ...], sizes: Sizes, to: tuple[Field, ...]) -> Conv:
    """Return the plan of the network from an image (field `image`, all samples) and the fields
    `sides` to the fields `to`.

    Examples:
        >>> pixels, out = Field(784, 255, 0, 255), Field(8, 128, -512, 512)
        >>> encoder(pixels, (), Sizes(28, 28, 8, 2, 1), (out,)).outputs[0].count
        8
    """
    hidden, last = activations(sizes.maps), activations(sizes.flat)
    entering = _per_position(image, sizes)
    steps: list[Step] = []
    for level, (rows, columns) in enumerate(sizes.factors, 1):
        steps += [
            ToDepth(rows, columns),
            Layer(f"level{level}", (entering,) * (rows * columns), (hidden,)),
        ]
        steps += _residual(level, hidden, sizes.blocks)
        entering = hidden
    steps += [Reshape(sizes.flat, 1, 1), Join(), Layer("out", (last, *sides), to, 1, last=True)]
    return Conv(sizes.height, sizes.width, tuple(steps), to)


def decoder(source: tuple[Field, ...], sizes: Sizes, to: tuple[Field, ...]) -> Conv:
    """Return the plan of the mirrored network, from the fields `source` to fields of an image's
    samples, each field sample by sample.

    Examples:
        >>> latent, out = Field(8, 128, -512, 512), Field(784, 64, -1024, 1024)
        >>> decoder((latent,), Sizes(28, 28, 8, 2, 1), (out,)).positions
        784
    """
    hidden, outputs = activations(sizes.maps), tuple(_per_position(field, sizes) for field in to)
    steps: list[Step] = [
        Join(),
        Layer("in", source, (activations(sizes.flat),), 1),
        Reshape(sizes.maps, *sizes.shapes[-1]),
    ]
    for level, (rows, columns) in reversed(list(enumerate(sizes.factors, 1))):
        steps += _residual(level, hidden, sizes.blocks)
        emitted = outputs if level == 1 else (hidden,)
        steps += [Layer(f"level{level}", (hidden,), emitted * (rows * columns), last=level == 1)]
        steps += [ToSpace(rows, columns, *sizes.shapes[level - 1])]
    return Conv(1, 1, tuple(steps), outputs)


def _per_position(field: Field, sizes: Sizes) -> Field:
    return replace(field, count=field.count // (sizes.height * sizes.width))


def activations(count: int) -> Field:
    """Return the field of a hidden layer's outputs: integers 0..ACT_TOP in units of 1 / ACT_UNIT.

    Examples:
        >>> activations(8).high
        32767
    """
    return Field(count, ACT_UNIT, 0, ACT_TOP)


def _residual(level: int, hidden: Field, blocks: int) -> list[Step]:
    return [
        Layer(f"level{level}residual{block}", (hidden,), (hidden,), residual=True)
        for block in range(blocks)
    ]
