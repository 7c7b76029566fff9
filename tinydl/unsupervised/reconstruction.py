"""What all autoencoders share: a code of x from which x is built again, and how that is learned without labels.

    x (B, V)  --encode-->  h (B, H)  --decode-->  x' (B, V)

V visible units, H hidden ones, N rows of data. What training makes small is `losses`, one number an example.
"""

import numbers

import numpy as np

from .. import ops
from ..data import DataLoader
from ..nn import Module
from ..op import no_grad
from ..optim import AdamW, CosineAnnealingLR
from ..tensor import Tensor
from ..training import Schedule, Trainer
from .units import checked

PART = 4096  # rows at a time where a whole data set goes through


class Reconstruction(Module):
    """Base of the autoencoders. A subclass defines, on tensors,

        encode(x) -> h (B, H)       visible_input(h) -> what x' is made of, (B, V)       losses(x) -> (B,)

    visible, what a visible unit is, as in an RBM:
        "gaussian"  any number: x' = visible_input(h), compared by the squared error
        "binary"    a probability in [0, 1]: x' = sigmoid(visible_input(h)), compared by the cross-entropy

    As in scikit-learn: fit, transform, fit_transform; reconstruct gives x'. These take and give arrays.
    """

    def __init__(self, n_visible, n_hidden, visible):
        who = type(self).__name__
        if visible not in ("gaussian", "binary"):
            raise ValueError(f"{who}: got visible={visible!r}, want 'gaussian' or 'binary'")
        if not all(isinstance(n, numbers.Integral) and n >= 1 for n in (n_visible, n_hidden)):
            raise ValueError(f"{who}: got n_visible={n_visible!r}, n_hidden={n_hidden!r}, want whole numbers of at least 1")
        self.n_visible, self.n_hidden, self.visible = int(n_visible), int(n_hidden), visible

    # ---------------------------------------------------------------- on tensors
    def decode(self, h):
        """x' of a code h.  (B, H) -> (B, V)"""
        a = self.visible_input(h)
        return ops.sigmoid(a) if self.visible == "binary" else a

    def forward(self, x):
        """x', what is left of x after its way through the code.  (B, V) -> (B, V)"""
        return self.decode(self.encode(x))

    def error(self, h, x):
        """How far x' of the code h is from x, summed over the units.  (B, H), (B, V) -> (B,)

        gaussian: L = ||x - x'||^2
        binary:   L = -sum_i (x_i log x'_i + (1 - x_i) log(1 - x'_i)) = sum_i (log(1 + e^{a_i}) - x_i a_i),   x' = sigmoid(a)
        """
        a = self.visible_input(h)
        if self.visible == "binary":
            return ops.sum(ops.softplus(a) - x * a, axis=1)
        return ops.sum(ops.mse_loss(a, x, "none"), axis=1)

    # ---------------------------------------------------------------- on arrays
    def fit(self, X, epochs=10, batch_size=100, learning_rate=1e-3, falling=False, weight_decay=0.0, valid=None,
            callbacks=(), rng=None):
        """Train on X (N, V) with AdamW, from where the parameters stand. Returns self; `history_` has a row an epoch.

        falling: the learning rate goes to 0 along a cosine. weight_decay acts on weights, not on biases. valid: rows that
        give the column valid_loss. callbacks: of `tinydl.training`. rng draws the order of the rows; noise comes from the
        generator given to the constructor.
        """
        optimizer = AdamW([{"params": [p for p in self.parameters() if p.ndim > 1], "weight_decay": weight_decay},
                           {"params": [p for p in self.parameters() if p.ndim <= 1], "weight_decay": 0.0}],
                          lr=learning_rate)
        loader = self._loader("X", X, batch_size, shuffle=True, rng=rng)
        valid = None if valid is None else self._loader("valid", valid, PART)
        if falling:
            callbacks = [Schedule(CosineAnnealingLR(optimizer, max(1, epochs * len(loader))), every="batch"), *callbacks]
        self.history_ = Trainer(Objective(self), _mean, optimizer, callbacks).fit(loader, valid, epochs)
        return self

    def transform(self, X):
        """The features h.  (N, V) -> (N, H)"""
        return self._in_parts(self.encode, self._checked("X", X))

    def fit_transform(self, X, **options):
        return self.fit(X, **options).transform(X)

    def reconstruct(self, X):
        """x'.  (N, V) -> (N, V)"""
        return self._in_parts(self.forward, self._checked("X", X))

    def _in_parts(self, function, X):
        """function(X) without a graph, so many rows at a time."""
        with no_grad():
            return np.concatenate([function(Tensor._of(X[n:n + PART]))._data for n in range(0, max(len(X), 1), PART)])

    def _loader(self, name, X, *options, **named):
        X = self._checked(name, X)
        if len(X) == 0:
            raise ValueError(f"{type(self).__name__}.fit: {name} has no rows, want at least one; did a filter leave "
                             "nothing?")
        return DataLoader((X, X), *options, **named)  # what goes in is what shall come out

    def _checked(self, name, X):
        """X as an array (N, V) of the parameters' dtype, with values that the visible units can have."""
        X = checked(X, self.n_visible, self.visible, f"{type(self).__name__}: {name}")
        return X.astype(next(self.parameters()).dtype, copy=False)

    def extra_repr(self):
        return f"{self.n_visible}, {self.n_hidden}, visible={self.visible!r}"


class Objective(Module):
    """What the trainer makes small: its output for a batch x is the loss of each example.  (B, V) -> (B,)"""

    def __init__(self, autoencoder):
        self.autoencoder = autoencoder

    def forward(self, x):
        return self.autoencoder.losses(x)


def _mean(losses, target):
    """The mean over the batch; the target, x itself, is in the losses already."""
    return ops.mean(losses)


def at_least_zero(who, name, value):
    if not isinstance(value, numbers.Real) or not 0 <= value < np.inf:
        raise ValueError(f"{who}: got {name}={value!r}, want a finite number of at least 0")
