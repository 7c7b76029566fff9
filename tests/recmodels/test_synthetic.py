"""The synthetic world: its schema, its truth against plain enumeration, and that the truth can be learned."""

import math

import numpy as np
import pytest

from recmodels.datasets import Interactions, synthetic_ratings
from recmodels.datasets.movielens import AGE_GROUPS, GENRES, _year
from recmodels.metrics import mse
from recmodels.splits import random_split, time_split


@pytest.fixture(scope="module")
def world():
    return synthetic_ratings()


# ---------------------------------------------------------------- schema
def test_the_schema_is_that_of_movielens_1m(world):
    assert isinstance(world, Interactions) and world.synthetic and world.rating_range == (1, 5)
    assert (len(world), len(world.users), len(world.items)) == (200_000, 1000, 600)
    assert world.frame.dtypes.astype(str).to_dict() == {"user": "int64", "item": "int64", "rating": "float64",
                                                        "timestamp": "int64"}
    assert world.users.columns.tolist() == ["gender", "age", "occupation", "zip"]
    assert world.items.columns.tolist() == ["title", "year", "genres"]
    assert (world.users.index.name, world.items.index.name) == ("user", "item")
    assert set(world.users["gender"]) == {"F", "M"} and set(world.users["age"]) == set(AGE_GROUPS)
    assert set(world.users["occupation"]) == set(range(21)) and world.users["zip"].str.fullmatch(r"\d{5}").all()
    assert all(_year(title) == year for title, year in zip(world.items["title"], world.items["year"], strict=True))
    assert all(1 <= len(g) <= 3 and g == tuple(sorted(set(g))) for g in world.items["genres"])
    assert {name for g in world.items["genres"] for name in g} == set(GENRES)
    assert set(world.frame["rating"]) == {1, 2, 3, 4, 5}
    assert "SYNTHETIC" in repr(world) and "SYNTHETIC" in repr(random_split(world))


def test_the_schema_of_the_real_1m(world, real_data):
    from recmodels.datasets import load_movielens

    real = load_movielens(real_data("ml-1m"))
    for table in ("frame", "users", "items"):
        assert getattr(real, table).dtypes.to_dict() == getattr(world, table).dtypes.to_dict()


def test_nobody_rates_twice_and_tails_are_long(world):
    assert not world.frame.duplicated(["user", "item"]).any()
    by_user, by_item = world.frame["user"].value_counts(), world.frame["item"].value_counts()
    assert 20 <= by_user.min() and by_user.max() <= 450 and by_user.max() > 2.5 * by_user.median()
    assert by_item.max() > 3 * by_item.median() and len(by_user) == 1000
    assert world.frame["user"].is_monotonic_increasing
    assert all(times.is_monotonic_increasing for _, times in world.frame.groupby("user")["timestamp"])
    assert len(time_split(world).test) == 20_000


@pytest.mark.parametrize(("users", "items", "ratings"), [(2, 40, 40), (50, 40, 1000), (50, 41, 1001),
                                                         (7, 60, 210), (300, 41, 6123)])
def test_small_worlds_have_the_size_that_was_asked_for(users, items, ratings):
    world = synthetic_ratings(users, items, ratings, rank=2, rng=1)
    counts = world.frame["user"].value_counts()
    assert len(world) == ratings and len(counts) == users and counts.min() >= 20 and counts.max() <= items * 3 // 4
    assert not world.frame.duplicated(["user", "item"]).any()


def test_the_seed_makes_the_world():
    def make(rng, **more):
        return synthetic_ratings(60, 50, 1300, rng=rng, **more)

    one, same, other = make(3), make(np.random.default_rng(3)), make(4)
    for table in ("frame", "users", "items"):
        assert getattr(one, table).equals(getattr(same, table))
        assert not getattr(one, table).equals(getattr(other, table))
    assert one.floor_mse == same.floor_mse


@pytest.mark.parametrize("bad", [{"users": 1}, {"items": 39}, {"rank": 0}, {"noise": 0.0}, {"ratings": 1999},
                                 {"ratings": 2501}])
def test_impossible_worlds_are_refused(bad):
    with pytest.raises(ValueError, match="synthetic_ratings: got .* want"):
        synthetic_ratings(**{"users": 100, "items": 50, "ratings": 2200} | bad)


# ---------------------------------------------------------------- truth
def _star_probabilities(x, noise):
    """P(r = 1) .. P(r = 5) of clip(round(x + e), 1, 5), from the normal distribution function at the half stars."""
    below = [0.0] + [0.5 * (1 + math.erf((k + 0.5 - x) / noise / math.sqrt(2))) for k in (1, 2, 3, 4)] + [1.0]
    return [b - a for a, b in zip(below, below[1:], strict=False)]


