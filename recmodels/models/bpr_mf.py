"""BPR-MF: a user's and an item's vector, trained so that what was chosen scores above what was not."""

import numpy as np

from tinydl import nn

from ..implicit_network import ImplicitNetwork
from ..sampled import sampled_matmul


class MFNetwork(nn.Module):
    """y_ui = <p_u, q_i>   P (U, K), Q (I, K);   user (B,), item (B, 1 + N) -> y (B, 1 + N)"""

    def __init__(self, n_users, n_items, k, scale, rng):
        self.P, self.Q = nn.Embedding(n_users, k, rng=rng), nn.Embedding(n_items, k, rng=rng)
        for table in (self.P, self.Q):
            table.weight._writable("MFNetwork")[...] *= scale

    def forward(self, user, item):
        B, N = item.shape
        return sampled_matmul(self.P.weight, self.Q.weight, np.repeat(user.numpy(), N), item.numpy().ravel()).reshape(B, N)

    def vectors(self):
        return self.P.weight.detach().numpy(), self.Q.weight.detach().numpy()


class BPRMF(ImplicitNetwork):
    """Matrix factorization by Bayesian personalised ranking   (Rendle, Freudenthaler, Gantner, Schmidt-Thieme 2009)

        L = -log sigmoid(y_ui - y_uj)   averaged over pairs (u, i) that are there and items j that u does not have

    Parameters as in `ImplicitNetwork`. The paper takes plain SGD over single triples and biases of items; this AdamW
    over batches, a rate that falls along a cosine, and no biases. After fit: `network_`, `history_`, `best_epoch_`.
    """

    def __init__(self, k=64, loss="bpr", negatives=4, power=0.0, scale=0.1, epochs=20, patience=4, batch_size=4096, lr=1e-2,
                 weight_decay=0.1, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return MFNetwork(len(self.users_), len(self.items_), self.k, self.scale, rng)
