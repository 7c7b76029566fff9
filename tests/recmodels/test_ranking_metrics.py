"""Ranking metrics against ranx, trec_eval and plain loops; ties against every order of the tied items."""

import itertools
import json
import math
import os
import subprocess
import sys

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels import ranking_metrics as rm
from recmodels.kernels import rank_counts
from recmodels.ranking_metrics import (
    average_precision,
    expected_list_metrics,
    expected_ndcg,
    expected_rank,
    expected_recall,
    expected_reciprocal_rank,
    hit_rate,
    list_metrics,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)

NOTHING = np.zeros(0, np.int64)
METRICS = {"hit rate": hit_rate, "recall": recall, "precision": precision, "ndcg": ndcg}
few = settings(deadline=None, max_examples=40)  # no deadline: a busy machine is no bug


def counts_of(scores, relevant):
    scores, relevant = np.array([scores], np.float64), np.array(relevant, np.int64)
    return rank_counts(scores, np.array([0, len(relevant)]), relevant, np.zeros(2, np.int64), NOTHING)


def random_lists(rng, Q=40, K=12, V=30):
    """Ranked lists, and of each query one relevant item at least, some of them in no list."""
    lists = np.stack([rng.permutation(V)[:K] for _ in range(Q)])
    relevant = [rng.permutation(V)[:rng.integers(1, 18)] for _ in range(Q)]
    return lists, relevant, np.append(0, np.cumsum([len(one) for one in relevant]))


# ------------------------------------------------------------------------------------------------ by hand
def test_one_list_four_denominators():
    """The worked example: hits at 1 and 3, k = 5, |R| = 20."""
    ranked, relevant = [0, 90, 1, 91, 92], list(range(20))
    for name, value in (("R", (1 + 2 / 3) / 20), ("min(k,R)", (1 + 2 / 3) / 5), ("hits", (1 + 2 / 3) / 2),
                        ("k", (1 + 2 / 3) / 5)):
        assert average_precision(ranked, relevant, 5, name) == pytest.approx(value, abs=1e-15)
        assert list_metrics([ranked], [0, 20], relevant, 5, name)["ap"] == pytest.approx([value], abs=1e-15)
    assert average_precision(ranked, relevant, 5) == average_precision(ranked, relevant, 5, "min(k,R)")
    assert average_precision(ranked, [0, 1], 5) == average_precision(ranked, [0, 1], 5, "R") == pytest.approx(5 / 6)
    assert average_precision(ranked, [0, 1], 5, "k") == pytest.approx(1 / 3)
    assert recall(ranked, relevant, 5) == 0.1 and precision(ranked, relevant, 5) == 0.4
    assert ndcg(ranked, relevant, 5) == pytest.approx(1.5 / sum(1 / math.log2(i + 1) for i in range(1, 6)))
    assert reciprocal_rank(ranked, relevant) == 1 and reciprocal_rank(ranked, [92, 91]) == 1 / 4
    assert hit_rate(ranked, [92], 4) == 0 and hit_rate(ranked, [92], 5) == 1


def test_a_list_without_hits_has_zeros_everywhere():
    for name in rm.DENOMINATORS:
        assert average_precision([1, 2], [3], 5, name) == 0
        assert all(not x.any() for x in list_metrics([[1, 2]], [0, 1], [3], 2, name).values())
    assert recall([], [3], 5) == ndcg([1, 2], [3], 5) == reciprocal_rank([1, 2], [3]) == reciprocal_rank([], [3]) == 0


def test_a_short_list_is_followed_by_nothing():
    assert recall([3], [3, 4], 5) == 0.5 and precision([3], [3, 4], 5) == 0.2
    found = list_metrics([[3, -1, -1, -1, -1]], [0, 2], [3, 4], 5)
    assert (found["recall"], found["precision"], found["ap"]) == (0.5, 0.2, 0.5)


# ------------------------------------------------------------------------------------------------ other people's code
NAMES = {"recall": "recall", "precision": "precision", "hit rate": "hit_rate", "ap": "map", "ndcg": "ndcg"}  # ours: ranx's

RANX = """
import json, sys
import ranx
qrels, run, metrics = json.load(sys.stdin)
scores = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), metrics, return_mean=False)
print(json.dumps({name: dict(zip(qrels, map(float, values))) for name, values in scores.items()}))
"""


def as_dicts(lists, relevant):
    qrels = {f"q{q:03}": {f"i{i}": 1 for i in one} for q, one in enumerate(relevant)}
    return qrels, {f"q{q:03}": {f"i{i}": float(len(one) - n) for n, i in enumerate(one)} for q, one in enumerate(lists)}


