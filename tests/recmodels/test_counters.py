"""Counters against their definitions as plain loops, in both regimes; nothing at or after a query's moment counts."""

import math

import numpy as np
import pandas as pd
import pytest

from recmodels import CheckIns, load_movielens, time_split
from recmodels.datasets.checkins import slot
from recmodels.models.counters import COUNTERS, Popularity, VisitCounts
from recmodels.recommender import NotFittedError

DAY = 86400


def _world(rng, n=300, users=7, venues=9, days=40):
    """Times in steps of a quarter of a day, so that many tie; some users and venues come late."""
    time = np.sort(rng.integers(0, 4 * days, n)) * (DAY // 4) + 1_340_000_000
    item = np.where(rng.random(n) < 0.05, venues, rng.integers(0, venues, n))
    item = np.where((item == venues) & (time < time[n // 2]), 0, item)
    venues = pd.DataFrame({"category": "c", "category_name": "Bar", "latitude": 0.0, "longitude": 0.0},
                          index=[f"v{i}" for i in range(venues + 1)])
    frame = pd.DataFrame({"user": rng.integers(0, users, n) * 3, "item": venues.index[item], "timestamp": time,
                          "local": time - 4 * 3600})
    frame.loc[frame.index[-5:], "user"] = 99
    return CheckIns(frame, venues)


@pytest.fixture
def split(rng):
    return time_split(_world(rng), (0.5, 0.2, 0.3))


def _queries(data):
    return tuple(data.frame[column].to_numpy() for column in ("user", "local", "timestamp"))


def _defined(log, items, user, local, now, weight, decay=None, everybody=False):
    """sum_e exp(-(now - t_e) / decay) (1 + weight [s_e = s]), one check-in after another."""
    y = dict.fromkeys(items, 0.0)
    for e in log.frame.itertuples():
        if e.timestamp < now and (everybody or e.user == user) and e.item in y:
            age = (now - e.timestamp) / DAY
            y[e.item] += (1 if decay is None else math.exp(-age / decay)) * (1 + weight * (slot(e.local) == slot(local)))
    return np.array(list(y.values()))


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
@pytest.mark.parametrize("weight, decay, backoff", [(0.0, None, 0.0), (10.0, None, 0.0), (6.0, 3.0, 0.0), (2.0, 30.0, 0.5)])
def test_visit_counts_are_their_definition(split, regime, weight, decay, backoff):
    log = split.train if regime == "frozen" else split.data
    counter = VisitCounts(weight, decay, backoff).fit(split.train, log=None if regime == "frozen" else log)
    assert counter.items_.tolist() == sorted(split.train.frame["item"].unique())
    asked = split.data.take([*range(6), *range(7, 300, 7)])  # of the training time too: earlier check-ins count there
    y = counter.scores(*_queries(asked))
    assert y.shape == (len(asked), len(counter.items_)) and y.dtype == np.float64
    for row, (user, local, now) in zip(y, zip(*_queries(asked), strict=True), strict=True):
        n = _defined(log, counter.items_, user, local, now, 0, everybody=True)
        want = _defined(log, counter.items_, user, local, now, weight, decay) + backoff * n / max(1, n.sum())
        np.testing.assert_allclose(row, want, rtol=1e-12, atol=1e-14)
    assert y[len(y) // 2:].any()


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_popularity_is_its_definition(split, regime, weight):
    log = split.train if regime == "frozen" else split.data
    counter = Popularity(weight).fit(split.train, log=None if regime == "frozen" else log)
    asked = split.data.take(np.arange(0, 300, 11)[::-1])  # not in the order of time
    for row, (user, local, now) in zip(counter.scores(*_queries(asked)), zip(*_queries(asked), strict=True), strict=True):
        np.testing.assert_array_equal(row, _defined(log, counter.items_, user, local, now, weight, everybody=True))


@pytest.mark.parametrize("name", COUNTERS)
def test_nothing_at_or_after_the_query_s_moment_counts(split, name):
    """Deleting the present and the future changes no score; frozen scores ignore validation and test."""
    data, moment = split.data, split.test.frame["timestamp"].iloc[20]
    past = data.take(np.flatnonzero(data.frame["timestamp"] < moment))
    query = ([0, 3, 6], [moment - 4 * 3600] * 3, [moment] * 3)
    streaming = COUNTERS[name]().fit(split.train, log=data).scores(*query)
    np.testing.assert_array_equal(streaming, COUNTERS[name]().fit(split.train, log=past).scores(*query))
    frozen = COUNTERS[name]().fit(split.train).scores(*query)
    np.testing.assert_array_equal(frozen, COUNTERS[name]().fit(split.train, log=split.train).scores(*query))
    assert not np.array_equal(frozen, streaming)
    later = COUNTERS[name]().fit(split.train, log=data).scores(query[0], query[1], [moment + 1] * 3)
    assert not np.array_equal(later, streaming)


def test_a_block_of_queries_is_its_queries_one_by_one(split):
    for make in COUNTERS.values():
        counter = make().fit(split.train, log=split.data)
        users, local, now = _queries(split.test)
        order = np.random.default_rng(1).permutation(len(users))
        whole = counter.scores(users[order], local[order], now[order])
        for place, q in list(enumerate(order))[:10]:
            np.testing.assert_array_equal(whole[place], counter.scores([users[q]], [local[q]], [now[q]])[0])
        assert counter.scores([], [], []).shape == (0, len(counter.items_))


def test_the_order_of_the_training_rows_does_not_matter(split):
    shuffled = split.train.take(np.random.default_rng(0).permutation(len(split.train)))
    for make in COUNTERS.values():
        np.testing.assert_allclose(*(make().fit(train).scores(*_queries(split.data)) for train in (split.train, shuffled)),
                                   rtol=1e-12)


def test_an_unknown_user_has_no_visits_and_a_new_one_has_those_of_the_log(split):
    now = split.data.frame["timestamp"].max() + 1
    query = ([99, -5, "x"], [0] * 3, [now] * 3)
    assert 99 not in split.train.users_seen and 99 in split.test.users_seen
    assert not VisitCounts(backoff=0).fit(split.train).scores(*query).any()
    y = VisitCounts(weight=0, backoff=0).fit(split.train, log=split.data).scores(*query)
    assert y[0].sum() == (split.data.frame["user"] == 99).sum() - \
        (~split.data.frame["item"][split.data.frame["user"] == 99].isin(split.train.items_seen)).sum() and not y[1:].any()
    one = split.data.frame["timestamp"].iloc[0]
    first = VisitCounts(backoff=0.5).fit(split.train.take([0]), log=split.data).scores([99], [0], [one + 1])
    assert first.sum() == 0.5  # a share of the few check-ins there were
    popular = VisitCounts(backoff=0.5).fit(split.train).scores(*query)
    np.testing.assert_allclose(popular[1], 0.5 * split.train.frame["item"].value_counts(normalize=True).sort_index())


def test_the_default_back_off_only_orders_ties(split):
    alone, backed = (VisitCounts(backoff=b).fit(split.train).scores(*_queries(split.test)) for b in (0.0, 1e-6))
    gap = np.diff(np.sort(alone, axis=1))
    assert 0 < np.abs(backed - alone).max() < gap[gap > 0].min()


def test_every_parameter_has_an_effect_and_counters_print_and_clone_themselves(split):
    def scores(counter):
        return counter.fit(split.train).scores(*_queries(split.test))
    base = VisitCounts(weight=3.0, decay=20.0, backoff=0.1)
    for change in ({"weight": 4.0}, {"decay": 21.0}, {"decay": None}, {"backoff": 0.2}):
        assert not np.allclose(scores(base), scores(base.clone(**change)), rtol=1e-6, atol=0)
    assert base.clone() == base and not hasattr(base.fit(split.train).clone(), "items_")
    assert repr(base.clone(decay=None)) == "VisitCounts(weight=3.0, decay=None, backoff=0.1)"
    assert base.get_params() == {"weight": 3.0, "decay": 20.0, "backoff": 0.1}
    assert COUNTERS["user-slot-decay"]().get_params() == {"weight": 6.0, "decay": 30.0, "backoff": 1e-6}


def test_mistakes_are_named(split):
    counter = VisitCounts()
    with pytest.raises(NotFittedError, match="VisitCounts is not fitted yet"):
        counter.scores([0], [0], [0])
    with pytest.raises(TypeError, match="VisitCounts.fit: got train of type DataFrame, want CheckIns"):
        counter.fit(split.train.frame)
    with pytest.raises(TypeError, match="got log of type Split"):
        counter.fit(split.train, log=split)
    with pytest.raises(ValueError, match="train has no check-ins"):
        counter.fit(split.train.take([]))
    with pytest.raises(ValueError, match="log lacks check-ins of train.*log=split.data"):
        counter.fit(split.train, log=split.test)
    counter.fit(split.train)
    with pytest.raises(ValueError, match=r"users of shape \(2,\), local of \(1,\) and timestamps of \(1,\)"):
        counter.scores([0, 3], [0], [0])
    with pytest.raises(TypeError, match="local of float64 and timestamps of int64"):
        counter.scores([0], [0.5], [0])
    for bad in ({"weight": -1.0}, {"weight": math.inf}, {"backoff": math.nan}, {"decay": 0.0}, {"decay": math.nan}):
        with pytest.raises(ValueError, match=f"VisitCounts: got {next(iter(bad))}="):
            VisitCounts(**bad)
    with pytest.raises(ValueError, match="Popularity: got weight=-1"):
        Popularity(-1)


def test_ratings_are_no_check_ins(real_data):
    with pytest.raises(TypeError, match="got train of type Interactions, want CheckIns"):
        Popularity().fit(load_movielens(real_data("ml-1m")))


# ---------------------------------------------------------------- the real file
@pytest.fixture(scope="session")
def events(foursquare):
    """The split, and its test events of users and venues that are known."""
    split = time_split(foursquare)
    train, test = split.train.frame, split.test.frame
    known = test["user"].isin(train["user"].unique()) & test["item"].isin(train["item"].unique())
    return split, test[known]


def _recalls(counter, test, ks=(1, 5, 10)):
    """Recall@k with ties by expectation: rank = #greater + (#equal + 1) / 2."""
    ranks = []
    for start in range(0, len(test), 1024):
        q = test[start:start + 1024]
        y = counter.scores(q["user"], q["local"], q["timestamp"])
        own = y[np.arange(len(q)), counter.items_.get_indexer(q["item"])][:, None]
        ranks.append((y > own).sum(axis=1) + ((y == own).sum(axis=1) + 1) / 2)
    return [np.mean(np.concatenate(ranks) <= k) for k in ks]


@pytest.mark.parametrize("regime, name, want", [
    ("frozen", "popularity", (0.008, 0.027, 0.038)), ("frozen", "slot-popularity", (0.009, 0.029, 0.042)),
    ("frozen", "user-counts", (0.211, 0.492, 0.608)), ("frozen", "user-slot-counts", (0.265, 0.534, 0.633)),
    ("frozen", "user-slot-decay", (0.269, 0.541, 0.637)), ("streaming", "user-counts", (0.236, 0.553, 0.678)),
    ("streaming", "user-slot-counts", (0.305, 0.608, 0.708)), ("streaming", "user-slot-decay", (0.314, 0.618, 0.716)),
])
def test_recall_on_the_real_file(events, regime, name, want):
    split, test = events
    counter = COUNTERS[name]().fit(split.train, log=None if regime == "frozen" else split.data)
    assert len(test) == 13_918 and _recalls(counter, test) == pytest.approx(want, abs=6e-4)
