"""Ranking evaluation against plain loops; what is counted, what stands apart, what is refused."""

import numpy as np
import pandas
import pytest

from recmodels.bias import list_statistics
from recmodels.ranking import evaluate_contexts, evaluate_events, top_lists
from recmodels.ranking_metrics import average_precision, ndcg, recall
from tinydl.kernels import use_numba

USERS, ITEMS = 9, 23


@pytest.fixture
def table(rng):
    """Scores of each user for each item: all different."""
    return rng.standard_normal((USERS, ITEMS))


@pytest.fixture
def users(rng):
    return rng.integers(0, USERS, 60)


@pytest.fixture
def targets(rng):
    return rng.integers(0, ITEMS, 60)


def ranking(scores, out=()):
    """Item numbers, best first."""
    return [i for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)) if i not in out]


# ------------------------------------------------------------------------------------------------ what is measured
@pytest.mark.parametrize("block", [1, 7, 60, 256])
def test_events_are_the_plain_loop_at_any_size_of_block(table, users, targets, block):
    result = evaluate_events(lambda u: table[u], users, targets, ks=(1, 5, 10), block=block)
    ranks = np.array([ranking(table[u]).index(i) + 1 for u, i in zip(users, targets, strict=True)])
    assert len(result) == 60 and result.rows.tolist() == list(range(60))
    assert result.greater.tolist() == (ranks - 1).tolist() and set(result.equal) == {1}
    assert result["MRR"] == pytest.approx(np.mean(1 / ranks))
    for k in (1, 5, 10):
        assert result.per_query[f"Recall@{k}"].tolist() == (ranks <= k).tolist()
        assert result[f"nDCG@{k}"] == pytest.approx(np.mean((ranks <= k) / np.log2(ranks + 1)))


@pytest.mark.parametrize("block", [1, 7, 256])
@pytest.mark.parametrize("denominator", ["min(k,R)", "R"])
def test_contexts_are_the_plain_loop(rng, table, users, block, denominator):
    relevant = [rng.permutation(ITEMS)[:rng.integers(0, 8)].tolist() for _ in users]
    result = evaluate_contexts(lambda u: table[u], users, relevant, denominator=denominator, block=block)
    some = [q for q in range(60) if relevant[q]]
    assert 0 < len(some) < 60 and result.rows.tolist() == some
    for name, values in result.per_query.items():
        title, k = name.split("@")
        metric = {"Recall": recall, "MAP": lambda *args: average_precision(*args, denominator), "nDCG": ndcg}[title]
        wanted = [metric(ranking(table[users[q]]), relevant[q], int(k)) for q in some]
        np.testing.assert_allclose(values, wanted, rtol=1e-12)
    assert list(result.per_query) == ["Recall@5", "Recall@10", "Recall@20", "MAP@5", "MAP@10", "nDCG@5", "nDCG@20"]
    start = np.append(0, np.cumsum([len(one) for one in relevant]))
    pair = start, np.concatenate([np.array(one, np.int64) for one in relevant])
    again = evaluate_contexts(lambda u: table[u], users, pair, denominator=denominator)
    assert all((again.per_query[name] == values).all() for name, values in result.per_query.items())


def test_numpy_and_compiled_runs_agree(rng, users, targets):
    table, relevant = rng.integers(0, 4, (USERS, ITEMS)), [rng.permutation(ITEMS)[:5] for _ in users]
    out = [rng.permutation(np.setdiff1d(np.arange(ITEMS), [*relevant[q], targets[q]]))[:3] for q in range(60)]
    runs = []
    for compiled in (False, True):
        with use_numba(compiled):
            runs.append((evaluate_events(lambda u: table[u], users, targets, exclude=out),
                         evaluate_contexts(lambda u: table[u], users, relevant, denominator="hits", exclude=out),
                         top_lists(lambda u: table[u], users, 6, exclude=out)))
    for one, other in zip(runs[0][:2], runs[1][:2], strict=True):
        for name in one.per_query:
            np.testing.assert_allclose(one.per_query[name], other.per_query[name], rtol=1e-13, atol=1e-15)
    pandas.testing.assert_frame_equal(runs[0][2], runs[1][2])


