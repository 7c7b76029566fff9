"""Negatives: what a table's columns hold in all, how often items come, what never comes, and which numbers a seed gives."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import recmodels.negatives
from recmodels.negatives import AliasTable, NegativeSampler, known_by_user
from tinydl.kernels.registry import use_numba


def _held(table):
    """The probability of each item that the columns and aliases together give."""
    n, full = len(table.p), 2**32
    return (table.threshold + np.bincount(table.alias, full - table.threshold, minlength=n)) / (n * full)


def _agree(counts, p):
    """Whether counts are those of draws from p: each within 5 standard deviations, impossible ones absent."""
    n = counts.sum()
    assert counts.shape == p.shape and not counts[p == 0].any()
    return np.all(np.abs(counts - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1e-9)


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.sampled_from([0.0, 1e-9, 0.1, 1.0, 3.0, 1e6])))
def test_the_columns_of_an_alias_table_hold_exactly_p(weights):
    if not weights.any():
        with pytest.raises(ValueError, match="one of them above"):
            AliasTable(weights)
        return
    table = AliasTable(weights)
    np.testing.assert_allclose(table.p, weights / weights.sum(), rtol=1e-15)
    held = _held(table)
    np.testing.assert_allclose(held, table.p, rtol=0, atol=2.0**-32)
    assert not held[weights == 0].any()
    assert table.threshold.min() >= 0 and table.threshold.max() <= 2**32 and table.threshold.dtype == np.int64


def test_an_alias_table_gives_draws_of_its_distribution_in_any_shape(rng):
    table = AliasTable([5, 0, 1, 2.5, 0.02])
    draws = table.sample((400, 500), rng)
    assert draws.shape == (400, 500) and draws.dtype == np.int64 and table.sample((), 1).shape == ()
    assert _agree(np.bincount(draws.ravel(), minlength=5), table.p)
    np.testing.assert_array_equal(table.sample(9, 7), table.sample(9, 7))


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [1, np.nan], [1, np.inf], [[1, 2]], 3.0])
def test_an_alias_table_refuses_what_is_no_distribution(weights):
    with pytest.raises(ValueError, match=r"^AliasTable: got weights of shape .*, want a list of finite numbers"):
        AliasTable(weights)


WEIGHTS = np.array([8.0, 1, 0, 4, 2, 1, 1, 3])
KNOWN = known_by_user([1, 1, 2, 2, 2, 2, 2], [0, 3, 7, 0, 3, 4, 5], 3)  # of user 0 none, of user 2 all but 1 and 6


@pytest.mark.parametrize("weights, power", [(None, 1.0), (WEIGHTS, 1.0), (WEIGHTS, 0.75), (WEIGHTS, 0)])
@pytest.mark.parametrize("exclude", [None, 0, 6])
def test_items_come_as_often_as_q_says_over_what_is_left(weights, power, exclude, rng):
    sampler = NegativeSampler(8, weights, power, KNOWN)
    q = np.ones(8) if weights is None else weights**power
    np.testing.assert_allclose(sampler.log_q, [np.log(x) if x else -np.inf for x in q / q.sum()], rtol=1e-14)
    for user in range(3):
        allowed = np.setdiff1d(np.arange(8), KNOWN[1][KNOWN[0][user]:KNOWN[0][user + 1]])
        allowed = allowed[allowed != exclude]
        left = np.where(np.isin(np.arange(8), allowed), q, 0)
        rows = np.full(3000, user)
        draws = sampler.sample(rows, 20, rng, None if exclude is None else np.full(3000, exclude))
        assert draws.shape == (3000, 20) and draws.dtype == np.int64
        assert _agree(np.bincount(draws.ravel(), minlength=8), left / left.sum())


def test_each_row_has_its_own_user_and_its_own_target(rng):
    n_items, known = 40, known_by_user(rng.integers(0, 30, 500), rng.integers(0, 40, 500), 30)
    sampler = NegativeSampler(n_items, known=known)
    users, targets = rng.integers(0, 30, 400), rng.integers(0, n_items, 400)
    draws = sampler.sample(users, 50, rng, targets)
    for user, target, row in zip(users, targets, draws, strict=True):
        mine = known[1][known[0][user]:known[0][user + 1]]
        assert not np.isin(row, mine).any() and target not in row
        assert len(set(row)) > 10
    alone = NegativeSampler(n_items).sample(users, 50, rng)  # without known, users are only counted
    assert np.isin(alone, np.arange(40)).all() and len(np.unique(alone)) == 40


def test_a_user_who_knows_nearly_everything_gets_what_is_left_in_its_proportions():
    """Rejection alone would need 10^7 draws an item here."""
    weights = np.append(np.ones(500), [1e-4, 3e-4, 0.0])
    known = known_by_user(np.zeros(500, int), np.arange(500), 2)
    draws = NegativeSampler(503, weights, known=known).sample([0, 1, 0] * 200, 20, 5)
    counts = np.bincount(draws[np.arange(600) % 3 != 1].ravel(), minlength=503)
    assert _agree(counts, np.append(np.zeros(500), [0.25, 0.75, 0]))
    assert draws[1::3].max() < 500  # user 1 knows nothing: the two rare items do not come in 4,000 draws


@pytest.mark.parametrize("exclude", [None, [5, 2]])
def test_a_user_with_nothing_left_is_named(exclude):
    known = known_by_user([4] * 6 + [7] * 3, [0, 1, 2, 3, 4, 5, 1, 2, 3], 8)
    weights = [1, 1, 1, 1, 1, 1, 0] if exclude is None else [0, 1, 1, 1, 0, 1, 0]
    sampler = NegativeSampler(7, weights, known=known)
    users, name = ([7, 4], "user 4 .row 1.") if exclude is None else ([7, 0], "user 7 .row 0.")
    with pytest.raises(ValueError, match=f"nothing is left to draw for {name}: every item with a weight is known"):
        sampler.sample(users, 3, 0, exclude)


# ---------------------------------------------------------------- the numbers of a seed
def test_one_number_of_the_generator_gives_all_draws_whatever_their_count():
    sampler = NegativeSampler(1000)
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    sampler.sample(np.zeros(1, int), 1, a)
    sampler.sample(np.zeros(70, int), 40, b)
    assert a.integers(2**62) == b.integers(2**62)
    with use_numba(False):
        np.testing.assert_array_equal(sampler.sample([0] * 5, 4, 9), sampler.sample([0] * 5, 4, np.random.default_rng(9)))
    first, second = (sampler.sample([0] * 50, 40, a) for _ in range(2))
    assert np.mean(first == second) < 0.01
    import tinydl
    tinydl.manual_seed(4)
    np.testing.assert_array_equal(sampler.sample([0], 9), sampler.sample([0], 9, 4))


def test_all_64_bits_of_the_seed_matter(monkeypatch):
    class Fixed:
        def __init__(self, seed):
            self.integers = lambda high, dtype: dtype(seed)
    monkeypatch.setattr(recmodels.negatives, "generator", Fixed)
    draws = [NegativeSampler(1000).sample([0] * 5, 40, seed) for seed in (5, 6, 5 + 2**31, 5 + 2**32, 5 + 2**63, 5)]
    assert len(np.unique(draws[:5], axis=0)) == 5
    np.testing.assert_array_equal(draws[0], draws[5])


def test_rows_do_not_depend_on_those_that_follow(rng):
    sampler = NegativeSampler(50, rng.random(50), known=known_by_user(rng.integers(0, 9, 200), rng.integers(0, 50, 200), 9))
    users = rng.integers(0, 9, 100)
    np.testing.assert_array_equal(sampler.sample(users, 8, 2)[:30], sampler.sample(users[:30], 8, 2))
    with use_numba(False):
        np.testing.assert_array_equal(sampler.sample(users, 8, 2)[:30], sampler.sample(users[:30], 8, 2))


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), None])
def test_neighbouring_cells_and_seeds_are_independent(shift):
    """A contingency table of 16 x 16 items: chi-square within 5 deviations of its 255 degrees of freedom."""
    sampler = NegativeSampler(16, np.arange(1, 17))
    one = sampler.sample(np.zeros(500, int), 400, 0)
    if shift is None:
        other = sampler.sample(np.zeros(500, int), 400, 1)
    else:
        one, other = one[shift[0]:, shift[1]:], one[:len(one) - shift[0], :one.shape[1] - shift[1]]
    counts = np.bincount((one * 16 + other).ravel(), minlength=256).reshape(16, 16)
    expected = np.outer(sampler.table.p, sampler.table.p) * counts.sum()
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * (2 * 255) ** 0.5


# ---------------------------------------------------------------- what sampled softmax subtracts
def test_expected_counts_are_their_definition(rng):
    sampler = NegativeSampler(8, WEIGHTS, 0.75, KNOWN)
    q = WEIGHTS**0.75 / (WEIGHTS**0.75).sum()
    users, exclude = np.array([0, 1, 1, 2]), np.array([0, 3, 4, 6])
    negatives = sampler.sample(users, 5, rng, exclude)
    for out in (exclude, None):
        log_c = sampler.log_expected_counts(users, negatives, out)
        assert log_c.shape == (4, 6) and not log_c[:, 0].any()
        for b, user in enumerate(users):
            gone = {*KNOWN[1][KNOWN[0][user]:KNOWN[0][user + 1]].tolist()} | (set() if out is None else {int(out[b])})
            left = 1 - sum(q[i] for i in gone)
            np.testing.assert_allclose(log_c[b, 1:], np.log(5 * q[negatives[b]] / left), rtol=1e-12)
    free = NegativeSampler(8).log_expected_counts([0, 0], [[1], [2]])
    np.testing.assert_allclose(free, [[0, -np.log(8)]] * 2)


def test_expected_counts_are_how_often_an_item_comes(rng):
    sampler = NegativeSampler(8, WEIGHTS, 1.0, KNOWN)
    users = np.ones(20_000, int)
    draws = sampler.sample(users, 6, rng, np.full(20_000, 4))
    every = sampler.log_expected_counts([1], np.array([[1, 5, 6, 7]]), [4])[0, 1:] + np.log(6 / 4)
    np.testing.assert_allclose([(draws == i).sum() / 20_000 for i in (1, 5, 6, 7)], np.exp(every), rtol=0.03)


# ---------------------------------------------------------------- arguments
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30))))
def test_known_by_user_lists_each_item_of_a_user_once_and_sorted(pairs):
    users, items = (np.array([pair[k] for pair in pairs], int) for k in range(2))
    start, known = known_by_user(users, items, 6)
    assert [known[start[u]:start[u + 1]].tolist() for u in range(6)] == \
        [sorted({i for v, i in pairs if v == u}) for u in range(6)]
    NegativeSampler(31, known=(start, known))


@pytest.mark.parametrize("change, error", [
    ({"n_items": 0}, "got n_items=0"), ({"n_items": 2.5}, "got n_items=2.5"),
    ({"weights": [1, 2]}, r"weights of shape \(2,\) from 1 to 2, want \(3,\)"), ({"weights": [1, 2, -3]}, "from -3 to 2"),
    ({"weights": [1, 2, np.inf]}, "finite"), ({"weights": [0, 0, 0]}, "one of them above"), ({"power": -1}, "power=-1"),
    ({"power": np.nan}, "power=nan"), ({"known": ([0, 2, 1], [0])}, "rises from 0"), ({"known": ([0, 1], [0, 1])}, "rises"),
    ({"known": ([0, 1], [3])}, "items from 3 to 3, want 0 to 2"), ({"known": ([0, 0, 2], [1, 0])}, "user 1 are not sorted"),
    ({"known": ([0, 0, 2, 2, 2], [1, 1])}, "user 1 are not sorted"),
    ({"known": ([0, 2, 2, 4], [1, 2, 2, 0])}, "of user 2 are not sorted")])
def test_a_sampler_refuses_wrong_parameters(change, error):
    with pytest.raises(ValueError, match=error):
        NegativeSampler(**{"n_items": 3, **change})


def test_borders_between_users_need_not_rise():
    NegativeSampler(3, known=([0, 0, 2, 2, 3, 3], [1, 2, 0]))
    NegativeSampler(3, known=([0, 0, 0], []))


@pytest.mark.parametrize("users, n, exclude, error", [
    ([0, 3], 2, None, "users from 0 to 3, want 0 to 2"), ([-1], 2, None, "users from -1"),
    ([0.5], 2, None, "users of float64"), ([[0]], 2, None, r"shape \(1, 1\), want whole numbers \(B,\)"),
    ([0], 0, None, "n=0"), ([0], 1.5, None, "n=1.5"), ([0, 1], 2, [0], "want an item from 0 to 7 for each of the 2 rows"),
    ([0], 2, [8], "exclude of int64"), ([0], 2, [-1], "exclude"), ([0], 2, [0.0], "exclude of float64")])
def test_sample_refuses_wrong_arguments(users, n, exclude, error):
    with pytest.raises((ValueError, IndexError), match=error):
        NegativeSampler(8, known=KNOWN).sample(users, n, 0, exclude)


def test_an_empty_batch_has_no_negatives():
    assert NegativeSampler(8, known=KNOWN).sample([], 4, 0).shape == (0, 4)
    assert NegativeSampler(8, known=KNOWN).sample([], 4, 0, []).shape == (0, 4)
    with pytest.raises(ValueError, match=r"negatives of shape \(3,\) for 3 users"):
        NegativeSampler(8).log_expected_counts([0, 0, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="two lists of the same length"):
        known_by_user([0, 1], [0], 2)
    with pytest.raises(IndexError, match="users from 0 to 2, want 0 to 1"):
        known_by_user([0, 2], [0, 0], 2)


def test_the_docstrings_examples():
    assert doctest.testmod(recmodels.negatives).failed == 0
