"""Ranking kernels: where a relevant item stands in the full catalogue, the best k items, and what ties do to a metric.

A block of scores is (Q, I): queries by candidates. Ragged lists, one a query, are two arrays (CSR): query q owns
items[start[q]:start[q + 1]]. No result depends on the thread count: each query writes its own places only.
"""

import numpy as np

from tinydl.kernels import kernel
from tinydl.kernels.registry import prange

from ..ragged import row_of

NAN, EXCLUDED = -1, -2  # what stands for #greater where there is no rank: a nan in the row; the item is no candidate
END, NAN_ROW = -1, -2  # what stands in a list for an item: no candidate is left; a nan in the row


def _first_bad_reference(start, items, n_items):
    row = row_of(start)
    outside = (items < 0) | (items >= n_items)
    order = np.lexsort((items, row))  # stable: of equal items the first one stays first
    repeated = np.zeros(len(items), bool)
    repeated[order[1:]] = (row[order[1:]] == row[order[:-1]]) & (items[order[1:]] == items[order[:-1]])
    bad = np.flatnonzero(outside | repeated)
    return int(bad[0]) if len(bad) else -1


@kernel(_first_bad_reference)
def first_bad(start, items, n_items):
    """The first n where items[n] is outside 0 .. I - 1 or stands in its query's list a second time; -1 if there is none."""
    seen_by = np.full(n_items, -1)
    for q in range(len(start) - 1):
        for n in range(start[q], start[q + 1]):
            if items[n] < 0 or items[n] >= n_items or seen_by[items[n]] == q:
                return n
            seen_by[items[n]] = q
    return -1


def _rank_counts_reference(scores, start, items, out_start, out_items):
    greater, equal = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    for q, s in enumerate(scores):
        mine, out = slice(start[q], start[q + 1]), out_items[out_start[q]:out_start[q + 1]]
        target, candidates = s[items[mine], None], np.delete(s, out)
        greater[mine], equal[mine] = (candidates > target).sum(axis=1), (candidates == target).sum(axis=1)
        greater[mine][np.isin(items[mine], out)] = EXCLUDED
        if np.isnan(s).any():
            greater[mine], equal[mine] = NAN, 0
    return greater, equal


@kernel(_rank_counts_reference, parallel=True)
def rank_counts(scores, start, items, out_start, out_items):
    """greater_n = #{i: s_qi > s_qn},   equal_n = #{i: s_qi = s_qn}   among the candidates i of the query q of item n

    scores (Q, I); items (N,) by start (Q + 1,); candidates are all items but out_items by out_start, none of them twice.
    equal counts the item itself. -> two arrays (N,); greater is NAN or EXCLUDED where there is no rank.
    """
    Q, n_items = scores.shape
    greater, equal = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    for q in prange(Q):
        nans = 0
        for i in range(n_items):
            nans += scores[q, i] != scores[q, i]
        for n in range(start[q], start[q + 1]):
            target, more, same = scores[q, items[n]], 0, 0
            for i in range(n_items):
                more += scores[q, i] > target
                same += scores[q, i] == target
            for m in range(out_start[q], out_start[q + 1]):
                more -= scores[q, out_items[m]] > target
                same -= scores[q, out_items[m]] == target
            for m in range(out_start[q], out_start[q + 1]):
                if out_items[m] == items[n]:
                    more = EXCLUDED
            greater[n], equal[n] = (NAN, 0) if nans else (more, same)
    return greater, equal


def _top_k_reference(scores, k, out_start, out_items):
    best = np.full((len(scores), k), END)
    for q, s in enumerate(scores):
        candidates = np.delete(np.arange(len(s)), out_items[out_start[q]:out_start[q + 1]])
        order = candidates[np.argsort(-s[candidates], kind="stable")][:k]
        best[q, :len(order)] = order
        if np.isnan(s).any():
            best[q] = NAN_ROW
    return best


@kernel(_top_k_reference, parallel=True)
def top_k(scores, k, out_start, out_items):
    """The k candidates with the highest scores, best first, equal ones in the order of their numbers: (Q, I) -> (Q, k)

    END where a query has fewer candidates, NAN_ROW all along the row of a query with a nan. By insertion into a sorted list:
    few scores of many enter it.
    """
    Q, n_items = scores.shape
    best = np.full((Q, k), END)
    for q in prange(Q):
        out = np.zeros(n_items, np.bool_)
        for m in range(out_start[q], out_start[q + 1]):
            out[out_items[m]] = True
        size, nans = 0, 0
        for i in range(n_items):
            s = scores[q, i]
            nans += s != s
            if out[i] or (size == k and not s > scores[q, best[q, k - 1]]):
                continue
            size = min(size + 1, k)
            place = size - 1
            while place > 0 and s > scores[q, best[q, place - 1]]:
                best[q, place] = best[q, place - 1]
                place -= 1
            best[q, place] = i
        if nans:
            best[q] = NAN_ROW
    return best


def _list_places_reference(lists, start, items):
    row = row_of(start)
    found = lists[row] == items[:, None]  # (N, K)
    return np.where(found.any(axis=1), np.argmax(found, axis=1) if lists.shape[1] else 0, lists.shape[1])


@kernel(_list_places_reference)
def list_places(lists, start, items):
    """How many items stand before each relevant one in its query's list; K if it is absent.

    lists (Q, K), start (Q + 1,), items (N,) -> (N,)
    """
    Q, K = lists.shape
    place = np.full(len(items), K)
    for q in range(Q):
        for n in range(start[q], start[q + 1]):
            for i in range(K):
                if lists[q, i] == items[n]:
                    place[n] = i
                    break
    return place
