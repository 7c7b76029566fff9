"""Sums and softmaxes over the neighbours in a graph: row i's edges are columns[start[i]:start[i + 1]] (CSR).

No result depends on the thread count: each row is summed by one thread, in the order of its edges.
"""

import numpy as np

from tinydl.kernels import kernel
from tinydl.kernels.registry import prange

from ..ragged import row_of

PARTS = 64  # of the rows, with about as many edges each: a film has three thousand neighbours, another one


def _neighbour_sum_reference(start, columns, weight, x):
    import scipy.sparse

    return scipy.sparse.csr_array((weight, columns, start), (len(start) - 1, len(x))) @ x


@kernel(_neighbour_sum_reference, parallel=True)
def neighbour_sum(start, columns, weight, x):
    """y_i = sum_n weight_n x[columns_n]   over the edges n of row i.   (R + 1,), (n,), (n,), (C, D) -> (R, D)"""
    R, D = len(start) - 1, x.shape[1]
    y = np.zeros((R, D), x.dtype)
    for part in prange(PARTS):
        first = np.searchsorted(start[:R], len(columns) * part // PARTS)
        end = np.searchsorted(start[:R], len(columns) * (part + 1) // PARTS)  # rows that start at the end have no edges
        for i in range(first, end):
            y_i = y[i]
            for n in range(start[i], start[i + 1]):
                w, x_n = weight[n], x[columns[n]]
                for d in range(D):
                    y_i[d] += w * x_n[d]
    return y


def _segment_softmax_reference(e, start):
    row = row_of(start)
    top = np.full(len(start) - 1, -np.inf, e.dtype)
    np.maximum.at(top, row, e)
    y = np.exp(e - top[row])
    return y / np.bincount(row, y, len(start) - 1).astype(e.dtype)[row]


@kernel(_segment_softmax_reference)
def segment_softmax(e, start):
    """y_n = exp(e_n) / sum_m exp(e_m)   over the edges m of n's row.   (n,), (R + 1,) -> (n,)"""
    y = np.empty_like(e)
    for i in range(len(start) - 1):
        if start[i] == start[i + 1]:
            continue
        top, total = e[start[i]], 0.0
        for n in range(start[i], start[i + 1]):
            top = max(top, e[n])
        for n in range(start[i], start[i + 1]):
            y[n] = np.exp(e[n] - top)
            total += y[n]
        for n in range(start[i], start[i + 1]):
            y[n] /= total
    return y


def _segment_softmax_gradient_reference(y, dy, start):
    row = row_of(start)
    return y * (dy - np.bincount(row, y * dy, len(start) - 1).astype(y.dtype)[row])


@kernel(_segment_softmax_gradient_reference)
def segment_softmax_gradient(y, dy, start):
    """de_n = y_n (dy_n - sum_m y_m dy_m)   over the edges m of n's row.   (n,), (n,), (R + 1,) -> (n,)"""
    de = np.empty_like(y)
    for i in range(len(start) - 1):
        total = 0.0
        for n in range(start[i], start[i + 1]):
            total += y[n] * dy[n]
        for n in range(start[i], start[i + 1]):
            de[n] = y[n] * (dy[n] - total)
    return de
