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

    v_l is one of K levels; a (J, K), b (H,). D (J, H) makes the machine conditional on which columns have a rating,
    whatever it is: implicit feedback (section 4; here of training ratings alone). The levels' weights are a polynomial of
    degree C, `order`, of the level: W_l[k] = sum_c S_kc U_lc with U (J, C, H), of which C = K - 1, with D, are the paper's
    K free vectors; fewer know that 4 stars lie between 3 and 5. S (K, C): polynomials that have mean 0 and square 1 and are
    uncorrelated over the training ratings. forward gives expected ratings; in training, the loss of contrastive_divergence.
    """

    def __init__(self, columns, levels, order, hidden, conditional, k, scale, rng):
        K = len(levels)
        self.U, self.a = nn.Embedding(columns, order * hidden, rng=rng), nn.Embedding(columns, K, rng=rng)
        self.D = nn.Embedding(columns, hidden, rng=rng) if conditional else None
        self.b = nn.init.zeros_(empty(hidden))
        nn.init.normal_(self.U.weight, 0, scale, rng=rng)
        for table in (self.a, *([self.D] if conditional else [])):
            nn.init.zeros_(table.weight)
        self.register_buffer("levels", np.asarray(levels, self.b.dtype))
        self.register_buffer("S", polynomials(levels, np.ones(K), order).astype(self.b.dtype))
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
        p, units = self._degrees(p, q)
        U_h = sampled_matmul(h, self._rows_of_U(), p, units).reshape(-1, self.S.shape[1])      # (m, C)
        return ops.softmax(U_h @ self.S.T + self.a(q), axis=1)

    def _input(self, x, i, j, size):
        """b + sum_l W_l[v_l] + sum_l D_l of each row.  (size, H)"""
        s, places = np.reshape(self.S[_array(x)], -1), self._degrees(i, j)
        z = sparse_matmul(s, self._rows_of_U(), *places, size) + self.b
        return z if self.D is None else z + sparse_matmul(np.ones(len(i), s.dtype), self.D.weight, i, j, size)

    def _rows_of_U(self):
        """U with a row for each column and degree.  (J C, H)"""
        return self.U.weight.reshape(-1, self.hidden)

    def _degrees(self, rows, columns):
        """(rows, rows of U) of every degree of each place.  (n,), (n,) -> (n C,), (n C,)"""
        C = self.S.shape[1]
        return np.repeat(_array(rows), C), (_array(columns)[:, None] * C + np.arange(C)).reshape(-1)

    # ---------------------------------------------------------------- learning
    def free_energy(self, x, i, j, size):
        """F(v) = -sum_l a_l[v_l] - sum_f log(1 + e^{input_f}), summed over the rows: log p(v) = -F(v) - log Z.  ()"""
        a = self.a.weight.reshape(-1)[_array(j) * len(self.levels) + _array(x)]
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
        return [(table, columns, None) for table in (self.U, self.a, self.D) if table is not None]

    def decayed_tables(self):
        return (self.U,) if self.D is None else (self.U, self.D)


def polynomials(levels, count, order):
    """S (K, order): column c is a polynomial of degree c + 1 of the levels (K,); mean 0, mean square 1 and no correlation
    between columns where level k occurs count_k > 0 times.

    >>> polynomials((1, 2, 3), np.array([1, 1, 1]), 1)[[0, 2], 0]
    array([-1.2247449,  1.2247449], dtype=float32)
    """
    p = np.sqrt(count / np.sum(count))[:, None]
    x = np.asarray(levels, np.float64)
    Q, R = np.linalg.qr(p * np.vander((x - x.mean()) / x.std(), order + 1, increasing=True))
    return (Q * np.sign(np.diag(R)) / p)[:, 1:].astype(np.float32)


class RatingRBM(RowRecommender):
    """The expected rating under an RBM that has read the other ratings of the film (by="item") or user (by="user").

        levels          the ratings that there are
        order           degree in the level of what a level says; len(levels) - 1, the most, is the paper's
        conditional     whether that a rating is known counts beside what it is
        k, scale        steps of Gibbs sampling; standard deviation of the weights at first

    a_l starts at the log of how often column l has each level. The prediction takes one pass up and down, with p(h = 1 | v)
    in place of h, the paper's faster way. Not as there: `order`; Adam in place of momentum; k stays; implicit feedback is
    that of training ratings, while the paper also knew which pairs would be asked for.
    """

    def __init__(self, by="item", hidden=100, levels=(1, 2, 3, 4, 5), order=1, conditional=True, k=1, scale=0.05, epochs=32,
                 patience=10, batch_size=64, lr=0.01, weight_decay=1.0, seed=0, verbose=False):
        self._keep(locals())

    def _check_parameters(self):
        super()._check_parameters()
        self._check_whole("k", hint=": steps of Gibbs sampling")
        levels = np.asarray(self.levels, np.float64)
        if levels.ndim != 1 or len(levels) < 2 or not (np.diff(levels) > 0).all():
            raise ValueError(f"RatingRBM: got levels={self.levels!r}, want at least two rising numbers, as (1, 2, 3, 4, 5)")
        if not isinstance(self.order, numbers.Integral) or not 1 <= self.order < len(levels):
            raise ValueError(f"RatingRBM: got order={self.order!r}, want a whole number from 1 to {len(levels) - 1}, "
                             "one less than there are levels")

    def _network(self, rng):
        return RatingRBMNetwork(self._sizes()[1], self.levels, self.order, self.hidden, self.conditional, self.k, self.scale,
                                rng)

    def _start(self, rows, columns, x):
        """S of the training ratings; a_l[k] = log of level k's share in column l with K more, that fall as all do."""
        K = len(self.levels)
        count = np.bincount(columns * K + x, minlength=self._sizes()[1] * K).reshape(-1, K)
        self.network_.register_buffer("S", polynomials(self.levels, count.sum(axis=0) + 1, self.order))
        share = count + K * (count.sum(axis=0) + 1) / (count.sum() + K)
        self.network_.a.weight.copy_(np.log(share / share.sum(axis=1, keepdims=True)).astype(np.float32))

    def _known(self, users, items, ratings):
        """The level of each rating, from 0."""
        levels = np.asarray(self.levels, np.float32)  # as ratings are: 0.1 of float64 is less than that of float32
        level = np.searchsorted(levels, ratings)
        wrong = levels[np.minimum(level, len(levels) - 1)] != ratings
        if wrong.any():
            raise ValueError(f"RatingRBM: got a rating of {ratings[wrong][0]:g}, want one of {self.levels}: pass all that "
                             "there are as levels=(...), or round the ratings")
        return level

    def p_levels(self, users, items=None):
        """(n, K): how probable each level is, for pairs of ids as `predict` takes them."""
        self._check_fitted()
        rows, columns = self._sides(*self._pairs(users, items))
        with no_grad():
            return self.network_.p_levels(Tensor(self.hidden_), rows, columns).numpy()


def _array(x):
    return x.numpy() if isinstance(x, Tensor) else x

