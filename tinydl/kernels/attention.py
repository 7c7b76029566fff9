"""What attention does to a block of scores between two matrix products, row by row, in place.

n rows, one for each query, of S scores, one for each key. The exponential stays NumPy's, which computes many numbers at
once; numba would call the C library's for each. A maximum is sought in eight columns, which are one vector instruction: a
single running maximum would wait for each comparison.
"""

import numpy as np

from .registry import kernel


def _shift_rows_reference(s, top):
    top[:] = np.fmax.reduce(s, axis=1, initial=-np.inf)
    top[top == -np.inf] = 0
    s -= top[:, None]


@kernel(_shift_rows_reference)
def shift_rows(s, top):
    """top_i = max_j s_ij, or 0 where all of a row is -inf (or nothing is there);   s_ij -= top_i.  s (n, S), top (n,)

    nan is passed over here, and stays where it is.
    """
    n, S = s.shape
    lowest = s.dtype.type(-np.inf)
    most, whole = np.empty(8, s.dtype), S - S % 8
    for i in range(n):
        row = s[i]
        most[:] = lowest
        for start in range(0, whole, 8):
            part = row[start:start + 8]
            for c in range(8):
                most[c] = part[c] if part[c] > most[c] else most[c]
        best = lowest
        for c in range(8):
            best = most[c] if most[c] > best else best
        for j in range(whole, S):
            best = row[j] if row[j] > best else best
        if best == lowest:
            best = s.dtype.type(0)
        top[i] = best
        for j in range(S):
            row[j] -= best


def _normalize_rows_reference(s, top):
    total = np.sum(s, axis=1)
    total[total == 0] = 1
    s /= total[:, None]
    top += np.log(total)


@kernel(_normalize_rows_reference, reorder=True)
def normalize_rows(s, top):
    """s_ij /= total_i,   top_i += log total_i,   total_i = sum_j s_ij, or 1 where that is 0.  s (n, S), top (n,)

    Of s = e^(x - top) that makes softmax(x), and of top the logarithm of sum_j e^x_j.
    """
    n, S = s.shape
    one = s.dtype.type(1)
    for i in range(n):
        row, total = s[i], s.dtype.type(0)
        for j in range(S):
            total += row[j]
        if total == 0:
            total = one
        factor = one / total
        for j in range(S):
            row[j] *= factor
        top[i] += np.log(total)


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
