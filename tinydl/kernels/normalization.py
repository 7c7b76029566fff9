"""Sums over the rows of (n, C) and maps of them, channel by channel: what batch normalization spends its time on.

Sums are made of 128 rows each, and those are added up: one sum over all rows would lose digits in float32, and the parts can
share the cores without the result depending on how many there are.
"""

import numpy as np

from .registry import kernel, prange

FEW = 1 << 15  # below so many numbers, waking the other cores costs what they save


def _channel_moments_reference(x):
    n = np.float64(len(x))  # NumPy adds row to row, which needs more digits than the parts below
    mean = (np.sum(x, axis=0, dtype=np.float64) / n).astype(x.dtype)
    return mean, (np.sum((x - mean) ** 2, axis=0, dtype=np.float64) / n).astype(x.dtype)


@kernel(_channel_moments_reference, parallel=True)
def channel_moments(x):
    """mean_c = 1/n sum_n x_nc,   var_c = 1/n sum_n (x_nc - mean_c)^2, in two passes.  (n, C) -> (C,), (C,)"""
    n, C = x.shape
    parts = (n + 127) // 128
    sums, moments = np.zeros((parts, C), x.dtype), np.zeros((2, C), x.dtype)

    def add_part(p, power):
        total = sums[p]
        total[:] = 0
        for row in range(p * 128, min(n, p * 128 + 128)):
            for c in range(C):
                d = x[row, c] - moments[0, c]
                total[c] += d if power == 1 else d * d

    for power in range(1, 3):
        if x.size < FEW:
            for p in range(parts):
                add_part(p, power)
        else:
            for p in prange(parts):
                add_part(p, power)
        total = np.zeros(C, x.dtype)
        for p in range(parts):
            for c in range(C):
                total[c] += sums[p, c]
        for c in range(C):
            moments[power - 1, c] = total[c] / n
    return moments[0].copy(), moments[1].copy()


def _channel_sums_reference(u, x, mean):
    return tuple(np.sum(a, axis=0, dtype=np.float64).astype(x.dtype) for a in (u, u * (x - mean)))


@kernel(_channel_sums_reference, parallel=True)
def channel_sums(u, x, mean):
    """sum_n u_nc and sum_n u_nc (x_nc - mean_c).  (n, C), (n, C), (C,) -> (C,), (C,)"""
    n, C = x.shape
    parts = (n + 127) // 128
    sums, totals = np.zeros((parts, 2, C), x.dtype), np.zeros((2, C), x.dtype)

    def add_part(p):
        plain, weighted = sums[p, 0], sums[p, 1]
        for row in range(p * 128, min(n, p * 128 + 128)):
            for c in range(C):
                plain[c] += u[row, c]
                weighted[c] += u[row, c] * (x[row, c] - mean[c])

    if x.size < FEW:
        for p in range(parts):
            add_part(p)
    else:
        for p in prange(parts):
            add_part(p)
    for p in range(parts):
        for k in range(2):
            for c in range(C):
                totals[k, c] += sums[p, k, c]
    return totals[0].copy(), totals[1].copy()


def _channel_map_reference(u, x, mean, a, b, d):
    return u * a + (x - mean) * b + d


@kernel(_channel_map_reference, parallel=True)
def channel_map(u, x, mean, a, b, d):
    """y_nc = a_c u_nc + b_c (x_nc - mean_c) + d_c.  (n, C), (n, C), then four of (C,) -> (n, C)"""
    n, C = x.shape
    y = np.empty_like(x)

    def map_part(p):
        for row in range(p * 128, min(n, p * 128 + 128)):
            for c in range(C):
                y[row, c] = a[c] * u[row, c] + (b[c] * (x[row, c] - mean[c]) + d[c])

    if x.size < FEW:
        for p in range((n + 127) // 128):
            map_part(p)
    else:
        for p in prange((n + 127) // 128):
            map_part(p)
    return y
