"""Item 35. A decoder that sees the pixels before needs no latents: KL to 0, prior bits and bits back cancel."""

from bbans.inference.chains import Samples, rates
from tests.seeds.strong_decoder import Vae, fit, runs


def test_a_strong_decoder_leaves_latents_idle():
    """Active: Var_x E_q[z | x] > 0.01 (Burda et al. 2016)."""
    found = {kind: rates(fit(lambda kind=kind: Vae(kind), runs(1500), 400), Samples(runs(300, 1))) for kind in (True, False)}
    assert found[True]["active"] == 0 and found[False]["active"] >= 4
    assert found[True]["prior"] < 0.003 < 0.05 < found[False]["prior"]  # a KL divergence here: the net cost of latents
