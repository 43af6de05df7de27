"""What the latents earn: the same network and training with and without them, on the held-out tenth
of a training folder.

    python benchmarks/ablation.py IMAGES --steps 2000 --seeds 3 --json ablation.json

Rates are bits per subpixel of the float models on central 256 x 256 crops (coarsest level left
out), latents at their net cost. With `--recipe` the runs follow another recipe; `--steps` shortens
it. Two hours on two cores for 2000 steps and three seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bbans.images import load_folder, split_holdout
from bbans.training.photo_run import HOLDOUT_ONE_IN, HOLDOUT_SIDE, downscaled, read_recipe
from bbans.training.photo_task import train


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/photo.toml"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    base = replace(read_recipe(arguments.recipe), steps=arguments.steps)
    base = replace(base, kl_warmup_steps=min(base.kl_warmup_steps, arguments.steps // 2))
    training, holdout = split_holdout(load_folder(arguments.images), HOLDOUT_ONE_IN)
    images = downscaled([a for _, a in training if min(a.shape[:2]) >= base.crop], base)
    held_out = [a for _, a in holdout if min(a.shape[:2]) >= HOLDOUT_SIDE]
    rows: list[dict[str, Any]] = []
    for seed in range(arguments.seeds):
        for latents in (True, False):
            recipe = replace(base, seed=seed, model=replace(base.model, latents=latents))
            with tempfile.TemporaryDirectory() as folder:
                _, history = train(
                    images, held_out, recipe, Path(folder) / "ablation.checkpoint", lambda row: None
                )
            rows.append({"seed": seed, "latents": latents, **history[-1]})
            print(rows[-1], flush=True)
    rates = {
        latents: [r["bpsp"] for r in rows if r["latents"] == latents] for latents in (True, False)
    }
    gains = 1 - np.array(rates[True]) / np.array(rates[False])
    print(
        f"with {np.mean(rates[True]):.4f}, without {np.mean(rates[False]):.4f}: latents earn "
        f"{gains.mean():.2%} (seeds: {gains})"
    )
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "measured": rows,
            "gain": gains.tolist(),
            "recipe": asdict(base),
            "torch": str(torch.__version__),
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
