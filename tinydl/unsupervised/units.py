"""Units of a Boltzmann machine: their numbers checked, their probabilities, their states drawn."""

import numbers
import warnings

import numpy as np

from .. import kernels
from ..tensor import Tensor


def sigmoid(x):
    """1 / (1 + e^-x) = (1 + tanh(x / 2)) / 2, in x's place: four passes, all of them fast."""
    x *= 0.5
    kernels.tanh_rows(x)
    x += 1
    x *= 0.5
    return x


def bernoulli(p, rng):
    """1 with probability p, else 0, in p's dtype.  (N, D) -> (N, D)"""
    return kernels.bernoulli(p.reshape(-1), *rng.integers(0, 2**32, 2).tolist()).reshape(p.shape)


def base_rates(X, kind="binary"):
    """a, of a machine with W = b = 0 whose visible units have their means in X.  (N, V) -> (V,)

    Binary: log p / (1 - p) with p = (sum X + 1) / (N + 2), which takes no unit for certain; Gaussian: the means.
    """
    if kind == "gaussian":
        return np.mean(X, axis=0)
    on = np.sum(X, axis=0, dtype=np.float64) + 1
    return np.log(on / (len(X) + 2 - on))


def checked(x, width, kind, who):
    """x, a tensor or array of numbers (N, width), as an array: binary units in [0, 1], Gaussian ones finite."""
    x = x._data if isinstance(x, Tensor) else np.asarray(x)
    if x.ndim != 2 or x.shape[1] != width or x.dtype.kind not in "fiub":
        raise ValueError(f"{who}: got {x.dtype} {x.shape}, want numbers (N, {width}), a row an example; images become rows "
                         "by x.reshape(len(x), -1)")
    low, high = (np.min(x), np.max(x)) if x.size and x.dtype.kind != "b" else (0, 1)
    if kind == "binary" and not (low >= 0 and high <= 1):
        raise ValueError(f"{who}: got numbers from {low} to {high}, want 0 to 1 in binary units; scale the data, or "
                         "standardise them and use visible='gaussian'")
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{who}: got numbers from {low} to {high}, want finite ones; fill or leave out what is missing")
    return x


def warn_unless_standardised(X):
    """Warn where columns have not about mean 0 and spread 1, in the quadratic mean; constant ones may have spread 0."""
    mean, spread = np.mean(X, axis=0), np.std(X, axis=0)
    off, wide = np.sqrt(np.mean(mean**2)), np.sqrt(np.sum(spread**2) / max(1, np.count_nonzero(spread)))
    if off > 0.3 or not 0.7 < wide < 1.4:
        warnings.warn(f"RBM: Gaussian units have a spread of 1, but the data's columns have means of about {off:.2g} and "
                      f"spreads of about {wide:.2g}; standardise them: (X - X.mean(0)) / X.std(0)", stacklevel=4)


def check_finite(who, machine, epoch, learning_rate, hint=""):
    """Refuse to go on where a parameter is nan or inf after an epoch, counted from 0."""
    if not all(np.all(np.isfinite(p._data)) for p in machine.parameters()):
        raise FloatingPointError(f"{who}.fit: parameters are nan or inf after epoch {epoch + 1}; make a new {who} and lower "
                                 f"the learning rate, {learning_rate}{hint}")


def at_least_one(who, name, value):
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{who}: got {name}={value!r}, want a whole number of at least 1")
