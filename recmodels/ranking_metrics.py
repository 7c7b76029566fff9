"""Ranking metrics: how high the relevant items stand in a list; ties count by expectation, never by luck.

    R      the relevant items of a query, |R| of them          i      a rank, from 1
    h_i    1 if the item at rank i is in R, else 0             P@i    (h_1 + .. + h_i) / i

The first functions are the definitions, on one ranked list (best first) and one set of relevant items. A list shorter
than k is followed by nothing relevant. The `expected_` ones take, of many queries at once, how many candidates score
higher than a relevant item (`greater`) and how many as high, itself included (`equal`): it stands with equal chance at
each of the ranks greater + 1 .. greater + equal, and the metric is the exact mean over all orders of the tied items.
"""

import math
import operator

import numpy as np

from .kernels.expectation import expected_metrics
from .kernels.ranking import first_bad, list_places

DENOMINATORS = ("min(k,R)", "R", "hits", "k")  # of average precision


def recall(ranked, relevant, k):
    """Recall@k = (h_1 + .. + h_k) / |R|

    >>> recall(["a", "x", "b"], {"a", "b", "c", "d"}, k=2)
    0.25
    """
    return sum(_hits("recall", ranked, relevant, k)) / len(relevant)


def precision(ranked, relevant, k):
    """P@k = (h_1 + .. + h_k) / k

    >>> precision(["a", "x", "b"], {"a", "b", "c", "d"}, k=2)
    0.5
    """
    return sum(_hits("precision", ranked, relevant, k)) / k


def hit_rate(ranked, relevant, k):
    """HR@k = 1 if any of h_1 .. h_k is 1, else 0

    >>> hit_rate(["x", "a"], {"a"}, k=1), hit_rate(["x", "a"], {"a"}, k=2)
    (0.0, 1.0)
    """
    return float(any(_hits("hit_rate", ranked, relevant, k)))


def reciprocal_rank(ranked, relevant):
    """RR = 1 / (the first i with h_i = 1), 0 without one; MRR is its mean over queries

    >>> reciprocal_rank(["x", "a", "b"], {"a", "b"})
    0.5
    """
    h = _hits("reciprocal_rank", ranked, relevant, max(1, len(ranked)))
    return 1 / (h.index(1) + 1) if 1 in h else 0.0


def average_precision(ranked, relevant, k, denominator="min(k,R)"):
    """AP@k = sum_i<=k h_i P@i / N;   MAP@k is its mean over queries

    N by name: "min(k,R)" (RecBole, implicit, Kaggle), "R" (ranx, trec_eval), "hits" = h_1 + .. + h_k (torchmetrics),
    "k". The same list can have four values: the name belongs beside the number.

    >>> ranked, relevant = ["r1", "x", "r2", "y", "z"], {f"r{j}" for j in range(1, 21)}
    >>> [round(average_precision(ranked, relevant, 5, N), 3) for N in ("R", "min(k,R)", "hits", "k")]
    [0.083, 0.333, 0.833, 0.333]
    """
    check_denominator("average_precision", denominator)
    h, found, total = _hits("average_precision", ranked, relevant, k), 0, 0.0
    for i, hit in enumerate(h, start=1):
        found += hit
        total += hit * found / i
    N = {"min(k,R)": min(k, len(relevant)), "R": len(relevant), "hits": found, "k": k}[denominator]
    return total / N if N else 0.0


def ndcg(ranked, relevant, k):
    """nDCG@k = sum_i<=k h_i / log2(i + 1)   over   the same of an ideal list: sum_i<=min(k,|R|) 1 / log2(i + 1)

    >>> round(ndcg(["x", "a"], {"a"}, k=2), 4)
    0.6309
    """
    h = _hits("ndcg", ranked, relevant, k)
    gain = sum(hit / math.log2(i + 1) for i, hit in enumerate(h, start=1))
    return gain / sum(1 / math.log2(i + 1) for i in range(1, min(k, len(relevant)) + 1))


