"""Features of check-ins against their definitions, one earlier check-in after another; nothing at or after asof is seen."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels import CheckIns
from recmodels.checkin_features import OPTIONS, TIMES, CheckInFeatures
from recmodels.datasets.checkins import hour_of_week, slot
from recmodels.kernels.checkin_features import past_sums
from recmodels.visit_log import VisitLog
from tinydl.kernels.registry import use_numba

DAY, U, V = 86400, 5, 9  # V venues, of 3 categories, one of them missing


def world(seed=0, n=160, days=30):
    """n check-ins of U users and one whom only the log knows; times in steps of a quarter of a day, so that many tie."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, 4 * days, n)) * (DAY // 4) + 1_340_000_000
    venues = pd.DataFrame({"category": ["a", "b", None] * 3, "category_name": "Bar", "latitude": 40.7 + 0.02 * rng.random(V),
                           "longitude": -74 + 0.02 * rng.random(V)}, index=[f"v{i}" for i in range(V)])
    frame = pd.DataFrame({"user": rng.integers(0, U + 1, n), "item": venues.index[rng.integers(0, V, n)], "timestamp": time,
                          "local": time - 4 * 3600 + 60 * rng.integers(-30, 30, n)})
    return CheckIns(frame, venues)


def features_of(data, options=OPTIONS, time="slot"):
    log = VisitLog.of(data, pd.Index(np.arange(U)), pd.Index(data.items.index))
    return CheckInFeatures(log, U, data.items, options, time)


def some_queries(data, n=12, seed=1):
    """Rows of users (the log's own and an unknown one too), local times and moments among the check-ins'."""
    rng = np.random.default_rng(seed)
    asof = rng.choice(data.frame["timestamp"].to_numpy(), n) + rng.integers(0, 2, n)
    return rng.integers(0, U + 2, n), asof - 4 * 3600, asof


def before(data, user, asof):
    """The check-ins of a user (None: of all) before asof, in the order of time, as (venue, time, local)."""
    frame = data.frame[(data.frame["timestamp"] < asof) & ((data.frame["user"] == user) | (user is None))]
    return [(int(e.item[1:]), e.timestamp, e.local) for e in frame.itertuples()]


# ---------------------------------------------------------------- one-hot
def test_the_four_fields_and_where_they_start():
    data = world()
    f = features_of(data, ())
    assert list(f.start) == ["user", "time", "venue", "category"] and f.vocabulary == U + 1 + 12 + V + 3 and f.numbers == 0
    users, local, asof = some_queries(data)  # a missing category is the first
    index, values = f.context(users, local, asof)
    assert index.tolist() == [[min(u, U), U + 1 + s] for u, s in zip(users, slot(local), strict=True)]
    assert (values == 1).all() and values.dtype == np.float32
    assert f.items.tolist() == [[U + 13 + i, U + 13 + V + (i + 1) % 3] for i in range(V)]
    assert f.candidates(users, local, asof, np.zeros((12, 4), np.int64)).shape == (12, 4, 0)
    hours = features_of(data, (), "hour of week")
    assert hours.vocabulary == f.vocabulary + 156
    assert (hours.context(users, local, asof)[0][:, 1] == U + 1 + hour_of_week(local)).all() and list(TIMES) == ["slot",
                                                                                                          "hour of week"]


def test_previous_is_the_last_visit_before_asof_and_its_age():
    data = world()
    f = features_of(data, ("previous",))
    users, local, asof = some_queries(data, 60)
    index, _ = f.context(users, local, asof)
    gaps = [0.1, 0.5, 1, 2, 4, 8, 16, 24, 48, 168]
    seen = set()
    for row, user, now in zip(index, users, asof, strict=True):
        past = before(data, user, now)
        item, gap = (past[-1][0], sum(now - past[-1][1] > 3600 * g for g in gaps)) if past else (V, 11)
        assert row[2:].tolist() == [f.start["previous"] + item, f.start["gap"] + gap]
        seen.add(bool(past))
    assert seen == {True, False} and f.start["venue"] == U + 1 + 12 + V + 1 + 12


