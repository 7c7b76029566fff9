"""Ranking evaluation: every query ranks the full catalogue, a block of queries at a time; ties count by expectation.

    evaluate_events     one target a query (the next venue):     Recall@k, MRR, nDCG@k
    evaluate_contexts   several relevant items a query:          Recall@k, MAP@k, nDCG@k
    top_lists           the lists themselves
    paired_bootstrap    whether the difference of two models is more than the luck of who was asked

A scorer is a function: block of queries (q of them) -> scores (q, I) of all I items, higher is better. Queries are an
array, whose first axis counts them, or a DataFrame. No (all queries, I) array is ever made. Nothing is sampled and
nothing masked unless `exclude` says so: on check-in data the visited venues must stay candidates. `exclude` is a mask
(I,) for all queries, a list of item numbers for each query, or the same as a pair (start, items), where query q's are
items[start[q]:start[q + 1]].
"""

import numpy as np

from .bootstrap import paired_bootstrap
from .kernels.ranking import EXCLUDED, NAN, NAN_ROW, rank_counts, top_k
from .ragged import take
from .ranking_metrics import (
    check_denominator,
    check_ks,
    expected_list_metrics,
    expected_ndcg,
    expected_recall,
    expected_reciprocal_rank,
)
from .score_blocks import check_items, flags, item_numbers, labels, ragged, refuse_nan, score_blocks, size

__all__ = ["RankingResult", "evaluate_contexts", "evaluate_events", "paired_bootstrap", "top_lists"]


class RankingResult:
    """What an evaluation found; it prints itself as a table.

    per_query        {"Recall@10": array (n,), ..}: a number for each measured query, for `paired_bootstrap`
    rows             (n,) which of the queries those are (so users[result.rows] are its groups)
    strata           (n,) their strata, or None
    cold_users       the same as per_query for queries of cold users, who are in no mean but in a line of their own
    greater, equal   (n,) of events: how many candidates score higher than the target, and as high; None of contexts
    notes            lines of text: what was measured, what was left out

    result["Recall@10"] is the mean over the measured queries; result.table() the table as a DataFrame of numbers.
    """

    def __init__(self, measured, rows, strata, cold, notes, counts):
        warm = np.flatnonzero(~cold)
        self.per_query = {name: values[warm] for name, values in measured.items()}
        self.cold_users = {name: values[cold] for name, values in measured.items()}
        self.rows, self.strata = rows[warm], None if strata is None else strata[rows[warm]]
        self.greater, self.equal = (None, None) if counts is None else (counts[0][warm], counts[1][warm])
        self.notes = notes

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, metric):
        if metric not in self.per_query:
            raise KeyError(f"no metric {metric!r} was measured, only {', '.join(self.per_query)}: name its k in the call")
        return float(self.per_query[metric].mean())

    def table(self):
        """A line for all queries, one a stratum, one of cold users if there are any; columns: queries and the metrics."""
        import pandas

        lines = {"all": self.per_query}
        for name in ([] if self.strata is None else pandas.unique(self.strata)):
            lines[name] = {metric: values[self.strata == name] for metric, values in self.per_query.items()}
        if len(next(iter(self.cold_users.values()))):
            lines["cold users"] = self.cold_users
        return pandas.DataFrame([{"queries": len(next(iter(line.values()))), **{m: v.mean() for m, v in line.items()}}
                                 for line in lines.values()], index=[str(name) for name in lines])

    def __str__(self):
        forms = {"queries": "{:,}".format, **dict.fromkeys(self.per_query, "{:.4f}".format)}
        return "\n".join([*self.notes, self.table().to_string(formatters=forms)])

    __repr__ = __str__


def evaluate_events(scorer, queries, targets, ks=(1, 5, 10, 20), exclude=None, strata=None, cold_users=None,
                    cold_items=None, block=256):
    """Rank each query's one target among all candidates -> RankingResult with Recall@k, MRR, nDCG@k, means over events.

    targets (Q,): item numbers. strata (Q,): labels, a line of the table for each. cold_users (Q,): True for users without
    training data, whose queries get a line of their own. cold_items (Q,): True where the target was never seen in
    training and has no score; those queries are counted and left out. Where both hold the query counts as a cold item's.
    """
    Q, ks = size("evaluate_events", queries), check_ks("evaluate_events", ks)
    targets = item_numbers("evaluate_events: targets", targets, Q)
    strata = labels("evaluate_events: strata", strata, Q)
    cold_users = flags("evaluate_events: cold_users", cold_users, Q)
    cold_items = flags("evaluate_events: cold_items", cold_items, Q)
    rows = np.flatnonzero(~cold_items)
    cold = cold_users[rows]
    _some_left("evaluate_events", rows[~cold], Q)
    start = np.arange(len(rows) + 1)
    greater, equal, n_items = _rank("evaluate_events", scorer, queries, rows, start, targets[rows], exclude, max(ks), block)
    measured = {f"Recall@{k}": expected_recall(greater, equal, k) for k in ks}
    measured["MRR"] = expected_reciprocal_rank(greater, equal)
    measured.update({f"nDCG@{k}": expected_ndcg(greater, equal, k) for k in ks})
    notes = [f"events: {np.sum(~cold):,} of {Q:,} queries, one target each, ranked among {n_items:,} items"
             f"{'' if exclude is None else ' but for those excluded'}; ties by expectation",
             f"apart: {np.sum(cold):,} queries of cold users; left out: {np.sum(cold_items):,} whose target is a cold item"]
    return RankingResult(measured, rows, strata, cold, notes, (greater, equal))


