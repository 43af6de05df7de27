"""Fit the constants of the fixed predictor by maximum likelihood on a folder's training part;
prints what `models/fixed_predictor.py` holds.

    python benchmarks/fixed_fit.py ../shared/data/photos/train

Also prints the rate of the rounded constants on the held-out part, in bits per subpixel of the
levels fitted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from bbans.images import load_folder, split_holdout
from bbans.models.fixed_predictor import MIXTURES, Constants, Features, features
from bbans.schemes.pyramid import polyphase
from bbans.training.photo_run import HOLDOUT_ONE_IN

CROP, LEVELS, STEPS = 128, 3, 250
SLOPE = 64.0


def crops(images: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Random crops `(3, CROP, CROP)`."""
    rng = np.random.default_rng(0)
    found = []
    for i in rng.choice(len(images), count):
        top, left = (int(rng.integers(side - CROP + 1)) for side in images[i].shape[:2])
        found.append(
            images[i][top : top + CROP, left : left + CROP].transpose(2, 0, 1).astype(np.int32)
        )
    return found


def data_of(parts: list[np.ndarray], phase: int) -> dict[str, torch.Tensor]:
    """Features and values of a phase over every level of the crops, positions along the first
    axis.
    """
    rows: dict[str, list[np.ndarray]] = {
        "locations": [],
        "direction": [],
        "spread": [],
        "error": [],
        "residual": [],
    }
    for x in parts:
        images = [x]
        for _ in range(LEVELS):
            images.append(images[-1][:, ::2, ::2])
        magnitude = np.full(images[-1].shape[1:], 128, np.int32)
        for level in reversed(range(LEVELS)):
            known, found = [images[level + 1]], []
            for p, (row, column) in enumerate(polyphase.OFFSETS):
                sums = polyphase.neighbour_sums(p, known)
                found.append((features(p, known, sums, magnitude), sums))
                magnitude = found[-1][0].magnitude
                known.append(images[level][:, row::2, column::2])
            magnitude = np.repeat(np.repeat(magnitude, 2, 0), 2, 1)
            f, sums = found[phase]
            keep(rows, f, 8 * (4 * known[phase + 1] - sums))
    return {name: torch.from_numpy(np.concatenate(values)).float() for name, values in rows.items()}


def keep(rows: dict[str, list[np.ndarray]], f: Features, residual: np.ndarray) -> None:
    """Append a phase's features, positions first; residual in 1/32 grey level."""
    rows["locations"].append(f.locations.reshape(3, 3, -1).transpose(2, 1, 0)[:, :, [0, 0, 1, 2]])
    rows["residual"].append(residual.reshape(3, -1).T)
    for name in ("direction", "spread", "error"):
        rows[name].append(getattr(f, name).reshape(-1))


def bits(data: dict[str, torch.Tensor], p: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean bits per subpixel. Parameters in the units of `Constants`."""
    turn = p["direction"] / SLOPE * data["direction"][:, None] * torch.tensor([0.0, 0.0, -1.0, 1.0])
    total = torch.log_softmax((p["logits"] + turn) * (np.log(2) / 16), 1)
    slope = (p["spread"] * data["spread"][:, None] + p["error"] * data["error"][:, None]) / SLOPE
    errors: list[torch.Tensor] = []
    for channel in range(3):
        scale = 32 * torch.exp2((p["offsets"][channel] + slope).clamp(0, 160) / 16 - 4)
        error = data["residual"][:, channel, None] - data["locations"][:, channel]
        couplings = ((), (p["couplings"][0],), (p["couplings"][1], p["couplings"][2]))[channel]
        centred = error - sum(
            (c / SLOPE * e for c, e in zip(couplings, errors, strict=True)), torch.zeros(())
        )
        errors.append(error)
        upper, lower = torch.sigmoid((centred + 16) / scale), torch.sigmoid((centred - 16) / scale)
        total = total + torch.log((upper - lower).clamp_min(2.0**-22))
    return -torch.logsumexp(total, 1).mean() / (3 * np.log(2))


def fit(data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Constants by Adam on random parts of the positions."""
    start = {
        "logits": torch.tensor([0.0, -16, -32, -32]),
        "direction": torch.tensor(32.0),
        "offsets": torch.tensor([[0.0, 24, 8, 8]]).repeat(3, 1),
        "spread": torch.full((MIXTURES,), 24.0),
        "error": torch.full((MIXTURES,), 24.0),
        "couplings": torch.tensor([54.0, 0, 54]),
    }
    p = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimiser = torch.optim.Adam(p.values(), 1.5, betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(0)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 1.5 * min(1.0, 2 * (1 - step / STEPS))
        rows = torch.randint(len(data["direction"]), (20000,), generator=generator)
        loss = bits({name: value[rows] for name, value in data.items()}, p)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: value.detach().round() for name, value in p.items()}


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    arguments = parser.parse_args()
    parts = split_holdout(load_folder(arguments.images), HOLDOUT_ONE_IN)
    training, held_out = (
        crops([a for _, a in part if min(a.shape[:2]) >= CROP], 96) for part in parts
    )
    for phase in range(3):
        p = fit(data_of(training, phase))
        c = {name: value.int().tolist() for name, value in p.items()}
        print(repr(Constants(**c)).replace("[", "(").replace("]", ")") + ",", flush=True)
        print("# held out:", float(bits(data_of(held_out, phase), p)), flush=True)


if __name__ == "__main__":
    main()
