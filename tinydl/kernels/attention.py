"""What attention does to a block of scores between two matrix products, row by row, in place.

n rows, one for each query, of S scores, one for each key. The exponential stays NumPy's, which computes many numbers at
once; numba would call the C library's for each. Rows are cut into eight columns where a sum or a maximum runs along them:
a running total of one number waits for each addition, eight of them are one vector instruction.
"""

import numpy as np

from .registry import kernel


def _shift_rows_reference(s, top):
    top[:] = np.max(s, axis=1, initial=-np.inf)
    top[top == -np.inf] = 0
    s -= top[:, None]


@kernel(_shift_rows_reference)
def shift_rows(s, top):
    """top_i = max_j s_ij, or 0 where all of a row is -inf (or nothing is there);   s_ij -= top_i.  s (n, S), top (n,)"""
    n, S = s.shape
    lowest = s.dtype.type(-np.inf)
    most, whole = np.empty(8, s.dtype), S - S % 8
    for i in range(n):
        row = s[i]
        most[:] = lowest
        for start in range(0, whole, 8):
            part = row[start:start + 8]
            for c in range(8):
                most[c] = part[c] if not part[c] <= most[c] else most[c]  # nan stays
        best = lowest
        for c in range(8):
            best = most[c] if not most[c] <= best else best
        for j in range(whole, S):
            best = row[j] if not row[j] <= best else best
        if best == lowest:
            best = s.dtype.type(0)
        top[i] = best
        for j in range(S):
            row[j] -= best


def _row_sums_reference(s):
    return np.sum(s, axis=1)


@kernel(_row_sums_reference)
def row_sums(s):
    """sum_j s_ij.  (n, S) -> (n,)"""
    n, S = s.shape
    sums, totals, whole = np.empty(n, s.dtype), np.empty(8, s.dtype), S - S % 8
    for i in range(n):
        row = s[i]
        totals[:] = 0
        for start in range(0, whole, 8):
            part = row[start:start + 8]
            for c in range(8):
                totals[c] += part[c]
        total = s.dtype.type(0)
        for c in range(8):
            total += totals[c]
        for j in range(whole, S):
            total += row[j]
        sums[i] = total
    return sums


def _softmax_rows_gradient_reference(p, dp, d):
    dp -= d[:, None]
    dp *= p


@kernel(_softmax_rows_gradient_reference)
def softmax_rows_gradient(p, dp, d):
    """ds_ij = p_ij (dp_ij - d_i), written over dp; d_i = sum_j p_ij dp_ij.  p and dp (n, S), d (n,)"""
    n, S = p.shape
    for i in range(n):
        p_i, dp_i, d_i = p[i], dp[i], d[i]
        for j in range(S):
            dp_i[j] = p_i[j] * (dp_i[j] - d_i)
