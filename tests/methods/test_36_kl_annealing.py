"""Item 36. KL warm-up and beta act in training only: more latents stay in use, and the rate is
still that of beta 1.
"""

import torch

from bbans.training.latent import loss
from bbans.training.latent_run import exact_rates
from bbans.training.terms import Terms
from tests.methods.strong_decoder import measured
from tests.methods.trained import trained


def test_annealing_keeps_latents_in_use():
    """The same 1200 steps under a decoder that can do without latents, with and without warm-up."""
    assert measured(True, kl_warmup=1200)["active"] > measured(True)["active"]


def test_beta_and_free_bits_change_the_loss_only():
    terms = Terms(
        torch.tensor([10.0, 20.0]),
        torch.tensor([[1.0, 0.0], [3.0, 0.5]]),
        torch.zeros(2),
        torch.tensor(0.5),
    )
    assert loss(terms, 1.0) == 15 + 2.25 + 0.5 and loss(terms, 0.5) == 15 + 1.125 + 0.5
    assert loss(terms, 1.0, free_bits=0.75) == 15 + 2.75 + 0.5


def test_the_rate_is_reported_at_beta_one():
    """Of an autoencoder trained with beta 0 the KL term is large, and it is in the rate of
    training's reports and of the coder.
    """
    _, chain, history, test = trained("autoencoder")
    row = history[-1]
    assert (
        row["prior"] - row["posterior"] > 0.5
        and row["rate"] == row["prior"] + row["likelihood"] - row["posterior"]
    )
    exact = exact_rates(chain, test, 4)
    assert exact["rate"] > exact["likelihood"] + 0.1
