"""Evaluation of sessions: the questions, the metrics by their definitions, strata, and what is left out and counted."""

import numpy as np
import pytest

from recmodels import ranking_metrics
from recmodels.bootstrap import paired_bootstrap
from recmodels.datasets import Sessions, synthetic_sessions
from recmodels.estimator import NotFittedError
from recmodels.models import SESSION_MODELS
from recmodels.models.session_baselines import SessionMarkov
from recmodels.session_evaluation import compare_table, evaluate_sessions, fit_and_evaluate, sessions_of, strata


@pytest.fixture(scope="module")
def split():
    return synthetic_sessions(sessions=400, items=30, rng=0)


@pytest.fixture(scope="module")
def model(split):
    return SessionMarkov().fit(split.train)


@pytest.mark.parametrize("prefixes", ["last", "all"])
def test_metrics_are_their_definitions(split, model, prefixes):
    result = evaluate_sessions(model, split.test, prefixes, ks=(1, 3), block=7)
    asked = [(s, n) for s, one in enumerate(split.test.lists()) for n in (
        range(1, len(one)) if prefixes == "all" else [len(one) - 1])]
    assert len(result) == len(asked) and sessions_of(result, split.test, prefixes).tolist() == [s for s, _ in asked]
    for q, (s, n) in enumerate(asked):
        items = split.test.lists()[s]
        y = model.scores([items[:n]])[0]
        target = y[model.items_.get_loc(items[n])]
        ranks = [(y > target).sum() + tied for tied in range(1, (y == target).sum() + 1)]  # any of them, with equal chance
        np.testing.assert_allclose(result.per_query["Recall@3"][q], np.mean([rank <= 3 for rank in ranks]))
        np.testing.assert_allclose(result.per_query["MRR@3"][q], np.mean([(rank <= 3) / rank for rank in ranks]))
        assert result.strata[q] == {1: "1", 2: "2", 3: "3-4", 4: "3-4"}.get(n, "5-9" if n < 10 else "10 and more")
    assert "synthetic sessions (SYNTHETIC): 60 sessions, " in str(result)
    assert {"Recall@1", "MRR", "nDCG@3"} < set(result.per_query)


def test_classes_of_length():
    assert strata(np.array([1, 2, 3, 4, 5, 9, 10, 49])).tolist() == ["1", "2", "3-4", "3-4", "5-9", "5-9",
                                                                     "10 and more", "10 and more"]


def test_a_target_that_nobody_trained_on_is_left_out_and_counted(model):
    known = model.items_[:3].tolist()
    data = Sessions.of([known, [known[0], 999], [999, known[1]]])
    result = evaluate_sessions(model, data, ks=[5])
    assert sessions_of(result, data).tolist() == [0, 2] and "left out: 1 whose target is a cold item" in str(result)
    y = model.scores([[999]])[0]  # of whom nothing is known: what is popular
    assert y.tolist() == model.count_.tolist() and result.greater[1] == (y > y[1]).sum()


def test_reciprocal_ranks_end_at_k_and_ties_are_shared():
    np.testing.assert_allclose(ranking_metrics.expected_reciprocal_rank([0, 1, 2, 5], [1, 2, 4, 1], 3),
                               [1, (1 / 2 + 1 / 3) / 2, (1 / 3) / 4, 0])
    with pytest.raises(ValueError, match="k=0"):
        ranking_metrics.expected_reciprocal_rank([0], [1], 0)


def test_what_cannot_be_asked_is_refused(split, model):
    with pytest.raises(NotFittedError, match="SessionMarkov is not fitted yet"):
        evaluate_sessions(SessionMarkov(), split.test)
    with pytest.raises(TypeError, match="got sessions of type list"):
        evaluate_sessions(model, [[1, 2]])
    with pytest.raises(ValueError, match="no session has two items"):
        evaluate_sessions(model, Sessions.of([[1], [2]]))
    with pytest.raises(ValueError, match="want 'last' or 'all'"):
        evaluate_sessions(model, split.test, "first")


def test_rows_and_their_table(split):
    rows = []
    for name in ("session-markov", "sasrec"):
        for seed in (0, 1):
            model = SESSION_MODELS[name]()
            small = {key: value for key, value in dict(k=6, epochs=2, batch_size=32, seed=seed).items()
                     if key in model.get_params()}
            measured, row = fit_and_evaluate(model.clone(**small), split, refit=seed == 1)
            rows.append((name, row))
            for prefixes in ("last", "all"):
                again = evaluate_sessions(measured, split.test, prefixes)
                assert row[prefixes]["all"]["MRR@20"] == again["MRR@20"]
            assert measured.count_.sum() == len((split.refit if seed else split.train).items)
    table = compare_table(rows)
    assert table.index.tolist() == ["session-markov", "sasrec"] and table["fits"].tolist() == ["2", "2"]
    first, second = (row["last"]["all"]["Recall@20"] for name, row in rows if name == "sasrec")
    assert table.loc["sasrec", "Recall@20"] == f"{(first + second) / 2:.4f} +- {np.std([first, second], ddof=1):.4f}"
    assert rows[0][1]["epochs"] is None and rows[2][1]["epochs"] in (1, 2) and rows[2][1]["seconds"] > 0


def test_attention_finds_what_a_chain_cannot_see_and_nobody_is_above_the_ceiling():
    split = synthetic_sessions(sessions=3_000, items=12, intents=2, exploration=0.1, more=0.6, rng=0)
    chain = evaluate_sessions(SessionMarkov().fit(split.train), split.test, ks=[1])
    attention = SESSION_MODELS["stamp"](k=16, dropout=0.0, smoothing=0.0, epochs=8, batch_size=32, lr=0.01)
    best = evaluate_sessions(attention.fit(split.train, split.valid), split.test, ks=[1])
    difference = paired_bootstrap(best.per_query["Recall@1"], chain.per_query["Recall@1"], sessions_of(best, split.test))
    assert difference.low > 0 and chain["Recall@1"] < best["Recall@1"] < split.test.best_recall(1) + 0.05
