"""Many numbers become few: sum, mean, var, max, min, logsumexp, cumsum.

axis is None (all), an integer or a tuple, and keepdims as in NumPy. A gradient goes back by putting the reduced axes
in again with length 1 and letting broadcasting do the rest.
"""

import math

import numpy as np

from ..op import op, value_of


def _restore(dy, shape, axis):
    """Give dy the reduced axes back, with length 1, so that it broadcasts against an array of `shape`."""
    if axis is None:
        return np.reshape(dy, (1,) * len(shape))
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return np.reshape(dy, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _count(shape, axis):
    """How many numbers go into each result."""
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))


@op(linear=True)
def sum(x, axis=None, keepdims=False):
    """y = sum_i x_i;   dx_i = dy"""
    shape = x.shape
    return np.sum(x, axis=axis, keepdims=keepdims), lambda dy: np.broadcast_to(_restore(dy, shape, axis), shape)


@op(linear=True)
def mean(x, axis=None, keepdims=False):
    """y = 1/n sum_i x_i;   dx_i = dy / n"""
    shape = x.shape
    n = _count(shape, axis)
    return (np.sum(x, axis=axis, keepdims=keepdims) / n,  # np.mean does the same in Python
            lambda dy: np.broadcast_to(_restore(dy / n, shape, axis), shape))


@op
def var(x, axis=None, correction=0, keepdims=False):
    """y = 1/(n - correction) sum_i (x_i - mean)^2;   dx_i = dy * 2 (x_i - mean) / (n - correction)"""
    n = _count(x.shape, axis) - correction
    if n <= 0:
        raise ValueError(f"var: got {n + correction} numbers (x {x.shape}, axis {axis}) for each result, want more than "
                         f"correction={correction}")
    d = x - np.mean(x, axis=axis, keepdims=True)
    y = np.sum(d * d, axis=axis, keepdims=keepdims) / n
    return y, lambda dy: _restore(dy, x.shape, axis) * (2 / n) * d


def _extreme(reduce):
    def rule(x, axis=None, keepdims=False):
        y = reduce(x, axis=axis, keepdims=keepdims)

        def dx(dy):
            hit = np.where(x == _restore(y, x.shape, axis), x.dtype.type(1), x.dtype.type(0))
            return hit * (_restore(dy, x.shape, axis) / np.sum(hit, axis=axis, keepdims=True))

        return y, dx

    return rule


@op
def norm(x):
    """y = sqrt(sum_i x_i^2), of all numbers;   dx_i = dy x_i / y (0 where y = 0, as in PyTorch)"""
    y = np.sqrt(np.sum(x * x))
    return y, lambda dy: x * (dy / np.where(y == 0, 1, y))


@op
def max(x, axis=None, keepdims=False):
    """y = max_i x_i;   dx_i = dy / (number of maxima) at the maxima, as PyTorch's amax"""
    return _extreme(np.max)(x, axis, keepdims)


@op
def min(x, axis=None, keepdims=False):
    """y = min_i x_i;   dx_i = dy / (number of minima) at the minima"""
    return _extreme(np.min)(x, axis, keepdims)


def _logsumexp(x, axis, keepdims):
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis)


@op
def logsumexp(x, axis=None, keepdims=False):
    """y = log sum_i e^{x_i}, shifted by the maximum so that nothing overflows;   dx = dy * softmax(x)"""
    y = value_of(lambda x: logsumexp(x, axis=axis, keepdims=keepdims), lambda x: _logsumexp(x, axis, keepdims), x)
    return y, lambda dy: _restore(dy, x.shape, axis) * np.exp(x - _restore(y, x.shape, axis))


@op(linear=True)
def cumsum(x, axis=0):
    """y_i = sum_{j <= i} x_j;   dx_i = sum_{j >= i} dy_j"""
    return np.cumsum(x, axis=axis), lambda dy: np.flip(np.cumsum(np.flip(dy, axis), axis=axis), axis)