def _hits(name, ranked, relevant, k):
    """[h_1, .. h_k], after the checks."""
    k, relevant_set = check_k(name, k), set(relevant)
    if not relevant_set:
        raise ValueError(f"{name}: got no relevant items, want at least one: leave such queries out, and count them")
    if len(relevant_set) < len(relevant):
        raise ValueError(f"{name}: got {len(relevant)} relevant items, only {len(relevant_set)} of them different; want "
                         "each once")
    if len(set(ranked)) < len(ranked):
        twice = next(item for n, item in enumerate(ranked) if item in ranked[:n])
        raise ValueError(f"{name}: got the item {twice!r} twice in the list, want each candidate once: remove its "
                         "repetitions")
    return [int(item in relevant_set) for item in ranked[:k]]


# ---------------------------------------------------------------- one relevant item a query, with ties
def expected_rank(greater, equal):
    """E[rank] = greater + (equal + 1) / 2

    >>> expected_rank(greater=[0, 3], equal=[1, 4]).tolist()
    [1.0, 5.5]
    """
    g, n = _counts("expected_rank", greater, equal)
    return g + (n + 1) / 2


def expected_recall(greater, equal, k):
    """P(rank <= k) = min(max((k - greater) / equal, 0), 1): Recall@k and hit rate, with one relevant item

    >>> expected_recall(greater=[0, 3, 9], equal=[1, 4, 1], k=5).tolist()
    [1.0, 0.5, 0.0]
    """
    g, n = _counts("expected_recall", greater, equal)
    return np.clip((check_k("expected_recall", k) - g) / n, 0, 1)


def expected_reciprocal_rank(greater, equal, k=None):
    """E[1 / rank] = (H(g + n) - H(g)) / n,   H(i) = 1 + 1/2 + .. + 1/min(i, k),   g = greater, n = equal

    k: 0 counts for who stands below place k, as MRR@k has it; None: every place counts.

    >>> expected_reciprocal_rank(greater=[0, 1], equal=[1, 2]).round(4).tolist()  # (1/2 + 1/3) / 2
    [1.0, 0.4167]
    >>> expected_reciprocal_rank(greater=[0, 1], equal=[1, 2], k=2).tolist()  # (1/2 + 0) / 2
    [1.0, 0.25]
    """
    g, n = _counts("expected_reciprocal_rank", greater, equal)
    value = 1 / np.arange(1, (g + n).max(initial=0) + 1)
    if k is not None:
        value[check_k("expected_reciprocal_rank", k):] = 0
    return _mean_over_ties(g, n, value)


def expected_ndcg(greater, equal, k):
    """E[1 / log2(rank + 1) if rank <= k else 0] = (G(g + n) - G(g)) / n,   G(i) = sum_j<=min(i,k) 1 / log2(j + 1)

    >>> expected_ndcg(greater=[0, 1], equal=[1, 2], k=2).round(4).tolist()  # (1 / log2(3) + 0) / 2
    [1.0, 0.3155]
    """
    g, n = _counts("expected_ndcg", greater, equal)
    gain = np.zeros((g + n).max(initial=0))
    top = discounts(check_k("expected_ndcg", k))[:len(gain)]
    gain[:len(top)] = top
    return _mean_over_ties(g, n, gain)


def _mean_over_ties(g, n, value):
    """Mean of value[g], .. value[g + n - 1]: the ranks that the tied item may take."""
    sums = np.append(0.0, np.cumsum(value))
    return (sums[g + n] - sums[g]) / n


# ---------------------------------------------------------------- several relevant items a query, with ties
def expected_list_metrics(greater, equal, start, k, denominator="min(k,R)"):
    """{"hit rate", "recall", "precision", "ap", "ndcg"}: arrays (Q,) of the expectations at k; query q owns
    greater[start[q]:start[q + 1]]. Exact for each denominator: see `recmodels.kernels.expectation`.

    >>> both_tied_with_a_third = {"greater": [0, 0], "equal": [3, 3], "start": [0, 2]}
    >>> {name: x.round(4).tolist() for name, x in expected_list_metrics(**both_tied_with_a_third, k=1).items()}
    {'hit rate': [0.6667], 'recall': [0.3333], 'precision': [0.6667], 'ap': [0.6667], 'ndcg': [0.6667]}
    """
    check_denominator("expected_list_metrics", denominator)
    k, (g, n), start = check_k("expected_list_metrics", k), _counts("expected_list_metrics", greater, equal), _start(start)
    if start[0] != 0 or start[-1] != len(g) or (np.diff(start) < 1).any():
        raise ValueError(f"expected_list_metrics: got start from {start[0]} to {start[-1]} for {len(g)} relevant items, "
                         "want 0, .. their number, and at least one item a query: leave out those with none, and count them")
    hit, recalled, total, gain = expected_metrics(g, n, start, discounts(k), denominator == "hits").T
    R = np.diff(start)
    N = {"min(k,R)": np.minimum(k, R), "R": R, "hits": 1, "k": k}[denominator]
    return {"hit rate": hit, "recall": recalled, "precision": recalled * R / k, "ap": total / N, "ndcg": gain}