def test_ties_count_by_expectation_and_a_constant_scorer_is_at_chance_level(users, targets):
    result = evaluate_events(lambda u: np.zeros((len(u), ITEMS), np.float32), users, targets, ks=(1, 5, 20))
    for k in (1, 5, 20):
        np.testing.assert_allclose(result.per_query[f"Recall@{k}"], k / ITEMS)
    assert result["MRR"] == pytest.approx(np.mean(1 / np.arange(1, ITEMS + 1)))


def test_shuffled_targets_are_at_chance_level(rng):
    """A scorer that finds each target finds 10 of 500 by chance when targets are shuffled: a Recall@10 of 0.02."""
    targets = rng.integers(0, 500, 5000)

    def knows(q):
        return (targets[q][:, None] == np.arange(500)) + rng.random((len(q), 500))
    assert evaluate_events(knows, np.arange(5000), targets)["Recall@1"] == 1
    chance = evaluate_events(knows, np.arange(5000), rng.permutation(targets))["Recall@10"]
    assert abs(chance - 0.02) < 4 * (0.02 * 0.98 / 5000) ** 0.5


@pytest.mark.parametrize("form", ["lists", "pair", "mask"])
def test_excluded_items_are_no_candidates(rng, table, users, targets, form):
    always = np.array([3, 8, 11])
    keep = ~np.isin(targets, always)
    users, targets = users[keep], targets[keep]
    out = [always if form == "mask" else rng.permutation(np.delete(np.arange(ITEMS), i))[:rng.integers(0, 9)]
           for i in targets]
    start = np.append(0, np.cumsum([len(one) for one in out]))
    exclude = {"lists": out, "pair": (start, np.concatenate(out)), "mask": np.isin(np.arange(ITEMS), always)}[form]
    result = evaluate_events(lambda u: table[u], users, targets, exclude=exclude, block=7)
    wanted = [ranking(table[u], out[q]).index(targets[q]) for q, u in enumerate(users)]
    assert result.greater.tolist() == wanted
    assert "but for those excluded" in str(result)
    lists = top_lists(lambda u: table[u], users, ITEMS, exclude=exclude, block=7)
    for q, u in enumerate(users):
        assert lists["item"][lists["query"] == q].tolist() == ranking(table[u], out[q])


def test_scores_may_be_of_any_real_type_and_layout(table, users, targets):
    whole = np.round(table * 3)
    wanted = evaluate_events(lambda u: whole[u], users, targets)["MRR"]
    frozen = whole[users]
    frozen.flags.writeable = False
    for scorer in (lambda u: whole[u].astype(np.int8), lambda u: np.asfortranarray(whole[u]), lambda u: whole[u].tolist(),
                   lambda u: whole[u].astype(np.float16), lambda u: frozen):
        assert evaluate_events(scorer, users, targets)["MRR"] == wanted
    assert evaluate_events(lambda u: np.where(whole[u] > 0, -np.inf, whole[u]), users, targets)["MRR"] != wanted


def test_queries_may_be_a_frame_whose_blocks_reach_the_scorer_as_frames(table, users, targets):
    frame = pandas.DataFrame({"user": users, "slot": 1}, index=np.arange(60) + 100)
    result = evaluate_events(lambda q: table[q["user"].to_numpy()], frame, targets, block=13)
    assert result["MRR"] == evaluate_events(lambda u: table[u], users.tolist(), targets)["MRR"]


