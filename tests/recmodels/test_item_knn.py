"""Item-kNN against its definition as plain loops: cosines, neighbours, tied ones too, and what the user's visits weigh."""

import math

import numpy as np
import pandas as pd
import pytest

from recmodels import CheckIns, time_split
from recmodels.models.item_knn import ItemKNN

DAY = 86400


def _world(rng, n=260, users=9, venues=8, days=40):
    time = np.sort(rng.integers(0, 4 * days, n)) * (DAY // 4) + 1_340_000_000
    table = pd.DataFrame({"category": "c", "category_name": "Bar", "latitude": 0.0, "longitude": 0.0},
                         index=[f"v{i}" for i in range(venues)])
    user = rng.integers(0, users, n)
    item = np.where(rng.random(n) < 0.8, (user + rng.integers(0, 3, n)) % venues, rng.integers(0, venues, n))
    frame = pd.DataFrame({"user": user * 2, "item": table.index[item], "timestamp": time, "local": time - 14400})
    return CheckIns(frame, table)


@pytest.fixture
def split(rng):
    return time_split(_world(rng), (0.3, 0.1, 0.6))


def _queries(data):
    return tuple(data.frame[column].to_numpy() for column in ("user", "local", "timestamp"))


def _similar(train, items, neighbours, shrink):
    who = {i: set(train.frame["user"][train.frame["item"] == i]) for i in items}
    s = {}
    for j in items:
        near = [(len(who[i] & who[j]) / (math.sqrt(len(who[i]) * len(who[j])) + shrink), i) for i in items if i != j]
        near = sorted([pair for pair in near if pair[0] > 0], key=lambda pair: (-pair[0], pair[1]))[:neighbours]
        s[j] = {i: value for value, i in near} | {j: 1.0}
    return s


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
@pytest.mark.parametrize("parameters", [dict(neighbours=2, shrink=0.0, decay=None, power=1.0),
                                        dict(neighbours=3, shrink=2.0), dict(neighbours=100, decay=5.0, power=0.25)])
def test_scores_are_their_definition(split, regime, parameters):
    model = ItemKNN(**parameters).fit(split.train, log=None if regime == "frozen" else split.data)
    log, (p, items) = (split.train if regime == "frozen" else split.data), (model.get_params(), model.items_.tolist())
    s = _similar(split.train, items, p["neighbours"], p["shrink"])
    assert model.num_parameters() == sum(len(near) - 1 for near in s.values())
    asked = split.test.take(np.arange(0, len(split.test), 4))
    for row, (user, _, now) in zip(model.scores(*_queries(asked)), zip(*_queries(asked), strict=True), strict=True):
        h = dict.fromkeys(items, 0.0)
        for e in log.frame.itertuples():
            if e.user == user and e.timestamp < now and e.item in h:
                h[e.item] += 1 if p["decay"] is None else math.exp(-(now - e.timestamp) / (p["decay"] * DAY))
        want = [sum(h[j] ** p["power"] * s[j].get(i, 0) for j in items) for i in items]
        np.testing.assert_allclose(row, want, rtol=1e-12, atol=1e-15)
        assert any(want) == any(h.values())


def test_without_shrink_two_venues_of_the_same_users_are_one_and_only_the_nearest_stay(split):
    model = ItemKNN(neighbours=10**6, shrink=0.0).fit(split.train)
    s = model.similar_.toarray()
    np.testing.assert_allclose(s, s.T, rtol=1e-15)
    assert not s.diagonal().any() and s.max() <= 1 + 1e-15
    twice = split.train.frame.assign(item=split.train.frame["item"] + "-b")
    items = split.train.items
    both = CheckIns(pd.concat([split.train.frame, twice]).sort_values("timestamp", kind="stable"),
                    pd.concat([items, items.set_index(items.index + "-b")]))
    near = ItemKNN(neighbours=1, shrink=0.0).fit(both)
    for j, venue in enumerate(near.items_):
        row = near.similar_[[j]].toarray()[0]
        assert (row > 0).sum() == 1 and abs(row.max() - 1) < 1e-15
        assert {venue.removesuffix("-b")} <= {near.items_[row.argmax()].removesuffix("-b"), venue.removesuffix("-b")}


def test_an_unknown_user_is_offered_nothing_and_every_parameter_has_an_effect(split):
    model = ItemKNN(neighbours=2).fit(split.train)
    assert not model.scores([-1], [0], [2**31]).any()
    base = model.scores(*_queries(split.test))
    for change in ({"neighbours": 1}, {"shrink": 11.0}, {"decay": 50.0}, {"decay": None}, {"power": 0.6}):
        assert not np.allclose(model.clone(**change).fit(split.train).scores(*_queries(split.test)), base, rtol=1e-6)


def test_similarities_are_learned_from_the_training_part_only(split):
    one, other = ItemKNN().fit(split.train), ItemKNN().fit(split.train, log=split.data)
    np.testing.assert_array_equal(one.similar_.toarray(), other.similar_.toarray())


@pytest.mark.parametrize("change, error", [
    ({"neighbours": 0}, "neighbours=0, want a whole number"), ({"neighbours": 2.5}, "neighbours=2.5"),
    ({"shrink": -1}, "shrink=-1"), ({"shrink": np.nan}, "shrink=nan"), ({"decay": 0}, "decay=0, .* or None for no decay"),
    ({"power": 0}, "power=0, want a finite number above 0$"), ({"power": None}, "power=None"),
    ({"decay": np.inf}, "decay=inf")])
def test_wrong_parameters_are_refused(split, change, error):
    with pytest.raises(ValueError, match=error):
        ItemKNN(**change).fit(split.train)
