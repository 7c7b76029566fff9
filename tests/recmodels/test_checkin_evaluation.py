"""Questions, strata and contexts against plain loops; what the tables hold; models that saw the answers are refused."""

import numpy as np
import pytest

from recmodels import synthetic_checkins, time_split
from recmodels.checkin_evaluation import (
    compare_table,
    context_questions,
    evaluate_checkins,
    evaluate_new_venues,
    event_questions,
    fit_and_evaluate,
)
from recmodels.datasets.checkins import slot
from recmodels.models.counters import COUNTERS, Popularity, VisitCounts
from recmodels.splits import Split


@pytest.fixture(scope="module")
def split():
    """A small city; some users and venues come in the test part only."""
    city = synthetic_checkins(users=12, venues=50, events=500, rng=1)
    parts = time_split(city)
    train = [row for row in parts.rows[0] if city.frame["user"][row] not in (3, 7)]
    kept = city.take(np.sort(np.concatenate([train, *parts.rows[1:]])))
    return time_split(kept, (0.75, 0.1, 0.15))


def earlier(log, event):
    """The venues where the event's user was before it."""
    mine = log.frame[(log.frame["user"] == event.user) & (log.frame["timestamp"] < event.timestamp)]
    return set(mine["item"])


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
def test_questions_about_events(split, regime):
    model = Popularity().fit(split.train)
    log = split.train if regime == "frozen" else split.data
    reader = model if regime == "frozen" else model.streaming(split.data)
    q = event_questions(reader, split.test)
    users, venues = set(split.train.users_seen), split.train.items_seen.tolist()
    for n, event in enumerate(split.test.frame.itertuples()):
        assert q["targets"][n] == (venues.index(event.item) if event.item in venues else -1)
        assert q["cold_items"][n] == (event.item not in venues) and q["cold_users"][n] == (event.user not in users)
        assert q["strata"][n] == ("revisit" if event.item in earlier(log, event) & set(venues) else "new")
    assert q["queries"].equals(split.test.frame[["user", "local", "timestamp"]])
    for name in ("cold_items", "cold_users"):
        assert 0 < q[name].sum() < len(split.test)
    assert 5 < (q["strata"] == "revisit").sum() < len(split.test) - 5
    np.testing.assert_array_equal(q["scorer"](q["queries"].iloc[:3]),
                                  reader.scores(*(split.test.frame[c].iloc[:3] for c in ("user", "local", "timestamp"))))


def test_questions_about_contexts(split):
    """One question a user and slot, at the first check-in there; the answers are all venues there, each once."""
    model = Popularity().fit(split.train)
    q, venues = context_questions(model, split.test), split.train.items_seen.tolist()
    want = {}
    for event in split.test.frame.itertuples():
        want.setdefault((event.user, int(slot(event.local))), []).append(event)
    start, items = q["relevant"]
    assert len(q["queries"]) == len(want) == len(start) - 1 and start[-1] == len(items)
    for n, ((user, _), events) in enumerate(sorted(want.items())):
        row = q["queries"].iloc[n]
        assert (row["user"], row["timestamp"], row["local"]) == (user, events[0].timestamp, events[0].local)
        there = {event.item for event in events}
        mine = items[start[n]:start[n + 1]]
        assert len(mine) == len(there)
        assert sorted(mine[mine >= 0]) == sorted(venues.index(venue) for venue in there if venue in venues)
        assert q["cold_users"][n] == (user not in split.train.users_seen)
    np.testing.assert_array_equal(q["cold_items"], items < 0)
    assert np.diff(start).max() > 1


def test_two_cold_venues_of_a_context_are_two(split):
    few = split.train.take(np.arange(5))
    cold = context_questions(Popularity().fit(few), split.test)["cold_items"].sum()
    frame = split.test.frame.assign(slot=slot(split.test.frame["local"].to_numpy()))
    assert cold == len(frame[~frame["item"].isin(few.items_seen)].drop_duplicates(["user", "slot", "item"]))


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
def test_results(split, regime):
    model = VisitCounts(weight=6.0, decay=30.0).fit(split.train)
    reader = model if regime == "frozen" else model.streaming(split.data)
    events, contexts = evaluate_checkins(model, split, regime)
    q = event_questions(reader, split.test)
    rows = np.flatnonzero(~q["cold_items"] & ~q["cold_users"])
    np.testing.assert_array_equal(events.rows, rows)
    y, own = q["scorer"](q["queries"].iloc[rows]), q["targets"][rows]
    rank = (y > y[np.arange(len(y)), own][:, None]).sum(axis=1)
    tied = (y == y[np.arange(len(y)), own][:, None]).sum(axis=1)
    np.testing.assert_allclose(events.per_query["Recall@10"], np.clip((10 - rank) / tied, 0, 1))
    assert sorted(events.table().index) == ["all", "cold users", "new", "revisit"]
    ks = (1, 5, 10, 20)
    assert list(events.per_query) == [*(f"Recall@{k}" for k in ks), "MRR", *(f"nDCG@{k}" for k in ks)]
    assert list(contexts.per_query) == [*(f"Recall@{k}" for k in (5, 10, 20)), "MAP@5", "MAP@10", "nDCG@5", "nDCG@20"]
    assert f"regime: {regime}" in str(events) and "MAP over min(k,R)" in str(contexts) and split.protocol in str(contexts)
    assert "MAP over R" in str(evaluate_checkins(model, split, regime, denominator="R")[1])

    new = evaluate_new_venues(model.streaming(split.data), split, regime)  # the regime is the evaluation's
    np.testing.assert_array_equal(new.rows, rows[q["strata"][rows] == "new"])
    for n, (row, greater) in enumerate(zip(new.rows, new.greater, strict=True)):
        event = split.test.frame.iloc[row]
        seen = earlier(split.train if regime == "frozen" else split.data, event)
        scores = reader.scores([event["user"]], [event["local"]], [event["timestamp"]])[0]
        left = scores[~model.items_.isin(seen)]
        assert greater == (left > scores[q["targets"][row]]).sum(), n
    assert "among those where the user has not been" in str(new)


