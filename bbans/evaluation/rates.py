"""Rates of a model on images: of each, of all, as a table for people.

`ideal` = `prior` + `likelihood` + `posterior`, bits per dimension: -ELBO, beside what a message
really grew by.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from bbans import tiles

PER_IMAGE = ("ideal", "importance_weighted", "bound", "net")  # what people are told in nats


@dataclass(frozen=True)
class ImageRate:
    """One image: its dimensions, and bits.

    `posterior` is negative; `importance_weighted` is -log2 of the mean of K weights, or None.

    `ideal` = `prior` + `likelihood` + `posterior`, the means over the draws. `net` is None where
    images are pushed together, since only their batch is measured, and `total` where they share a
    message. `bound` is the mean over the draws of -log2 of the mean of the scheme's weights, None
    where it has none: what net should be then, instead of ideal.
    """

    name: str
    dimensions: int
    ideal: float
    prior: float
    likelihood: float
    posterior: float
    net: float | None
    importance_weighted: float | None = None
    total: float | None = None
    bound: float | None = None

    @property
    def expected(self) -> float:
        """What net should be."""
        return self.ideal if self.bound is None else self.bound


@dataclass(frozen=True)
class Evaluation:
    """A model on a set of images.

    `total_bits` is what their files or the payload of their group take.

    `shares` are the bits of every level and term, summed over images, of a photograph model.
    `net_bits` is what each batch of `batch` images, the last of which may be smaller, made the
    message grow by, in their order.
    """

    model: str
    model_id: str
    family: str
    scheme: str
    draws: int
    importance_draws: int
    images: tuple[ImageRate, ...]
    total_bits: float
    batch: int
    net_bits: tuple[float, ...]
    particles: int = 1
    refinement: int = 0
    shares: tuple[tiles.Share, ...] = ()

    @property
    def dimensions(self) -> int:
        """Subpixels of all images."""
        return sum(image.dimensions for image in self.images)

    def rates(self) -> dict[str, float]:
        """Bits per dimension of every term, the relative difference of net and what it should be,
        its standard error over batches.

        What it should be is ideal, or the bound of a scheme with particles: `net_over_ideal` is
        over that.
        """
        n = self.dimensions
        wanted = [
            f.name
            for f in fields(ImageRate)
            if f.name not in ("name", "dimensions", "net", "total")
        ]
        columns = {name: [getattr(image, name) for image in self.images] for name in wanted}
        found = {name: sum(column) / n for name, column in columns.items() if None not in column}
        expected, net, error = (
            sum(image.expected for image in self.images),
            sum(self.net_bits),
            self._paired_error(),
        )
        return {
            **found,
            "net": net / n,
            "total": self.total_bits / n,
            "net_over_ideal": net / expected - 1,
            "net_over_ideal_error": error / expected,
        }

    def nats(self) -> dict[str, float]:
        """The rates in nats, a mean over images: minus an ELBO as papers print it."""
        share = self.dimensions / len(self.images) * math.log(2)
        return {
            name: rate * share
            for name, rate in self.rates().items()
            if not name.startswith("net_over_ideal")
        }

    def _paired_error(self) -> float:
        """Standard error of the sum of net - expected, in bits: B batches vary about what so many
        images differ by in the mean.
        """
        expected = np.add.reduceat(
            [image.expected for image in self.images], range(0, len(self.images), self.batch)
        )
        sizes = np.minimum(self.batch, len(self.images) - self.batch * np.arange(len(expected)))
        differences = np.array(self.net_bits) - expected
        residuals = differences - differences.sum() / len(self.images) * sizes
        B = len(residuals)
        return math.sqrt(float((residuals**2).sum()) * B / (B - 1)) if B > 1 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain values: rates in bits per dimension, images in bits."""
        head = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("images", "shares")
        }
        return {
            **head,
            "shares": [asdict(share) for share in self.shares],
            "bits_per_dimension": self.rates(),
            "nats_per_image": self.nats(),
            "images": [asdict(image) for image in self.images],
        }

    def to_csv(self) -> str:
        """A line for each image, in bits."""
        text = io.StringIO()
        table = csv.DictWriter(text, [f.name for f in fields(ImageRate)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(image) for image in self.images)
        return text.getvalue()

    def lines(self) -> list[str]:
        """The same for people."""
        rates = self.rates()
        said = {
            "ideal": f"-ELBO of the exact model, {self.draws} draws",
            "prior": "  latents pushed",
            "likelihood": "  samples pushed",
            "posterior": "  bits got back",
            "importance_weighted": f"-log2 p(x), at most: {self.importance_draws} weighted draws",
            "bound": f"the bound of {self.particles} particles, {self.draws} draws of them: what "
            "net should be",
            "net": "what the coder's message grew by "
            f"({self.scheme}{f', {self.batch} images at once' if self.batch > 1 else ''})",
        }
        if not math.isnan(self.total_bits):  # what is told with an image is in no file
            said["total"] = f"{math.ceil(self.total_bits / 8)} bytes"
        lines = [
            f"{len(self.images)} images, {self.dimensions} samples; model {self.model} "
            f"({self.model_id[:16]}), family {self.family}"
        ]
        lines += [
            f"{name.replace('_', ' '):20} {rates[name]:9.4f} bits per dimension   {words}"
            for name, words in said.items()
            if name in rates
        ]
        a_nat, nats = 1 / math.log(2), self.nats()
        each = ", ".join(
            f"{name.replace('_', ' ')} {nats[name] * a_nat:.2f} bits = {nats[name]:.2f} nats"
            for name in PER_IMAGE
            if name in nats
        )
        lines.append(f"an image             {each}")
        over = f"net over {'bound' if 'bound' in rates else 'ideal'}"
        lines.append(
            f"{over:20} {rates['net_over_ideal']:+.3%}, standard error "
            f"{rates['net_over_ideal_error']:.3%}"
        )
        return lines
