"""Item 35. A decoder that sees the pixel before needs no latents: KL to 0, prior bits and bits back
cancel.
"""

from tests.methods.strong_decoder import measured


def test_a_strong_decoder_leaves_latents_idle():
    """Active: Var_x E_q[z | x] > 0.01 (Burda et al. 2016)."""
    strong, weak = measured(True), measured(False)
    assert strong["active"] < 1 and weak["active"] >= 4
    assert strong["prior"] < 0.003 < 0.05 < weak["prior"]
