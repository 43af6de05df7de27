"""Item 30. Without the KL term an autoencoder is left: it reconstructs better, and makes garbage of
a random z.
"""

from bbans.schemes.bounds import ideal_bits
from bbans.schemes.sampling import sample_items
from tests.methods.trained import trained


def test_random_latents_decode_to_garbage():
    """Images drawn by either, priced by the VAE: its own cost what digits cost, the autoencoder's
    over a fifth more.
    """
    _, vae, (*_, usual), _ = trained("vae")
    _, autoencoder, (*_, before), _ = trained("autoencoder")
    own, garbage = (
        ideal_bits(vae, sample_items(chain, 200, 5), 4).total.mean() for chain in (vae, autoencoder)
    )
    assert garbage > 1.2 * own
    assert before["likelihood"] < 0.9 * usual["likelihood"] and before["rate"] > 1.2 * usual["rate"]
