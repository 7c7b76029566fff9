"""Draws of negative items: Walker's alias method, rejection of what a row must not hold, and one seed for everything.

Cell (b, j) of a batch takes its random numbers from a hash of its own place and the seed, as `dropout` does: no state
runs from one draw to the next, so both forms, and any order, give the same items.
"""

import numpy as np

from tinydl.kernels import kernel

from ..ragged import row_of

ATTEMPTS = 32  # draws of a cell before what is left for its row is listed


def _mixed(z):
    """The finalizer of MurmurHash3 (Appleby), 32 bits."""
    z = z & 0xFFFFFFFF
    z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return z ^ (z >> 16)


def _words(cell, turn, low, high):
    """Numbers of 32 bits (m,), one for each cell: of both halves of the seed, and of which number of the cell it is."""
    return _mixed(_mixed(cell * 0x9E3779B9 + low) + turn * 0x9E3779B9 + high)


def _draw_reference(user, excluded, start, items, p, threshold, alias, low, high, n):
    n_items = len(p)
    known = row_of(start) * n_items + items  # sorted: user and item as one number
    known = np.append(known, (len(start) - 1) * n_items)

    def forbidden(b, i):
        pair = user[b] * n_items + i
        return (known[np.searchsorted(known, pair)] == pair) | (i == excluded[b])

    row = np.repeat(np.arange(len(user)), n)
    y, left = np.full(len(row), -1), np.arange(len(row))
    for attempt in range(ATTEMPTS):
        column = _words(left, 2 * attempt, low, high) * n_items >> 32
        i = np.where(_words(left, 2 * attempt + 1, low, high) < threshold[column], column, alias[column])
        again = forbidden(row[left], i)
        y[left[~again]] = i[~again]
        left = left[again]
    for b in np.unique(row[left]):
        rest = np.cumsum(np.where(forbidden(b, np.arange(n_items)), 0.0, p))
        if rest[-1] > 0:
            cells = left[row[left] == b]
            y[cells] = np.searchsorted(rest, _words(cells, 2 * ATTEMPTS, low, high) / 2**32 * rest[-1], side="right")
    return np.reshape(y, (len(user), n))


@kernel(_draw_reference)
def draw_negatives(user, excluded, start, items, p, threshold, alias, low, high, n):
    """n items for each row b, with replacement: i ~ p among those that user[b] does not know and that are not excluded[b].

    user, excluded (B,); user u knows items[start[u]:start[u + 1]], sorted; p (I,) with its alias table (`AliasTable`); the
    seed's halves low, high < 2^32. -> (B, n) int64, -1 where nothing is left. A cell draws until its item is allowed; after
    32 times (the user knows nearly everything) it draws from the list of what is left, so the distribution is the same.
    """
    n_items = len(p)
    y, rest = np.empty((len(user), n), np.int64), np.empty(n_items)

    def word(cell, turn):
        z = (cell * 0x9E3779B9 + low) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) + turn * 0x9E3779B9 + high) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        return z ^ (z >> 16)

    for b in range(len(user)):
        first, end, listed = start[user[b]], start[user[b] + 1], False
        for j in range(n):
            cell, y[b, j] = b * n + j, -1
            for attempt in range(ATTEMPTS):
                column = word(cell, 2 * attempt) * n_items >> 32
                i = column if word(cell, 2 * attempt + 1) < threshold[column] else alias[column]
                lower, upper = first, end
                while lower < upper:  # to the first of the user's items that is not below i
                    middle = (lower + upper) // 2
                    if items[middle] < i:
                        lower = middle + 1
                    else:
                        upper = middle
                if i != excluded[b] and (lower == end or items[lower] != i):
                    y[b, j] = i
                    break
            if y[b, j] < 0:
                if not listed:
                    total, place, listed = 0.0, first, True
                    for i in range(n_items):
                        known = place < end and items[place] == i
                        place += known
                        total += 0.0 if known or i == excluded[b] else p[i]
                        rest[i] = total
                if rest[n_items - 1] > 0:
                    u = word(cell, 2 * ATTEMPTS) / 4294967296 * rest[n_items - 1]
                    y[b, j] = np.searchsorted(rest, u, side="right")
    return y
