"""Write the tables of the README and of the documents from the benchmarks' JSON, so that no figure is typed.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def photos(results: dict[str, Any]) -> str:
    """Rates and speeds on the photographs, and the account of our files."""
    lines = ["| codec | Kodak bpsp | CID22 validation bpsp | encode MP/s (Kodak) | decode MP/s (Kodak) |", "|---|---|---|---|---|"]
    for name, row in results["measured"].items():
        kodak, other = row["kodak"], row["validation"]
        lines.append(f"| {name} | {kodak['bpsp']:.3f} | {other['bpsp']:.3f} | {kodak['encode_mps']:.2f} | {kodak['decode_mps']:.2f} |")
    account = results["accounts"]["kodak"]
    lines += [
        "",
        f"Our Kodak files are {account['mean_excess_over_ideal']:.3%} over the ideal (at most {account['largest_excess_over_ideal']:.3%}); "
        f"bits-back codes {account['images_with_bits_back']} of {account['images']} and initial bits are "
        f"{account['account_bpsp']['initial']:.0f}. Measured on {results['machine']}, commit {results['commit']}."
        + (f" Note: {results['note']}." if "note" in results else ""),
    ]
    return "\n".join(lines)


def mnist(rows: dict[str, Any]) -> str:
    """Rates of the trained families on MNIST's test sets."""
    lines = [
        "| data | model | published | target | ideal | net | net over ideal | archive | archive bytes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows.values(), key=lambda row: (row["data"], -row["measured"]["ideal"])):
        m = row["measured"]
        published = ", ".join(f"{name} {rate}" for name, rate in row["published"].items())
        error = f"{m['net_over_ideal']:+.2%} ± {m['net_over_ideal_error']:.2%}"
        lines.append(
            f"| {row['data']} | {row['model']} | {published} | {row['target']} | {m['ideal']:.4f} | {m['net']:.4f} | {error} "
            f"| {m['archive']:.4f} | {m['archive_bytes']} |"
        )
    return "\n".join(lines)


def put_into(readme: Path, name: str, text: str) -> None:
    """Replace what stands between a table's markers."""
    before, rest = readme.read_text().split(f"<!-- table:{name} -->", 1)
    _, after = rest.split("<!-- /table -->", 1)
    readme.write_text(f"{before}<!-- table:{name} -->\n{text}\n<!-- /table -->{after}")


def main() -> None:
    """See the module's docstring."""
    results = ROOT / "benchmarks" / "results"
    put_into(ROOT / "README.md", "photos", photos(json.loads((results / "photos.json").read_text())))
    put_into(ROOT / "docs" / "models.md", "mnist", mnist(json.loads((results / "mnist.json").read_text())))


if __name__ == "__main__":
    main()
