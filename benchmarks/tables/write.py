"""Write the tables and figures of the README and of the documents from the benchmarks' JSON, so
that no number is typed.

python -m benchmarks.tables.write
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.tables import bounds, estimators, figures, registered

ROOT = Path(__file__).resolve().parent.parent.parent
EFFORTS = ("fast", "default", "max")
ROWS = (
    "binarised-one-layer",
    "binarised-two-layers",
    "binarised-best",
    "grey-one-layer",
    "grey-best",
)


def photos(results: dict[str, Any]) -> str:
    """Rates and speeds on the photographs, and the account of our files."""
    lines = [
        "| codec | Kodak bpsp | CID22 validation bpsp | encode MP/s (Kodak) | decode MP/s (Kodak) "
        "|",
        "|---|---|---|---|---|",
    ]
    for name, row in results["measured"].items():
        kodak, other = row["kodak"], row["validation"]
        lines.append(
            f"| {name} | {kodak['bpsp']:.3f} | {other['bpsp']:.3f} | {kodak['encode_mps']:.2f} | "
            f"{kodak['decode_mps']:.2f} |"
        )
    account = results["accounts"]["kodak"]
    lines += [
        "",
        f"Our Kodak files are {account['mean_excess_over_ideal']:.3%} over the ideal (at most "
        f"{account['largest_excess_over_ideal']:.3%}); "
        f"bits-back codes {account['images_with_bits_back']} of {account['images']} and initial "
        "bits are "
        f"{account['account_bpsp']['initial']:.0f}. Measured on {results['machine']}, commit "
        f"{results['commit']}." + (f" Note: {results['note']}." if "note" in results else ""),
    ]
    return "\n".join(lines)


def histories(results: dict[str, dict[str, float]]) -> str:
    """Rates of photographs by what they went through."""
    names = list(next(iter(results.values())))
    lines = [f"| photographs | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(f'{row[codec]:.3f}' for codec in names)} |"
        for name, row in results.items()
    ]
    return "\n".join(lines)


def rates(rows: list[dict[str, Any]]) -> str:
    """Rates of the trained families on MNIST's test sets."""
    lines = [
        "| data | model | published | target | ideal | net | net over ideal | archive | archive "
        "bytes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        m = row["measured"]
        published = ", ".join(f"{name} {rate}" for name, rate in row["published"].items())
        target = f"≤ {row['target']}" if row["target"] else "–"
        error = f"{m['net_over_ideal']:+.2%} ± {m['net_over_ideal_error']:.2%}"
        lines.append(
            f"| {row['data']} | {row['model']} | {published} | {target} | {m['ideal']:.4f} | "
            f"{m['net']:.4f} | {error} "
            f"| {m['archive']:.4f} | {m['archive_bytes']:,} |"
        )
    return "\n".join(lines)


def catalogue(row: dict[str, Any]) -> str:
    """Bytes of the images of a catalogue, by codec, and what ours is under them."""
    lines = ["| codec | one mosaic, bytes | a file an image, bytes |", "|---|---|---|"]
    others = row["others"]
    for name, size in others["files"].items():
        lines.append(
            f"| {name} | {f'{size:,}' if (size := others['mosaic'].get(name)) else '–'} | "
            f"{others['files'][name]:,} |"
        )
    names = {
        "under_best_mosaic": "under the best mosaic",
        "under_jpeg_xl_files": "under JPEG XL a file an image",
    }
    targets = ", ".join(f"{share:.0%} {names[key]}" for key, share in row["target"].items())
    said = (
        f"{row['images']:,} images, {row['raw_bytes']:,} bytes raw. Targets of our archive: "
        f"at least {targets}."
    )
    if "measured" not in row:
        return "\n".join([*lines, "", said])
    m = row["measured"]
    for kind, key, words in (
        ("archive", "archive_bytes", "the model beside it"),
        ("embedded", "embedded_bytes", "the model in it"),
    ):
        saved = ", ".join(
            f"{share:.1%} {names[key]}" for key, share in m[f"{kind}_savings"].items()
        )
        lines.append(f"| bbans archive, {words}: {saved} | {m[key]:,} | |")
    error = f"{m['net_over_ideal']:+.2%} ± {m['net_over_ideal_error']:.2%}"
    rate = (
        f"Model: {row['model']}; {m['ideal']:.4f} bits per dimension ideal, {m['net']:.4f} "
        f"net ({error}), {m['archive']:.4f} the archive."
    )
    return "\n".join([*lines, "", said, rate])


def codes(row: dict[str, Any]) -> str:
    """What the codes of VQ-VAEs cost on the message, and the identities that they keep."""
    lines = [
        "| prior | bits per dimension | archive bytes | log2 K | prior, bits a code on the "
        "message | promised |",
        "|---|---|---|---|---|---|",
    ]
    for prior, promised in (
        ("uniform", "log2_codebook"),
        ("autoregressive", "cross_entropy_a_code"),
    ):
        found = row[prior]
        m, bits = found["measured"], f"{found['prior_bits_a_code']:.6f}"
        size, net = f"{m['archive_bytes']:,}", f"{m['net']:.4f}"
        lines.append(
            f"| {found['model']} | {net} | {size} | {found['log2_codebook']:g} | {bits} | "
            f"{found[promised]:.6f} |"
        )
    saving = row["autoregressive"]["saving_a_code"]
    lines += [
        "",
        f"The learned prior saves {saving['measured']:.6f} bits a code on the message; log2 K "
        "less the cross-entropy is "
        f"{saving['log2_codebook_less_cross_entropy']:.6f}. The archive is smaller than that of "
        "the same model with a uniform prior by "
        f"{saving['files']:.6f} bits a code, heads of lanes and the index included.",
    ]
    return "\n".join(lines)


def stacks(results: dict[str, Any]) -> str:
    """Ratios and speeds on chunks of stacks."""
    names = list(results["stacks"])
    lines = [
        f"| codec | {' | '.join(f'{name}, ratio | encode | decode' for name in names)} |",
        "|---" * (3 * len(names) + 1) + "|",
    ]
    for codec, row in results["measured"].items():
        cells = (
            f"{row[name]['ratio']:.3f} | {row[name]['encode_mbs']:.2f} | "
            f"{row[name]['decode_mbs']:.2f}"
            for name in names
        )
        lines.append(f"| {codec} | {' | '.join(cells)} |")
    shapes = ", ".join(
        f"{name} {' × '.join(map(str, s['shape']))} of {s['dtype']}"
        for name, s in results["stacks"].items()
    )
    return "\n".join(
        [*lines, "", f"{shapes}. Measured on {results['machine']}, commit {results['commit']}."]
    )


def speeds(results: dict[str, Any]) -> str:
    """Rates and speeds of one large photograph by effort, and what the coder alone does."""
    lines = [
        "| effort | bpsp | encode MP/s, `--no-verify` | encode MP/s | decode MP/s |",
        "|---|---|---|---|---|",
    ]
    for name in (name for name in EFFORTS if name in results):
        row = results[name]
        given = " | ".join(
            f"{row[key]:.2f}" for key in ("encode_mps", "verified_encode_mps", "decode_mps")
        )
        lines.append(f"| {name} | {row['bpsp']:.3f} | {given} |")
    coder = (
        f"{results['coder']['push_millions']:.0f} million symbols a second pushed and "
        f"{results['coder']['pop_millions']:.0f} popped"
    )
    size = " × ".join(map(str, results["pixels"]))
    return "\n".join(
        [
            *lines,
            "",
            f"{size} pixels, {results['machine']}, start-up excluded. The coder alone, on one "
            f"core: {coder}.",
        ]
    )


def stages(results: dict[str, Any]) -> str:
    """Where the time of a megapixel goes, before the compiled core and with it."""
    columns = [(what, when) for what in ("encode", "decode") for when in ("before", "now")]
    names = dict.fromkeys(part for what, when in columns for part in results[when][what])
    lines = [
        "| seconds a megapixel, one core | encode, before | encode | decode, before | decode |",
        "|---|---|---|---|---|",
    ]
    rows = [
        (part, [results[when][what].get(part, 0.0) for what, when in columns]) for part in names
    ]
    rows.sort(key=lambda row: -row[1][0])
    rows.append(("sum", [sum(column) for column in zip(*(row[1] for row in rows), strict=True)]))
    lines += [f"| {name} | {' | '.join(f'{s:.2f}' for s in row)} |" for name, row in rows]
    made = f"{results['machine']}; before: commit {results['commit before']}"
    return "\n".join([*lines, "", f"Default effort, unverified, start-up excluded. {made}."])


def ablation(results: dict[str, Any]) -> str:
    """Rates of the same network and training with latents and without, by seed."""
    rates = {(row["seed"], row["latents"]): row["bpsp"] for row in results["measured"]}
    lines = ["| seed | with latents, bpsp | without | gain |", "|---|---|---|---|"]
    for seed, gain in enumerate(results["gain"]):
        lines.append(
            f"| {seed} | {rates[seed, True]:.4f} | {rates[seed, False]:.4f} | {gain:.2%} |"
        )
    recipe = results["recipe"]
    about = (
        f"{recipe['steps']} steps of {recipe['batch']} crops of {recipe['crop']} pixels; "
        "photographs set aside from training."
    )
    return "\n".join([*lines, "", about])


def tables() -> dict[tuple[Path, str], str]:
    """The text of every table that there are results for, by the document and the name of its
    markers.
    """
    results, models = ROOT / "benchmarks" / "results", ROOT / "docs" / "models.md"
    found = {
        path.stem: json.loads(path.read_text())
        for path in sorted((results / "rows").glob("*.json"))
    }
    measured = photos(json.loads((results / "photos.json").read_text()))
    made = {
        (ROOT / "README.md", "photos"): measured,
        (ROOT / "docs" / "benchmarks.md", "photos"): measured,
        (models, "rates"): rates([found[name] for name in ROWS if name in found]),
    }
    made |= {
        (ROOT / "docs" / "architecture.md", name): table()
        for name, table in registered.TABLES.items()
    }
    for name, document, table in (
        ("histories", "docs/benchmarks.md", histories),
        ("speed", "docs/benchmarks.md", speeds),
        ("stages", "docs/benchmarks.md", stages),
        ("stacks", "docs/integrations.md", stacks),
        ("ablation", "docs/decisions/0010-what-latents-earn.md", ablation),
    ):
        if (results / f"{name}.json").exists():
            made[ROOT / document, name] = table(json.loads((results / f"{name}.json").read_text()))
    made |= {
        (ROOT / "docs" / "bounds.md", name): text for name, text in bounds.tables(found).items()
    }
    for name, table in (("fashion", catalogue), ("vqvae", codes)):
        if name in found:
            made[models, name] = table(found[name])
    return made | {
        (ROOT / "docs" / "estimators.md", name): text
        for name, text in estimators.tables(found).items()
    }


def with_table(document: str, name: str, text: str) -> str:
    """A document with other text between a table's markers."""
    before, rest = document.split(f"<!-- table:{name} -->", 1)
    _, after = rest.split("<!-- /table -->", 1)
    return f"{before}<!-- table:{name} -->\n{text}\n<!-- /table -->{after}"


def main() -> None:
    """See the module's docstring."""
    for (document, name), text in tables().items():
        document.write_text(with_table(document.read_text(), name, text))
    figures.main()


if __name__ == "__main__":
    main()
