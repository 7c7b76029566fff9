"""The RBM for ratings: each rating is a visible unit of K levels, and those that are missing are left out.

Salakhutdinov, Mnih, Hinton 2007, "Restricted Boltzmann machines for collaborative filtering". Where the lecture's RBM
has a unit for every pixel, this one has a machine for every row (a film, or a user): all of them share their parameters,
and each has visible units for the ratings of that row alone.
"""

import numbers

import numpy as np

from tinydl import Tensor, nn, no_grad, ops
from tinydl.nn.parameter import empty

from ..rating_rows import RowRecommender
from ..sampled import sampled_matmul, sparse_matmul


class RatingRBMNetwork(nn.Module):
    """E(v, h) = -sum_l (a_l[v_l] + W_l[v_l]'h) - (b + sum_l D_l)'h       over the columns l that the row has a rating in

        p(h_f = 1 | v) = sigmoid(b_f + sum_l W_l[v_l]_f + sum_l D_lf)      p(v_l = k | h) = softmax_k(a_l[k] + W_l[k]'h)

    v_l is one of K levels; W (J, K, H), a (J, K), b (H,). D (J, H) makes the machine conditional on which columns have a
    rating, whatever it is: implicit feedback (section 4; here of training ratings alone). forward gives expected ratings;
    in training its value is the loss of `contrastive_divergence`.
    """

    def __init__(self, columns, levels, hidden, conditional, k, scale, rng):
        self.W, self.a = nn.Embedding(columns, len(levels) * hidden, rng=rng), nn.Embedding(columns, len(levels), rng=rng)
        self.D = nn.Embedding(columns, hidden, rng=rng) if conditional else None
        self.b = nn.init.zeros_(empty(hidden))
        nn.init.normal_(self.W.weight, 0, scale, rng=rng)
        for table in (self.a, *([self.D] if conditional else [])):
            nn.init.zeros_(table.weight)
        self.register_buffer("levels", np.asarray(levels, np.float32))
        self.hidden, self.k, self.rng = hidden, k, rng

    def forward(self, rows, x, i, j, p, q):
        if self.training:
            return self.contrastive_divergence(x, i, j, len(rows))
        return self.decode(self.encode(x, i, j, len(rows)), p, q)

    # ---------------------------------------------------------------- distributions
    def encode(self, x, i, j, size):
        """p(h = 1 | v) (size, H) of rows whose ratings are of level x (n,) at rows i and columns j."""
        return ops.sigmoid(self._input(x, i, j, size))

    def decode(self, h, p, q):
        """E[v_q | h] (m,) at rows p of h and columns q."""
        return self.p_levels(h, p, q) @ self.levels

    def p_levels(self, h, p, q):
        """p(v_q = . | h) (m, K) at rows p of h and columns q."""
        return ops.softmax(self._logits(h, p, q), axis=1)

    def _input(self, x, i, j, size):
        """b + sum_l W_l[v_l] + sum_l D_l of each row.  (size, H)"""
        one = np.ones(len(i), self.W.weight.dtype)
        z = sparse_matmul(one, self._levelled(), i, _units(j, x, len(self.levels)), size) + self.b
        return z if self.D is None else z + sparse_matmul(one, self.D.weight, i, j, size)

    def _levelled(self):
        """W with a row for each column and level.  (J K, H)"""
        return self.W.weight.reshape(-1, self.hidden)

    def _logits(self, h, p, q):
        """a_q[k] + W_q[k]'h for each level k.  (m, K)"""
        K = len(self.levels)
        p, units = np.repeat(_array(p), K), _units(_array(q)[:, None], np.arange(K), K).reshape(-1)   # (m K,)
        return sampled_matmul(h, self._levelled(), p, units).reshape(-1, K) + self.a(q)

    # ---------------------------------------------------------------- learning
    def free_energy(self, x, i, j, size):
        """F(v) = -sum_l a_l[v_l] - sum_f log(1 + e^{input_f}), summed over the rows: log p(v) = -F(v) - log Z.  ()"""
        a = self.a.weight.reshape(-1)[_units(j, x, len(self.levels))]
        return -a.sum() - ops.softplus(self._input(x, i, j, size)).sum()

    def gibbs(self, x, i, j, size):
        """The levels (n,) after one step v -> h ~ p(h | v) -> v ~ p(v | h)."""
        with no_grad():
            p = self.encode(x, i, j, size).numpy()
            h = (self.rng.random(p.shape, p.dtype) < p).astype(p.dtype)
            until = self.p_levels(Tensor(h), i, j).numpy().cumsum(axis=1)        # P(v <= level)
        u = self.rng.random((len(until), 1), p.dtype) * until[:, -1:]
        return (until[:, :-1] <= u).sum(axis=1)

    def contrastive_divergence(self, x, i, j, size):
        """(F(v) - F(v_k)) / n, v_k what k steps of Gibbs sampling make of the n ratings v.  ()

        Its gradient, in which v_k counts as data, is that of contrastive divergence: dF/dW is -<v h'>, so that
        dW = <v h'>_k - <v h'>_data (Hinton 2002), and its value says nothing of how good the machine is.
        """
        v = x
        for _ in range(self.k):
            v = self.gibbs(v, i, j, size)
        return (self.free_energy(x, i, j, size) - self.free_energy(v, i, j, size)) / len(i)

    def reads(self, rows, columns):
        return [(table, columns, None) for table in (self.W, self.a, self.D) if table is not None]

    def decayed_tables(self):
        return (self.W,) if self.D is None else (self.W, self.D)


