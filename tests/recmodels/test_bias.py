"""Bias: every number of both tables against plain loops over ratings, users, lists and pairs of items."""

import numpy as np
import pandas
import pytest

from recmodels import Interactions
from recmodels.bias import error_by_group, list_statistics


class Table:
    """A model that predicts what it was told for each pair."""

    def __init__(self, predictions):
        self.predictions = predictions

    def predict(self, data):
        return np.array([self.predictions[pair] for pair in zip(data.frame["user"], data.frame["item"], strict=True)])


def interactions(rows, users=None):
    return Interactions(pandas.DataFrame(rows, columns=["user", "item", "rating"]), users, rating_range=(1, 5))


@pytest.fixture(params=range(3))
def case(request):
    """(model, train, test): users of very different activity, some of the test's without a training rating."""
    rng = np.random.default_rng(request.param)
    users = pandas.DataFrame({"gender": rng.choice(["F", "M"], 14), "age": rng.choice([1, 18, 25], 14)}, index=range(14))
    train = [(u, i, float(rng.integers(1, 6))) for u in range(12) for i in rng.permutation(40)[:1 + 3 * u]]
    test = [(u, i, float(rng.integers(1, 6))) for u in range(14) for i in range(50, 51 + int(rng.integers(1, 5)))]
    test = [test[n] for n in rng.permutation(len(test))]
    return Table({(u, i): rng.uniform(1, 5) for u, i, _ in test}), interactions(train, users), interactions(test, users)


def expected(model, rows):
    """The row of a group with these ratings, number by number."""
    errors = [model.predictions[u, i] - r for u, i, r in rows]
    n = len(rows)
    return [len({u for u, _, _ in rows}), n, sum(r for _, _, r in rows) / n, sum(errors) / n,
            (sum(e * e for e in errors) / n) ** 0.5, sum(abs(e) for e in errors) / n]


COLUMNS = ["users", "ratings", "mean rating", "bias", "rmse", "mae"]


@pytest.mark.parametrize("by", ["gender", "age"])
def test_errors_by_an_attribute(case, by):
    model, train, test = case
    table, attribute = error_by_group(model, train, test, by), test.users[by].to_dict()
    groups = {}
    for row in test.frame.itertuples(index=False):
        groups.setdefault(attribute[row.user], []).append((row.user, row.item, row.rating))
    assert table.index.tolist() == sorted(groups) and table.index.name == by and table.columns.tolist() == COLUMNS
    for name, rows in groups.items():
        np.testing.assert_allclose(table.loc[name].tolist(), expected(model, rows), rtol=1e-12)
    assert table["ratings"].sum() == len(test)


def quarter(n, counts):
    """Which quarter of the users has n ratings like this one: how many borders, a share of the sorted counts, n is above."""
    ordered = sorted(counts)
    above = 0
    for share in (0.25, 0.5, 0.75):
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        above += n > ordered[low] + (place - low) * (ordered[high] - ordered[low])
    return above


def test_errors_by_activity(case):
    model, train, test = case
    counts = {}
    for u in train.frame["user"]:
        counts[u] = counts.get(u, 0) + 1
    groups = {}
    for row in test.frame.itertuples(index=False):
        groups.setdefault(quarter(counts.get(row.user, 0), counts.values()), []).append((row.user, row.item, row.rating))
    table = error_by_group(model, train, test, "activity")
    assert len(table) == len(groups) == 4 and table["ratings"].sum() == len(test)
    above = -1
    for (label, found), (_, rows) in zip(table.iterrows(), sorted(groups.items()), strict=True):
        np.testing.assert_allclose(found.tolist(), expected(model, rows), rtol=1e-12)
        low, high = (int(word) for word in label.removesuffix(" ratings").split(" to "))
        assert low == above + 1 and all(low <= counts.get(u, 0) <= high for u, _, _ in rows)  # the label tells the truth
        above = high
    assert above == max(counts.values())


def test_quarters_of_five_users():
    train = interactions([(u, i, 3.0) for u in range(1, 6) for i in range(u)])
    test = interactions([(u, 9, float(u)) for u in range(1, 6)])
    table = error_by_group(Table({(u, 9): 3.0 for u in range(1, 6)}), train, test, "activity")
    assert table.index.tolist() == ["1 to 2 ratings", "3 to 3 ratings", "4 to 4 ratings", "5 to 5 ratings"]
    assert table["bias"].tolist() == [1.5, 0.0, -1.0, -2.0]


def test_equally_active_users_are_one_group():
    train = interactions([(u, i, 3.0) for u in range(4) for i in range(2)])
    test = interactions([(u, 9, 4.0) for u in range(4)])
    table = error_by_group(Table({(u, 9): 5.0 for u in range(4)}), train, test, "activity")
    assert table.index.tolist() == ["2 to 2 ratings"] and table["bias"].tolist() == [1.0]


def test_users_without_the_attribute_are_a_group_and_unknown_columns_are_named():
    users = pandas.DataFrame({"gender": ["F", None], "age": [18.0, np.nan]}, index=[1, 2])
    data = interactions([(1, 7, 3.0), (2, 7, 5.0), (3, 7, 1.0)], users)
    model = Table({(u, 7): 3.0 for u in (1, 2, 3)})
    for by, known in (("gender", "F"), ("age", 18.0)):
        table = error_by_group(model, data, data, by)
        assert table.index.tolist() == [known, "missing"] and table["ratings"].tolist() == [1, 2]
        assert table["bias"].tolist() == [0.0, 0.0] and table["mae"].tolist() == [0.0, 2.0]
    with pytest.raises(KeyError, match=r"no column 'zip' of the users, only \['gender', 'age'\], or 'activity'"):
        error_by_group(model, data, data, "zip")


# ---------------------------------------------------------------- lists
def listed(items):
    return pandas.DataFrame({"item": items})


@pytest.mark.parametrize("seed", range(4))
def test_statistics_of_lists_are_their_definitions(seed):
    rng = np.random.default_rng(seed)
    items = [int(i) for i in rng.integers(0, 12, 60)]
    train, shown = interactions([(u, i, 3.0) for u, i in enumerate(items)]), [items[n] for n in rng.integers(0, 9, 30)]
    catalogue = sorted(set(items))
    places = {i: shown.count(i) for i in catalogue}
    percentile = {i: (sum(items.count(j) < items.count(i) for j in catalogue)
                      + (1 + sum(items.count(j) == items.count(i) for j in catalogue)) / 2) / len(catalogue)
                  for i in catalogue}
    found = list_statistics(listed(shown), train)
    n = len(catalogue)
    assert list(found) == ["coverage", "popularity", "gini"]
    assert found["coverage"] == pytest.approx(sum(places[i] > 0 for i in catalogue) / n)
    assert found["popularity"] == pytest.approx(sum(percentile[i] for i in shown) / len(shown))
    # Gini: the mean difference of two items' places, over twice their mean
    difference = sum(abs(places[i] - places[j]) for i in catalogue for j in catalogue) / n**2
    assert found["gini"] == pytest.approx(difference / (2 * len(shown) / n))


def test_statistics_at_the_ends():
    train = interactions([(u, i, 3.0) for i in range(4) for u in range(i + 1)])  # item 3 is the most popular
    assert list_statistics(listed([0, 1, 2, 3] * 5), train) == {"coverage": 1.0, "popularity": 0.625, "gini": 0.0}
    assert list_statistics(listed([3] * 8), train) == {"coverage": 0.25, "popularity": 1.0, "gini": 0.75}
    assert list_statistics(listed([0, 0, 3]), train)["popularity"] == pytest.approx((0.25 + 0.25 + 1) / 3)
