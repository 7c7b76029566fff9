"""NGCF: as LightGCN, with weights, products and a nonlinearity between the layers: what LightGCN left out."""

from tinydl import nn, ops
from tinydl.nn import functional as F

from ..graph import propagate
from ..implicit_network import GraphNetwork, GraphRecommender


class NGCFNetwork(GraphNetwork):
    """E^{l+1} = LeakyReLU(W_1 (E^l + A E^l) + W_2 (A E^l * E^l)),   e = [E^0, .., E^L]   (Wang et al. 2019, equation 7)

    W_1, W_2 (K, K) with biases, of each layer. A node passes on what it is, and what it shares with its neighbour.
    """

    def __init__(self, graph, n_users, k, layers, scale, neighbours, rng):
        super().__init__(graph, n_users, k, layers, scale, neighbours, rng)
        self.W_1, self.W_2 = (nn.ModuleList([nn.Linear(k, k, rng=rng) for _ in range(layers)]) for _ in range(2))

    def propagated(self, x, graph):
        parts = [x]
        for W_1, W_2 in zip(self.W_1, self.W_2, strict=True):
            a = propagate(x, graph)
            x = F.leaky_relu(W_1(x + a) + W_2(a * x), 0.2)
            parts.append(x)
        return ops.concatenate(parts, axis=1)  # (M, (L + 1) K)


class NGCF(GraphRecommender):
    """Neural graph collaborative filtering   (Wang, He, Wang, Feng, Chua 2019)

    Parameters as in `ImplicitNetwork` and `GraphRecommender`. The paper also normalises each layer's vectors and drops
    messages; here are neither. After fit: `network_`, `history_`, `best_epoch_`.
    """

    def __init__(self, k=64, layers=2, neighbours=None, loss="sampled-softmax", negatives=16, power=0.0, scale=0.1,
                 epochs=10, patience=3, batch_size=16384, lr=0.02, weight_decay=0.05, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return NGCFNetwork(self._graph(), len(self.users_), self.k, self.layers, self.scale, self.neighbours, rng)
