"""AutoRec: an autoencoder reads the ratings that a film has, and says those that it has not (Sedhain et al. 2015)."""

import numpy as np

from tinydl import nn, ops
from tinydl.nn.parameter import empty

from ..rating_rows import RowRecommender
from ..sampled import sampled_matmul, sparse_matmul
from .baselines import bias_terms


class AutoRecNetwork(nn.Module):
    """h = sigmoid(V r + D m + mu),   y_q = w_q'h + b_q

    r is a row of ratings of which only some are known: V r is a sum over these, and y_q is computed where it is wanted.
    Tables have a row for each column j of the ratings: V, W and D (J, H), b (J, 1). m is 1 where a rating is known, so
    that D makes h conditional on that alone, as it does for the RBM (`conditional`; the paper has no D). In training each
    rating is left out with the probability `denoise`, the others scaled up (a denoising autoencoder), and dropout acts on h.
    """

    def __init__(self, columns, hidden, conditional, denoise, dropout, rng):
        self.V, self.W = nn.Embedding(columns, hidden, rng=rng), nn.Embedding(columns, hidden, rng=rng)
        self.D = nn.Embedding(columns, hidden, rng=rng) if conditional else None
        self.mu, self.b = nn.init.zeros_(empty(hidden)), nn.Embedding(columns, 1, rng=rng)
        for table in (self.V, self.W):
            nn.init.uniform_(table.weight, -hidden**-0.5, hidden**-0.5, rng=rng)
        for table in (self.b, *([self.D] if conditional else [])):
            nn.init.zeros_(table.weight)
        self.denoise, self.dropout = nn.Dropout(denoise, rng=rng), nn.Dropout(dropout, rng=rng)

    def forward(self, rows, x, i, j, p, q):
        m = self.denoise(np.ones(len(i), self.mu.dtype))
        return self.decode(self.dropout(self._hidden(x * m, m, i, j, len(rows))), p, q)

    def encode(self, x, i, j, size):
        """h (size, H) of rows whose ratings x (n,) stand at rows i and columns j."""
        return self._hidden(x, np.ones(len(i), self.mu.dtype), i, j, size)

    def decode(self, h, p, q):
        """y (m,) at rows p of h and columns q."""
        return sampled_matmul(h, self.W.weight, p, q) + self.b(q).reshape(-1)

    def _hidden(self, x, m, i, j, size):
        z = sparse_matmul(x, self.V.weight, i, j, size) + self.mu
        return ops.sigmoid(z if self.D is None else z + sparse_matmul(m, self.D.weight, i, j, size))

    def reads(self, rows, columns):
        return [(table, columns, None) for table in (self.V, self.W, self.D, self.b) if table is not None]

    def decayed_tables(self):
        return [table for table in (self.V, self.W, self.D) if table is not None]


class AutoRec(RowRecommender):
    """y_ui = mu (+ b_u + b_i) + what the network says, having read r - mu (- b_u - b_i) of a whole row; MSE of what is known

    by="item": item-based AutoRec, which reads all ratings of a film; by="user": user-based, all of a user. Not as in the
    paper: what is read and predicted is the rest that a mean leaves, or with `biases` (as `Biases` has them) that mean and
    biases leave; `conditional`; dropout, of the ratings read (denoise) and of hidden units, beside weight decay; Adam in
    place of resilient propagation. conditional=False, denoise=0, dropout=0 is the paper's network.
    """

    def __init__(self, by="item", hidden=300, biases=False, conditional=True, denoise=0.5, dropout=0.0, epochs=30,
                 patience=10, batch_size=256, lr=2e-3, weight_decay=6.0, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return AutoRecNetwork(self._sizes()[1], self.hidden, self.conditional, self.denoise, self.dropout, rng)

    def _prepare(self, users, items, ratings):
        self.b_u_, self.b_i_ = np.zeros(len(self.users_)), np.zeros(len(self.items_))
        if self.biases:
            self.b_u_, self.b_i_ = bias_terms(users, items, ratings - self.mean_, len(self.users_), len(self.items_))

    def _base(self, users, items):
        return (self.mean_ + self.b_u_[users] + self.b_i_[items]).astype(np.float32)

    def _known(self, users, items, ratings):
        return ratings - self._base(users, items)

    def _state(self):
        return {**super()._state(), "b_u": self.b_u_, "b_i": self.b_i_}

    def _restore(self, state):
        super()._restore(state)
        self.b_u_, self.b_i_ = state["b_u"], state["b_i"]
