"""The functions between the layers: sigmoid, tanh, ReLU and their descendants, softmax. All are safe at +-10,000."""

import numpy as np

from .. import kernels
from ..op import op, value_of
from .arithmetic import erf


def _sigmoid(x):
    z = np.exp(-np.absolute(x))  # never above 1, so nothing overflows
    return np.where(x >= 0, 1, z) / (1 + z)


@op
def sigmoid(x):
    """y = 1 / (1 + e^-x);   dx = dy * y (1 - y)"""
    y = value_of(sigmoid, _sigmoid, x)
    return y, lambda dy: dy * (y * (1 - y))


def _tanh(x):
    if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64):  # integers and the like become numbers
        return np.tanh(x)

    def of_vector(x):
        y = np.array(x)[None]
        kernels.tanh_rows(y)
        return y
    return _flat(of_vector, x)


@op
def tanh(x):
    """y = tanh x;   dx = dy * (1 - y^2)"""
    y = value_of(tanh, _tanh, x)
    return y, lambda dy: _flat(kernels.tanh_gradient, y, dy)


@op
def relu(x):
    """y = max(0, x);   dx = dy where x > 0, else 0 (at the kink too)"""
    return _flat(kernels.relu, x), lambda dy: _flat(kernels.relu_gradient, x, dy)


def _flat(compute, x, *others):
    """compute(...), which takes vectors, of arrays of x's shape: number by number in the order in which x lies in memory."""
    axes = None
    if isinstance(x, np.ndarray) and not x.flags.c_contiguous:  # as images whose channels come last
        axes = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
        x, *others = (np.transpose(a, axes) for a in (x, *others))
    y = compute(*[a.reshape(-1) for a in (x, *others)]).reshape(x.shape)  # np.reshape takes four times as long
    return y if axes is None else np.transpose(y, np.argsort(axes))


@op(linear=True)
def dropout(x, p=0.5, seed=0):
    """y_i = m_i x_i / (1 - p), m_i a hash of i and the seed: 0 with probability p < 1, else 1;   dx_i = m_i dy_i / (1 - p)

    The mask is not kept: the gradient computes it again from the seed. `nn.functional.dropout` draws the seed.
    """
    return np.reshape(kernels.dropout(np.reshape(x, -1), p, seed), x.shape), lambda dy: dropout(dy, p=p, seed=seed)


@op
def leaky_relu(x, negative_slope=0.01):
    """y = x where x > 0, else negative_slope * x   (Maas et al. 2013)"""
    return np.where(x > 0, x, negative_slope * x), lambda dy: np.where(x > 0, dy, negative_slope * dy)


@op
def elu(x, alpha=1.0):
    """y = x where x > 0, else alpha (e^x - 1);   dx = dy, or dy * alpha e^x   (Clevert et al. 2016)"""
    low = np.minimum(x, 0)
    return np.where(x > 0, x, alpha * np.expm1(low)), lambda dy: np.where(x > 0, dy, dy * (alpha * np.exp(low)))


@op
def softplus(x):
    """y = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|);   dx = dy * sigmoid(x)"""
    y = value_of(softplus, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x))), x)
    return y, lambda dy: dy * sigmoid(x)


def silu(x):
    """y = x sigmoid(x), also called swish   (Elfwing et al. 2018)"""
    return x * sigmoid(x)


def gelu(x, approximate="none"):
    """y = x Phi(x) = x/2 (1 + erf(x / sqrt 2)); approximate="tanh" is the paper's own fit   (Hendrycks & Gimpel 2016)"""
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))
    if approximate != "none":
        raise ValueError(f"gelu: got approximate={approximate!r}, want 'none' or 'tanh'")
    return 0.5 * x * (1 + erf(x * 0.5**0.5))


def logsigmoid(x):
    """y = log sigmoid(x) = -softplus(-x)"""
    return -softplus(-x)


def _softmax(x, axis):
    z = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return z / np.sum(z, axis=axis, keepdims=True)


@op
def softmax(x, axis=-1):
    """y_i = e^{x_i} / sum_j e^{x_j};   dx = y * (dy - sum_j dy_j y_j)"""
    y = value_of(lambda x: softmax(x, axis=axis), lambda x: _softmax(x, axis), x)
    return y, lambda dy: y * (dy - np.sum(dy * y, axis=axis, keepdims=True))


def _log_softmax(x, axis):
    d = x - np.max(x, axis=axis, keepdims=True)
    return d - np.log(np.sum(np.exp(d), axis=axis, keepdims=True))


@op
def log_softmax(x, axis=-1):
    """y_i = x_i - log sum_j e^{x_j};   dx = dy - e^y sum_j dy_j"""
    y = value_of(lambda x: log_softmax(x, axis=axis), lambda x: _log_softmax(x, axis), x)
    return y, lambda dy: dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True)
