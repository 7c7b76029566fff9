"""STAMP: attention without recurrence: what is the session about, seen from its last click and from its mean?"""

from tinydl import nn
from tinydl.nn import functional as F

from ..ragged import steps
from ..sampled import sparse_matmul
from ..session_neural import NeuralSessions, SessionNetwork, pairs


class STAMPNetwork(SessionNetwork):
    """m_t = 1/t sum_{j <= t} x_j,   a_tj = w_0'sigmoid(W_1 x_j + W_2 x_t + W_3 m_t + b_a),   s_t = sum_{j <= t} a_tj x_j,
    y = X (tanh(W_s s_t + b_s) * tanh(W_t x_t + b_t)) + b   (Liu, Zeng, Mokhosi, Zhang 2018, equations 4 to 10)

    items (N,), lengths (B,) -> the product of the two tanh (N, K), whose product with x_i is the paper's trilinear
    <h_s, h_t, x_i>. Computed over the pairs j <= t of each session. Other than there: b, dropout, and the softmax is of the
    product itself, not of its sigmoid, under which no probability could be above e / (e + I - 1).
    """

    def __init__(self, n_items, category, recent, k, dropout, rng):
        super().__init__(n_items, category, recent, k, rng)
        self.dropout = nn.Dropout(dropout, rng=rng)
        self.W_1, self.W_2 = nn.Linear(k, k, rng=rng), nn.Linear(k, k, bias=False, rng=rng)  # b_a is in W_1
        self.W_3, self.w_0 = nn.Linear(k, k, bias=False, rng=rng), nn.Linear(k, 1, bias=False, rng=rng)
        self.W_s, self.W_t = nn.Linear(k, k, rng=rng), nn.Linear(k, k, rng=rng)

    def attention(self, x, m, t, j):
        """a (P,) of the pairs (t, j)."""
        return self.w_0(F.sigmoid(F.embedding(j, self.W_1(x)) + F.embedding(t, self.W_2(x) + self.W_3(m)))).reshape(-1)

    def forward(self, items, lengths):
        lengths = lengths.numpy()
        x, (t, j) = self.dropout(self.read(items)), pairs(lengths)
        m = sparse_matmul((1 / (steps(lengths) + 1))[t].astype(x.dtype), x, t, j, len(x))  # (N, K)
        s = sparse_matmul(self.attention(x, m, t, j), x, t, j, len(x))
        return F.tanh(self.W_s(self.dropout(s))) * F.tanh(self.W_t(x))


class STAMP(NeuralSessions):
    """STAMP on sessions; parameters as of `NeuralSessions`, network as of `STAMPNetwork`."""

    def _network(self, rng):
        return STAMPNetwork(*self._catalogue(), self.k, self.dropout, rng)
