"""Tensors out of nothing: zeros, ones, ranges and random numbers, by PyTorch's names and `rng` for the generator."""

import numpy as np

from .random import generator
from .tensor import Tensor, get_default_dtype


def tensor(data, requires_grad=False, dtype=None):
    """A tensor with a copy of `data`: see `Tensor`."""
    return Tensor(data, requires_grad, dtype)


def _sizes(sizes):
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def full(size, fill_value, dtype=None, requires_grad=False):
    return Tensor(np.full(size, fill_value, dtype or get_default_dtype()), requires_grad)


def zeros(*size, dtype=None, requires_grad=False):
    return full(_sizes(size), 0, dtype, requires_grad)


def ones(*size, dtype=None, requires_grad=False):
    return full(_sizes(size), 1, dtype, requires_grad)


def zeros_like(x):
    return Tensor(np.zeros(x.shape, x.dtype))


def ones_like(x):
    return Tensor(np.ones(x.shape, x.dtype))


def eye(n, m=None, dtype=None):
    return Tensor(np.eye(n, m, dtype=dtype or get_default_dtype()))


def arange(*bounds, dtype=None):
    """Numbers from start (0) up to end, by step (1), as `np.arange`; whole numbers stay integers."""
    return Tensor(np.arange(*bounds) if dtype is None else np.arange(*bounds, dtype=dtype))


def randn(*size, rng=None, dtype=None, requires_grad=False):
    """Standard normal numbers."""
    return Tensor(generator(rng).standard_normal(_sizes(size)), requires_grad, dtype or get_default_dtype())


def rand(*size, rng=None, dtype=None, requires_grad=False):
    """Uniform numbers in [0, 1)."""
    return Tensor(generator(rng).random(_sizes(size)), requires_grad, dtype or get_default_dtype())
