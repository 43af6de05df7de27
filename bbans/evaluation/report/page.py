"""A report as one self-contained HTML page: style and images are embedded, and there are no scripts
or requests.

A content security policy in the page enforces this. Light or dark follows the reader's system.
Numbers are text in tables; the bars beside them are hidden from screen readers. The same report
gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from bbans import images
from bbans.evaluation.rates import Evaluation, ImageRate
from bbans.evaluation.report import embedded
from bbans.evaluation.report.gather import Report, Shown, rate_of
from bbans.evaluation.visual import heatmaps

LISTED, OPEN = 1000, 20
"""Largest number of rows of the table of all images, and of rows with which it starts unfolded."""
LARGE = 10_000
"""Nats per image from which on they are printed without decimals."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
DESCRIPTIONS = {
    "ideal": "−ELBO of the exact model",
    "bound": "what net should be: the bound of the scheme's particles",
    "net": "what the coder's message grew by",
    "total": "the files, or the group's payload",
}


def page(report: Report) -> str:
    """Return the HTML of a report.

    Examples:
        >>> from bbans.evaluation.evaluate import evaluate
        >>> import numpy as np
        >>> named = [("a", np.zeros((16, 16), np.uint8))]
        >>> page(Report(evaluate(named, "photo-fast-1"), (), (), None))[:15]
        '<!DOCTYPE html>'
    """
    evaluation = report.evaluation
    head = (
        f"{escape(evaluation.model)} on {len(evaluation.images):,} "
        f"image{'s' if len(evaluation.images) != 1 else ''}"
    )
    style = (files("bbans.evaluation.report") / "style.css").read_text(encoding="utf-8")
    facts = (
        f"Model {escape(evaluation.model_id[:16])}, family {escape(evaluation.family)}; scheme "
        f"{escape(evaluation.scheme)}; {evaluation.dimensions:,} samples."
    )
    parts = [
        f'<header><h1>{head}</h1><p class="muted">{facts} Rates are in bits per dimension, that '
        "is per sample.</p></header>",
        _sums(evaluation),
        _split(evaluation),
        *_pictures(report),
        _listing(evaluation),
    ]
    body = "\n".join(part for part in parts if part)
    metas = (
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
    )
    top = "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>',
            *metas,
            f"<title>{head}</title>\n<style>\n{style}</style>\n</head>",
        )
    )
    return f"{top}\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"


def save(report: Report, target: Path, *, overwrite: bool = False) -> None:
    """Write the HTML page of a report.

    Raises OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile
        >>> from bbans.evaluation.evaluate import evaluate
        >>> import numpy as np
        >>> named = [("a", np.zeros((16, 16), np.uint8))]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(Report(evaluate(named, "photo-fast-1"), (), (), None), Path(folder, "a.html"))
    """
    images.atomic_write(target, page(report).encode(), overwrite=overwrite)


def _sums(evaluation: Evaluation) -> str:
    """Return the section with ideal, net and total."""
    rates, nats = evaluation.rates(), evaluation.nats()
    cards = []
    for name, words in DESCRIPTIONS.items():
        if name in rates and not math.isnan(rates[name]):
            digits = 1 if nats[name] < LARGE else 0
            beside = (
                f"{nats[name] / math.log(2):,.{digits}f} bits or {nats[name]:,.{digits}f} "
                "nats an image"
            )
            figure = f'<dd class="figure">{rates[name]:.4f} <span>bits per dimension</span></dd>'
            cards.append(
                f'<div><dt>{name}</dt>{figure}<dd class="muted">{words}; {beside}</dd></div>'
            )
    over = (
        f"Net is {rates['net_over_ideal']:+.3%} over {'the bound' if 'bound' in rates else 'ideal'}"
    )
    error = rates["net_over_ideal_error"]
    over += "." if math.isnan(error) else f", standard error {error:.3%}."
    over = over.replace("-", "−")
    return (
        f'<section aria-label="Rates"><dl class="sums">{"".join(cards)}</dl><p '
        f'class="muted">{over}</p></section>'
    )


def _split(evaluation: Evaluation) -> str:
    """Return the table of terms, for every level of a photograph model."""
    n = evaluation.dimensions
    rows = [(_part_of(share), share.term, share.bits / n) for share in evaluation.shares]
    if not rows:
        rates = evaluation.rates()
        rows = [
            ("latents", "prior", rates["prior"]),
            ("samples", "likelihood", rates["likelihood"]),
            ("latents", "posterior", rates["posterior"]),
        ]
    largest = max(abs(rate) for *_, rate in rows) or 1.0
    lines = []
    for part, term, rate in rows:
        bar = (
            f"<span{' class=back' if rate < 0 else ''} "
            f'style="width:{100 * abs(rate) / largest:.2f}%"></span>'
        )
        cells = (
            f'<td class="words">{term}</td><td>{_signed(rate)}</td><td class="meter" '
            f'aria-hidden="true">{bar}</td>'
        )
        lines.append(f'<tr><th scope="row">{escape(part)}</th>{cells}</tr>')
    words = (
        "What the model's terms cost, in bits per dimension. The posterior's bits are recovered."
    )
    if evaluation.shares:
        words += (
            " Level 0 is the image itself, each further level has half its resolution, and "
            "the last is coded plainly."
        )
    head = (
        '<th scope="col">part</th><th scope="col" class="words">term</th><th scope="col">rate</th>'
    )
    head += '<th class="meter" aria-hidden="true"></th>'
    return _section("Where the bits are", _table("Split of the rate", words, head, lines))


