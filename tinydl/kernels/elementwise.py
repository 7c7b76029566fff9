"""Passes over flat arrays that NumPy would need several of, or slow ones."""

import numpy as np

from .registry import kernel


def _add_rows_reference(y, b):
    y += b


@kernel(_add_rows_reference)
def add_rows(y, b):
    """y[n] += b, in place.  (n, D), (D,)"""
    for n in range(y.shape[0]):
        for d in range(y.shape[1]):
            y[n, d] += b[d]


def _relu_reference(x):
    return np.maximum(x, 0)


@kernel(_relu_reference)
def relu(x):
    """y = max(0, x); nan stays nan.  (n,) -> (n,)"""
    y = np.empty_like(x)
    zero = x.dtype.type(0)
    for i in range(len(x)):
        y[i] = zero if x[i] <= 0 else x[i]
    return y


def _relu_gradient_reference(x, dy):
    return np.where(x > 0, dy, 0)


@kernel(_relu_gradient_reference)
def relu_gradient(x, dy):
    """dx = dy where x > 0, else 0.  (n,), (n,) -> (n,)"""
    dx = np.empty_like(dy)
    zero = dy.dtype.type(0)
    for i in range(len(dy)):
        d = dy[i]  # read in any case: then the compiler needs no branch
        dx[i] = d if x[i] > 0 else zero
    return dx


def _tanh_gradient_reference(y, dy):
    return dy * (1 - y * y)


@kernel(_tanh_gradient_reference)
def tanh_gradient(y, dy):
    """dx = dy (1 - y^2) of y = tanh x, in one pass instead of three.  (n,), (n,) -> (n,)"""
    dx, one = np.empty_like(dy), y.dtype.type(1)
    for i in range(len(y)):
        dx[i] = dy[i] * (one - y[i] * y[i])
    return dx


def _add_rows_relu_reference(y, b):
    y += b
    np.maximum(y, 0, out=y)


@kernel(_add_rows_relu_reference)
def add_rows_relu(y, b):
    """y[n] = max(0, y[n] + b), in place; nan stays nan.  (n, D), (D,)"""
    zero = y.dtype.type(0)
    for n in range(y.shape[0]):
        for d in range(y.shape[1]):
            z = y[n, d] + b[d]
            y[n, d] = zero if z <= 0 else z


def _relu_rows_gradient_reference(y, dy):
    dz = np.where(y > 0, dy, 0)
    return dz, np.sum(dz, axis=0)


@kernel(_relu_rows_gradient_reference)
def relu_rows_gradient(y, dy):
    """dz = dy where y > 0, else 0;   db = sum_n dz[n].  (n, D), (n, D) -> (n, D), (D,)

    Sums of 128 rows are added up: one sum over a long batch would lose digits in float32.
    """
    N, D = dy.shape
    dz, db, part = np.empty_like(dy), np.zeros(D, dy.dtype), np.zeros(D, dy.dtype)
    zero = dy.dtype.type(0)
    for first in range(0, N, 128):
        part[:] = zero
        for n in range(first, min(first + 128, N)):
            for d in range(D):
                z = dy[n, d]
                z = z if y[n, d] > 0 else zero
                dz[n, d] = z
                part[d] += z
        for d in range(D):
            db[d] += part[d]
    return dz, db


def _dropout_reference(x, p, seed):
    z = (np.arange(len(x), dtype=np.uint64) * 0x9E3779B9 + np.uint64(seed)) & 0xFFFFFFFF
    z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return x * np.where(z ^ (z >> 16) >= np.uint64(p * 2**32), x.dtype.type(1 / (1 - p)), x.dtype.type(0))


@kernel(_dropout_reference)
def dropout(x, p, seed):
    """y_i = m_i x_i, where m_i is 0 with probability p < 1, and else 1 / (1 - p); 0 <= seed < 2^32.  (n,) -> (n,)

    m_i is a hash of i and the seed, 32 bits wide (the finalizer of MurmurHash3 by Appleby, on Weyl's sequence): no state
    runs from one number to the next, so the loop is vectorised where drawing from a generator takes ten times as long,
    and whoever needs the mask again computes it again.
    """
    keep, drop = x.dtype.type(1 / (1 - p)), x.dtype.type(0)
    limit = int(p * 4294967296)
    y = np.empty_like(x)
    for i in range(len(x)):
        z = (i * 0x9E3779B9 + seed) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        y[i] = x[i] * (keep if z ^ (z >> 16) >= limit else drop)
    return y