# ------------------------------------------------------------------------------------------------ strata, cold ones, tables
def test_strata_and_cold_users_and_items_are_counted_and_apart(table, users, targets):
    targets[:4] = -1  # venues that training never saw
    cold_items, cold_users = targets < 0, users == 2
    strata = np.where(targets % 2 == 0, "revisit", "new")
    result = evaluate_events(lambda u: table[u], users, targets, strata=strata, cold_users=cold_users, cold_items=cold_items)
    ranks = np.array([ranking(table[u]).index(i) + 1 if i >= 0 else 0 for u, i in zip(users, targets, strict=True)])
    warm, cold = ~cold_items & ~cold_users, ~cold_items & cold_users
    lines = {"all": warm, "revisit": warm & (strata == "revisit"), "new": warm & (strata == "new"), "cold users": cold}
    shown = result.table()
    assert set(shown.index) == set(lines) and shown.index[0] == "all" and shown.index[-1] == "cold users"
    for name, rows in lines.items():
        assert shown.loc[name, "queries"] == rows.sum() > 0
        assert shown.loc[name, "Recall@5"] == pytest.approx(np.mean(ranks[rows] <= 5))
        assert shown.loc[name, "MRR"] == pytest.approx(np.mean(1 / ranks[rows]))
    assert result["MRR"] == shown.loc["all", "MRR"] and (result.strata == strata[result.rows]).all()
    assert (result.rows == np.flatnonzero(warm)).all()
    assert f"events: {warm.sum()} of 60 queries, one target each, ranked among 23 items; ties by expectation" in str(result)
    assert f"apart: {cold.sum()} queries of cold users; left out: 4 whose target is a cold item" in str(result)


def test_contexts_count_what_they_leave_out_and_name_the_denominator_of_map(table, users):
    relevant = [[3, -1], [-1], [], *([q % ITEMS, (q + 1) % ITEMS] for q in range(57))]
    cold_items = np.array([i < 0 for one in relevant for i in one])
    cold_users = np.arange(60) == 59
    result = evaluate_contexts(lambda u: table[u], users, relevant, denominator="R", cold_items=cold_items,
                               cold_users=cold_users, strata=["weekend"] * 30 + ["week"] * 30)
    text = str(result)
    assert "contexts: 57 of 60 queries, 1.98 relevant items each" in text and "MAP over R" in text
    assert "apart: 1 queries of cold users; left out: 2 queries with nothing relevant, 2 relevant cold items" in text
    assert result.per_query["Recall@5"][0] == (ranking(table[users[0]]).index(3) < 5)  # |R| is 1 without the cold one
    assert result.table()["queries"].to_dict() == {"all": 57, "weekend": 28, "week": 29, "cold users": 1}
    assert "MAP over min(k,R)" in str(evaluate_contexts(lambda u: table[u], users[:1], [[1]]))


def test_a_metric_that_was_not_measured_is_named(table, users, targets):
    result = evaluate_events(lambda u: table[u], users, targets, ks=5)
    assert list(result.per_query) == ["Recall@5", "MRR", "nDCG@5"]
    with pytest.raises(KeyError, match="no metric 'Recall@10' was measured, only Recall@5, MRR, nDCG@5"):
        result["Recall@10"]


def test_top_lists_are_sorted_stable_and_fit_list_statistics(world, users, rng):
    names = np.array(world.items.index)
    scores = rng.integers(0, 3, (USERS, len(names)))
    lists = top_lists(lambda u: scores[u], users, 5, ids=names)
    for q, u in enumerate(users):
        assert lists["item"][lists["query"] == q].tolist() == names[ranking(scores[u])[:5]].tolist()
    assert lists["rank"].tolist() == [1, 2, 3, 4, 5] * 60
    assert 0 < list_statistics(lists, world)["coverage"] <= 1


# ------------------------------------------------------------------------------------------------ bad input
def test_a_nan_is_an_error_wherever_it_stands(table, users, targets):
    table[users[11], 17] = np.nan
    first = int(np.argmax(users == users[11]))
    for run in (lambda: evaluate_events(lambda u: table[u], users, targets),
                lambda: evaluate_contexts(lambda u: table[u], users, [[i] for i in targets]),
                lambda: top_lists(lambda u: table[u], users, 3),
                lambda: evaluate_events(lambda u: table[u], users, targets % 17, exclude=np.arange(ITEMS) == 17)):
        with pytest.raises(ValueError, match=rf"the score of query {first} for item 17 is nan.*want numbers"):
            run()
    with pytest.raises(ValueError, match=rf"query {first} for item 17 is nan"):
        evaluate_events(lambda u: table[u], users, targets, block=1)


def wrong(message, **changes):
    return pytest.param(message, changes, id=message[:40])