def test_the_validation_part(split):
    model = VisitCounts().fit(split.train)
    valid = evaluate_checkins(model, split, part="valid")[0]
    assert len(valid) <= len(split.valid) and "valid of Split" in valid.notes[0]
    assert set(valid.rows) <= set(range(len(split.valid)))


def test_models_that_saw_the_answers_are_refused(split):
    for trained, part in ((split.data, "test"), (split.data, "valid"), (split.refit, "valid"), (split.test, "test")):
        for model in (Popularity().fit(trained), Popularity().fit(trained, log=split.data)):
            with pytest.raises(ValueError, match=f"was trained on check-ins of the {part} part"):
                evaluate_checkins(model, split, "streaming", part)
    evaluate_new_venues(Popularity().fit(split.refit, log=split.data), split)
    with pytest.raises(ValueError, match="got regime='later' and part='test', want 'frozen' or 'streaming'"):
        evaluate_checkins(Popularity().fit(split.train), split, "later")
    with pytest.raises(ValueError, match="part='train'"):
        evaluate_checkins(Popularity().fit(split.train), split, part="train")
    rows = np.arange(len(split.data))
    without = Split(split.data, rows[:-40], [], rows[-40:], "by hand")
    with pytest.raises(ValueError, match="has no validation part"):
        evaluate_checkins(Popularity().fit(without.train), without, part="valid")


def test_rows_and_their_tables(split):
    rows = []
    for weight in (0.0, 5.0):
        model, row = fit_and_evaluate(Popularity(weight), split, "streaming")
        assert model.weight == weight and model.trained_.sum() == len(split.train) and len(model.log_) > len(split.train)
        events, contexts = evaluate_checkins(model, split, "streaming")
        assert row["events"]["all"]["Recall@10"] == events["Recall@10"]
        assert row["contexts"]["all"]["MAP@5"] == contexts["MAP@5"]
        assert row["new venues"]["all"] == evaluate_new_venues(model, split, "streaming").table().to_dict("index")["all"]
        assert row["valid"]["MRR"] == evaluate_checkins(model, split, "streaming", "valid")[0]["MRR"]
        assert row["epochs"] is None and row["parameters"] == 0 and row["seconds"] > 0
        rows.append(row)
    again, row = fit_and_evaluate(Popularity(), split, "frozen", refit=True)
    assert again.trained_.sum() == len(again.log_) == len(split.refit)
    assert row["valid"] == fit_and_evaluate(Popularity(), split)[1]["valid"]
    assert row["events"]["all"]["MRR"] == evaluate_checkins(again, split)[0]["MRR"] != \
        fit_and_evaluate(Popularity(), split)[1]["events"]["all"]["MRR"]
    events, contexts = compare_table([("a", rows[0]), ("a", rows[1]), ("b", row)]).values()
    values = [r["events"]["all"]["Recall@10"] for r in rows]
    assert events.loc["a", "Recall@10"] == f"{np.mean(values):.4f} +- {np.std(values, ddof=1):.4f}"
    assert events.loc["b", "revisits R@10"] == f"{row['events']['revisit']['Recall@10']:.4f}"
    assert events.loc["b", "new venues R@10"] == f"{row['new venues']['all']['Recall@10']:.4f}"
    assert contexts.loc["b", "MAP@10"] == f"{row['contexts']['all']['MAP@10']:.4f}"
    assert events["fits"].tolist() == contexts["fits"].tolist() == ["2", "1"] and "epochs" not in events


# ---------------------------------------------------------------- the real file
def test_new_york(foursquare):
    """13,918 test events of 791 known users in known venues, 75.7 % of them revisits."""
    split = time_split(foursquare)
    model = COUNTERS["popularity"]().fit(split.train)
    q = event_questions(model, split.test)
    known = ~q["cold_items"] & ~q["cold_users"]
    assert known.sum() == 13_918 and q["queries"]["user"][known].nunique() == 791
    assert (q["strata"][known] == "revisit").mean() == pytest.approx(0.757, abs=5e-4)
    assert (q["cold_items"].sum(), (q["cold_users"] & ~q["cold_items"]).sum()) == (493, 302)
    new = evaluate_new_venues(model, split)
    assert len(new) == 3_384 and new["Recall@10"] == pytest.approx(0.048, abs=5e-4)
    assert len(context_questions(model, split.test)["queries"]) == 4_023