def test_expected_rating_and_variance_are_sums_over_the_stars(world):
    t = world.truth
    for user, item in [(1, 1), (17, 599), (1000, 600), (500, 3)]:
        inner = sum(a * b for a, b in zip(t.p[user - 1], t.q[item - 1], strict=True))
        x = t.mu + t.b_u[user - 1] + t.b_i[item - 1] + t.s * inner
        chances = _star_probabilities(x, t.noise)
        mean = sum(k * c for k, c in enumerate(chances, start=1))
        assert world.latent(user, item) == pytest.approx(x)
        assert world.expected_rating(user, item) == pytest.approx(mean)
        assert world.variance(user, item) == pytest.approx(sum((k - mean) ** 2 * c for k, c in enumerate(chances, start=1)))


def test_the_ratings_are_drawn_from_that_truth(world):
    """Their errors average to the floor, and stars of each expectation average to it, within 4 standard errors."""
    user, item, rating = (world.frame[c].to_numpy() for c in ("user", "item", "rating"))
    expected = world.expected_rating(user, item)
    squared = (rating - expected) ** 2
    assert abs(squared.mean() - world.floor_mse) < 4 * squared.std() / math.sqrt(len(squared))
    for low in np.arange(1, 5, 0.5):
        own = (low <= expected) & (expected < low + 0.5)
        rest = (rating - expected)[own]
        assert own.sum() > 1000 and abs(rest.mean()) < 4 * rest.std() / math.sqrt(own.sum())


def test_floor_is_the_mean_variance_of_the_rows_and_follows_a_selection(world):
    part = random_split(world, 5).test
    variance = world.variance(part.frame["user"].to_numpy(), part.frame["item"].to_numpy())
    assert part.floor_mse == pytest.approx(variance.mean()) and part.floor_mse != world.floor_mse
    one = world.take([7])
    assert one.floor_mse == pytest.approx(float(world.variance(one.frame["user"][0], one.frame["item"][0])))


def test_unknown_ids_are_refused(world):
    for user, item in ((0, 1), (1001, 1), (1, 601), (-1, 1), (1.0, 1)):
        with pytest.raises(KeyError, match="want 1 to"):
            world.expected_rating(user, item)


def test_biases_and_interaction_are_apart_and_as_large_as_said(world):
    t = world.truth
    inner = t.s * t.p @ t.q.T
    assert inner.std() == pytest.approx(0.8) and t.b_u.std() == pytest.approx(0.4, abs=0.05)
    assert t.b_i.std() == pytest.approx(0.5, abs=0.05)
    assert np.abs(inner.mean(axis=0)).max() < 1e-12 and np.abs(inner.mean(axis=1)).max() < 1e-12
    assert np.linalg.matrix_rank(inner) == 4


def test_attributes_explain_about_half_of_the_factors(world):
    columns = [np.eye(21)[world.users["occupation"]], np.eye(57)[world.users["age"]], world.users["gender"] == "M"]
    genres = np.array([[(name in g) / math.sqrt(len(g)) for name in GENRES] for g in world.items["genres"]])
    for factors, x in ((world.truth.p, np.column_stack(columns)), (world.truth.q, genres)):
        x = np.column_stack([x, np.ones(len(x))])
        rest = factors - x @ np.linalg.lstsq(x, factors)[0]
        assert 0.3 < 1 - rest.var() / factors.var() < 0.7


# ---------------------------------------------------------------- can it be learned?
def _least_squares(own, other, y, vectors, count, reg):
    """For each entity the ridge solution of y = w . vectors[other]; (count, D)."""
    order = np.argsort(own, kind="stable")
    start = np.searchsorted(own[order], np.arange(count + 1))
    w = np.zeros((count, vectors.shape[1]))
    for n in range(count):
        rows = order[start[n]:start[n + 1]]
        x = vectors[other[rows]]
        w[n] = np.linalg.solve(x.T @ x + reg * np.eye(x.shape[1]), x.T @ y[rows])
    return w


def test_factors_learn_nine_tenths_of_what_biases_miss(world, rng):
    """(MSE - floor) / (MSE of the biases - floor) <= 0.1 for alternating least squares with biases and 4 factors."""
    split = random_split(world, 0)
    u, i, r = (split.refit.frame[c].to_numpy() for c in ("user", "item", "rating"))
    test_u, test_i = split.test.frame["user"].to_numpy(), split.test.frame["item"].to_numpy()
    test, floor, mu = split.test.frame["rating"].to_numpy(), split.test.floor_mse, r.mean()

    def error(factors):
        """y = mu + p . q with p = [b_u, 1, factors], q = [1, b_i, factors]"""
        q = np.column_stack([np.zeros(601), 0.1 * rng.standard_normal((601, factors))])
        for _ in range(8):
            w = _least_squares(u, i, r - mu - q[i, 0], np.column_stack([np.ones(601), q[:, 1:]]), 1001, 2.0)
            p = w
            q = _least_squares(i, u, r - mu - p[u, 0], np.column_stack([np.ones(1001), p[:, 1:]]), 601, 2.0)
        y = mu + p[test_u, 0] + q[test_i, 0] + (p[test_u, 1:] * q[test_i, 1:]).sum(1)
        return mse(test, np.clip(y, 1, 5))

    biases, factors = error(0), error(4)
    assert biases > 2 * floor and factors > floor
    assert (factors - floor) / (biases - floor) <= 0.1
