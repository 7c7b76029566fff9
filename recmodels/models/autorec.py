"""AutoRec: an autoencoder reads the ratings that a film has, and says those that it has not (Sedhain et al. 2015)."""

import numpy as np

from tinydl import nn, ops
from tinydl.nn.parameter import empty

from ..rating_rows import RowRecommender
from ..sampled import sampled_matmul, sparse_matmul
from .baselines import bias_terms


class AutoRecNetwork(nn.Module):
    """h = sigmoid(V r + mu),   y_q = w_q'h + b_q

    r is a row of ratings of which only some are known: V r is a sum over these, and y_q is computed where it is wanted.
    V is kept as a table (J, H) whose row j belongs to column j of the ratings, W too. In training, dropout acts on r, with
    the probability `denoise` (so it is a denoising autoencoder), and on h.
    """

    def __init__(self, columns, hidden, denoise, dropout, rng):
        self.V, self.W = nn.Embedding(columns, hidden, rng=rng), nn.Embedding(columns, hidden, rng=rng)
        self.mu, self.b = nn.init.zeros_(empty(hidden)), nn.Embedding(columns, 1, rng=rng)
        for table in (self.V, self.W):
            nn.init.uniform_(table.weight, -hidden**-0.5, hidden**-0.5, rng=rng)
        nn.init.zeros_(self.b.weight)
        self.denoise, self.dropout = nn.Dropout(denoise, rng=rng), nn.Dropout(dropout, rng=rng)

    def forward(self, rows, x, i, j, p, q):
        return self.decode(self.encode(self.denoise(x), i, j, len(rows)), p, q)

    def encode(self, x, i, j, size):
        """h (size, H) of rows whose ratings x (n,) stand at rows i and columns j."""
        return self.dropout(ops.sigmoid(sparse_matmul(x, self.V.weight, i, j, size) + self.mu))

    def decode(self, h, p, q):
        """y (m,) at rows p of h and columns q."""
        return sampled_matmul(h, self.W.weight, p, q) + self.b(q).reshape(-1)

    def reads(self, rows, columns):
        return [(table, columns, None) for table in (self.V, self.W, self.b)]

    def decayed_tables(self):
        return self.V, self.W


class AutoRec(RowRecommender):
    """y_ui = mu + b_u + b_i + what the network says at the other side's row of r_ui - mu - b_u - b_i; MSE of what is known

    by="item": item-based AutoRec, which reads all ratings of a film; by="user": user-based, all of a user. Not as in the
    paper: the biases (`Biases`; biases=False leaves mu alone), so that nothing known means an average film, and a rating
    like the others says nothing; dropout, of the ratings read (denoise) and of hidden units, beside weight decay; Adam in
    place of resilient propagation.
    """

    def __init__(self, by="item", hidden=500, biases=True, denoise=0.2, dropout=0.3, epochs=100, patience=10, batch_size=256,
                 lr=1e-3, weight_decay=0.0, seed=0, verbose=False):
        self.by, self.hidden, self.biases, self.denoise, self.dropout = by, hidden, biases, denoise, dropout
        self.epochs, self.patience, self.batch_size, self.lr = epochs, patience, batch_size, lr
        self.weight_decay, self.seed, self.verbose = weight_decay, seed, verbose

    def _network(self, rng):
        return AutoRecNetwork(self._sizes()[1], self.hidden, self.denoise, self.dropout, rng)

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
