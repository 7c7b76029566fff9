"""NARM: a recurrent network, and attention over its states: which of the earlier clicks say what the visitor is after?"""

from tinydl import nn, ops
from tinydl.nn import functional as F

from ..sampled import sparse_matmul
from ..session_neural import NeuralSessions, SessionNetwork, packed, pairs, unpacked


class NARMNetwork(SessionNetwork):
    """h_j = GRU(x_{i_j}, h_{j-1}),   a_tj = v'sigmoid(A_1 h_t + A_2 h_j),   s_t = sum_{j <= t} a_tj h_j
    y = X B [h_t; s_t] + b   (Li, Ren, Chen, Ren, Lian, Ma 2017, equations 3 to 10)

    items (N,), lengths (B,) -> B [h; s] (N, K). h_t is the global, s_t the local encoder; as in the paper the weights a_tj
    are no softmax. Computed over the pairs j <= t of each session. Other than there: b, and one rate of dropout.
    """

    def __init__(self, n_items, category, recent, k, dropout, rng):
        super().__init__(n_items, category, recent, k, rng)
        self.dropout = nn.Dropout(dropout, rng=rng)
        self.gru, self.B = nn.GRU(k, k, rng=rng), nn.Linear(2 * k, k, bias=False, rng=rng)
        self.A_1, self.A_2 = nn.Linear(k, k, bias=False, rng=rng), nn.Linear(k, k, bias=False, rng=rng)
        self.v = nn.Linear(k, 1, bias=False, rng=rng)

    def attention(self, h, t, j):
        """a (P,) of the pairs (t, j)."""
        return self.v(F.sigmoid(F.embedding(t, self.A_1(h)) + F.embedding(j, self.A_2(h)))).reshape(-1)

    def forward(self, items, lengths):
        lengths = lengths.numpy()
        sequence, order = packed(self.dropout(self.read(items)), lengths)
        h = unpacked(self.gru(sequence)[0], order)
        t, j = pairs(lengths)
        local = sparse_matmul(self.attention(h, t, j), h, t, j, len(h))  # (N, K)
        return self.B(self.dropout(ops.concatenate([h, local], axis=1)))


class NARM(NeuralSessions):
    """NARM on sessions; parameters as of `NeuralSessions`, network as of `NARMNetwork`."""

    def _network(self, rng):
        return NARMNetwork(*self._catalogue(), self.k, self.dropout, rng)
