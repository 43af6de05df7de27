"""Planar flows: the determinant against autograd, invertibility, what they reach where a product of
Gaussians cannot, and no code.
"""

import math
from dataclasses import replace

import pytest
import torch

from bbans.errors import ModelFormatError, NoCodecError
from bbans.exact.numpy_ops import NumpyOps
from bbans.models import rich_vae
from bbans.models.rich_vae import ExactRichVae, RichVaeConfig
from bbans.schemes.sampling import sample_items
from bbans.training import latent_run
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from bbans.training.networks.planar import planar
from bbans.training.networks.rich_vae import RichVaeNet
from bbans.training.terms import IWAE, Draws, Training
from tests.chains import SHAPE
from tests.digits import digits
from tests.methods.analytic_posteriors import MEAN_FIELD, Correlated, N

CONFIG = RichVaeConfig(
    **SHAPE,
    levels=2,
    likelihood="bernoulli",
    components=0,
    latents=(5,),
    posterior="planar",
    parts=3,
)
LN2 = math.log(2)


class Fixed:
    """Noise that is given."""

    def __init__(self, noise):
        self.noise = noise

    def normal(self, like):
        return self.noise


def net_of(config, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return RichVaeNet(config)


def test_the_determinant_is_that_of_autograd():
    """Of one step, whatever w and v are, also where they oppose each other by far: it is positive,
    and z is one to one along w.
    """
    g = torch.Generator().manual_seed(0)
    u, v, w = (torch.randn(200, 4, generator=g, dtype=torch.float64) * scale for scale in (1, 3, 3))
    b = torch.randn(200, generator=g, dtype=torch.float64)
    _, log_det = planar(u, v, w, b)
    for i in range(200):
        jacobian = torch.autograd.functional.jacobian(
            lambda a, i=i: planar(a, v[i : i + 1], w[i : i + 1], b[i : i + 1])[0][0], u[i : i + 1]
        )
        assert float(torch.linalg.det(jacobian[:, 0])) == pytest.approx(
            2 ** float(log_det[i]), rel=1e-9
        )
    assert ((w * v).sum(1) < -10).any() and log_det.isfinite().all()
    line = torch.linspace(-5, 5, 2001, dtype=torch.float64)[:, None]
    opposed = (torch.full((2001, 1), value, dtype=torch.float64) for value in (-9.0, 2.0))
    z, _ = planar(line, *opposed, torch.zeros(2001, dtype=torch.float64))
    assert (z[1:] > z[:-1]).all()


def test_the_density_of_a_sample():
    """log2 q(z) / p(z) of the whole flow: the noise's density over the Jacobian by autograd."""
    net = net_of(CONFIG).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3)
    g = torch.Generator().manual_seed(1)
    seen, noise = (
        torch.rand(1, 20, generator=g, dtype=torch.float64),
        torch.linspace(-1.5, 1.0, 5, dtype=torch.float64)[None],
    )
    once = net.net("posterior1")(seen)
    z, log_q = (part.detach() for part in net._planar(once, Fixed(noise)))
    jacobian = torch.autograd.functional.jacobian(
        lambda e: net._planar(once, Fixed(e))[0][0], noise
    )[:, 0]
    expected = ((z**2).sum() - (noise**2).sum()) / (2 * LN2) - torch.linalg.slogdet(jacobian)[
        1
    ] / LN2
    assert float(log_q[0]) == pytest.approx(float(expected), abs=1e-9)
    assert float((jacobian - torch.diag(jacobian.diagonal())).abs().max()) > 0.01


def planar_gap():
    """Bits above -log2 p(x) of a posterior trained on the bench whose p(z | x) is correlated, a
    mean over items that it has not seen.
    """
    bench = Correlated(MEAN_FIELD)
    x = torch.from_numpy(sample_items(bench, 600, 1))
    y = (x - N // 2).float() / 2.0**bench.scale
    config = replace(
        CONFIG,
        height=1,
        width=3,
        levels=N,
        likelihood="logistic",
        components=3,
        latents=(2,),
        parts=2,
    )
    net, generator = (
        net_of(replace(config, hidden=16, hidden_layers=1)),
        torch.Generator().manual_seed(2),
    )

    def bits(rows, times=1):
        seen = y[rows].repeat(times, 1)
        u, _, log_q = net._sample(seen, net.net("posterior1")(seen), Draws(generator, len(seen)))
        square = ((seen - u.sum(2)) ** 2).sum(1)
        return log_q[:, 0] + square / (2 * LN2) + 1.5 * math.log2(2 * math.pi)

    optimiser = torch.optim.Adam(net.net("posterior1").parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 600)
    for _ in range(600):
        optimiser.zero_grad()
        bits(slice(0, 500), 2).mean().backward()
        optimiser.step()
        schedule.step()
    rest = y[500:]
    # -log2 of N(y; 0, I + 2 1 1^T), z_1 + z_2 having variance 2: determinant 7, inverse I - 2 / 7 1
    # 1^T
    exact = (
        ((rest**2).sum(1) - 2 / 7 * rest.sum(1) ** 2) / (2 * LN2)
        + 0.5 * math.log2(7)
        + 1.5 * math.log2(2 * math.pi)
    )
    with torch.no_grad():
        return float((bits(slice(500, None), 200).view(200, -1).mean(0) - exact).mean())


def test_it_beats_a_product_of_gaussians():
    """p(z | x) of correlation -3 / 4: the best product pays log2 4 - log2(7) / 2 = 0.596 bits, two
    planar steps under a quarter.
    """
    assert Correlated().gap_bits() == pytest.approx(0.596, abs=1e-3)
    found = planar_gap()
    assert -0.02 < found < 0.149  # 0.077 of 20,000 samples


def test_it_trains_in_floats_and_is_not_coded(tmp_path):
    x, _ = digits(300, levels=2)
    config = replace(CONFIG, height=8, width=8)
    recipe = LatentRecipe(
        config,
        steps=60,
        batch=50,
        warmup_steps=5,
        learning_rate=3e-3,
        average=0.5,
        validate_every=20,
    )
    for training in (Training(), Training(objective=IWAE, particles=3)):
        net, history = train(Samples(x[:250]), Samples(x[250:]), replace(recipe, training=training))
        assert history[-1]["rate"] < history[0]["rate"]
    with pytest.raises(NoCodecError, match="trains but does not code"):
        export(net)
    with pytest.raises(NoCodecError, match="take 'flow' or 'coupling'"):
        latent_run.run(Samples(x[:250]), Samples(x[250:]), recipe, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(NoCodecError):
        ExactRichVae(config, {}, NumpyOps())
    with pytest.raises(ModelFormatError, match="found 'planar'"):
        rich_vae.check(config)
