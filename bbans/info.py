"""What a file holds and where its bits went: ideal, net and total, in bits per dimension and term by term."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bbans import container as files
from bbans import tiles
from bbans.models.photo_exact import ExactPhoto
from bbans.models.store import Model
from bbans.schemes import funded
from bbans.schemes.account import Account

IDEAL_DRAWS = 16


@dataclass(frozen=True)
class FileInfo:
    """Facts of a file. The last three are None unless an account was asked for; all of them are in bits."""

    width: int
    height: int
    channels: int
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
    ideal_bits: float | None
    net_bits: float | None
    account: Account | None

    @property
    def dimensions(self) -> int:
        """Subpixels: what rates are divided by."""
        return self.width * self.height * self.channels

    def to_dict(self) -> dict[str, Any]:
        """Plain values; rates are in bits per dimension."""
        n = self.dimensions
        result = {k: v for k, v in asdict(self).items() if k not in ("account", "ideal_bits", "net_bits", "framing_bits")}
        result["bits_per_dimension"] = {"total": 8 * self.file_bytes / n}
        result["framing_bits"] = self.framing_bits
        if self.account is not None and self.ideal_bits is not None and self.net_bits is not None:
            a = self.account
            result["bits_per_dimension"] |= {"ideal": self.ideal_bits / n, "net": self.net_bits / n}
            result["account_bits"] = {**asdict(a), "framing": self.framing_bits}
            result["latents"] = {"pushed_bits": a.prior, "got_back_bits": -a.posterior, "net_cost_bits": a.prior + a.posterior}
        return result

    def lines(self) -> list[str]:
        """The same for people."""
        n = self.dimensions
        kind = "grey" if self.channels == 1 else "RGB"
        model = f"{self.model_name or '?'} ({self.model_id[:16]})" if self.model_id else "none needed"
        codecs = ", ".join(f"{count} {name}" for name, count in self.codecs.items())
        precisions = ", ".join(map(str, self.latent_precisions)) or "off"
        share = self.file_bytes / self.raw_bytes
        lines = [
            f"{self.width} x {self.height} {kind}, 8 bit; format version {self.version}; model {model}",
            f"tiles: {codecs}; latent precision {precisions}; {self.metadata_chunks} metadata chunks",
            f"total {8 * self.file_bytes / n:9.4f} bits per dimension   {self.file_bytes} bytes, {share:.1%} of the raw pixels",
        ]
        if self.account is None or self.ideal_bits is None or self.net_bits is None:
            return lines
        a = self.account
        lines[2:2] = [
            f"ideal {self.ideal_bits / n:9.4f} bits per dimension   -ELBO of the exact model, {IDEAL_DRAWS} draws",
            f"net   {self.net_bits / n:9.4f} bits per dimension   what the coder's message grew by",
        ]
        terms = [
            ("prior: latents pushed", a.prior),
            ("likelihood: pixels pushed", a.likelihood),
            ("posterior: bits got back", a.posterior),
            ("initial bits: paid to begin with", a.initial),
            ("coder overhead", a.coder),
            ("flush: empty head and whole words", a.flush),
            ("framing: header, contents, metadata", self.framing_bits),
        ]
        lines += [f"  {name:36} {bits:14.1f} bits {bits / n:10.6f} per dimension" for name, bits in terms]
        lines.append(f"  {'sum, equal to the file':36} {sum(bits for _, bits in terms):14.1f} bits")
        lines.append(f"latents: {a.prior:.0f} bits pushed, {-a.posterior:.0f} got back, net cost {a.prior + a.posterior:.0f} bits")
        return lines


def describe(data: bytes, content: files.Container, model: Model | None, net: ExactPhoto | None, with_account: bool = True) -> FileInfo:
    """Facts of a file; with its model also the account, for which every tile is decoded."""
    channels = 1 if content.pixel_format == files.GREY8 else 3
    names = [files.CODEC_NAMES[t.codec] for t in content.tiles]
    modelless = content.model_id == files.NO_MODEL
    account, ideal = None, None
    if with_account and (modelless or net is not None):
        account, ideal = Account(), 0.0
        rectangles = files.tile_rectangles(content.width, content.height, content.tile_width, content.tile_height)
        for record, (_, _, rows, columns) in zip(content.tiles, rectangles, strict=True):
            pixels, part = tiles.decode_tile(record, (rows, columns), channels, model, net)
            account += part
            predictor = tiles.predictor_of(record, net)
            ideal += part.likelihood if predictor is None else _ideal(predictor, pixels, record.latent_precision)
    return FileInfo(
        width=content.width,
        height=content.height,
        channels=channels,
        version=files.VERSION,
        model_id=None if modelless else content.model_id.hex(),
        model_name=None if model is None else model.name,
        tiles=len(names),
        codecs={name: names.count(name) for name in sorted(set(names))},
        latent_precisions=tuple(sorted({t.latent_precision for t in content.tiles if t.latent_precision})),
        metadata_chunks=len(content.metadata),
        file_bytes=len(data),
        raw_bytes=content.width * content.height * channels,
        framing_bits=float(files.framing_bits(content)),
        ideal_bits=ideal,
        net_bits=None if account is None else account.net,
        account=account,
    )


def _ideal(net: funded.PyramidNet, pixels: tiles.Pixels, latent_precision: int) -> float:
    levels, coarsest = funded.analyse(net, tiles.to_planes(pixels))
    return funded.ideal_bits(levels, coarsest, tiles.channels_of(pixels), latent_precision, IDEAL_DRAWS)
