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


# e^r = 1 + r + r^2 P(r) for |r| <= log(2) / 2, to 3e-9: these coefficients make the largest relative error least (minimax).
_E = tuple(map(np.float32, (0.4999999343718939, 0.16666520555143366, 0.04166838954632423, 0.008368723932983371,
                            0.0013814553738464234)))
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.4426950408889634), np.float32(0.693359375), np.float32(-2.1219444005469057e-4)
_TURN, _LEAST = np.float32(1.5 * 2**23), np.float32(-87.3)  # where a float32's last bit counts ones; e^-87.3 = 2^-126


def _exp_rows_reference(y):
    np.exp(y, out=y)


@kernel(_exp_rows_reference)
def exp_rows(y):
    """y = e^y in place, for y <= 88: to 2e-7 of the number in float32; 0 below -87.3, nan stays nan.  (n, D)

    float32: x = k ln 2 + r with a whole k, e^x = 2^k e^r (Cody and Waite 1980, chapter 6); k is rounded by adding a number
    so large that no fraction fits beside it, and put where a float32 has its exponent: vector instructions all along, where
    the C library is called for each number. float64: that library.
    """
    one = y.dtype.type(1)
    single = one + y.dtype.type(1e-9) == one  # known when it is compiled: one of the two loops is left
    for n in range(y.shape[0]):
        row = y[n]
        if single:
            for d in range(y.shape[1]):
                x = row[d] if not row[d] < _LEAST else _LEAST
                turned = np.float32(x * _LOG2_E + _TURN)
                k = turned - _TURN
                r = (x - k * _LN2_HIGH) - k * _LN2_LOW
                e_r = ((((_E[4] * r + _E[3]) * r + _E[2]) * r + _E[1]) * r + _E[0]) * r * r + r + np.float32(1)
                power = np.int32((np.float32(turned).view(np.int32) - 0x4B400000 + 127) << 23)
                row[d] = np.float32(0) if row[d] < _LEAST else e_r * power.view(np.float32)
        else:
            for d in range(y.shape[1]):
                row[d] = np.exp(row[d])


# tanh x = x P(x^2) / Q(x^2) up to |x| = 9, from where on float32 rounds it to 1. These coefficients make the largest
# relative error least, 2e-8 (rational minimax approximation, see Cody and Waite 1980); all are positive: nothing cancels.
_P = tuple(map(np.float32, (0.9999999794666319, 0.13381023014823534, 3.495585053046062e-3, 2.0609033949012528e-5,
                            1.3354599177745504e-8)))
_Q = tuple(map(np.float32, (1, 0.467143386100014, 2.587697038230472e-2, 3.2856298821982906e-4, 7.776531779703554e-7)))


def _tanh_rows_reference(y):
    np.tanh(y, out=y)


@kernel(_tanh_rows_reference)
def tanh_rows(y):
    """y = tanh y in place, to 4e-7 of the number in float32, 2e-15 in float64; nan stays nan.  (n, D)

    float32: the quotient above. float64: Lambert's continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))), up to 55. No
    call and no branch is left in the inner loop, so it is made of vector instructions.
    """
    one = y.dtype.type(1)
    single = one + y.dtype.type(1e-9) == one  # known when it is compiled: one of the two loops is left
    end = y.dtype.type(81 if single else 365)  # the square of where tanh is 1; beyond it the quotient is x times a constant
    for n in range(y.shape[0]):
        row = y[n]
        if single:
            for d in range(y.shape[1]):
                z = min(end, row[d] * row[d])
                p = (((_P[4] * z + _P[3]) * z + _P[2]) * z + _P[1]) * z + _P[0]
                q = (((_Q[4] * z + _Q[3]) * z + _Q[2]) * z + _Q[1]) * z + _Q[0]
                t = row[d] * p / q
                row[d] = one if t > one else (-one if t < -one else t)
        else:
            for d in range(y.shape[1]):
                z = min(end, row[d] * row[d])
                p, q = one, 55 * one
                for k in range(53, 0, -2):
                    p, q = q, k * q + z * p
                t = row[d] * p / q
                row[d] = one if t > one else (-one if t < -one else t)


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


def _drop_from_reference(x, first, p, seed):
    z = (np.arange(first, first + len(x)).astype(np.uint64) * 0x9E3779B9 + np.uint64(seed)) & 0xFFFFFFFF
    z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    x *= np.where(z ^ (z >> 16) >= np.uint64(p * 2**32), x.dtype.type(1 / (1 - p)), x.dtype.type(0))


@kernel(_drop_from_reference)
def drop_from(x, first, p, seed):
    """x_i *= m_{first + i} in place; m_i is 0 with probability p < 1, and else 1 / (1 - p); 0 <= seed < 2^32.  (n,)

    m_i is a hash of i and the seed, 32 bits wide (the finalizer of MurmurHash3 by Appleby, on Weyl's sequence): no state
    runs from one number to the next, so the loop is vectorised where drawing from a generator takes ten times as long,
    and whoever needs the mask again computes it again.
    """
    keep, drop = x.dtype.type(1 / (1 - p)), x.dtype.type(0)
    limit = int(p * 4294967296)
    for i in range(len(x)):
        z = ((first + i) * 0x9E3779B9 + seed) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        x[i] *= keep if z ^ (z >> 16) >= limit else drop


def _dropout_reference(x, p, seed):
    y = x.copy()
    _drop_from_reference(y, 0, p, seed)
    return y


@kernel(_dropout_reference)
def dropout(x, p, seed):
    """y_i = m_i x_i with the mask of `drop_from`.  (n,) -> (n,)"""
    y = np.empty_like(x)
    for first in range(0, len(x), 1024):  # while it is in the innermost cache
        part = y[first:first + 1024]
        part[:] = x[first:first + 1024]
        drop_from(part, first, p, seed)
    return y
