"""Check-ins: parts of the week against datetime, the table's own checks, its core, and the splits of it."""

import datetime

import numpy as np
import pandas as pd
import pytest

from recmodels import CheckIns, leave_last_out, random_split, time_split, user_time_split
from recmodels.datasets.checkins import SLOT_NAMES, SLOTS, distance_km, hour_of_week, slot

VENUES = pd.DataFrame({"category": ["c", "d", None], "category_name": ["Bar", "Office", "Bar"],
                       "latitude": [40.7, 40.8, 40.9], "longitude": [-74.0, -73.9, -73.8]}, index=["a", "b", "z"])


def _frame(**changes):
    return pd.DataFrame({"user": [7, 7, 3, 7], "item": ["a", "b", "a", "a"], "timestamp": [10_000, 20_000, 20_000, 90_000],
                         "local": [-4400, 5600, 5600, 75_600]} | changes)


# ---------------------------------------------------------------- parts of the week
def test_slots_and_hours_are_those_of_datetime(rng):
    local = np.concatenate([rng.integers(-10**9, 2 * 10**9, 2000), np.arange(0, 8 * 86400, 3600),
                            np.arange(0, 8 * 86400, 3600) - 1])
    hours, slots = hour_of_week(local), slot(local)
    for t, h, s in zip(local.tolist(), hours.tolist(), slots.tolist(), strict=True):
        when = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=t)
        assert h == when.weekday() * 24 + when.hour
        assert s == (6 if when.strftime("%a") in ("Sat", "Sun") else 0) + when.hour // 4
    assert set(hours) == set(range(168)) and set(slots) == set(range(SLOTS))


@pytest.mark.parametrize("when, name", [("2012-12-01 20:00", "weekend 20-24"), ("2012-12-02 23:59:59", "weekend 20-24"),
                                        ("2012-12-03 00:00", "weekday 00-04"), ("2012-11-30 23:59:59", "weekday 20-24"),
                                        ("2012-12-04 11:59:59", "weekday 08-12")])
def test_slots_have_names(when, name):
    assert SLOT_NAMES[slot(np.datetime64(when, "s").astype(np.int64))] == name and len(SLOT_NAMES) == SLOTS


def test_times_of_any_shape_but_whole_numbers_only():
    times = np.arange(6, dtype=np.int32).reshape(2, 3) * 86400
    assert slot(times).tolist() == [[0, 0, 6], [6, 0, 0]] and hour_of_week(times).shape == (2, 3)
    for bad in (1.5, np.array(["2012-01-01"], "datetime64[s]"), "noon"):
        with pytest.raises(TypeError, match="hour_of_week: got local times of .* whole numbers"):
            slot(bad)


def test_distance_is_that_of_the_law_of_cosines(rng):
    phi, phi2 = rng.uniform(-80, 80, (2, 50))
    lam, lam2 = rng.uniform(-180, 180, (2, 50))
    a, b, c = np.radians(phi), np.radians(phi2), np.radians(lam - lam2)
    want = 6371 * np.arccos(np.sin(a) * np.sin(b) + np.cos(a) * np.cos(b) * np.cos(c))
    np.testing.assert_allclose(distance_km(phi, lam, phi2, lam2), want, rtol=1e-6)
    assert distance_km(40.7, -74.0, 40.7, -74.0) == 0 and distance_km(0.0, 0.0, 0.0, 180.0) == pytest.approx(6371 * np.pi)
    assert distance_km(phi[:, None], lam[:, None], phi2, lam2).shape == (50, 50)


# ---------------------------------------------------------------- the table
def test_check_ins_keep_four_columns_and_number_the_rows():
    data = CheckIns(_frame(extra=1).set_axis([5, 6, 7, 7]), VENUES, notes=["one", "two"])
    assert data.frame.columns.tolist() == ["user", "item", "timestamp", "local"]
    assert data.frame.index.equals(pd.RangeIndex(4)) and len(data) == 4 and data.items is VENUES
    assert data.users.index.tolist() == [3, 7] == data.users_seen.tolist() and data.items_seen.tolist() == ["a", "b"]
    assert repr(data) == ("CheckIns 'check-ins': 4 check-ins of 2 users in 2 venues, 1970-01-01 to 1970-01-02, 25 % of them "
                          "revisits\n  - one\n  - two")


