"""Features: every array against a plain loop over the attributes; what is unknown or missing has its defined place."""

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.features import Dense, FeatureTable, MultiHot, OneHot, id_array
from tinydl.training import load, save

FIELDS = (OneHot("city"), MultiHot("tags"), Dense("year"), OneHot("age"), MultiHot("awards"), Dense("price"))


def table_of(rows, fields, ids=None):
    frame = pandas.DataFrame({c: pandas.Series([r[c] for r in rows], index=range(len(rows)), dtype=object)
                              for c in (f.column for f in fields)})
    frame.index = [10 * n for n in range(len(rows))] if ids is None else ids
    return FeatureTable(frame.index, frame, fields)


# ---------------------------------------------------------------- encoding
maybe = st.none() | st.just(float("nan"))
tags = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4).map(tuple) | maybe
numbers = st.floats(-1e3, 1e3) | st.integers(-5, 5) | maybe
row = st.fixed_dictionaries({"city": st.sampled_from(["x", "y", "z"]) | maybe, "tags": tags, "year": numbers,
                             "age": st.sampled_from([1, 18, 25]) | maybe, "awards": tags, "price": numbers})


def there(value):
    return value is not None and not (isinstance(value, float) and np.isnan(value))


@settings(max_examples=60, deadline=None)
@given(st.lists(row, min_size=1, max_size=6), st.permutations(FIELDS))
def test_every_array_equals_plain_loops(rows, fields):
    table = table_of(rows, fields)
    everyone = [dict.fromkeys(("city", "tags", "year", "age", "awards", "price")), *rows]  # the unknown entity first

    def categories(column):
        values = [r[column] for r in rows if there(r[column])]
        return sorted({c for v in values for c in (v if isinstance(v, tuple) else [v])})

    onehot = [f.column for f in fields if isinstance(f, OneHot)]
    start, want = 0, np.zeros((len(everyone), len(onehot)))
    for f, column in enumerate(onehot):
        for n, r in enumerate(everyone):
            want[n, f] = start + (categories(column).index(r[column]) + 1 if there(r[column]) else 0)
        assert table.offsets[f] == start
        start += len(categories(column)) + 1
    assert table.vocabulary == table.offsets[-1] == start and table.onehot.dtype == np.int64
    np.testing.assert_array_equal(table.onehot, want)

    columns, names = [], []
    for column in (f.column for f in fields if isinstance(f, MultiHot)):
        for category in categories(column):
            columns.append([1.0 if there(r[column]) and category in r[column] else 0.0 for r in everyone])
            names.append(f"{column}={category}")
    multihot = np.array(columns, np.float32).T.reshape(len(everyone), len(columns))
    np.testing.assert_array_equal(table.multihot, multihot)
    bags = [[c + 1 for c in range(len(columns)) if line[c]] for line in multihot]
    width = max(map(len, bags))
    np.testing.assert_array_equal(table.bags, np.array([b + [0] * (width - len(b)) for b in bags]).reshape(len(bags), width))

    for column in (f.column for f in fields if isinstance(f, Dense)):
        x = np.array([r[column] for r in rows if there(r[column])], float)
        deviation = (x.std() if len(set(x.tolist())) > 1 else 1.0) or 1.0  # squares of 1e-200 vanish
        columns.append([(r[column] - x.mean()) / deviation if there(r[column]) else 0.0 for r in everyone])
        names.append(column)
    np.testing.assert_allclose(table.dense, np.array(columns).T.reshape(len(everyone), -1), rtol=1e-5, atol=1e-5)
    assert table.dense.dtype == np.float32 and table.dense_names == names


