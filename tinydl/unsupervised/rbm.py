"""The restricted Boltzmann machine: visible and hidden units, connected across but not within the two layers.

    E(v, h) = -(v'Wh + a'v + b'h),    P(v) = sum_h e^{-E(v,h)} / Z,    Z = sum_{v,h} e^{-E(v,h)}

The lecture's slide has the sum over h inside the exponent, and a plus where d log P(v)/dW = <vh'>_data - <vh'>_model has
its minus: both are slips, as `exact.py` shows by counting. The second mean needs samples of the model, and the chain
that gives them is cut short: contrastive divergence.

V visible units, H hidden ones, N rows; W is (V, H), so that formulas read as on the slide (an nn.Linear has W').
"""

import numbers

import numpy as np

from .. import ops
from ..data import DataLoader
from ..nn import Module, init
from ..nn.parameter import empty
from ..optim import SGD
from ..random import generator
from ..tensor import Tensor
from .units import at_least_one, base_rates, bernoulli, check_finite, checked, sigmoid, warn_unless_standardised

PART = 4096  # rows at a time where a whole data set goes through


class RBM(Module):
    """binary visible units:    E(v, h) = -(v'Wh + a'v + b'h),              P(v_i = 1 | h) = sigmoid(W_i: h + a_i)
    Gaussian visible units:  E(v, h) = |v - a|^2 / 2 - v'Wh - b'h,       v | h ~ N(W h + a, 1)
    hidden units, always binary:                                         P(h_j = 1 | v) = sigmoid(v'W_:j + b_j)

    Parameters W (V, H) from N(0, std^2), a (V,) and b (H,) zero (Hinton 2010, section 8). Methods take and give arrays
    (N, V) and (N, H); called as a layer, on a tensor, an RBM gives P(h = 1 | v) with its gradient. Gaussian units have a
    spread of 1 and want standardised data (Hinton 2010, section 13.2). As in scikit-learn's BernoulliRBM: fit, transform.

    >>> rbm = RBM(4, 2, rng=0).fit(np.eye(4), epochs=20, learning_rate=0.1, rng=0)
    >>> rbm.transform(np.eye(4)).shape, rbm.reconstruct(np.eye(4)).shape, rbm.free_energy(np.eye(4)).shape
    ((4, 2), (4, 4), (4,))
    """

    def __init__(self, n_visible, n_hidden, visible="binary", *, std=0.01, rng=None):
        if visible not in ("binary", "gaussian"):
            raise ValueError(f"RBM: got visible={visible!r}, want 'binary' or 'gaussian'")
        if not all(isinstance(n, numbers.Integral) and n >= 1 for n in (n_visible, n_hidden)):
            raise ValueError(f"RBM: got n_visible={n_visible!r}, n_hidden={n_hidden!r}, want whole numbers of at least 1")
        self.n_visible, self.n_hidden, self.visible = int(n_visible), int(n_hidden), visible
        self.W = init.normal_(empty(n_visible, n_hidden), 0, std, rng)
        self.a, self.b = init.zeros_(empty(n_visible)), init.zeros_(empty(n_hidden))
        self.particles = None  # (N, V), where the chain of persistent contrastive divergence stands

    def forward(self, v):
        """P(h = 1 | v), a tensor (N, H)"""
        return ops.sigmoid(v @ self.W + self.b)

    def extra_repr(self):
        return f"{self.n_visible}, {self.n_hidden}" + (f", visible={self.visible!r}" if self.visible != "binary" else "")

    # ---------------------------------------------------------------- energies
    def energy(self, v, h):
        """E(v, h) of each row.  (N, V), (N, H) -> (N,)"""
        v, h = self._checked(v), self._checked(h, hidden=True)
        if len(v) != len(h):
            raise ValueError(f"RBM.energy: got {len(v)} rows of visible and {len(h)} of hidden units, want equally many")
        return self._visible_energy(v) - np.sum(self._input(v) * h, axis=1)

    def free_energy(self, v):
        """F(v) = -log sum_h e^{-E(v,h)} = -a'v - sum_j log(1 + e^{v'W_:j + b_j}), of each row.  (N, V) -> (N,)

        Gaussian units: |v - a|^2 / 2 in place of -a'v.  log P(v) = -F(v) - log Z.
        """
        v = self._checked(v)
        return self._visible_energy(v) - np.sum(ops.softplus(self._input(v)), axis=1)

    def _visible_energy(self, v):
        """What the visible units alone add to the energy.  (N, V) -> (N,)"""
        a = self.a._data
        return -(v @ a) if self.visible == "binary" else np.sum((v - a) ** 2, axis=1) / 2

    def _input(self, v):
        """v'W + b.  (N, V) -> (N, H)"""
        return np.add(x := v @ self.W._data, self.b._data, out=x)

    # ---------------------------------------------------------------- distributions
    def p_hidden(self, v):
        """P(h_j = 1 | v) = sigmoid(v'W_:j + b_j).  (N, V) -> (N, H)"""
        return sigmoid(self._input(self._checked(v)))

    def p_visible(self, h):
        """P(v_i = 1 | h) = sigmoid(W_i: h + a_i); of Gaussian units the mean W_i: h + a_i.  (N, H) -> (N, V)"""
        return self._mean_visible(self._checked(h, hidden=True))

    def _mean_visible(self, h):
        np.add(x := h @ self.W._data.T, self.a._data, out=x)
        return sigmoid(x) if self.visible == "binary" else x

    def sample_hidden(self, v, rng=None):
        """h ~ P(h | v).  (N, V) -> (N, H) of 0 and 1"""
        return bernoulli(self.p_hidden(v), generator(rng))

    def sample_visible(self, h, rng=None):
        """v ~ P(v | h).  (N, H) -> (N, V)"""
        return self._draw_visible(self._checked(h, hidden=True), generator(rng))

    def _draw_visible(self, h, rng):
        mean = self._mean_visible(h)
        return bernoulli(mean, rng) if self.visible == "binary" else mean + rng.standard_normal(mean.shape, mean.dtype)

    def gibbs(self, v, steps=1, rng=None):
        """v after so many steps of v -> h ~ P(h | v) -> v ~ P(v | h).  (N, V) -> (N, V)"""
        at_least_one("RBM.gibbs", "steps", steps)
        v, rng = self._checked(v), generator(rng)
        for _ in range(steps):
            v = self._draw_visible(bernoulli(sigmoid(self._input(v)), rng), rng)
        return v

    # ---------------------------------------------------------------- learning
    def start_from(self, X):
        """Set a such that, were W zero, each visible unit would have its mean in X (Hinton 2010, section 8.1). -> self"""
        self.a.copy_(base_rates(self._data(X), self.visible))
        return self

    def contrastive_divergence(self, v, k=1, persistent=False, sparsity=None, sparsity_cost=0.1, rng=None):
        """Leave the gradient of -log P(v), its model mean estimated by k steps of Gibbs sampling, in `.grad`.

            dW = <v h'>_k - <v h'>_data,    da = <v>_k - <v>_data,    db = <h>_k - <h>_data

        v (N, V). The chain starts at the data (Hinton 2002); with `persistent`, where the last call left it, in
        `particles`, of which there are N at first (Tieleman 2008). v is sampled in the chain, and the statistics take
        P(h | v) in place of h, which has the same mean and less spread. As after `backward`, an optimizer does the step.
        sparsity: the share s of rows on which a hidden unit should be on. With q the mean of P(h | v) over the batch,
        sparsity_cost (q - s) is added to the gradient of the unit's input on each row (Hinton 2010, section 11).
        """
        at_least_one("RBM.contrastive_divergence", "k", k)
        if sparsity is not None and not 0 < sparsity < 1:
            raise ValueError(f"RBM.contrastive_divergence: got sparsity={sparsity!r}, want 0 < sparsity < 1 or None")
        v, rng = self._checked(v), generator(rng)
        if len(v) == 0:
            raise ValueError("RBM.contrastive_divergence: got no rows, want at least one")
        v_k = v if not persistent or self.particles is None else self.particles.astype(v.dtype, copy=False)
        p = sigmoid(self._input(v))
        p_k = p if v_k is v else sigmoid(self._input(v_k))
        for _ in range(k):
            v_k = self._draw_visible(bernoulli(p_k, rng), rng)
            p_k = sigmoid(self._input(v_k))
        if persistent:
            self.particles = v_k
        if sparsity is not None:
            p = p + sparsity_cost * (sparsity - np.mean(p, axis=0))
        # Both means in one product: rows of the data have the weight -1/N, those of the chain 1/N.
        weight = np.repeat([-1 / len(v), 1 / len(v_k)], [len(v), len(v_k)]).astype(v.dtype)
        v, h = np.concatenate([v, v_k]), np.concatenate([p, p_k])
        self.a.grad, self.b.grad = Tensor._of(weight @ v), Tensor._of(weight @ h)
        self.W.grad = Tensor._of(v.T @ np.multiply(h, weight[:, None], out=h))

    @np.errstate(all="ignore")  # what is not finite stops the training by name; NumPy's warnings would come before it
    def fit(self, X, epochs=10, batch_size=100, k=1, persistent=False, learning_rate=0.05, momentum=0.5, weight_decay=0.0,
            sparsity=None, sparsity_cost=0.1, rng=None):
        """Train on X (N, V) by contrastive divergence and SGD, from where the parameters stand. Returns self.

        weight_decay acts on W alone. The rest: see `contrastive_divergence` and `optim.SGD`. Momentum m makes steps
        1 / (1 - m) times as long. For other optimizers write the loop: contrastive_divergence(batch), optimizer.step().
        """
        at_least_one("RBM.fit", "epochs", epochs)
        X, rng = self._data(X), generator(rng)
        optimizer = SGD([{"params": [self.W], "weight_decay": weight_decay}, {"params": [self.a, self.b]}],
                        lr=learning_rate, momentum=momentum)
        loader = DataLoader((X,), batch_size, shuffle=True, rng=rng)
        for epoch in range(epochs):
            for (batch,) in loader:
                self.contrastive_divergence(batch, k, persistent, sparsity, sparsity_cost, rng)
                optimizer.step()
            check_finite("RBM", self, epoch, learning_rate, " (Gaussian units want 0.01 or less)")
        return self

    # ---------------------------------------------------------------- use
    def transform(self, X):
        """The features P(h = 1 | v).  (N, V) -> (N, H)"""
        return np.concatenate([self.p_hidden(X[n:n + PART]) for n in range(0, max(len(X), 1), PART)])

    def fit_transform(self, X, **options):
        return self.fit(X, **options).transform(X)

    def reconstruct(self, X):
        """P(v = 1 | h), or the mean of Gaussian units, at h = P(h = 1 | X): up and down again, without noise.  (N, V)"""
        return np.concatenate([self._mean_visible(self.p_hidden(X[n:n + PART])) for n in range(0, max(len(X), 1), PART)])

    def sample(self, n, steps=1000, rng=None):
        """n rows (n, V) after so many steps of Gibbs sampling from random bits, or from N(0, 1)."""
        rng, shape = generator(rng), (n, self.n_visible)
        start = rng.random(shape) < 0.5 if self.visible == "binary" else rng.standard_normal(shape)
        return self.gibbs(start, steps, rng)

    def pseudo_log_likelihood(self, v, exact=False, rng=None):
        """sum_i log P(v_i | all other v), of each row: needs no Z (Besag 1975).  (N, V) of 0 and 1 -> (N,)

            log P(v_i | rest) = -log(1 + e^{F(v) - F(v with unit i flipped)})

        V times the term of one unit, drawn for each row, which has the same mean; `exact` goes through all of them.
        """
        v = self._checked(v)
        if self.visible != "binary" or not np.all((v == 0) | (v == 1)):
            raise ValueError("RBM.pseudo_log_likelihood: got units other than 0 and 1, which cannot be flipped; use "
                             "annealed_importance_sampling")
        x, W, a, rows = self._input(v), self.W._data, self.a._data, np.arange(len(v))
        summed = np.sum(ops.softplus(x), axis=1)

        def conditional(i):
            flip = 1 - 2 * v[rows, i]
            return -ops.softplus(flip * a[i] + np.sum(ops.softplus(x + flip[:, None] * W[i]), axis=1) - summed)

        if exact:
            return sum(conditional(np.full(len(v), i)) for i in range(self.n_visible))
        return self.n_visible * conditional(generator(rng).integers(0, self.n_visible, len(v)))

    # ---------------------------------------------------------------- what comes in
    def _checked(self, x, hidden=False):
        """Visible units (N, V), or hidden ones (N, H), as an array of the parameters' dtype."""
        width, kind = (self.n_hidden, "binary") if hidden else (self.n_visible, self.visible)
        x = checked(x, width, kind, "RBM: hidden units" if hidden else "RBM: visible units")
        return x.astype(self.W.dtype, copy=False)

    def _data(self, X):
        """X as an array to learn from, of its own dtype: checked, not empty, standardised where units are Gaussian."""
        X = np.atleast_1d(X._data if isinstance(X, Tensor) else X)
        for n in range(0, max(1, len(X)), PART):
            checked(X[n:n + PART], self.n_visible, self.visible, "RBM: visible units")
        if len(X) == 0:
            raise ValueError("RBM: got no rows to learn from, want at least one; did a filter leave nothing?")
        if self.visible == "gaussian":
            warn_unless_standardised(X)
        return X
