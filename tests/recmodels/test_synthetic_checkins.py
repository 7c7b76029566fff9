"""The synthetic city: Foursquare's schema, a truth that the check-ins are drawn from, and a ceiling that is one."""

import numpy as np
import pytest

from recmodels import CheckIns, synthetic_checkins, time_split
from recmodels.datasets.checkins import distance_km, slot
from recmodels.datasets.synthetic_checkins import _CATEGORIES
from recmodels.models.counters import COUNTERS


@pytest.fixture(scope="module")
def city():
    return synthetic_checkins(users=60, venues=120, events=30_000, homes=4)


def test_the_schema_is_foursquare_s(city):
    assert isinstance(city, CheckIns) and city.synthetic and "SYNTHETIC" in repr(city)
    assert (len(city), len(city.users), len(city.items)) == (30_000, 60, 120)
    assert city.users.index.tolist() == list(range(1, 61)) and city.frame["timestamp"].is_monotonic_increasing
    assert city.items.index.str.fullmatch("[0-9a-f]{24}").all() and city.items.index.is_monotonic_increasing
    assert city.items["category"].str.fullmatch("[0-9a-f]{24}").all()
    assert len(city.items[["category", "category_name"]].drop_duplicates()) == len(_CATEGORIES)
    assert city.frame["user"].value_counts().min() >= 10 and len(city.users_seen) == 60
    offset = (city.frame["local"] - city.frame["timestamp"]) // 60
    winter = city.frame["timestamp"] >= np.datetime64("2012-11-04 06:00", "s").astype(int)
    assert (offset == np.where(winter, -300, -240)).all() and 0.2 < winter.mean() < 0.5


def test_the_schema_of_the_real_file(city, foursquare):
    assert city.frame.dtypes.to_dict() == foursquare.frame.dtypes.to_dict()
    assert city.items.dtypes.to_dict() == foursquare.items.dtypes.to_dict()
    assert (city.users.index.name, city.items.index.name) == (foursquare.users.index.name, foursquare.items.index.name)
    assert foursquare.frame["timestamp"].min() <= city.frame["timestamp"].min()
    assert city.frame["timestamp"].max() <= foursquare.frame["timestamp"].max()


def test_the_seed_makes_the_city():
    def make(rng):
        return synthetic_checkins(15, 40, 400, rng=rng)
    one, same, other = make(3), make(np.random.default_rng(3)), make(4)
    assert one.frame.equals(same.frame) and one.items.equals(same.items) and one.best_recall(3) == same.best_recall(3)
    assert not one.frame.equals(other.frame) and not one.items.equals(other.items)


@pytest.mark.parametrize("bad", [{"users": 1}, {"venues": 8}, {"homes": 0}, {"homes": 41}, {"exploration": 0.0},
                                 {"exploration": 1.0}, {"scale": 0.0}, {"events": 149}])
def test_impossible_cities_are_refused(bad):
    with pytest.raises(ValueError, match="synthetic_checkins: got .* want at least"):
        synthetic_checkins(**{"users": 15, "venues": 40, "events": 150} | bad)
    assert (synthetic_checkins(15, 40, 150).frame["user"].value_counts() == 10).all()


