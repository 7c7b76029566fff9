"""Splits: each protocol against its definition, and the checks that every split passes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.datasets import Interactions
from recmodels.splits import Split, k_fold, leave_last_out, random_split, time_split, user_time_split


def _data(n=100, users=None, times=None, rng=0):
    rng = np.random.default_rng(rng)
    frame = pd.DataFrame({"user": rng.integers(0, 9, n) if users is None else users, "item": np.arange(n),
                          "rating": rng.integers(1, 6, n)})
    if times is not None:
        frame["timestamp"] = np.asarray(times, np.int64)
    return Interactions(frame, rating_range=(1, 5), name="made")


def _items(*parts):
    """The items are the row numbers of the data, so they say which rows a part has."""
    return [part.frame["item"].tolist() for part in parts]


# ---------------------------------------------------------------- random
@pytest.mark.parametrize("n", [40, 99, 1009])
def test_random_split_is_the_protocol_to_the_row(n):
    split = random_split(_data(n), seed=7)
    order = np.random.default_rng(7).permutation(n).tolist()
    test, valid = n // 10, n // 40
    assert _items(split.test, split.valid, split.train) == [order[:test], order[test:test + valid], order[test + valid:]]
    assert "seed 7" in split.protocol


def test_random_split_at_other_fractions():
    split = random_split(_data(45), seed=3, fractions=(0.8, 0.1, 0.1))
    order = np.random.default_rng(3).permutation(45).tolist()
    assert _items(split.train, split.valid, split.test) == [order[:36], order[36:40], order[40:]]
    assert split.protocol == "random split, seed 3: 80 % train, 10 % validate, 10 % test"
    with pytest.raises(ValueError, match="random_split: got the fractions"):
        random_split(_data(45), fractions=(0.8, 0.1))


def test_random_split_known_rows():
    """The rows themselves, so that the protocol cannot drift."""
    assert _items(random_split(_data(40), seed=0).test) == [[11, 27, 4, 24]]


def test_random_split_of_the_real_ratings(real_data):
    from recmodels.datasets import load_movielens

    split = random_split(load_movielens(real_data("ml-1m")), seed=0)
    assert repr(split).startswith("Split of 'ml-1m': 875,184 train, 25,005 valid, 100,020 test; random split, seed 0")
    assert len(split.refit) == 900_189


def test_refit_is_training_and_validation_in_the_data_s_order():
    split = random_split(_data(80), seed=1)
    assert _items(split.refit) == [sorted(_items(split.train)[0] + _items(split.valid)[0])]


@pytest.mark.parametrize("n", [1, 39])
def test_random_split_refuses_what_leaves_a_part_empty(n):
    with pytest.raises(ValueError, match=f"got {n} ratings, want at least 40"):
        random_split(_data(n))
    with pytest.raises(ValueError, match="got 0 ratings"):
        random_split(_data().take([]))


# ---------------------------------------------------------------- the checks
@pytest.mark.parametrize(("rows", "message"), [
    (([0, 1, 2], [3], [4, 2]), "row 2 is in 2 places"),
    (([0, 1, 1], [2, 3], [4]), "row 1 is in 2 places"),
    (([0, 1], [3], [4]), "1 of the 5 rows, the first of them row 2, are in no part"),
    (([0, 1, 2], [3], [5]), "outside 0 .. 4"),
    (([0, 1, 2], [3], [-1]), "outside 0 .. 4"),
    (([], [3, 0, 1, 2], [4]), "got 0 training and 1 test rows"),
    (([0, 1, 2], [3, 4], []), "got 3 training and 0 test rows"),
])
def test_split_refuses_parts_that_overlap_or_are_not_the_whole(rows, message):
    with pytest.raises(ValueError, match=message):
        Split(_data(5), *rows, "by hand")


def test_split_prints_itself():
    split = Split(_data(5), [0, 1, 2], [], [4, 3], "by hand")
    assert repr(split) == "Split of 'made': 3 train, 0 valid, 2 test; by hand"
    assert split.valid is None and _items(split.test) == [[4, 3]] and _items(split.refit) == [[0, 1, 2]]


# ---------------------------------------------------------------- k-fold
@settings(deadline=None, max_examples=60)  # no deadline: a busy machine is no bug
@given(n=st.integers(2, 60), k=st.integers(2, 7), seed=st.integers(0, 5))
def test_k_fold_tests_each_row_once(n, k, seed):
    data = _data(n)
    if k > n:
        with pytest.raises(ValueError, match=f"k={k} for {n} ratings"):
            k_fold(data, k, seed)
        return
    folds = list(k_fold(data, k, seed))
    tests = [rows for fold in folds for rows in _items(fold.test)]
    assert sorted(row for test in tests for row in test) == list(range(n))
    assert len(folds) == k and {len(test) for test in tests} <= {n // k, -(-n // k)}
    assert all(len(fold.train) + len(fold.test) == n for fold in folds)
    assert folds[0].protocol == f"fold 1 of {k}, seed {seed}"


def test_k_fold_shuffles_and_names_bad_arguments_at_once():
    assert _items(next(k_fold(_data(50), 5, 0)).test) != _items(next(k_fold(_data(50), 5, 1)).test)
    assert _items(next(k_fold(_data(50), 5, 0)).test) != [list(range(10))]
    for k in (1, 0, 2.5, 51):
        with pytest.raises(ValueError, match=f"k={k} for 50"):
            k_fold(_data(50), k)


# ---------------------------------------------------------------- time
@settings(deadline=None, max_examples=60)
@given(times=st.lists(st.integers(0, 12), min_size=10, max_size=60))
def test_time_split_keeps_equal_times_together_and_the_past_before_the_future(times):
    data = _data(len(times), times=times)
    try:
        split = time_split(data, (0.6, 0.2, 0.2))
    except ValueError as error:
        assert "too many at one time" in str(error)
        return
    train, valid, test = (part.frame["timestamp"] for part in (split.train, split.valid, split.test))
    assert train.max() < valid.min() and valid.max() < test.min()
    assert len(train) <= round(0.6 * len(times)) and len(train) + len(valid) <= round(0.8 * len(times))


def test_time_split_without_ties_has_the_exact_sizes(rng):
    times = rng.permutation(1000)
    split = time_split(_data(1000, times=times))
    assert [len(part) for part in (split.train, split.valid, split.test)] == [800, 100, 100]
    assert sorted(times[_items(split.test)[0]]) == list(range(900, 1000))
    assert "validation from 800, test from 900" in split.protocol


def test_time_split_gives_ties_at_a_border_to_the_later_part():
    split = time_split(_data(10, times=[0, 1, 2, 3, 4, 5, 6, 7, 7, 8]), (0.5, 0.3, 0.2))
    assert _items(split.train, split.valid, split.test) == [[0, 1, 2, 3, 4], [5, 6], [7, 8, 9]]


def test_time_split_without_validation():
    split = time_split(_data(10, times=range(10)), (0.7, 0, 0.3))
    assert split.valid is None and _items(split.train, split.test) == [list(range(7)), [7, 8, 9]]


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.8, 0.1, 0.2), (1.1, -0.2, 0.1), (0, 0.5, 0.5), (0.5, 0.5, 0),
                                       (float("nan"), 0.5, 0.5)])
def test_time_split_refuses_bad_fractions(fractions):
    with pytest.raises(ValueError, match=r"fractions .*want \(train, valid, test\)"):
        time_split(_data(10, times=range(10)), fractions)


def test_a_border_between_rows_is_rounded_down_and_sums_of_fractions_are_not():
    """The past is never more than its share; 0.7 + 0.1 is 0.8, whatever floating point makes of it."""
    sizes = [[len(part) for part in (split.train, split.valid, split.test)]
             for split in (time_split(_data(n, times=range(n))) for n in (18, 19, 20, 1000))]
    assert sizes == [[14, 2, 2], [15, 2, 2], [16, 2, 2], [800, 100, 100]]
    assert len(time_split(_data(10, times=range(10)), (0.7, 0.1, 0.2)).test) == 2


def test_splits_by_time_need_times_and_ratings():
    with pytest.raises(ValueError, match="time_split: 'made' has no timestamps"):
        time_split(_data())
    with pytest.raises(ValueError, match="leave_last_out: 'made' has no timestamps"):
        leave_last_out(_data())
    with pytest.raises(ValueError, match="user_time_split: 'made' has no timestamps"):
        user_time_split(_data())
    for split in (time_split, leave_last_out, user_time_split):
        with pytest.raises(ValueError, match="is empty"):
            split(_data(5, times=range(5)).take([]))
    with pytest.raises(ValueError, match="too many at one time"):
        time_split(_data(20, times=[3] * 20))


# ---------------------------------------------------------------- time of each user
@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=20, max_size=60))
def test_user_time_split_is_a_time_split_of_each_user(rows):
    users, times = zip(*rows, strict=True)
    parts, new = ([], [], []), 0
    for user in set(users):
        own = [row for row, (u, _) in enumerate(rows) if u == user]
        ordered = sorted(times[row] for row in own)
        t1, t2 = ordered[6 * len(own) // 10], ordered[8 * len(own) // 10]
        new += ordered[0] == t1
        for row in own:
            parts[(times[row] >= t1) + (times[row] >= t2)].append(row)
    data = _data(len(rows), users=users, times=times)
    if not all(parts):
        with pytest.raises(ValueError, match="user_time_split: of .* too few each"):
            user_time_split(data, (0.6, 0.2, 0.2))
        return
    split = user_time_split(data, (0.6, 0.2, 0.2))
    assert _items(split.train, split.valid, split.test) == [sorted(part) for part in parts]
    assert "by time for each user alone, 0.6/0.2/0.2; one user's future trains another's past" in split.protocol
    assert (f"{new} users with too few" in split.protocol) == (new > 0)


def test_user_time_split_refuses_bad_fractions():
    with pytest.raises(ValueError, match=r"user_time_split: got the fractions .*want \(train, valid, test\)"):
        user_time_split(_data(10, times=range(10)), (0.8, 0.1, 0.2))


# ---------------------------------------------------------------- last
@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=50))
def test_leave_last_out_against_its_definition(rows):
    users, times = zip(*rows, strict=True)
    train, valid, test, short = [], [], [], 0
    for user in set(users):
        own = sorted((t, row) for row, (u, t) in enumerate(rows) if u == user)
        own = [row for _, row in own]
        if len(own) < 3:
            train += own
            short += 1
        else:
            train, valid, test = train + own[:-2], [*valid, own[-2]], [*test, own[-1]]
    data = _data(len(rows), users=users, times=times)
    if not test:
        with pytest.raises(ValueError, match="none of the .* users has 3 ratings"):
            leave_last_out(data)
        return
    split = leave_last_out(data)
    assert _items(split.train, split.valid, split.test) == [sorted(train), sorted(valid), sorted(test)]
    assert (f"({short} users with fewer than 3 only train)" in split.protocol) == (short > 0)
