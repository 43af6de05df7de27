"""Properties of a file, and the split of its length: ideal, net and total in bits per dimension,
and every term in bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from bbans import container
from bbans.errors import InputError
from bbans.files.metadata import kind_of_samples

if TYPE_CHECKING:
    from bbans.models.library import ModelLike
    from bbans.schemes.metering import Account
    from bbans.tiles import Costs

IDEAL_DRAWS = 16
"""Draws of the latents for the ideal code length."""


@dataclass(frozen=True)
class PartInfo:
    """A part of a tile: some of its channels, coded by one codec.

    tile: the tile's number; x, y, width, height: its rectangle in pixels. channels: how many the
    part has. latent_precision: in bits, 0 if the codec has no latents. bytes: size of the payload.
    """

    tile: int
    x: int
    y: int
    width: int
    height: int
    channels: int
    codec: str
    latent_precision: int
    bytes: int

    def line(self) -> str:
        """Return the part as a line of text.

        Examples:
            >>> PartInfo(0, 0, 0, 64, 48, 1, "constant", 0, 1).line()
            '  tile 0: 64 x 48 at 0,0, 1 channels: constant, 1 bytes'
        """
        precision = f", latent precision {self.latent_precision}" if self.latent_precision else ""
        place = f"{self.width} x {self.height} at {self.x},{self.y}"
        return (
            f"  tile {self.tile}: {place}, {self.channels} channels: {self.codec}{precision}, "
            f"{self.bytes} bytes"
        )


@dataclass(frozen=True)
class JpegInfo:
    """The JPEG that a file holds: the method by which it is kept, and its size in bytes."""

    method: str
    bytes: int


@dataclass(frozen=True)
class FileInfo:
    """Properties of a file.

    codecs: number of parts by the codec's name. framing_bits: bits of header, table of contents and
    metadata. ideal_bits: the expected code length under the exact model; net_bits: the growth of
    the message; account: its terms; all in bits, and None unless an account was requested. costs:
    bits of every pixel and of every level, None unless requested. jpeg: of a file that holds a
    JPEG, which has no tiles; width, height and pixel format are those of its decoded pixels.
    samples: what the samples mean, empty for unsigned numbers of all their bits.
    """

    width: int
    height: int
    channels: int
    bit_depth: int
    pixel_format: str
    version: int
    model_id: str | None
    model_name: str | None
    tiles: int
    codecs: dict[str, int]
    latent_precisions: tuple[int, ...]
    metadata_chunks: int
    file_bytes: int
    raw_bytes: int
    framing_bits: float
    parts: tuple[PartInfo, ...]
    ideal_bits: float | None
    net_bits: float | None
    account: Account | None
    costs: Costs | None = None
    jpeg: JpegInfo | None = None
    samples: str = ""

    @property
    def dimensions(self) -> int:
        """Return the number of subpixels, width x height x channels: the divisor of rates."""
        return self.width * self.height * self.channels

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with rates in bits per dimension."""
        n = self.dimensions
        excluded = ["account", "ideal_bits", "net_bits", "framing_bits", "costs"]
        excluded += [] if self.jpeg is not None else ["jpeg"]
        result = {k: v for k, v in asdict(replace(self, costs=None)).items() if k not in excluded}
        result["bits_per_dimension"] = {"total": 8 * self.file_bytes / n}
        result["framing_bits"] = self.framing_bits
        if self.account is not None and self.ideal_bits is not None and self.net_bits is not None:
            a = self.account
            result["bits_per_dimension"] |= {"ideal": self.ideal_bits / n, "net": self.net_bits / n}
            result["account_bits"] = {**asdict(a), "framing": self.framing_bits}
            result["latents"] = {
                "pushed_bits": a.prior,
                "got_back_bits": -a.posterior,
                "net_cost_bits": a.prior + a.posterior,
            }
        if self.costs is not None:
            result["shares"] = [asdict(share) for share in self.costs.shares]
        return result

    def lines(self, each_tile: bool = False) -> list[str]:
        """Return lines of text; with `each_tile` also one for every part of every tile."""
        return [*self._summary(), *(part.line() for part in self.parts if each_tile)]

    def _ideal_words(self) -> str:
        """Return the explanation of ideal."""
        if any(name.startswith(container.CODECS[container.CHAIN].name) for name in self.codecs):
            return (
                f"-ELBO of the exact model, or the bound of its particles, {IDEAL_DRAWS} "
                "draws; without latents all that it takes"
            )
        return f"-ELBO of the exact model, {IDEAL_DRAWS} draws"

    def _summary(self) -> list[str]:
        """Return the lines about the whole file."""
        n = self.dimensions
        model = self.model_id[:16] if self.model_id else "none needed"
        if self.model_name is not None:
            model = f"{self.model_name} ({model})"
        codecs = ", ".join(f"{count} {name}" for name, count in self.codecs.items())
        precisions = ", ".join(map(str, self.latent_precisions)) or "off"
        share = self.file_bytes / self.raw_bytes
        lines = [
            f"{self.width} x {self.height} {self.pixel_format}"
            f"{f' ({self.samples})' if self.samples else ''}; format version {self.version}; "
            f"model {model}",
            f"tiles: {codecs}; latent precision {precisions}; {self.metadata_chunks} metadata "
            "chunks",
            f"total {8 * self.file_bytes / n:9.4f} bits per dimension   {self.file_bytes} bytes, "
            f"{share:.1%} of the raw pixels",
        ]
        if self.jpeg is not None:
            lines[1] = f"a JPEG of {self.jpeg.bytes} bytes; method {self.jpeg.method}"
            lines[2] += f", {self.file_bytes / self.jpeg.bytes:.1%} of the JPEG"
        if self.account is None or self.ideal_bits is None or self.net_bits is None:
            return lines
        a = self.account
        lines[2:2] = [
            f"ideal {self.ideal_bits / n:9.4f} bits per dimension   {self._ideal_words()}",
            f"net   {self.net_bits / n:9.4f} bits per dimension   what the coder's message grew by",
        ]
        terms = [
            ("prior: latents pushed", a.prior),
            ("likelihood: pixels pushed", a.likelihood),
            ("posterior: bits recovered", a.posterior),
            ("initial bits: paid to begin with", a.initial),
            ("coder overhead", a.coder),
            ("flush: empty head and whole words", a.flush),
            ("framing: header, contents, metadata", self.framing_bits),
        ]
        lines += [
            f"  {name:36} {bits:14.1f} bits {bits / n:10.6f} per dimension" for name, bits in terms
        ]
        lines.append(f"  {'sum, equal to the file':36} {sum(bits for _, bits in terms):14.1f} bits")
        lines.append(
            f"latents: {a.prior:.0f} bits pushed, {-a.posterior:.0f} recovered, net cost "
            f"{a.prior + a.posterior:.0f} bits"
        )
        return lines