@pytest.mark.parametrize("message, changes", [
    wrong("got no queries, want at least one; did a filter leave nothing", queries=np.zeros(0, int), targets=[]),
    wrong("got k=24 and a catalogue of 23 items, want k <= 23", ks=(5, 24)),
    wrong("got k=0, want a whole number of at least 1", ks=(0,)),
    wrong("got k=1.5, want a whole number", ks=(1.5,)),
    wrong("got no k, want", ks=()),
    wrong("target or relevant item of query 2 is 23, unknown to a scorer of 23 items, want 0 to 22", targets=[0, 1, 23]),
    wrong("target or relevant item of query 0 is -1, unknown", targets=[-1, 1, 2]),
    wrong(r"targets: got float64 of shape \(3,\), want whole numbers", targets=[0.0, 1.0, 2.0]),
    wrong(r"targets: got int64 of shape \(2,\), want whole numbers of shape \(3,\)", targets=[0, 1]),
    wrong("an excluded item of query 1 is 9 for a second time, want each once", exclude=[[], [9, 9], []]),
    wrong("an excluded item of query 0 is 40, unknown", exclude=[[40], [], []]),
    wrong("item 1 is relevant to query 1 and excluded", exclude=[[], [4, 1], []]),
    wrong("item 0 is relevant to query 0 and excluded", exclude=np.arange(23) == 0),
    wrong(r"got a mask to exclude of shape \(9,\), want \(23,\)", exclude=np.zeros(9, bool)),
    wrong("exclude: got 2 lists for 3 queries", exclude=[[], []]),
    wrong("exclude: got start from 0 to 1 for 2 items", exclude=(np.array([0, 0, 1, 1]), np.array([5, 6]))),
    wrong(r"the scorer gave scores of shape \(3,\) for 3 queries, want \(3, all items\)", scorer=lambda u: np.zeros(3)),
    wrong(r"gave scores of shape \(4, 23\) for 3 queries", scorer=lambda u: np.zeros((4, 23))),
    wrong(r"strata: got labels of shape \(2,\), want \(3,\)", strata=["a", "b"]),
    wrong("the label of query 1 is nan", strata=[0.0, np.nan, 1.0]),
    wrong(r"cold_users: got int64 of shape \(3,\), want True or False", cold_users=[0, 1, 0]),
    wrong("none of them of a known user", cold_items=[True] * 3),
    wrong("none of them of a known user", cold_users=[True] * 3),
    wrong("block: got k=0", block=0),
])
def test_bad_events_are_named(table, message, changes):
    arguments = {"scorer": lambda u: table[u], "queries": np.arange(3), "targets": [0, 1, 2], **changes}
    with pytest.raises(ValueError, match=message):
        evaluate_events(**arguments)


def test_bad_contexts_and_lists_are_named(table):
    def contexts(relevant, **more):
        return evaluate_contexts(lambda u: table[u], np.arange(2), relevant, **more)
    with pytest.raises(ValueError, match="relevant item of query 1 is 5 for a second time"):
        contexts([[1], [5, 6, 5]])
    with pytest.raises(ValueError, match="relevant item of query 1 is 99, unknown to a scorer of 23 items"):
        contexts([[], [99]])
    with pytest.raises(ValueError, match="got the denominator 'all'"):
        contexts([[1], [2]], denominator="all")
    with pytest.raises(ValueError, match="got k=50 and a catalogue of 23 items"):
        contexts([[1], [2]], ap=(50,))
    with pytest.raises(ValueError, match="none of them of a known user with a known item"):
        contexts([[], []])
    with pytest.raises(ValueError, match="got a tuple of 3"):
        contexts(([0], [1], [2]))
    with pytest.raises(ValueError, match="top_lists: got k=24 and a catalogue of 23"):
        top_lists(lambda u: table[u], np.arange(2), 24)
    with pytest.raises(TypeError, match="got queries of type int"):
        top_lists(lambda u: table[u], 5, 2)
    with pytest.raises(TypeError, match="scores of type complex128, want real numbers"):
        top_lists(lambda u: table[u] + 1j, np.arange(2), 2)
    with pytest.raises(ValueError, match=r"gave scores of shape \(1, 22\) for 1 queries, want \(1, 23\)"):
        top_lists(lambda u: table[u, :23 - u[0]], np.arange(2), 2, block=1)
