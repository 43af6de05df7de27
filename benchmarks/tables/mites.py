"""Table: posteriors of the negative binomial (r, p) of 150 counts: log p(x) - bound in nats, sd of
r, correlation; and bits to code them.

python -m benchmarks.tables.mites Published: Yin and Zhou 2018 (arXiv:1805.11183), figures only; the
exact values are those of `bbans.models.negative_binomial`.
"""

import argparse
import math
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bbans.models.negative_binomial import COUNTS, SHAPE, centres, joint, log_evidence, mean_field
from benchmarks.tables import rows

NOISE, HIDDEN, SIGMA = 10, (40, 60, 40), 0.1  # of the authors' code


def log_joint(u: Tensor) -> Tensor:
    """log p(x, r, p) of u = (log r, logit p), `(..., 2)`, with the change of variables, in nats."""
    r, log_p, log_not = (
        u[..., 0].exp(),
        nn.functional.logsigmoid(u[..., 1]),
        nn.functional.logsigmoid(-u[..., 1]),
    )
    x, n = torch.arange(len(COUNTS), dtype=u.dtype), torch.tensor(COUNTS, dtype=u.dtype)
    each = torch.lgamma(x + r[..., None]) - torch.lgamma(x + 1) - torch.lgamma(r)[..., None]
    likelihood = (n * (each + x * log_p[..., None])).sum(-1) + n.sum() * r * log_not
    prior_r = SHAPE * math.log(SHAPE) - math.lgamma(SHAPE) + SHAPE * u[..., 0] - SHAPE * r
    prior_p = SHAPE * (log_p + log_not) - (2 * math.lgamma(SHAPE) - math.lgamma(2 * SHAPE))
    return likelihood + prior_r + prior_p


class SemiImplicit(nn.Module):
    """q(u | psi) = N(psi, sigma^2 I), psi a network of noise; `draws` of psi beside the sample's
    own in the surrogate.
    """

    def __init__(self, draws: int) -> None:
        super().__init__()
        widths = (NOISE, *HIDDEN, 2)
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.net, self.draws = nn.Sequential(*layers[:-1]), draws
        self.log_sigma = nn.Parameter(torch.full((2,), math.log(SIGMA)))

    def sample(self, items: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """u `(items, 2)` and log (1 / (K + 1)) sum_k q(u | psi_k), `(items,)`, others of psi
        shared.
        """
        psi = self.net(torch.randn(items, NOISE, generator=generator))
        u = psi + self.log_sigma.exp() * torch.randn(items, 2, generator=generator)
        others = self.net(torch.randn(self.draws, NOISE, generator=generator))
        every = torch.cat([psi[:, None], others[None].expand(items, -1, -1)], 1)
        square = (((u[:, None] - every) / self.log_sigma.exp()) ** 2).sum(2)
        log_q = -0.5 * square - self.log_sigma.sum() - math.log(2 * math.pi)
        return u, torch.logsumexp(log_q, 1) - math.log(every.shape[1])


def semi_implicit(draws: int, steps: int, seed: int = 0) -> dict[str, float]:
    """Train on L + B_K, and measure with 1,000 draws of psi."""
    torch.manual_seed(seed)
    net, generator = SemiImplicit(draws), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        u, log_q = net.sample(200, generator)
        loss = (log_q - log_joint(u)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.draws = 1000
    with torch.no_grad():
        parts = [net.sample(1000, generator) for _ in range(10)]
        u, log_q = (torch.cat(part) for part in zip(*parts, strict=True))
        gap = log_evidence() - float((log_joint(u) - log_q).mean())
        r, p = u[:, 0].exp(), torch.sigmoid(u[:, 1])
    return {
        "gap": gap,
        "sd_r": float(r.std()),
        "correlation": float(np.corrcoef(r.numpy(), p.numpy())[0, 1]),
    }


def measure(steps: int) -> dict[str, Any]:
    """Of the exact posterior, the best product, and semi-implicit ones."""
    r, p = centres()
    posterior = np.exp(joint() - log_evidence())
    q_r, q_p, gaps = mean_field()
    found: dict[str, Any] = {"bits": -log_evidence() / math.log(2)}
    for name, q, gap in (("exact", posterior, 0.0), ("mean-field", np.outer(q_r, q_p), gaps[-1])):
        mean_r, mean_p = q.sum(1) @ r, q.sum(0) @ p
        sd_r, sd_p = (q.sum(1) @ r**2 - mean_r**2) ** 0.5, (q.sum(0) @ p**2 - mean_p**2) ** 0.5
        found[name] = {
            "gap": gap,
            "sd_r": sd_r,
            "correlation": (r @ q @ p - mean_r * mean_p) / (sd_r * sd_p),
        }
    for draws in (0, 20, 100, 1000):
        found[f"semi-implicit, K = {draws}"] = semi_implicit(draws, steps)
    return found


STEPS = 2000


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="of each training")
    parser.add_argument("--results", type=Path, help="the folder of the JSON")
    options = parser.parse_args()
    start = time.monotonic()
    row = {
        "data": "mites",
        "published": {},
        "measured": measure(options.steps),
        **rows.circumstances(start),
    }
    rows.save("mites", row, options, options.steps >= STEPS)


if __name__ == "__main__":
    main()
