"""Where training starts: random weights whose signal neither dies nor explodes on its way through the layers.

All work in place, return the tensor, and take `rng`. fan_in is the number of inputs of a unit, fan_out of outputs.
"""

import math

import numpy as np

from ..random import generator

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2.0)}


def calculate_gain(nonlinearity, param=None):
    """The factor that makes up for what a nonlinearity takes from the signal's spread: sqrt(2) for ReLU.

    >>> round(calculate_gain("relu") ** 2, 6)
    2.0
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: got {nonlinearity!r}, want one of {', '.join(_GAINS)}, leaky_relu")
    return _GAINS[nonlinearity]


def _fans(tensor):
    """(fan_in, fan_out) of a weight (out, in) or (out, in, *kernel)."""
    if tensor.ndim < 2:
        raise ValueError(f"init: got a tensor of shape {tensor.shape}; fan-in and fan-out need at least (out, in)")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fill(tensor, array):
    tensor._writable("init")[...] = array
    return tensor


def uniform_(tensor, a=0.0, b=1.0, rng=None):
    """U(a, b)"""
    return _fill(tensor, generator(rng).uniform(a, b, tensor.shape))


def normal_(tensor, mean=0.0, std=1.0, rng=None):
    """N(mean, std^2)"""
    return _fill(tensor, generator(rng).normal(mean, std, tensor.shape))


def constant_(tensor, val):
    """val everywhere"""
    return _fill(tensor, val)


def zeros_(tensor):
    """0 everywhere"""
    return _fill(tensor, 0)


def ones_(tensor):
    """1 everywhere"""
    return _fill(tensor, 1)


def xavier_uniform_(tensor, gain=1.0, rng=None):
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out))   (Glorot and Bengio 2010, eq. 16)"""
    fan_in, fan_out = _fans(tensor)
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, rng)


def xavier_normal_(tensor, gain=1.0, rng=None):
    """N(0, s^2) with s = gain sqrt(2 / (fan_in + fan_out))   (Glorot and Bengio 2010)"""
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0, gain * math.sqrt(2 / (fan_in + fan_out)), rng)


def _fan(tensor, mode):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: got mode={mode!r}, want 'fan_in' or 'fan_out'")
    return _fans(tensor)[mode == "fan_out"]


def kaiming_uniform_(tensor, a=0.0, mode="fan_in", nonlinearity="leaky_relu", rng=None):
    """U(-b, b) with b = gain sqrt(3 / fan)   (He et al. 2015, section 2.2)"""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / max(1, _fan(tensor, mode)))
    return uniform_(tensor, -bound, bound, rng)


def kaiming_normal_(tensor, a=0.0, mode="fan_in", nonlinearity="leaky_relu", rng=None):
    """N(0, gain^2 / fan)   (He et al. 2015, section 2.2)"""
    return normal_(tensor, 0, calculate_gain(nonlinearity, a) / math.sqrt(max(1, _fan(tensor, mode))), rng)


def orthogonal_(tensor, gain=1.0, rng=None):
    """gain Q with Q'Q = 1 (or QQ' = 1 for a wide matrix): lengths and angles survive the layer   (Saxe et al. 2014)

    Q of the QR decomposition of a Gaussian matrix, its columns' signs set by R's diagonal so that Q is uniform.
    """
    _fans(tensor)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    q, r = np.linalg.qr(generator(rng).standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diagonal(r) < 0, -1, 1)
    return _fill(tensor, gain * np.reshape(q if rows >= columns else q.T, tensor.shape))