def _part_of(share: Any) -> str:
    """Return the codec and level that a share of the bits belongs to."""
    return f"{share.codec}, level {share.level}" if share.level is not None else str(share.codec)


def _pictures(report: Report) -> list[str]:
    """Return the sections with the best images, the worst images, and samples."""
    every = [*report.best, *report.worst]
    maps = [shown.bits for shown in every if shown.bits is not None]
    top = max((heatmaps.limit(bits) for bits in maps), default=1.0)
    parts = []
    kinds = " Beside each image are its bits per pixel" if maps else ""
    kinds += (
        ", and what its latents alone give back."
        if any(shown.reconstruction is not None for shown in every)
        else "."
        if maps
        else ""
    )
    for heading, group, words in (
        ("Best images", report.best, "Lowest rate first."),
        ("Worst images", report.worst, "Highest rate first."),
    ):
        if group:
            scale = _scale(top) if maps else ""
            cards = "".join(_card(shown, top) for shown in group)
            large = (
                " large"
                if max(max(shown.original.shape[:2]) for shown in group) >= embedded.SMALL
                else ""
            )
            parts.append(
                _section(
                    heading,
                    f'<p class="muted">{words}{kinds}</p>{scale}<div '
                    f'class="cards{large}">{cards}</div>',
                )
            )
    if report.samples:
        large = " large" if max(report.samples[0].shape[:2]) >= embedded.SMALL // 2 else ""
        drawn = "".join(
            embedded.image(pixels, f"Sample {i}") for i, pixels in enumerate(report.samples, 1)
        )
        words = '<p class="muted">Drawn from the model: what random bits decode to.</p>'
        parts.append(_section("Samples", f'{words}<div class="grid{large}">{drawn}</div>'))
    return parts


def _card(shown: Shown, top: float) -> str:
    """Return an image with its heat map, whose scale ends at `top` bits, and its reconstruction."""
    name = shown.rate.name
    drawn = [embedded.image(embedded.reduced(shown.original), name)]
    if shown.bits is not None:
        per_pixel = f"mean {shown.bits.mean():.2f}, at most {shown.bits.max():.2f}"
        drawn.append(
            embedded.image(
                heatmaps.coloured(embedded.reduced_bits(shown.bits), top),
                f"Bits per pixel of {name}: {per_pixel}",
            )
        )
    if shown.reconstruction is not None:
        drawn.append(
            embedded.image(embedded.reduced(shown.reconstruction), f"Reconstruction of {name}")
        )
    words = f"<strong>{rate_of(shown.rate):.4f}</strong> bits per dimension · {escape(name)}"
    return (
        f'<figure><div class="pair">{"".join(drawn)}</div><figcaption>{words}</figcaption></figure>'
    )


def _scale(top: float) -> str:
    """Return the colour bar of heat maps from 0 to `top` bits per pixel."""
    bar = f'<img alt="Scale from dark to light" src="{embedded.uri(heatmaps.palette()[None])}">'
    return (
        f'<div class="scale"><span>0</span>{bar}<span>{top:g} bits per pixel and more</span></div>'
    )


def _listing(evaluation: Evaluation) -> str:
    """Return the section with the table of all images."""
    columns = [
        name
        for name in ("ideal", "net", "total")
        if any(getattr(image, name) is not None for image in evaluation.images)
    ]
    head = '<th scope="col">image</th><th scope="col">samples</th>' + "".join(
        f'<th scope="col">{name}</th>' for name in columns
    )
    lines = [_line(image, columns) for image in evaluation.images[:LISTED]]
    left = len(evaluation.images) - len(lines)
    words = "Bits per dimension" + (
        f"; {left:,} more are not shown, `bbans evaluate --csv` lists them." if left else "."
    )
    table = _table("All images", words, head, lines)
    shown = " open" if len(lines) <= OPEN else ""
    return _section(
        "All images",
        f"<details{shown}><summary>Rates of {len(lines):,} images</summary>{table}</details>",
    )


def _line(image: ImageRate, columns: Iterable[str]) -> str:
    bits = (getattr(image, name) for name in columns)
    cells = "".join(
        f"<td>{'–' if b is None else format(b / image.dimensions, '.4f')}</td>" for b in bits
    )
    return f'<tr><th scope="row">{escape(image.name)}</th><td>{image.dimensions:,}</td>{cells}</tr>'


def _table(label: str, words: str, head: str, lines: Sequence[str]) -> str:
    body = "\n".join(lines)
    top = f"<caption>{words}</caption><thead><tr>{head}</tr></thead>"
    table = f"<table>{top}<tbody>\n{body}\n</tbody></table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{label}">{table}</div>'


def _section(heading: str, content: str) -> str:
    return f"<section><h2>{heading}</h2>{content}</section>"


def _signed(rate: float) -> str:
    return f"{rate:.4f}".replace("-", "−")
