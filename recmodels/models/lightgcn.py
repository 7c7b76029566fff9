"""LightGCN: a user is the sum of what he likes, an item of who likes it, and that again: nothing but neighbours."""

from ..graph import propagate
from ..implicit_network import GraphNetwork, GraphRecommender


class LightGCNNetwork(GraphNetwork):
    """E^{l+1} = A E^l,   e = (E^0 + .. + E^L) / (L + 1),   y_ui = <e_u, e_i>   (He et al. 2020, equations 3, 4 and 8)

    A is the graph's: 1 / sqrt(n_u n_i). No weights and no nonlinearity between the layers: E^0 is all that is learned.
    """

    def propagated(self, x, graph):
        total = x
        for _ in range(self.layers):
            x = propagate(x, graph)
            total = total + x
        return total / (self.layers + 1)


class LightGCN(GraphRecommender):
    """LightGCN   (He, Deng, Wang, Li, Zhang, Wang 2020)

    Parameters as in `ImplicitNetwork` and `GraphRecommender`; layers=0 is matrix factorization. The paper trains by
    BPR with one negative; the sampled softmax with several learns more in a step (Wu et al. 2024), and steps are dear
    here: each propagates in the whole graph. After fit: `network_`, `history_`, `best_epoch_`.
    """

    def __init__(self, k=64, layers=2, neighbours=None, loss="sampled-softmax", negatives=16, power=0.0, scale=0.1,
                 epochs=10, patience=3, batch_size=16384, lr=0.1, weight_decay=0.02, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return LightGCNNetwork(self._graph(), len(self.users_), self.k, self.layers, self.scale, self.neighbours, rng)
