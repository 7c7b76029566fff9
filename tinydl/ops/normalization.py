"""Batch normalization as one primitive: its gradient is two sums a channel and one map, not ten passes."""

import math

import numpy as np

from .. import kernels
from ..op import op
from ..tensor import Tensor


def _rows(x):
    """(B, C, ...) as (n, C), one row for each example and place; without a copy where the channels come last in memory."""
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    return np.reshape(last, (math.prod(last.shape[:-1]), last.shape[-1]))


def _as(rows, x):
    """Rows back in x's shape (B, C, ...)."""
    return np.moveaxis(np.reshape(rows, (x.shape[0], *x.shape[2:], x.shape[1])), -1, 1)


def moments(x):
    """(mean, variance), arrays (C,), of each channel (axis 1) over all else; the variance is divided by n."""
    return kernels.channel_moments(_rows(x._data if isinstance(x, Tensor) else x))


@op(joint=True)
def _normalize(x, weight, bias, moments=None, eps=1e-5):
    """y = weight z + bias,   z = (x - mean) / s,   s = sqrt(var + eps): each channel's own mean and variance over n numbers

    dx = weight / s (dy - 1/n sum dy - z 1/n sum dy z),   dweight = sum dy z,   dbias = sum dy   (Ioffe and Szegedy 2015)
    """
    if any(isinstance(a, Tensor) for a in (x, weight, bias)):  # to be differentiated again: nobody asks for the value
        return None, lambda dy, needs: _gradients(x, weight, dy, eps)
    mean, var = moments
    rows, inverse = _rows(x), 1 / np.sqrt(var + eps)

    def pullback(dy, needs):
        dy = _rows(dy)
        total, product = kernels.channel_sums(dy, rows, mean)
        dx = None
        if needs[0]:
            scale, n = weight * inverse, len(rows)
            dx = _mapped(dy, rows, mean, scale, -scale * inverse**2 * product / n, -scale * total / n)
        return dx if dx is None else _as(dx, x), product * inverse, total

    return _as(_mapped(rows, rows, mean, 0 * mean, weight * inverse, bias), x), pullback


def _mapped(u, x, *channels):
    """a u + b (x - mean) + d, each channel's four numbers in the dtype of x."""
    return kernels.channel_map(u, x, *(np.asarray(v, x.dtype) for v in channels))


def _gradients(x, weight, dy, eps):
    """The three gradients by their formulas, on tensors."""
    axes = (0, *range(2, x.ndim))
    d = x - np.mean(x, axis=axes, keepdims=True)
    s = np.sqrt(np.mean(d * d, axis=axes, keepdims=True) + eps)
    z = d / s
    weight = np.reshape(weight, (-1,) + (1,) * (x.ndim - 2))
    dx = weight / s * (dy - np.mean(dy, axis=axes, keepdims=True) - z * np.mean(dy * z, axis=axes, keepdims=True))
    return dx, np.sum(dy * z, axis=axes), np.sum(dy, axis=axes)


def batch_norm(x, weight, bias, eps=1e-5, batch=None):
    """y = weight (x - mean) / sqrt(var + eps) + bias, per channel: x (B, C, ...), weight and bias (C,)

    batch: what `moments(x)` gave, where that is known already; the gradient knows that they come from x.
    """
    return _normalize(x, weight, bias, moments=moments(x) if batch is None else batch, eps=eps)
