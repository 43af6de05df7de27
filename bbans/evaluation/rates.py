"""Rates of a model on images: of each image and of all, as values, CSV and lines of text.

ideal = prior + likelihood + posterior = -ELBO, in bits per dimension, beside net, the measured
growth of the message, and total, the size of the files.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from bbans import tiles

PER_IMAGE = ("ideal", "importance_weighted", "bound", "net")
"""Rates that `lines` also prints per image, in bits and nats."""


@dataclass(frozen=True)
class ImageRate:
    """Code lengths of one image in bits; ideal = prior + likelihood + posterior.

    dimensions: number of subpixels. ideal, prior, likelihood, posterior: means over the draws;
    posterior is negative. net: growth of the message; None if images are pushed in batches, of
    which only the sum is measured. importance_weighted: -log2 of the mean of K importance weights,
    or None. total: size of the file; None if images share a message. bound: mean over the draws of
    -log2 of the mean weight of the scheme's particles, the expected net in place of ideal; None for
    schemes without particles.
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
        """Return the expectation of net in bits: the bound of the particles, or else ideal."""
        return self.ideal if self.bound is None else self.bound


@dataclass(frozen=True)
class Evaluation:
    """Rates of a model on a set of images.

    draws, importance_draws: draws of the latents for ideal and for importance_weighted. total_bits:
    size of the images' files, or of the payload of one chained group; NaN for a conditional model.
    batch: images that are pushed together; net_bits: growth of the message in bits for every batch,
    of which the last may be smaller. particles, refinement: of the scheme. shares: bits of every
    level and term of a photograph model, summed over images.
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
        """Return the number of subpixels of all images."""
        return sum(image.dimensions for image in self.images)

    def rates(self) -> dict[str, float]:
        """Return the bits per dimension of every term, and net_over_ideal with its standard error.

        net_over_ideal = net / expected - 1, where expected is ideal, or the bound of a scheme with
        particles. The standard error is over batches.

        Examples:
            >>> image = ImageRate("a", 10, ideal=20, prior=0, likelihood=20, posterior=0, net=21)
            >>> head = ("model", "00", "vae", "bits-back", 1, 0)
            >>> rates = Evaluation(*head, (image,), total_bits=32, batch=1, net_bits=(21,)).rates()
            >>> rates["ideal"], rates["net"], rates["total"], round(rates["net_over_ideal"], 6)
            (2.0, 2.1, 3.2, 0.05)
        """
        n = self.dimensions
        term_names = [
            f.name
            for f in fields(ImageRate)
            if f.name not in ("name", "dimensions", "net", "total")
        ]
        columns = {name: [getattr(image, name) for image in self.images] for name in term_names}
        terms = {name: sum(column) / n for name, column in columns.items() if None not in column}
        expected, net, error = (
            sum(image.expected for image in self.images),
            sum(self.net_bits),
            self._paired_error(),
        )
        return {
            **terms,
            "net": net / n,
            "total": self.total_bits / n,
            "net_over_ideal": net / expected - 1,
            "net_over_ideal_error": error / expected,
        }

    def nats(self) -> dict[str, float]:
        """Return the rates in nats per image, the mean over images: -ELBO as papers report it."""
        nats_per_rate = self.dimensions / len(self.images) * math.log(2)
        return {
            name: rate * nats_per_rate
            for name, rate in self.rates().items()
            if not name.startswith("net_over_ideal")
        }

    def _paired_error(self) -> float:
        """Return the standard error in bits of the sum of net - expected over all images.

        It is estimated from the residuals of the batches about the mean difference per image; NaN
        for a single batch.
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
        """Return plain values for JSON: rates in bits per dimension, images in bits."""
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
        """Return CSV with a row for each image, in bits."""
        text = io.StringIO()
        table = csv.DictWriter(text, [f.name for f in fields(ImageRate)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(image) for image in self.images)
        return text.getvalue()

    def lines(self) -> list[str]:
        """Return lines of text."""
        rates = self.rates()
        descriptions = {
            "ideal": f"-ELBO of the exact model, {self.draws} draws",
            "prior": "  latents pushed",
            "likelihood": "  samples pushed",
            "posterior": "  bits recovered",
            "importance_weighted": f"-log2 p(x), at most: {self.importance_draws} weighted draws",
            "bound": f"the bound of {self.particles} particles, {self.draws} draws of them: what "
            "net should be",
            "net": "what the coder's message grew by "
            f"({self.scheme}{f', {self.batch} images at once' if self.batch > 1 else ''})",
        }
        if not math.isnan(self.total_bits):  # conditional models have no files
            descriptions["total"] = f"{math.ceil(self.total_bits / 8)} bytes"
        lines = [
            f"{len(self.images)} images, {self.dimensions} samples; model {self.model} "
            f"({self.model_id[:16]}), family {self.family}"
        ]
        lines += [
            f"{name.replace('_', ' '):20} {rates[name]:9.4f} bits per dimension   {words}"
            for name, words in descriptions.items()
            if name in rates
        ]
        bits_per_nat, nats = 1 / math.log(2), self.nats()
        each = ", ".join(
            f"{name.replace('_', ' ')} {nats[name] * bits_per_nat:.2f} bits = {nats[name]:.2f} nats"
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