def assert_ours(theirs, name, k, lists, relevant, start):
    """theirs {query: value} is what we find, by the definitions and by the kernels."""
    theirs = [theirs[f"q{q:03}"] for q in range(len(lists))]
    ours = {**METRICS, "ap": lambda *args: average_precision(*args, "R")}[name]
    np.testing.assert_allclose([ours(list(one), list(r), k) for one, r in zip(lists, relevant, strict=True)], theirs,
                               rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(list_metrics(lists, start, np.concatenate(relevant), k, "R")[name], theirs, rtol=1e-12,
                               atol=1e-15)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_trec_eval_agrees(rng, k):
    lists, relevant, start = random_lists(rng)
    measures = {"recall": ir_measures.R @ k, "precision": ir_measures.P @ k, "hit rate": ir_measures.Success @ k,
                "ap": ir_measures.AP @ k, "ndcg": ir_measures.nDCG @ k}
    found = {str(measure): {} for measure in (*measures.values(), ir_measures.RR)}
    for one in ir_measures.pytrec_eval.iter_calc([*measures.values(), ir_measures.RR], *as_dicts(lists, relevant)):
        found[str(one.measure)][one.query_id] = one.value
    for name, measure in measures.items():
        assert_ours(found[str(measure)], name, k, lists, relevant, start)
    np.testing.assert_allclose([found["RR"][f"q{q:03}"] for q in range(len(lists))],
                               [reciprocal_rank(list(one), list(r)) for one, r in zip(lists, relevant, strict=True)])


def test_ranx_agrees(rng, tmp_path):
    """In a process of its own: ranx makes folders in the home directory, and its kernels warn and take half a minute to
    compile, so they run as plain Python."""
    lists, relevant, start = random_lists(rng)
    wanted = [f"{theirs}@{k}" for k in (1, 5, 10) for theirs in NAMES.values()] + ["mrr"]
    home = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "IR_DATASETS_HOME", "MPLCONFIGDIR")}
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", RANX], capture_output=True, text=True,
                         input=json.dumps([*as_dicts(lists, relevant), wanted]),
                         env={**os.environ, **home, "NUMBA_DISABLE_JIT": "1"})
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    for k, (ours, theirs) in itertools.product((1, 5, 10), NAMES.items()):
        assert_ours(found[f"{theirs}@{k}"], ours, k, lists, relevant, start)
    np.testing.assert_allclose(list(found["mrr"].values()),
                               [reciprocal_rank(list(one), list(r)) for one, r in zip(lists, relevant, strict=True)])


# ------------------------------------------------------------------------------------------------ ties
def every_order(scores):
    """All rankings in which no item stands behind one with a lower score."""
    groups = [[i for i, s in enumerate(scores) if s == value] for value in sorted(set(scores), reverse=True)]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [i for part in parts for i in part]


@few
@given(st.lists(st.integers(0, 2), min_size=1, max_size=7), st.data())
def test_with_one_target_the_expectation_is_the_mean_over_every_order(scores, data):
    target = data.draw(st.integers(0, len(scores) - 1))
    g, n = counts_of(scores, [target])
    orders = list(every_order(scores))

    def mean(metric):
        return pytest.approx(sum(metric(order) for order in orders) / len(orders), abs=1e-12)

    assert expected_rank(g, n)[0] == mean(lambda order: order.index(target) + 1)
    assert expected_reciprocal_rank(g, n)[0] == mean(lambda order: reciprocal_rank(order, [target]))
    for k in (1, 2, 3, 7, 20):
        assert expected_recall(g, n, k)[0] == mean(lambda order: recall(order, [target], k))
        assert expected_ndcg(g, n, k)[0] == mean(lambda order: ndcg(order, [target], k))


@few
@given(st.lists(st.integers(0, 2), min_size=1, max_size=7), st.data())
def test_with_several_relevant_items_too_for_each_metric_and_denominator(scores, data):
    relevant = data.draw(st.lists(st.integers(0, len(scores) - 1), min_size=1, unique=True))
    g, n = counts_of(scores, relevant)
    orders = list(every_order(scores))
    for k in (1, 2, 3, 5, 9):
        for denominator in rm.DENOMINATORS:
            found = expected_list_metrics(g, n, [0, len(relevant)], k, denominator)
            wanted = sum(average_precision(order, relevant, k, denominator) for order in orders) / len(orders)
            assert found["ap"][0] == pytest.approx(wanted, abs=1e-12), (k, denominator)
        for name, metric in METRICS.items():
            wanted = sum(metric(order, relevant, k) for order in orders) / len(orders)
            assert found[name][0] == pytest.approx(wanted, abs=1e-12), (k, name)