def test_take_shares_tables_and_notes():
    data = CheckIns(_frame(), VENUES, synthetic=True, notes=["one"])
    part = data.take([3, 0])
    assert part.frame.values.tolist() == [[7, "a", 90_000, 75_600], [7, "a", 10_000, -4400]]
    assert part.items is data.items and part.users is data.users and part.notes == ("one",) and "SYNTHETIC" in repr(part)
    assert repr(data.take([])) == "CheckIns 'check-ins' (SYNTHETIC): 0 check-ins of 0 users in 0 venues\n  - one"
    with pytest.raises(IndexError, match="take: got rows 0 to 4"):
        data.take([0, 4])


@pytest.mark.parametrize(("frame", "items", "error", "message"), [
    (_frame().drop(columns="local"), VENUES, ValueError, "rename or add local"),
    (_frame()[:0], VENUES, ValueError, "empty frame"),
    (_frame(timestamp=[1.0, 2, 3, 4]), VENUES, TypeError, "column timestamp is float64"),
    (_frame(local=pd.array([1, None, 3, 4], "Int64")), VENUES, ValueError, "local has a missing value in row 1"),
    (_frame(timestamp=[10_000, 20_000, 19_999, 90_000]), VENUES, ValueError, "row 2 is earlier than row 1.*sort_values"),
    (_frame(local=[-4400, 5600, 5600, 90_000 + 50_401]), VENUES, ValueError, "row 3 local is 14.0003 hours"),
    (_frame(local=[-4400, 20_000 - 50_401, 5600, 75_600]), VENUES, ValueError, "row 1 local is -14.0003 hours"),
    (_frame(user=[7, 7, None, 7]), VENUES, ValueError, "user has a missing id in row 2"),
    (_frame(user=[7.0, 7.0, 3.0, 7.0]), VENUES, TypeError, "column user is float64"),
    (_frame(item=["a", "b", "y", "a"]), VENUES, ValueError, "item 'y' of row 2 is none of the 3 venues"),
    (_frame(), VENUES.drop(columns="category"), ValueError, "add category"),
    (_frame(), pd.concat([VENUES, VENUES[:1]]), ValueError, "venues has the id 'a' twice"),
])
def test_check_ins_name_what_is_wrong(frame, items, error, message):
    with pytest.raises(error, match=message):
        CheckIns(frame, items)


def test_a_user_without_a_row_is_named():
    with pytest.raises(ValueError, match="user .*3.* of row 2 is none of the 1 users"):
        CheckIns(_frame(), VENUES, users=pd.DataFrame(index=[7]))


# ---------------------------------------------------------------- core
def _many(rng, n=400):
    item = rng.choice(20, n, p=np.arange(1, 21) / 210)
    user = np.minimum(rng.geometric(0.1, n), 40)
    venues = pd.DataFrame({c: 0 for c in VENUES.columns}, index=pd.RangeIndex(20))
    time = np.sort(rng.integers(0, 10**6, n))
    return CheckIns(pd.DataFrame({"user": user, "item": item, "timestamp": time, "local": time}), venues)


def test_core_is_what_is_left_when_rows_are_taken_away_one_rule_after_the_other(rng):
    data = _many(rng)
    for k in (1, 5, 12):
        rows = data.frame
        while True:
            fewer = rows[rows.groupby("user")["user"].transform("size") >= k]
            fewer = fewer[fewer.groupby("item")["item"].transform("size") >= k]
            if len(fewer) == len(rows):
                break
            rows = fewer
        part = data.core(k)
        assert part.frame.equals(rows.reset_index(drop=True))
        assert part.items.index.tolist() == sorted(rows["item"].unique())
        assert part.users.index.tolist() == sorted(rows["user"].unique())
        assert f"{k}-core: {400 - len(rows):,} check-ins" in part.notes[-1] and "future" in part.notes[-1]
    assert 0 < len(part) < 400 and len(data) == 400 and len(data.items) == 20 and data.notes == ()
    with pytest.raises(ValueError, match="no part of 'check-ins' has 300 check-ins"):
        data.core(300)


# ---------------------------------------------------------------- splits
def test_splits_take_check_ins(rng):
    data = _many(rng)
    for split in (time_split(data), leave_last_out(data), user_time_split(data), random_split(data)):
        assert isinstance(split.train, CheckIns) and split.train.items is data.items
        assert len(split.train) + len(split.valid) + len(split.test) == 400
        assert f"{len(split.train):,} train" in repr(split)
    split = time_split(data)
    assert split.train.frame["timestamp"].max() < split.valid.frame["timestamp"].min()
    assert split.test.frame["timestamp"].is_monotonic_increasing