def info(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    account: bool = True,
    costs: bool = False,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
) -> FileInfo:
    """Return the properties of a file and, with `account`, how its bits are spent.

    account: decode the file and split its length in bits into ideal, net and total and their terms.
    costs: also measure the bits of every pixel and of every level of the pyramid; needs `account`.
    model: tried before those of the search path if its id is the one in the file. A file that holds
    a JPEG has no account, since its bits belong to no pixels; with `account` it is restored.

    Raises FormatError on damage, of which LimitError if the image has more than `max_pixels`
    pixels; with `account`, ModelNotFoundError; and with `costs`, InputError on a JPEG.

    Examples:
        >>> from bbans.files.encoder import compress
        >>> import numpy as np
        >>> facts = info(compress(np.zeros((64, 64), np.uint8), model="none"))
        >>> facts.width, facts.codecs, facts.account.net <= 8 * facts.file_bytes
        (64, {'constant': 1}, True)
    """
    index = container.read_index(data, max_pixels)
    if index.jpeg is not None and costs:
        raise InputError("a JPEG in a file has no bits of its pixels to show: compress --as-pixels")
    if not account:
        return _properties(data, index, Accounted())
    from bbans.files.account import accounted  # what decodes is imported where it is needed

    return _properties(data, index, accounted(data, index, model, costs))


@dataclass(frozen=True)
class Accounted:
    """Where the bits of a file went, as in `FileInfo`, and the name of its model."""

    account: Account | None = None
    ideal_bits: float | None = None
    costs: Costs | None = None
    model_name: str | None = None


def _properties(data: container.Buffer, index: container.Index, found: Accounted) -> FileInfo:
    """The properties of a file whose index was read from `data`."""
    header = index.header
    pixel_format = container.FORMATS[header.pixel_format]
    parts = [part for entry in index.entries for part in entry.tile.parts]
    names = [container.codec_name(part) for part in parts]
    modelless = header.model_id == container.NO_MODEL
    payload = sum(sum(entry.sizes) for entry in index.entries)
    jpeg = None
    if index.jpeg is not None:
        payload = index.jpeg.payload_size
        jpeg = JpegInfo(index.jpeg.name, index.jpeg.size)
    return FileInfo(
        width=header.width,
        height=header.height,
        channels=pixel_format.channels,
        bit_depth=pixel_format.bit_depth,
        pixel_format=pixel_format.name,
        version=container.VERSION,
        model_id=None if modelless else header.model_id.hex(),
        model_name=found.model_name,
        tiles=len(index.entries),
        codecs={name: names.count(name) for name in sorted(set(names))},
        latent_precisions=tuple(
            sorted({part.latent_precision for part in parts if part.latent_precision})
        ),
        metadata_chunks=len(index.metadata),
        file_bytes=len(data),
        raw_bytes=pixel_format.raw_bytes(header.height, header.width),
        framing_bits=8.0 * (len(data) - payload),
        parts=tuple(_parts(index)),
        ideal_bits=found.ideal_bits,
        net_bits=None if found.account is None else found.account.net,
        account=found.account,
        costs=found.costs,
        jpeg=jpeg,
        samples=kind_of_samples(index.metadata, pixel_format).words(),
    )


def _parts(index: container.Index) -> Iterator[PartInfo]:
    """Yield the properties of every part of every tile."""
    h = index.header
    rectangles = container.tile_rectangles(h.width, h.height, h.tile_width, h.tile_height)
    if index.jpeg is not None:
        return
    for number, (entry, (top, left, rows, columns)) in enumerate(
        zip(index.entries, rectangles, strict=True)
    ):
        for part, size in zip(entry.tile.parts, entry.sizes, strict=True):
            name = container.codec_name(part)
            yield PartInfo(
                number, left, top, columns, rows, part.channels, name, part.latent_precision, size
            )
