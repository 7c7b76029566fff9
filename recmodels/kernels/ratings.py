"""Products of matrices of which only some places are known, or wanted: what ratings are.

A place is a pair (i_n, j_n); there are n of them, in any order. Every array here has n or as many rows as it has users or
items: no matrix of users by items is made.
"""

import numpy as np

from tinydl.kernels import kernel
from tinydl.kernels.registry import prange

TILE = 256  # columns at once: a row of the sums stays in the first cache, and each core takes columns of its own


def _sparse_matmul_reference(x, b, i, j, size):
    y = np.zeros((size, b.shape[1]), b.dtype)
    np.add.at(y, i, x[:, None] * b[j])
    return y


@kernel(_sparse_matmul_reference, parallel=True)
def sparse_matmul(x, b, i, j, size):
    """y = X b, where X (size, J) has x_n at (i_n, j_n):   y[i_n] += x_n b[j_n], in the order of n.

    (n,), (J, D), (n,), (n,) -> (size, D). With i and j exchanged: the product with the transpose of X.
    """
    D = b.shape[1]
    y = np.zeros((size, D), b.dtype)
    for tile in prange((D + TILE - 1) // TILE):
        first, last = tile * TILE, min(D, (tile + 1) * TILE)
        for n in range(len(i)):
            x_n, y_n, b_n = x[n], y[i[n], first:last], b[j[n], first:last]
            for d in range(last - first):
                y_n[d] += x_n * b_n[d]
    return y


def _sampled_matmul_reference(a, b, i, j):
    return np.einsum("nd,nd->n", a[i], b[j])


@kernel(_sampled_matmul_reference, parallel=True, reorder=True)
def sampled_matmul(a, b, i, j):
    """y_n = <a[i_n], b[j_n]>: the product a b' at the places (i_n, j_n) alone.   (I, D), (J, D), (n,), (n,) -> (n,)"""
    y, zero = np.empty(len(i), a.dtype), a.dtype.type(0)
    for n in prange(len(i)):
        a_n, b_n, s = a[i[n]], b[j[n]], zero
        for d in range(a.shape[1]):
            s += a_n[d] * b_n[d]
        y[n] = s
    return y
