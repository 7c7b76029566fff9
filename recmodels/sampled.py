"""Products of matrices at known places: the two halves of an autoencoder of ratings, each the other's gradient.

    sparse_matmul     y = X b           X is zero but at (i_n, j_n), where it has x_n
    sampled_matmul    y_n = (a b')_ij   at the places (i_n, j_n) alone

A matrix of 3,706 films by 6,040 users is 95 % unknown: where only its known places are read and wanted, a product costs a
twentieth of the dense one's arithmetic, and no such matrix is made. The names are those of PyTorch's sparse functions.
"""

import numpy as np

from tinydl import ops
from tinydl.op import op, value_of

from . import kernels


def sparse_matmul(x, b, i, j, size):
    """y[i_n] += x_n b[j_n]:   x (n,), b (J, D), i (n,) in [0, size), j (n,) in [0, J) -> y (size, D)

    The same place twice counts twice. Rows that no place is in are 0.
    """
    if np.ndim(x) != 1 or b.ndim != 2:
        raise ValueError(f"sparse_matmul: got x {np.shape(x)} and b {b.shape}, want (n,) numbers and a matrix (J, D)")
    if b.dtype.kind != "f":
        raise TypeError(f"sparse_matmul: got b of {b.dtype}, want floating numbers: call .astype(np.float32)")
    i, j = _places("sparse_matmul", i, size, j, len(b))
    if i.shape != np.shape(x):
        raise ValueError(f"sparse_matmul: got x {np.shape(x)} for places {i.shape}, want a number for each place")
    return _sparse_matmul(x, b, i=i, j=j, size=size)


def sampled_matmul(a, b, i, j):
    """y_n = <a[i_n], b[j_n]>:   a (I, D), b (J, D), i (n,) in [0, I), j (n,) in [0, J) -> y (n,)"""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"sampled_matmul: got a {a.shape} and b {b.shape}, want (I, D) and (J, D): rows of the same length")
    i, j = _places("sampled_matmul", i, len(a), j, len(b))
    return _sampled_matmul(a, b, i=i, j=j)


def _places(what, i, rows, j, columns):
    i, j = ops.indexing.checked_ids(i, rows, what), ops.indexing.checked_ids(j, columns, what)
    if i.shape != j.shape or i.ndim != 1:
        raise ValueError(f"{what}: got places i {i.shape} and j {j.shape}, want two lists (n,) of the same length")
    return i, j


@op
def _sparse_matmul(x, b, i=None, j=None, size=None):
    """y = X b;   dx = (dy b') at the places,   db = X' dy"""
    def again(x, b):
        return _sparse_matmul(x, b, i=i, j=j, size=size)

    columns = len(b)
    return (value_of(again, lambda x, b: kernels.sparse_matmul(x, b, i, j, size), x, b),
            lambda dy: _sampled_matmul(dy, b, i=i, j=j),
            lambda dy: _sparse_matmul(x, dy, i=j, j=i, size=columns))


@op
def _sampled_matmul(a, b, i=None, j=None):
    """y = a b' at the places;   with dY, which has dy there and is zero elsewhere:   da = dY b,   db = dY' a"""
    def again(a, b):
        return _sampled_matmul(a, b, i=i, j=j)

    rows, columns = len(a), len(b)
    return (value_of(again, lambda a, b: kernels.sampled_matmul(a, b, i, j), a, b),
            lambda dy: _sparse_matmul(dy, b, i=i, j=j, size=rows),
            lambda dy: _sparse_matmul(dy, a, i=j, j=i, size=columns))