def test_the_worked_example():
    rows = [{"city": "Rome", "tags": ("b", "a", "b"), "year": 1990.0}, {"city": None, "tags": (), "year": 2000.0},
            {"city": "Bern", "tags": None, "year": float("nan")}]
    table = table_of(rows, (OneHot("city"), MultiHot("tags"), Dense("year")), ids=["k1", "k2", "k3"])
    np.testing.assert_array_equal(table.onehot, [[0], [2], [0], [1]])          # Bern = 1, Rome = 2
    np.testing.assert_array_equal(table.dense, [[0, 0, 0], [1, 1, -1], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(table.bags, [[0, 0], [1, 2], [0, 0], [0, 0]])
    assert len(table) == 4 and table.dense_names == ["tags=a", "tags=b", "year"]
    assert repr(table) == "FeatureTable(3 entities: 1 one-hot fields of 3 codes, 3 dense columns)"


def test_an_unknown_category_has_the_code_of_a_missing_one():
    assert OneHot("c").encode(["a", "b"], ["b", "z", None, ["a"], np.nan, pandas.NA, 1]).tolist() == [2, 0, 0, 0, 0, 0, 0]
    assert MultiHot("c").encode(["a", "b"], [("z", "b", None), {"a"}, np.array(["b"])]).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert Dense("c").encode([2.0, 4.0], [6, pandas.NA, pandas.NaT]).tolist() == [[1], [0], [0]]


def test_equal_numbers_are_the_mean_whatever_rounding_says():
    assert np.std([0.1] * 3) > 0  # the trap: a deviation of 1e-17, by which nothing must be divided
    table = table_of([{"x": 0.1}] * 3, [Dense("x")])
    np.testing.assert_array_equal(table.dense, np.zeros((4, 1)))


def test_an_id_without_a_row_has_every_attribute_missing():
    frame = pandas.DataFrame({"city": ["x", "y"], "year": [1.0, 3.0]}, index=[5, 7])
    table = FeatureTable([7, 6, 5, 6], frame, [OneHot("city"), Dense("year")])
    assert table.ids.tolist() == [5, 6, 7]
    assert table.onehot[table.codes([5, 6, 7]), 0].tolist() == [1, 0, 2]
    assert table.dense[:, 0].tolist() == [0, -1, 0, 1]


def test_no_fields_no_columns():
    table = FeatureTable([3, 1], pandas.DataFrame(index=[1, 3]), ())
    assert table.onehot.shape == (3, 0) and table.dense.shape == (3, 0) and table.bags.shape == (3, 0)
    assert table.vocabulary == 0


@pytest.mark.parametrize("field, values, message", [
    (Dense("x"), [1.0, "new"], "Dense.*got 'new', want finite numbers"),
    (Dense("x"), [1.0, np.inf], "got inf, want finite numbers"),
    (OneHot("x"), [1, "a"], "categories that cannot be sorted.*want all of one type"),
    (OneHot("x"), [[1], [2]], "categories that cannot be sorted"),
    (MultiHot("x"), [("a",), "a|b"], r"got 'a\|b', want a tuple or list of categories"),
])
def test_attributes_of_the_wrong_kind_are_named(field, values, message):
    with pytest.raises((ValueError, TypeError), match=message):
        table_of([{"x": v} for v in values], [field])


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match=r"no column 'age' for OneHot.*the table has \['city'\]: add the column"):
        FeatureTable([1], pandas.DataFrame({"city": ["x"]}, index=[1]), [OneHot("age")])


# ---------------------------------------------------------------- ids
@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(-20, 20), min_size=1), st.lists(st.integers(-25, 25)))
def test_codes_are_places_among_the_sorted_ids(ids, asked):
    table = FeatureTable(list(ids), pandas.DataFrame(index=[0]), ())
    want = [sorted(ids).index(i) + 1 if i in ids else 0 for i in asked]
    for form in (asked, np.array(asked, np.int64), np.array(asked, np.int32), np.array(asked, np.int8),
                 np.array(asked, float), np.array(asked, object), pandas.Series(asked, dtype="int64")):
        codes = table.codes(form)
        assert codes.tolist() == want and codes.dtype == np.int64
    assert table.codes(np.array(asked, np.int64)[:, None]).shape == (len(asked), 1)


def test_ids_of_every_form_are_found_and_others_are_unknown():
    numbers = FeatureTable([4, 2, 9], pandas.DataFrame(index=[2]), ())
    assert numbers.codes([9, 4.0, "4", None, float("nan"), (4,), [4], pandas.NA, 3]).tolist() == [3, 2, 0, 0, 0, 0, 0, 0, 0]
    assert numbers.codes(np.array([2, 2**63 + 2], np.uint64)).tolist() == [1, 0]
    assert numbers.codes(np.array(["2", "4"])).tolist() == [0, 0]
    assert numbers.codes(np.array([2.0, np.nan, 2.5])).tolist() == [1, 0, 0]  # a column of ids with a gap is of floats
    words = FeatureTable(["b", "a", "2"], pandas.DataFrame(index=["a"]), ())
    for form in (["a", "c", "b", "2"], np.array(["a", "c", "b", "2"]), np.array(["a", "c", "b", "2"], object),
                 pandas.Series(["a", "c", "b", "2"])):
        assert words.codes(form).tolist() == [2, 0, 3, 1]
    assert words.codes([2, b"a", None]).tolist() == [0, 0, 0]
    assert id_array([1, "a", None]).tolist() == [1, "a", None]


def test_big_ids_are_told_apart():
    table = FeatureTable([2**53, 2**53 + 1], pandas.DataFrame(index=[1]), ())
    assert table.codes([2**53, 2**53 + 1, 2**53 + 2]).tolist() == [1, 2, 0]
    assert table.codes(np.array([2**53 + 1])).tolist() == [2]


@pytest.mark.parametrize("ids", [[1, "a"], [1.5], [None], [True]])
def test_ids_are_whole_numbers_or_strings(ids):
    with pytest.raises(TypeError, match="got ids of the types .*want whole numbers for all or strings for all"):
        FeatureTable(ids, pandas.DataFrame(index=[1]), ())


def test_a_table_needs_an_id():
    with pytest.raises(ValueError, match="got no ids"):
        FeatureTable([], pandas.DataFrame(), ())


# ---------------------------------------------------------------- saving
@pytest.mark.parametrize("ids", [[4, 11, 7], ["4", "eleven", "Zürich"]])
def test_a_saved_table_is_the_same_table(tmp_path, ids):
    rows = [{"city": c, "tags": t, "year": y, "age": a, "awards": t[:1], "price": 1.0}
            for c, t, y, a in zip("xyx", [("a", "b"), (), ("c",)], [1.5, None, 2.5], [1, None, 25], strict=True)]
    table = table_of(rows, FIELDS, ids)
    save(table.state(), tmp_path / "table.npz")
    again = FeatureTable.from_state(load(tmp_path / "table.npz"))
    assert again.ids.tolist() == table.ids.tolist() == sorted(ids) and again.ids.dtype == table.ids.dtype
    assert again.fields == table.fields and again.offsets == table.offsets and again.dense_names == table.dense_names
    assert again.vocabulary == table.vocabulary and len(again) == len(table)
    for name in ("onehot", "dense", "multihot", "bags"):
        one, other = getattr(table, name), getattr(again, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    asked = [*ids, 11, "4", None]
    assert again.codes(asked).tolist() == table.codes(asked).tolist()
    assert again.codes(ids).min() > 0
