"""Scores of many queries, a block at a time, checked: no nan, no unknown or repeated item gets past here."""

import numpy as np

from .kernels.ranking import first_bad
from .ragged import take
from .ranking_metrics import check_k


def score_blocks(name, scorer, queries, rows, exclude, k, block):
    """Yields (slice of rows, scores (q, I), (start, items) of what is excluded) for one block of rows after another."""
    block, n_items = check_k(f"{name}: block", block), None
    queries = queries if hasattr(queries, "iloc") else np.asarray(queries)
    mask = exclude if isinstance(exclude, np.ndarray) and exclude.dtype == bool else None
    out = None if exclude is None or mask is not None else ragged(f"{name}: exclude", exclude, len(queries))
    for first in range(0, len(rows), block):
        at = slice(first, min(first + block, len(rows)))
        scores = _scores(name, scorer(queries.iloc[rows[at]] if hasattr(queries, "iloc") else queries[rows[at]]),
                         at.stop - first, n_items)
        if n_items is None:
            n_items = scores.shape[1]
            if k > n_items:
                raise ValueError(f"{name}: got k={k} and a catalogue of {n_items} items, want k <= {n_items}: there "
                                 "are no longer lists")
            if mask is not None and mask.shape != (n_items,):
                raise ValueError(f"{name}: got a mask to exclude of shape {mask.shape}, want ({n_items},): an entry "
                                 "for each item")
            if out is not None:
                check_items(f"{name}: an excluded item", *out, n_items, np.arange(len(queries)))
        if out is not None:
            yield at, scores, take(out, rows[at])
        else:
            always = np.zeros(0, np.int64) if mask is None else np.flatnonzero(mask)
            yield at, scores, (np.arange(len(scores) + 1) * len(always), np.tile(always, len(scores)))


def _scores(name, scores, q, n_items):
    scores = np.asarray(scores)
    if scores.ndim != 2 or len(scores) != q or (n_items is not None and scores.shape[1] != n_items) or not scores.shape[1]:
        raise ValueError(f"{name}: the scorer gave scores of shape {scores.shape} for {q} queries, want ({q}, "
                         f"{'all items' if n_items is None else n_items}): a score for each item of the catalogue")
    if scores.dtype.kind not in "fiub":
        raise TypeError(f"{name}: the scorer gave scores of type {scores.dtype}, want real numbers")
    scores = scores.astype(np.float32 if scores.dtype in (np.float16, np.float32) else np.float64, copy=False)
    return np.require(scores, requirements=["C", "W"])


def refuse_nan(name, scores, rows):
    q, i = np.argwhere(np.isnan(scores))[0]
    raise ValueError(f"{name}: the score of query {rows[q]} for item {i} is nan, and {np.isnan(scores).sum() - 1} more of "
                     "this block, want numbers: a nan has no rank. Did training diverge?")


# ---------------------------------------------------------------- ragged lists, one a query
def ragged(name, lists, Q):
    """(start (Q + 1,), items (N,)) of a list of item numbers for each query, or of such a pair."""
    if isinstance(lists, tuple):
        if len(lists) != 2:
            raise ValueError(f"{name}: got a tuple of {len(lists)}, want the pair (start, items), or a list of lists")
        start, items = lists
    else:
        lists = [np.asarray(list(one)) for one in lists]
        start, items = np.append(0, np.cumsum([len(one) for one in lists])), np.concatenate([np.zeros(0, np.int64), *(
            one for one in lists if len(one))])
    start, items = item_numbers(f"{name}: start", start), item_numbers(name, items)
    if len(start) != Q + 1:
        raise ValueError(f"{name}: got {len(start) - 1} lists for {Q} queries, want one for each")
    if start[0] != 0 or start[-1] != len(items) or (np.diff(start) < 0).any():
        raise ValueError(f"{name}: got start from {start[0]} to {start[-1]} for {len(items)} items, want it to rise from 0 "
                         "to their number")
    return start, items


def check_items(name, start, items, n_items, rows):
    """Refuse an item that is not one of the I, or stands twice in one list. rows: what the lists' queries are called."""
    n = first_bad(start, items, n_items)
    if n >= 0:
        row = rows[np.searchsorted(start, n, "right") - 1]
        if 0 <= items[n] < n_items:
            raise ValueError(f"{name} of query {row} is {items[n]} for a second time, want each once: remove repetitions")
        raise ValueError(f"{name} of query {row} is {items[n]}, unknown to a scorer of {n_items} items, want 0 to "
                         f"{n_items - 1}: leave it out, or mark it in cold_items")


# ---------------------------------------------------------------- arguments
def size(name, queries):
    """How many queries there are; none are an error."""
    if not hasattr(queries, "__len__"):
        raise TypeError(f"{name}: got queries of type {type(queries).__name__}, want an array or a DataFrame, a row a query")
    if len(queries) == 0:
        raise ValueError(f"{name}: got no queries, want at least one; did a filter leave nothing?")
    return len(queries)


def item_numbers(name, numbers, Q=None):
    """As int64 (N,), or (Q,)."""
    numbers = np.asarray(numbers)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu") or (Q is not None and len(numbers) != Q):
        raise ValueError(f"{name}: got {numbers.dtype} of shape {numbers.shape}, want whole numbers of shape "
                         f"({'N' if Q is None else Q},)")
    return np.array(numbers, np.int64)


def flags(name, values, Q):
    """As bool (Q,); None is False for all."""
    values = np.zeros(Q, bool) if values is None else np.asarray(values)
    if values.shape != (Q,) or values.dtype != bool:
        raise ValueError(f"{name}: got {values.dtype} of shape {values.shape}, want True or False of shape ({Q},)")
    return values


def labels(name, values, Q):
    """As an array (Q,), or None."""
    if values is None:
        return None
    values = np.asarray(values)
    if values.shape != (Q,):
        raise ValueError(f"{name}: got labels of shape {values.shape}, want ({Q},): one a query")
    if (values != values).any():  # nan, which belongs to no line of a table
        raise ValueError(f"{name}: the label of query {int(np.argmax(values != values))} is nan, want a name for each query")
    return values
