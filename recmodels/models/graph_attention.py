"""Graph attention: LightGCN whose nodes choose whom among their neighbours to listen to (slide "topological attention")."""

import numpy as np

from tinydl import nn, no_grad
from tinydl.nn import functional as F

from ..graph import attend, segment_softmax
from ..implicit_network import GraphNetwork, GraphRecommender
from ..sampled import sampled_matmul

SCORES = ("additive", "dot")


class GraphAttentionNetwork(GraphNetwork):
    """h_i' = sum_j alpha_ij d_i a_ij h_j,   alpha_ij = softmax_j e_ij   over the d_i neighbours j of i

        additive   e_ij = LeakyReLU(l'h_i + r'h_j)            (Velickovic et al. 2018, equations 1 to 3, with W the identity)
        dot        e_ij = <L h_i, R h_j> / sqrt(K)            scaled dot product: whom i listens to depends on who i is

    h^0 = E^0, e = (h^0 + .. + h^L) / (L + 1) and a_ij = 1 / sqrt(n_u n_i) as LightGCN's. Where all e_ij of a node are
    equal, as at the start with the additive score, alpha_ij d_i is 1 and this is LightGCN: attention says how to
    depart from it. GAT's own layer, h_i' = ELU(sum_j alpha_ij W h_j), has lost a_ij, and with it how popular a neighbour is.
    l, r (K,), L, R (K, K), of each layer.
    """

    def __init__(self, graph, n_users, k, layers, scale, neighbours, score, rng):
        super().__init__(graph, n_users, k, layers, scale, neighbours, rng)
        self.score = score
        out = 1 if score == "additive" else k
        self.left, self.right = (nn.ModuleList([nn.Linear(k, out, bias=False, rng=rng) for _ in range(layers)])
                                 for _ in range(2))
        if score == "additive":
            for layer in (*self.left, *self.right):
                layer.weight._writable("GraphAttentionNetwork")[...] = 0

    def attention(self, layer, h, graph):
        """alpha (n,) of every edge of the graph; each node's sum to 1."""
        left, right = self.left[layer](h), self.right[layer](h)
        if self.score == "additive":
            e = F.leaky_relu(left[:, 0][graph.rows] + right[:, 0][graph.columns], 0.2)
        else:
            e = sampled_matmul(left, right, graph.rows, graph.columns) / np.sqrt(h.shape[1]).astype(h.dtype)
        return segment_softmax(e, graph.start)

    def step(self, layer, h, graph):
        """h of the next layer."""
        spread = graph.weight(h.dtype) * graph.degree[graph.rows].astype(h.dtype)  # d_i a_ij
        return attend(self.attention(layer, h, graph) * spread, h, graph)

    def propagated(self, x, graph):
        h = total = x
        for layer in range(self.layers):
            h = self.step(layer, h, graph)
            total = total + h
        return total / (self.layers + 1)


class GraphAttention(GraphRecommender):
    """Graph attention on LightGCN's propagation.

    Parameters as in `ImplicitNetwork` and `GraphRecommender`; score: "additive" or "dot". After fit: `network_`, `history_`,
    `best_epoch_`, and `attention` says where a user looks.
    """

    def __init__(self, k=64, layers=2, neighbours=None, score="additive", loss="sampled-softmax", negatives=16, power=0.0,
                 scale=0.1, epochs=10, patience=3, batch_size=16384, lr=0.1, weight_decay=0.02, seed=0, verbose=False):
        self._keep(locals())

    def _check_parameters(self):
        super()._check_parameters()
        if self.score not in SCORES:
            raise ValueError(f"GraphAttention: got score={self.score!r}, want {' or '.join(map(repr, SCORES))}")

    def _network(self, rng):
        return GraphAttentionNetwork(self._graph(), len(self.users_), self.k, self.layers, self.scale, self.neighbours,
                                     self.score, rng)

    def attention(self, user, layer=0):
        """A DataFrame of item, weight, uniform: where a user, by id, looks in a layer, most first; uniform is one over
        the number of his items."""
        import pandas

        self._check_fitted()
        row = self.users_.get_indexer([user])[0]
        if row < 0:
            raise KeyError(f"attention: user {user!r} has no training item, want one of the {len(self.users_):,} users of "
                           "users_: who has no neighbours looks nowhere")
        if not 0 <= layer < self.layers:
            raise IndexError(f"attention: got layer={layer!r} of {self.layers} layers, want a number from 0 to "
                             f"{self.layers - 1}")
        graph, network = self.network_.graph, self.network_
        with no_grad():
            h = network.E.weight
            for before in range(layer):
                h = network.step(before, h, graph)
            alpha = network.attention(layer, h, graph).numpy()
        edges = graph.edges_of(np.array([row]))[1]
        order = np.argsort(-alpha[edges], kind="stable")
        return pandas.DataFrame({"item": self.items_[graph.columns[edges] - len(self.users_)], "weight": alpha[edges],
                                 "uniform": 1 / len(edges)}).iloc[order].reset_index(drop=True)
