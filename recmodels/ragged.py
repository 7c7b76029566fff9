"""Ragged rows: lists of unequal lengths, one behind the other: row r is x[start[r]:start[r + 1]].

start (R + 1,) rises from 0 to N, x (N,): two of the three arrays of a sparse matrix in CSR form.
"""

import numpy as np


def row_of(start):
    """(N,) the row of each entry."""
    return np.repeat(np.arange(len(start) - 1), np.diff(start))


def steps(lengths):
    """(N,) the place of each entry in its row, from 0, where rows have these lengths (R,)."""
    lengths = np.asarray(lengths)
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def places(start, rows, length=None):
    """(start (Q + 1,), place (n,)) of the rows (Q,) alone, in that order: their entries are x[place].

    length (Q,): of each row only so many entries, the first ones; None for all.
    """
    length = start[rows + 1] - start[rows] if length is None else length
    first = np.append(0, np.cumsum(length))
    return first, np.arange(first[-1]) + np.repeat(start[rows] - first[:-1], length)


def take(lists, rows):
    """(start, x) of the rows (Q,) of such a pair, in that order."""
    start, place = places(lists[0], rows)
    return start, lists[1][place]