class RatingRBM(RowRecommender):
    """The expected rating under an RBM that has read the other ratings of the film (by="item") or user (by="user").

        levels          the ratings that there are
        conditional     whether that a rating is known counts beside what it is
        k, scale        steps of Gibbs sampling; standard deviation of the weights at first

    a_l starts at the log of how often column l has each level. The prediction takes one pass up and down, with p(h = 1 | v)
    in place of h, as in the paper's section 2.2. Not as there: Adam in place of momentum; k stays.
    """

    def __init__(self, by="item", hidden=200, levels=(1, 2, 3, 4, 5), conditional=True, k=1, scale=0.01, epochs=50,
                 patience=10, batch_size=64, lr=1e-3, weight_decay=0.1, seed=0, verbose=False):
        self.by, self.hidden, self.levels, self.conditional, self.k, self.scale = by, hidden, levels, conditional, k, scale
        self.epochs, self.patience, self.batch_size, self.lr = epochs, patience, batch_size, lr
        self.weight_decay, self.seed, self.verbose = weight_decay, seed, verbose

    def _check_parameters(self):
        super()._check_parameters()
        if not isinstance(self.k, numbers.Integral) or self.k < 1:
            raise ValueError(f"RatingRBM: got k={self.k!r}, want a whole number of at least 1: steps of Gibbs sampling")
        levels = np.asarray(self.levels, np.float64)
        if levels.ndim != 1 or len(levels) < 2 or not (np.diff(levels) > 0).all():
            raise ValueError(f"RatingRBM: got levels={self.levels!r}, want at least two rising numbers, as (1, 2, 3, 4, 5)")

    def _network(self, rng):
        return RatingRBMNetwork(self._sizes()[1], self.levels, self.hidden, self.conditional, self.k, self.scale, rng)

    def _start(self, rows, columns, x):
        """a_l[k] = log of the share of level k in column l, which counts K more ratings that fall as all do."""
        K = len(self.levels)
        count = np.bincount(columns * K + x, minlength=self._sizes()[1] * K).reshape(-1, K)
        share = count + K * (count.sum(axis=0) + 1) / (count.sum() + K)
        self.network_.a.weight.copy_(np.log(share / share.sum(axis=1, keepdims=True)).astype(np.float32))

    def _known(self, users, items, ratings):
        """The level of each rating, from 0."""
        level = np.searchsorted(self.levels, ratings)
        wrong = np.asarray(self.levels, np.float32)[np.minimum(level, len(self.levels) - 1)] != ratings
        if wrong.any():
            raise ValueError(f"RatingRBM: got a rating of {ratings[wrong][0]:g}, want one of {self.levels}: pass all that "
                             "there are as levels=(...), or round the ratings")
        return level

    def p_levels(self, users, items):
        """(n, K): how probable each level is, for pairs of ids as `predict` takes them."""
        self._check_fitted()
        rows, columns = self._sides(self.users_.codes(users), self.items_.codes(items))
        with no_grad():
            return self.network_.p_levels(Tensor(self.hidden_), rows, columns).numpy()


def _array(x):
    return x.numpy() if isinstance(x, Tensor) else x


def _units(columns, levels, K):
    """The number of each (column, level) among all: column * K + level."""
    return _array(columns) * K + _array(levels)