def test_history_is_a_bag_of_the_last_visits_whose_weights_halve_each_week():
    data = world(n=400)
    f = features_of(data, ("history",))
    users, local, asof = some_queries(data, 40)
    index, values = f.context(users, local, asof)
    full = 0
    for i, x, user, now in zip(index[:, 2:] - f.start["history"], values[:, 2:], users, asof, strict=True):
        past = before(data, user, now)[::-1][:32]
        full += len(past) == 32
        weight = np.array([0.5 ** ((past[0][1] - t) / (7 * DAY)) for _, t, _ in past])
        want = np.bincount([item for item, _, _ in past], weight / weight.sum(), V) if past else np.zeros(V)
        np.testing.assert_allclose(np.bincount(i, x, V), want, rtol=1e-6, atol=1e-7)
    assert full > 3 and index.min() >= 0 and index.max() < f.vocabulary


# ---------------------------------------------------------------- numbers
def counted(events, candidate, group, asof, local, decays, units):
    """log(1 + count / unit), by the words of the kernel."""
    y = []
    for unit in units:
        for decay in decays:
            sums = [0.0, 0.0, 0.0]
            for item, time, at in events:
                if group[item] == group[candidate]:
                    apart = abs((at // 900 - local // 900 + 48) % 96 - 48) / 4  # hours of the day
                    w = math.exp(-(asof - time) / DAY / decay)
                    near = math.exp(-0.5 * (apart / 1.5) ** 2)
                    alike = (hour_of_week(at) >= 120) == (hour_of_week(local) >= 120)
                    for k, x in enumerate((w, w * near, w * near * alike)):
                        sums[k] += x
            y += [math.log1p(s / unit) / 2 for s in sums]
    return y


def moves(events, origin):
    """Of each user's check-ins in order, those that come after one in `origin`."""
    return [b for a, b in zip(events, events[1:], strict=False) if a[0] == origin]


def numbers_by_hand(data, category, user, local, asof, candidate):
    mine, everybody = before(data, user, asof), before(data, None, asof)
    venue, last = list(range(V)), mine[-1] if mine else None
    y = counted(mine, candidate, venue, asof, local, [0.5, 5, 60, math.inf], [0.1, 0.005])
    y += counted(mine, candidate, category, asof, local, [5, 60], [0.3])
    y += counted(moves(mine, last[0]) if last else [], candidate, venue, asof, local, [math.inf], [0.1])
    those = [e for u in range(U + 1) for e in moves(before(data, u, asof), last[0])] if last else []
    y += counted(those, candidate, venue, asof, local, [60], [0.3])
    km = 111.195 * np.stack([data.items["latitude"], data.items["longitude"] * math.cos(math.radians(
        data.items["latitude"].mean()))], axis=1)
    for size in (0.5, 2.0):
        cell = [tuple(c) for c in np.floor(km / size).tolist()]
        y += counted(mine, candidate, cell, asof, local, [60], [0.3])
    first = int(data.frame["timestamp"].min())
    moment = first + (asof - first) // (7 * DAY) * 7 * DAY
    for some in (lambda at: True, lambda at: slot(at) == slot(local)):
        known = [e for e in everybody if e[1] < moment and some(e[2])]
        y.append(math.log1p(V * sum(e[0] == candidate for e in known) / max(1, len(known))) / 2)
    far = math.log(math.dist(km[candidate], km[last[0]]) + 0.1) / 2 if last else 1.0
    fades = [math.exp(-(asof - last[1]) / (3600 * h)) if last else 0.0 for h in (0.25, 2, 12)]
    same = float(bool(last) and last[0] == candidate)
    return y + [far, *(far * x for x in fades), same, *(same * x for x in fades)]


@pytest.mark.parametrize("compiled", [True, False])
def test_numbers_are_their_definitions(compiled):
    data = world()
    f = features_of(data, ("counts", "distance"))
    users, local, asof = some_queries(data, 25)
    candidates = np.random.default_rng(2).integers(0, V, (25, 4))
    category = (f.items[:, 1] - f.start["category"]).tolist()
    with use_numba(compiled):
        x = f.candidates(users, local, asof, candidates)
    assert x.shape == (25, 4, f.numbers) and x.dtype == np.float32 and f.context(users, local, asof)[0].shape == (25, 2)
    for q in range(25):
        for n in range(4):
            want = numbers_by_hand(data, category, users[q], int(local[q]), int(asof[q]), candidates[q, n])
            np.testing.assert_allclose(x[q, n], want, rtol=2e-5, atol=2e-6, err_msg=f"query {q}, candidate {n}")
    assert (x[:, :, :48].max(axis=(0, 1)) > 0).all()


@pytest.mark.parametrize("options, columns", [
    (("counts",), [*range(36), 42, 43]), (("distance",), [*range(36, 42), *range(44, 52)])])
def test_each_option_has_its_own_numbers(options, columns):
    data = world()
    users, local, asof = some_queries(data)
    candidates = np.random.default_rng(2).integers(0, V, (12, 4))
    both, one = (features_of(data, o).candidates(users, local, asof, candidates) for o in (("counts", "distance"), options))
    np.testing.assert_array_equal(one, both[:, :, columns])


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 100), st.integers(1, 79))
def test_nothing_at_or_after_asof_changes_a_feature(seed, place):
    data = world(seed, n=80)
    moment = int(data.frame["timestamp"].iloc[place])
    past = data.take(np.flatnonzero(data.frame["timestamp"] < moment)) if moment > data.frame["timestamp"][0] else data
    changed = data.frame.copy()
    changed.loc[changed["timestamp"] >= moment, "item"] = "v0"
    query = np.arange(U - 1), np.full(U - 1, moment - 4 * 3600), np.full(U - 1, moment)
    candidates = np.random.default_rng(seed).integers(0, V, (U - 1, 5))
    want = features_of(data)
    for other in (past, CheckIns(changed, data.items)):
        f = features_of(other)
        np.testing.assert_array_equal(want.asof(query[2]), f.asof(query[2]))
        for one, two in zip(want.context(*query), f.context(*query), strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(want.candidates(*query, candidates), f.candidates(*query, candidates))


def test_asof_is_the_moment_unless_the_log_tells_nothing_of_the_day_before():
    data = world(n=40, days=60)
    time = data.frame["timestamp"].to_numpy()
    f, asked = features_of(data), np.concatenate([time - 1, time, time + 1, time + DAY, time + DAY + 1, time + 90 * DAY])
    last = np.array([time[time < t].max(initial=-1) for t in asked])
    want = np.where((last < 0) | (asked - last <= DAY), asked, last + 1)
    assert f.asof(asked).tolist() == want.tolist() and 10 < (want != asked).sum() < 200
    user, item = data.frame["user"].to_numpy()[-1:], int(data.frame["item"].iloc[-1][1:])
    much_later = f.asof(time[-1:] + 90 * DAY)
    x = f.candidates(user, time[-1:], much_later, np.arange(V)[None])
    assert x[0, item, 0] > 1  # visited half a day ago or less: the last check-in is as of a second before


def test_a_log_of_one_check_in():
    data = world().take([3])
    f = features_of(data)
    user = data.frame["user"].to_numpy()
    local, asof = (data.frame[column].to_numpy().repeat(2) + 1 for column in ("local", "timestamp"))
    query = np.append(user, len(f.log.users)), local, asof
    x = f.candidates(*query, np.tile(np.arange(V), (2, 1)))
    assert np.isfinite(x).all() and x[0, int(data.frame["item"][0][1:]), 0] > 1 and x[0].any() and not x[1, :, :30].any()


def test_past_sums_of_nothing():
    none = np.zeros(0, np.int64)
    y = past_sums(none, none, none, none, np.zeros(2, np.int64), none, none, none, none, np.ones(96), np.array([1.0]),
                  np.array([1.0]), np.zeros((0, 3), np.int64), 4)
    assert y.shape == (0, 3, 3)
