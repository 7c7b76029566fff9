"""Pairs of rows: the distinct ids of a batch, and products of a row here with a row there."""

import numpy as np

from tinydl.kernels import kernel


def _distinct_reference(ids, size):
    unique, first, place = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return unique[order], rank[place]


@kernel(_distinct_reference)
def distinct(ids, size):
    """Every id once, in the order of first appearance, and where in there each is.  (n,) in [0, size) -> (m,), (n,)"""
    slot = np.full(size, -1, np.int32)
    unique, place = np.empty_like(ids), np.empty_like(ids)
    m = 0
    for n in range(len(ids)):
        s = slot[ids[n]]
        if s < 0:
            s = slot[ids[n]] = m
            unique[m] = ids[n]
            m += 1
        place[n] = s
    return unique[:m].copy(), place


def _pair_product_reference(a, b, i, j):
    return a[i] * b[j]


@kernel(_pair_product_reference)
def pair_product(a, b, i, j):
    """y[n] = a[i[n]] * b[j[n]].  (I, D), (J, D), (n,), (n,) -> (n, D)"""
    y = np.empty((len(i), a.shape[1]), a.dtype)
    for n in range(len(i)):
        r, s = i[n], j[n]
        for d in range(a.shape[1]):
            y[n, d] = a[r, d] * b[s, d]
    return y


def _pair_product_gradient_reference(a, b, i, j, dy):
    da, db = np.zeros_like(a), np.zeros_like(b)
    np.add.at(da, i, dy * b[j])
    np.add.at(db, j, dy * a[i])
    return da, db


@kernel(_pair_product_gradient_reference)
def pair_product_gradient(a, b, i, j, dy):
    """da[i[n]] += dy[n] * b[j[n]],   db[j[n]] += dy[n] * a[i[n]], in the order of n"""
    da, db = np.zeros_like(a), np.zeros_like(b)
    for n in range(len(i)):
        r, s = i[n], j[n]
        for d in range(a.shape[1]):
            da[r, d] += dy[n, d] * b[s, d]
            db[s, d] += dy[n, d] * a[r, d]
    return da, db