def list_metrics(lists, start, relevant, k, denominator="min(k,R)"):
    """The same of ranked lists (Q, K) of item numbers, best first, -1 where a list has ended; no ties, K >= k.

    Query q's relevant items are relevant[start[q]:start[q + 1]].

    >>> {name: x.tolist() for name, x in list_metrics([[4, 2, 9]], start=[0, 2], relevant=[2, 7], k=3).items()}["ap"]
    [0.25]
    """
    lists, start, relevant = np.array(lists, np.int64), _start(start), np.array(relevant, np.int64)
    if lists.ndim != 2 or len(lists) != len(start) - 1 or lists.shape[1] < check_k("list_metrics", k):
        raise ValueError(f"list_metrics: got lists of shape {lists.shape}, {len(start) - 1} queries and k={k}, want "
                         "(queries, at least k): ask for longer lists or a smaller k")
    filled = lists.ravel() >= 0
    size = np.append(0, np.cumsum(filled.reshape(lists.shape).sum(axis=1)))
    for what, at, items in (("list", size, lists.ravel()[filled]), ("relevant items", start, relevant)):
        n = first_bad(at, items, int(max(lists.max(initial=0), relevant.max(initial=0))) + 1)
        if n >= 0:
            raise ValueError(f"list_metrics: the {what} of query {int(np.searchsorted(at, n, 'right')) - 1} has the item "
                             f"{items[n]}, negative or a second time; want item numbers, each once")
    before = list_places(lists, start, relevant)
    return expected_list_metrics(before, np.ones_like(before), start, k, denominator)


# ---------------------------------------------------------------- checks
def discounts(k):
    """1 / log2(i + 1) for i = 1 .. k."""
    return 1 / np.log2(np.arange(2, k + 2))


def check_k(name, k, catalogue=None, of="items"):
    """k, a whole number of at least 1; where a catalogue of so many items, or what `of` says, is given, not above that."""
    try:
        number = operator.index(k)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{name}: got k={k!r}, want a whole number of at least 1")
    if catalogue is not None and number > catalogue:
        raise ValueError(f"{name}: got k={number} and a catalogue of {catalogue:,} {of}, want k <= {catalogue}: there are "
                         "no longer lists")
    return number


def check_ks(name, ks):
    ks = [check_k(name, k) for k in (ks if np.iterable(ks) else [ks])]
    if not ks:
        raise ValueError(f"{name}: got no k, want the lengths of list to measure at, such as (5, 10)")
    return ks


def check_denominator(name, denominator):
    if denominator not in DENOMINATORS:
        raise ValueError(f"{name}: got the denominator {denominator!r}, want one of {', '.join(map(repr, DENOMINATORS))}")


def _start(start):
    start = np.array(start, np.int64)
    if start.ndim != 1 or len(start) < 1:
        raise ValueError(f"got start of shape {start.shape}, want (queries + 1,): where each query's items begin, and "
                         "the end")
    return start


def _counts(name, greater, equal):
    """Both as int64 (N,), after the checks."""
    g, n = np.array(greater), np.array(equal)
    if g.shape != n.shape or g.ndim != 1 or (g.size and not {g.dtype.kind, n.dtype.kind} <= set("iu")):
        raise ValueError(f"{name}: got greater {g.dtype} of shape {g.shape} and equal {n.dtype} of shape {n.shape}, want "
                         "two arrays of whole numbers of one shape (N,)")
    if (g < 0).any() or (n < 1).any():
        raise ValueError(f"{name}: got greater from {g.min()} and equal from {n.min()}, want at least 0 and at least 1 (the "
                         "item equals itself)")
    return g.astype(np.int64), n.astype(np.int64)
