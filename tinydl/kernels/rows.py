"""Rows of tables: reading them, adding into them, bags of them. What embeddings spend their time on.

V rows of a table, D numbers a row, n or (B, L) row numbers. Row numbers are checked by `check_ids` before they come here:
compiled loops do not look.
"""

import numpy as np

from .registry import kernel


def _outside_reference(rows, size):
    bad = np.flatnonzero((rows < 0) | (rows >= size))
    return int(bad[0]) if len(bad) else -1


@kernel(_outside_reference)
def first_outside(rows, size):
    """The first n with not 0 <= rows[n] < size, or -1."""
    good = True
    for n in range(len(rows)):
        good &= (rows[n] >= 0) & (rows[n] < size)
    if not good:
        for n in range(len(rows)):
            if rows[n] < 0 or rows[n] >= size:
                return n
    return -1


def check_ids(rows, size, what):
    """IndexError that names the first of `rows` (n,) which is not in [0, size); `what` is whose ids they are."""
    n = first_outside(rows, size)
    if n >= 0:
        raise IndexError(f"{what}: id {rows[n]} at position {n} is out of range, want 0 <= id < {size}; encode unknown ids "
                         "as a row of their own, or make the table larger")


def _gather_reference(table, rows):
    return np.take(table, rows, axis=0)


@kernel(_gather_reference)
def gather(table, rows):
    """y[n] = table[rows[n]].  (V, D), (n,) -> (n, D)"""
    y = np.empty((len(rows), table.shape[1]), table.dtype)
    for n in range(len(rows)):
        row = rows[n]
        for d in range(table.shape[1]):
            y[n, d] = table[row, d]
    return y


def _scatter_add_reference(rows, values, size):
    table = np.zeros((size, values.shape[1]), values.dtype)
    np.add.at(table, rows, values)
    return table


@kernel(_scatter_add_reference)
def scatter_add(rows, values, size):
    """table = 0;  table[rows[n]] += values[n] in the order of n.  (n,), (n, D) -> (V, D)"""
    table = np.zeros((size, values.shape[1]), values.dtype)
    for n in range(len(rows)):
        row = rows[n]
        for d in range(values.shape[1]):
            table[row, d] += values[n, d]
    return table


def _coalesce_reference(rows, values, size):
    unique, first, place = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return unique[order], _scatter_add_reference(rank[place], values, len(unique))


@kernel(_coalesce_reference)
def coalesce(rows, values, size):
    """Every row once, in the order of first appearance, with the sum of its values.  (n,), (n, D) -> (m,), (m, D)"""
    slot = np.full(size, -1, np.int32)
    unique = np.empty(len(rows), rows.dtype)
    m = 0
    for n in range(len(rows)):
        if slot[rows[n]] < 0:
            slot[rows[n]] = m
            m += 1
    if m == len(rows):
        return rows.copy(), values.copy()
    sums = np.empty((m, values.shape[1]), values.dtype)
    m = 0
    slot[:] = -1
    for n in range(len(rows)):
        row = rows[n]
        s = slot[row]
        if s < 0:
            slot[row] = m
            unique[m] = row
            for d in range(values.shape[1]):
                sums[m, d] = values[n, d]
            m += 1
        else:
            for d in range(values.shape[1]):
                sums[s, d] += values[n, d]
    return unique[:m].copy(), sums


def _bag_reference(table, index, weights):
    return np.sum(np.expand_dims(weights, -1) * np.take(table, index, axis=0), axis=1)


@kernel(_bag_reference)
def embedding_bag(table, index, weights):
    """y_b = sum_l weights_bl table[index_bl].  (V, D), (B, L), (B, L) -> (B, D)"""
    B, L = index.shape
    y = np.zeros((B, table.shape[1]), table.dtype)
    for b in range(B):
        for n in range(L):
            w = weights[b, n]
            if w != 0:
                row = index[b, n]
                for d in range(table.shape[1]):
                    y[b, d] += w * table[row, d]
    return y


def _bag_weight_reference(table, index, dy):
    return np.sum(np.take(table, index, axis=0) * np.expand_dims(dy, 1), axis=2)


@kernel(_bag_weight_reference)
def embedding_bag_weight_gradient(table, index, dy):
    """ds_bl = <table[index_bl], dy_b>.  (V, D), (B, L), (B, D) -> (B, L)"""
    B, L = index.shape
    ds = np.zeros((B, L), table.dtype)
    for b in range(B):
        for n in range(L):
            row = index[b, n]
            for d in range(table.shape[1]):
                ds[b, n] += table[row, d] * dy[b, d]
    return ds


def _bag_gradient_reference(index, weights, dy, size, padding):
    rows = np.reshape(index, -1)
    values = np.reshape(np.expand_dims(weights, -1) * np.expand_dims(dy, 1), (len(rows), dy.shape[1]))
    kept = np.flatnonzero(rows != padding)
    return _coalesce_reference(rows[kept], values[kept], size)


@kernel(_bag_gradient_reference)
def embedding_bag_gradient(index, weights, dy, size, padding):
    """The rows that the bags read, each once, with sum_bl weights_bl dy_b; the row `padding` (-1: none) is left out.

    (B, L), (B, L), (B, D) -> (m,), (m, D): what `coalesce` would make of B L rows, without the (B L, D) array.
    """
    B, L = index.shape
    D = dy.shape[1]
    slot = np.full(size, -1, np.int32)
    rows = np.empty(min(size, B * L), index.dtype)
    m = 0
    for b in range(B):
        for n in range(L):
            row = index[b, n]
            if slot[row] < 0 and row != padding:
                slot[row] = m
                rows[m] = row
                m += 1
    sums = np.zeros((m, D), dy.dtype)
    for b in range(B):
        for n in range(L):
            s, w = slot[index[b, n]], weights[b, n]
            if s >= 0:
                for d in range(D):
                    sums[s, d] += w * dy[b, d]
    return rows[:m].copy(), sums