def evaluate_contexts(scorer, queries, relevant, recall=(5, 10, 20), ap=(5, 10), ndcg=(5, 20), denominator="min(k,R)",
                      exclude=None, strata=None, cold_users=None, cold_items=None, block=256):
    """Rank all relevant items of each query -> RankingResult with Recall@k, MAP@k, nDCG@k, means over queries.

    relevant: a list of item numbers for each query, or the pair (start, items). recall, ap, ndcg: the k of each metric.
    denominator: that of AP (see `ranking_metrics.average_precision`). strata, cold_users (Q,) as in `evaluate_events`;
    cold_items (N,), by relevant item: those are taken out, and counted. Queries with nothing relevant (left) are counted
    and left out.
    """
    name, Q = "evaluate_contexts", size("evaluate_contexts", queries)
    check_denominator(name, denominator)
    recall, ap, ndcg = (check_ks(name, ks) for ks in (recall, ap, ndcg))
    start, items = ragged(f"{name}: relevant", relevant, Q)
    cold_items = flags(f"{name}: cold_items", cold_items, len(items))
    strata = labels(f"{name}: strata", strata, Q)
    cold_users = flags(f"{name}: cold_users", cold_users, Q)
    start, items = np.append(0, np.cumsum(~cold_items))[start], items[~cold_items]
    rows = np.flatnonzero(np.diff(start))
    cold = cold_users[rows]
    _some_left(name, rows[~cold], Q)
    start, items = take((start, items), rows)
    ks = dict.fromkeys([*recall, *ap, *ndcg])
    greater, equal, n_items = _rank(name, scorer, queries, rows, start, items, exclude, max(ks), block)
    at = {k: expected_list_metrics(greater, equal, start, k, denominator) for k in ks}
    measured = {**{f"Recall@{k}": at[k]["recall"] for k in recall}, **{f"MAP@{k}": at[k]["ap"] for k in ap},
                **{f"nDCG@{k}": at[k]["ndcg"] for k in ndcg}}
    notes = [f"contexts: {np.sum(~cold):,} of {Q:,} queries, {np.diff(start)[~cold].mean():.2f} relevant items each, "
             f"ranked among {n_items:,}{'' if exclude is None else ' but for those excluded'}; ties by expectation; "
             f"MAP over {denominator}",
             f"apart: {np.sum(cold):,} queries of cold users; left out: {Q - len(rows):,} queries with nothing relevant, "
             f"{np.sum(cold_items):,} relevant cold items"]
    return RankingResult(measured, rows, strata, cold, notes, None)


def top_lists(scorer, queries, k, exclude=None, ids=None, block=256):
    """The k best candidates of each query: a DataFrame of query, rank (from 1), item; equal scores by item number.

    ids (I,): names of the items, else their numbers. A list is shorter where fewer candidates are left.
    `bias.list_statistics` says how much of the catalogue the lists show, and how popular what they show is.
    """
    import pandas

    Q, k = size("top_lists", queries), check_ks("top_lists", [k])[0]
    best, rows = [], np.arange(Q)
    for at, scores, out in score_blocks("top_lists", scorer, queries, rows, exclude, k, block):
        best.append(top_k(scores, k, *out))
        if (best[-1] == NAN_ROW).any():
            refuse_nan("top_lists", scores, rows[at])
    best = np.concatenate(best)
    query, place = np.nonzero(best >= 0)
    item = best[query, place]
    return pandas.DataFrame({"query": query, "rank": place + 1, "item": item if ids is None else np.asarray(ids)[item]})


def _rank(name, scorer, queries, rows, start, items, exclude, k, block):
    """#greater, #equal (N,) of each relevant item, and I."""
    greater, equal = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
    checked = False
    for at, scores, out in score_blocks(name, scorer, queries, rows, exclude, k, block):
        n_items = scores.shape[1]
        if not checked:
            check_items(f"{name}: a target or relevant item", start, items, n_items, rows)
            checked = True
        part = start[at.start:at.stop + 1]
        mine = slice(part[0], part[-1])
        greater[mine], equal[mine] = rank_counts(scores, part - part[0], items[mine], *out)
        if (greater[mine] == NAN).any():
            refuse_nan(name, scores, rows[at])
        if (greater[mine] == EXCLUDED).any():
            n = mine.start + int(np.argmax(greater[mine] == EXCLUDED))
            row = rows[np.searchsorted(start, n, "right") - 1]
            raise ValueError(f"{name}: item {items[n]} is relevant to query {row} and excluded from its candidates, want "
                             "one or the other: leave such queries out, or exclude less")
    return greater, equal, n_items


def _some_left(name, rows, Q):
    if not len(rows):
        raise ValueError(f"{name}: got {Q} queries, none of them of a known user with a known item to find; want at "
                         "least one")
