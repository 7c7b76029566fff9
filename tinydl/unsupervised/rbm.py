"""The restricted Boltzmann machine: visible and hidden units, connected across but not within the two layers.

    E(v, h) = -(v'Wh + a'v + b'h),    P(v) = sum_h e^{-E(v,h)} / Z,    Z = sum_{v,h} e^{-E(v,h)}

The lecture's slide has the sum over h inside the exponent, and a plus where d log P(v)/dW = <vh'>_data - <vh'>_model has
its minus: both are slips (`exact.py` proves it by enumeration). The second mean needs samples of the model, and the
chain that gives them is cut short: contrastive divergence.

V visible units, H hidden ones, N rows; W is (V, H), so that formulas read as on the slide (an nn.Linear has W').
"""

import numbers
import warnings

import numpy as np

from .. import kernels, ops
from ..data import DataLoader
from ..nn import Module, init
from ..nn.parameter import empty
from ..optim import SGD
from ..random import generator
from ..tensor import Tensor

PART = 4096  # rows at a time where a whole data set goes through


class RBM(Module):
    """binary visible units:    E(v, h) = -(v'Wh + a'v + b'h),              P(v_i = 1 | h) = sigmoid(W_i: h + a_i)
    Gaussian visible units:  E(v, h) = |v - a|^2 / 2 - v'Wh - b'h,       v | h ~ N(W h + a, 1)
    hidden units, always binary:                                         P(h_j = 1 | v) = sigmoid(v'W_:j + b_j)

    Parameters W (V, H) from N(0, std^2), a (V,) and b (H,) zero (Hinton 2010, section 8). Methods take and give arrays
    (N, V) and (N, H); called as a layer, on a tensor, an RBM gives P(h = 1 | v) with its gradient. Gaussian units have a
    spread of 1 and want standardised data (Hinton 2010, section 13.2). As in scikit-learn's BernoulliRBM: fit, transform.
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
        return _sigmoid(self._input(self._checked(v)))

    def p_visible(self, h):
        """P(v_i = 1 | h) = sigmoid(W_i: h + a_i); of Gaussian units the mean W_i: h + a_i.  (N, H) -> (N, V)"""
        return self._mean_visible(self._checked(h, hidden=True))

    def _mean_visible(self, h):
        np.add(x := h @ self.W._data.T, self.a._data, out=x)
        return _sigmoid(x) if self.visible == "binary" else x

    def sample_hidden(self, v, rng=None):
        """h ~ P(h | v).  (N, V) -> (N, H) of 0 and 1"""
        return _bernoulli(self.p_hidden(v), generator(rng))

    def sample_visible(self, h, rng=None):
        """v ~ P(v | h).  (N, H) -> (N, V)"""
        return self._draw_visible(self._checked(h, hidden=True), generator(rng))

    def _draw_visible(self, h, rng):
        mean = self._mean_visible(h)
        return _bernoulli(mean, rng) if self.visible == "binary" else mean + rng.standard_normal(mean.shape, mean.dtype)

    def gibbs(self, v, steps=1, rng=None):
        """v after so many steps of v -> h ~ P(h | v) -> v ~ P(v | h).  (N, V) -> (N, V)"""
        _at_least_one("RBM.gibbs", "steps", steps)
        v, rng = self._checked(v), generator(rng)
        for _ in range(steps):
            v = self._draw_visible(_bernoulli(_sigmoid(self._input(v)), rng), rng)
        return v

    # ---------------------------------------------------------------- learning
    def contrastive_divergence(self, v, k=1, persistent=False, sparsity=None, sparsity_cost=0.1, rng=None):
        """Leave the gradient of -log P(v), its model mean estimated by k steps of Gibbs sampling, in `.grad`.

            dW = <v h'>_k - <v h'>_data,    da = <v>_k - <v>_data,    db = <h>_k - <h>_data

        v (N, V). The chain starts at the data (Hinton 2002); with `persistent`, where the last call left it, in
        `particles`, of which there are N at first (Tieleman 2008). v is sampled in the chain, and the statistics take
        P(h | v) in place of h, which has the same mean and less spread. As after `backward`, an optimizer does the step.
        sparsity: the share of rows for which a hidden unit should be on; adds sparsity_cost times the gradient of the
        cross-entropy between it and the unit's mean over the batch (Lee et al. 2008; Hinton 2010, section 11).
        """
        _at_least_one("RBM.contrastive_divergence", "k", k)
        if sparsity is not None and not 0 < sparsity < 1:
            raise ValueError(f"RBM.contrastive_divergence: got sparsity={sparsity!r}, want 0 < sparsity < 1 or None")
        v, rng = self._checked(v), generator(rng)
        p = _sigmoid(self._input(v))
        v_k, p_k = v, p
        if persistent:
            v_k = v if self.particles is None else self.particles
            p_k = _sigmoid(self._input(v_k))
        for _ in range(k):
            v_k = self._draw_visible(_bernoulli(p_k, rng), rng)
            p_k = _sigmoid(self._input(v_k))
        if persistent:
            self.particles = v_k
        if sparsity is not None:
            p = p + sparsity_cost * (sparsity - np.mean(p, axis=0))
        # Both means in one product: rows of the data have the weight -1/N, those of the chain 1/N.
        weight = np.repeat([-1 / len(v), 1 / len(v_k)], [len(v), len(v_k)]).astype(v.dtype)
        v, h = np.concatenate([v, v_k]), np.concatenate([p, p_k])
        self.a.grad, self.b.grad = Tensor._of(weight @ v), Tensor._of(weight @ h)
        self.W.grad = Tensor._of(v.T @ np.multiply(h, weight[:, None], out=h))

    def fit(self, X, epochs=10, batch_size=100, k=1, persistent=False, learning_rate=0.05, momentum=0.5, weight_decay=0.0,
            sparsity=None, sparsity_cost=0.1, rng=None):
        """Train on X (N, V) by contrastive divergence and SGD, from where the parameters stand. Returns self.

        weight_decay acts on W alone. The rest: see `contrastive_divergence` and `optim.SGD`. Momentum m makes steps
        1 / (1 - m) times as long. For other optimizers write the loop: contrastive_divergence(batch), optimizer.step().
        """
        X, rng = self._data(X), generator(rng)
        optimizer = SGD([{"params": [self.W], "weight_decay": weight_decay}, {"params": [self.a, self.b]}],
                        lr=learning_rate, momentum=momentum)
        loader = DataLoader((X,), batch_size, shuffle=True, rng=rng)
        for _ in range(epochs):
            for (batch,) in loader:
                self.contrastive_divergence(batch, k, persistent, sparsity, sparsity_cost, rng)
                optimizer.step()
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

    # ---------------------------------------------------------------- what comes in
    def _checked(self, x, hidden=False):
        """x as an array (N, V), or (N, H), of the parameters' dtype; units that are binary lie in [0, 1]."""
        x = x._data if isinstance(x, Tensor) else np.asarray(x)
        width, what = (self.n_hidden, "hidden") if hidden else (self.n_visible, "visible")
        if x.ndim != 2 or x.shape[1] != width or x.dtype.kind not in "fiub":
            raise ValueError(f"RBM: got {what} units {x.dtype} {x.shape}, want numbers (N, {width}): one row an example; "
                             f"images are flattened by x.reshape(len(x), -1)")
        if x.size and x.dtype.kind != "b":
            low, high = np.min(x), np.max(x)
            if hidden or self.visible == "binary":
                if not (low >= 0 and high <= 1):
                    raise ValueError(f"RBM: got {what} units from {low} to {high}, want 0 <= v <= 1 in binary units; scale "
                                     "the data, or standardise them and use visible='gaussian'")
            elif not (np.isfinite(low) and np.isfinite(high)):
                raise ValueError(f"RBM: got {what} units from {low} to {high}, want finite numbers; fill or leave out nan")
        return x.astype(self.W.dtype, copy=False)

    def _data(self, X):
        """X as an array to train on: checked, there, and standardised where units are Gaussian."""
        X = X._data if isinstance(X, Tensor) else np.asarray(X)
        self._checked(X[:0])
        for n in range(0, len(X), PART):
            self._checked(X[n:n + PART])
        if len(X) == 0:
            raise ValueError("RBM.fit: got no rows, want at least one; did a filter leave nothing?")
        if self.visible == "gaussian":
            mean, spread = np.mean(X, axis=0), np.std(X, axis=0)
            off, wide = np.sqrt(np.mean(mean**2)), np.sqrt(np.mean(spread[spread > 0] ** 2)) if np.any(spread) else 0
            if off > 0.3 or not 0.7 < wide < 1.4:
                warnings.warn(f"RBM.fit: Gaussian units have a spread of 1, but the data's columns have means of about "
                              f"{off:.2g} and spreads of about {wide:.2g}; standardise them: (X - X.mean(0)) / X.std(0)",
                              stacklevel=3)
        return X


def _sigmoid(x):
    """1 / (1 + e^-x) = (1 + tanh(x / 2)) / 2, in place: four passes, of which NumPy has fast ones."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1
    x *= 0.5
    return x


def _bernoulli(p, rng):
    """1 with probability p, else 0.  (N, D) -> (N, D)"""
    return kernels.bernoulli(p.reshape(-1), *rng.integers(0, 2**32, 2).tolist()).reshape(p.shape)


def _at_least_one(who, name, value):
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{who}: got {name}={value!r}, want a whole number of at least 1")