def test_many_queries_are_measured_like_each_alone(rng):
    scores = rng.integers(0, 4, (30, 25)).astype(np.float64)
    relevant = [rng.permutation(25)[:rng.integers(1, 9)] for _ in scores]
    start = np.append(0, np.cumsum([len(one) for one in relevant]))
    together = rank_counts(scores, start, np.concatenate(relevant), np.zeros(31, np.int64), NOTHING)
    for denominator in rm.DENOMINATORS:
        found = expected_list_metrics(*together, start, 10, denominator)
        for q, one in enumerate(relevant):
            alone = expected_list_metrics(*counts_of(scores[q], one), [0, len(one)], 10, denominator)
            assert all(found[name][q] == pytest.approx(alone[name][0], rel=1e-13) for name in found)


def test_one_relevant_item_is_a_special_case_of_several(rng):
    g, n = rng.integers(0, 12, 200), rng.integers(1, 9, 200)
    found = expected_list_metrics(g, n, np.arange(201), 5)
    np.testing.assert_allclose(found["recall"], expected_recall(g, n, 5), rtol=1e-12)
    np.testing.assert_allclose(found["hit rate"], expected_recall(g, n, 5), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["ndcg"], expected_ndcg(g, n, 5), rtol=1e-12)


def test_all_items_tied_is_chance_level():
    """100 items, 20 relevant, nothing known: Recall@k = k / 100, precision = 0.2, and P@1 P@2 as drawn from an urn."""
    found = expected_list_metrics(np.zeros(20, int), np.full(20, 100), [0, 20], 2, "k")
    assert (found["recall"], found["precision"]) == (pytest.approx([0.02]), pytest.approx([0.2]))
    assert found["hit rate"] == pytest.approx([1 - 80 / 100 * 79 / 99])
    assert found["ap"] == pytest.approx([(0.2 + 0.2 * (1 + 19 / 99) / 2) / 2])


# ------------------------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize("metric", [*METRICS.values(), average_precision])
def test_bad_lists_are_named(metric):
    name = metric.__name__
    for k in (0, -1, 2.5, None):
        with pytest.raises(ValueError, match=rf"{name}: got k={k}, want a whole number of at least 1"):
            metric([1, 2], [1], k)
    with pytest.raises(ValueError, match=rf"{name}: got no relevant items"):
        metric([1, 2], [], 1)
    with pytest.raises(ValueError, match=rf"{name}: got the item 2 twice in the list"):
        metric([1, 2, 2], [1], 1)
    with pytest.raises(ValueError, match=rf"{name}: got 3 relevant items, only 2 of them different"):
        metric([1, 2], [1, 3, 1], 1)


def test_bad_counts_and_denominators_are_named():
    with pytest.raises(ValueError, match=r"got the denominator 'r', want one of 'min\(k,R\)', 'R', 'hits', 'k'"):
        average_precision([1], [1], 1, "r")
    with pytest.raises(ValueError, match="got the denominator 'recall'"):
        expected_list_metrics([0], [1], [0, 1], 1, "recall")
    with pytest.raises(ValueError, match="greater from -1"):
        expected_recall([-1], [1], 1)
    with pytest.raises(ValueError, match="equal from 0, .*the item equals itself"):
        expected_rank([0], [0])
    with pytest.raises(ValueError, match="whole numbers of one shape"):
        expected_rank([0.5], [1])
    with pytest.raises(ValueError, match=r"shape \(2,\).*shape \(1,\)"):
        expected_ndcg([0, 1], [1], 1)
    with pytest.raises(ValueError, match="at least one item a query"):
        expected_list_metrics([0], [1], [0, 0, 1], 1)
    with pytest.raises(ValueError, match=r"start from 0 to 2 for 1 relevant"):
        expected_list_metrics([0], [1], [0, 2], 1)
    with pytest.raises(ValueError, match="at least k"):
        list_metrics([[1, 2]], [0, 1], [1], 3)
    with pytest.raises(ValueError, match="the list of query 1 has the item 4, negative or a second time"):
        list_metrics([[1, 2], [4, 4]], [0, 1, 2], [1, 1], 2)
    with pytest.raises(ValueError, match="the relevant items of query 0 has the item -1"):
        list_metrics([[1, 2]], [0, 1], [-1], 2)