# ---------------------------------------------------------------- truth
def test_probabilities_are_the_formula_s(city):
    t, c = city.truth, city.items["category_name"]
    for user, local in ((1, 0), (60, 3 * 86400 + 12 * 3600), (17, 2 * 86400 + 22 * 3600)):
        s = int(slot(local))
        affinity = [_CATEGORIES[name][1 + s // 6][s % 6] for name in c]
        habit = [a * b for a, b in zip(t.theta[user - 1], affinity, strict=True)]
        explore = [a * b for a, b in zip(t.w[user - 1], affinity, strict=True)]
        e = t.rate[user - 1]
        want = [(1 - e) * h / sum(habit) + e * g / sum(explore) for h, g in zip(habit, explore, strict=True)]
        np.testing.assert_allclose(city.probabilities(user, local), [want], rtol=1e-12)
    p = city.probabilities([1, 2, 3], city.frame["local"].to_numpy()[:3])
    assert p.shape == (3, 120) and (p > 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for bad in (0, 61):
        with pytest.raises(KeyError, match=f"got the user .*{bad}.* want 1 to 60"):
            city.probabilities([1, bad], 0)


def test_preferences_are_as_large_as_said(city):
    t = city.truth
    assert ((t.theta > 0).sum(axis=1) == 4).all() and np.isclose(t.rate.mean(), 0.25, atol=0.06)
    office, bar = ((city.items["category_name"] == name).to_numpy() for name in ("Office", "Bar"))
    tuesday, saturday = 5 * 86400 + 9 * 3600, 2 * 86400 + 22 * 3600
    morning, night = (city.probabilities(np.arange(1, 61), np.full(60, at)).mean(axis=0) for at in (tuesday, saturday))
    assert morning[office].sum() > 3 * night[office].sum() and night[bar].sum() > 3 * morning[bar].sum()
    far, near = synthetic_checkins(40, 100, 400, scale=50.0), synthetic_checkins(40, 100, 400, scale=1.0)
    spread = []
    for world in (near, far):
        y, x = world.items["latitude"].to_numpy(), world.items["longitude"].to_numpy()
        d = distance_km(y[:, None], x[:, None], y, x)  # between venues
        p = world.truth.w / world.truth.w.sum(axis=1, keepdims=True)
        spread.append(((p @ d) * p).sum(axis=1).mean())
    assert spread[0] < 0.5 * spread[1]


def test_check_ins_are_drawn_from_that_truth(city):
    """Over all check-ins, each venue's and each category's share in each slot is what the truth expects, within 5 sigma."""
    u, s = city.frame["user"].to_numpy(), slot(city.frame["local"].to_numpy())
    p = city.truth.probabilities(u - 1, s)  # (n, I)
    item = city.items.index.get_indexer(city.frame["item"])
    drawn = np.zeros_like(p)
    drawn[np.arange(len(p)), item] = 1
    for rows in [slice(None), *(s == k for k in range(12)), *(u == k for k in (1, 2, 3))]:
        error, sigma = (drawn[rows] - p[rows]).sum(axis=0), np.sqrt((p[rows] * (1 - p[rows])).sum(axis=0))
        many = p[rows].sum(axis=0) > 20
        assert many.any() and (np.abs(error[many]) < 5 * sigma[many]).all()
    likelihood = np.log(p[np.arange(len(p)), item])  # its mean is minus the entropy
    entropy = -(p * np.log(p)).sum(axis=1)
    assert abs((likelihood + entropy).mean()) < 5 * likelihood.std() / np.sqrt(len(p))


def test_best_recall_is_reached_by_the_truth_and_by_nobody_passed(city):
    test = time_split(city).test
    y = test.probabilities(test.frame["user"].to_numpy(), test.frame["local"].to_numpy())
    item = city.items.index.get_indexer(test.frame["item"])
    rank = (y > y[np.arange(len(y)), item][:, None]).sum(axis=1)
    for k in (1, 5, 10):
        sigma = np.sqrt(0.25 / len(y))
        assert abs(np.mean(rank < k) - test.best_recall(k)) < 4 * sigma
        best = np.sort(y, axis=1)[:, -k:].sum(axis=1).mean()
        assert test.best_recall(k) == pytest.approx(best) and test.best_recall(k) != city.best_recall(k)
    assert test.best_recall(120) == pytest.approx(1)
    for k in (0, 121):
        with pytest.raises(ValueError, match=f"best_recall: got k={k}, want 1 to the 120 venues"):
            test.best_recall(k)


def test_a_counter_comes_near_the_ceiling_and_slots_help(city):
    split = time_split(city)
    frame = split.test.frame

    def recall(name, k=2):
        counter = COUNTERS[name]().fit(split.train)
        y = counter.scores(frame["user"], frame["local"], frame["timestamp"])
        own = y[np.arange(len(y)), counter.items_.get_indexer(frame["item"])][:, None]
        return np.mean((y > own).sum(axis=1) + ((y == own).sum(axis=1) + 1) / 2 <= k)
    ceiling = split.test.best_recall(2)
    assert recall("popularity") < 0.5 * ceiling < recall("user-counts") < recall("user-slot-counts") < ceiling
    assert recall("user-slot-counts") > 0.9 * ceiling


def test_a_core_keeps_its_truth(city):
    part = city.core(100)
    assert len(part.items) < 120
    np.testing.assert_array_equal(part.probabilities(part.users.index[:2], 0), city.probabilities(part.users.index[:2], 0))
