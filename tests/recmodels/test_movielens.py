"""MovieLens in both forms, from made files and from the real ones; and Interactions, which the loader returns."""

import numpy as np
import pandas as pd
import pytest

from recmodels.datasets import Interactions, load_movielens

RATINGS = ["1::10::5::978300760", "1::20::3::978302109", "2::10::1::978301968", "3::30::4::978300275"]
USERS = ["1::F::1::10::48067", "2::M::56::16::70072", "3::M::25::0::55117-1234"]
MOVIES = ["10::Toy Story (1995)::Animation|Children's|Comedy", "20::Am\xe9lie: 2\x85 Days (2001) (1999)::Film-Noir",
          "30::2010 (1984)::Sci-Fi", "40::Unrated (1990)::Drama"]


def _write(folder, ratings=RATINGS, users=USERS, movies=MOVIES, end="\n"):
    for name, lines in (("ratings.dat", ratings), ("users.dat", users), ("movies.dat", movies)):
        (folder / name).write_bytes(end.join([*lines, ""]).encode("latin-1"))
    return folder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_1m_reads_every_field(tmp_path, end):
    data = load_movielens(_write(tmp_path, end=end))
    assert data.frame.to_dict("list") == {"user": [1, 1, 2, 3], "item": [10, 20, 10, 30], "rating": [5.0, 3.0, 1.0, 4.0],
                                          "timestamp": [978300760, 978302109, 978301968, 978300275]}
    assert data.users.to_dict("index") == {
        1: {"gender": "F", "age": 1, "occupation": 10, "zip": "48067"}, 2: {"gender": "M", "age": 56, "occupation": 16,
        "zip": "70072"}, 3: {"gender": "M", "age": 25, "occupation": 0, "zip": "55117-1234"}}
    assert data.items["title"][20] == "Am\xe9lie: 2\x85 Days (2001) (1999)"
    assert data.items["year"].tolist() == [1995, 1999, 1984, 1990] and data.items["year"].dtype == np.int64
    assert data.items["genres"][10] == ("Animation", "Children's", "Comedy")
    assert data.rating_range == (1, 5) and data.name == "ml-1m" and not data.synthetic
    assert (data.users.index.name, data.items.index.name) == ("user", "item")


def test_a_last_line_without_its_end_is_a_line(tmp_path):
    _write(tmp_path)
    for name in ("ratings.dat", "users.dat", "movies.dat"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
    data = load_movielens(tmp_path)
    assert (len(data), len(data.users), len(data.items)) == (4, 3, 4)


@pytest.mark.parametrize("bad", [
    "1::20::3", "1::20::3::1::1", "1::20::3::1::", "", " ", "1::20::3::", "1::20::x::1", "1::20::3.0::1", "1::20::3.5::1",
    "1::20::0::1", "1::20::6::1", "1::20::-3::1", "-1::20::3::1", "1::20::3::-1", "1:20::3::1", "1::20:::3::1",
    "1::20::3::99999999999999999999", "NA::20::3::1", '"1"::20::3::1', "1::20::3::1\r1::20::3::1", "1::2\x000::3::1",
    "1::20::3::1e3", "1::0x14::3::1", "1::20::3::1_0", "1\t20\t3\t1", "1:: 20::3::1", "True::20::3::1",
    "+1::20::3::1", "userId::movieId::rating::timestamp",
])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_malformed_rating_is_named_with_its_line(tmp_path, bad, place):
    """Wherever it stands, and whatever a lenient parser would make of it."""
    lines = RATINGS[:place] + [bad] + RATINGS[place:]
    _write(tmp_path, ratings=lines)
    with pytest.raises(ValueError) as caught:
        load_movielens(tmp_path)
    text = str(caught.value)
    assert f"ratings.dat, line {place + 1}: got {bad!r}" in text and "UserID::MovieID::Rating::Timestamp" in text
    assert "1 to 5" in text


def test_too_many_and_too_few_fields_do_not_make_up_for_each_other(tmp_path):
    with pytest.raises(ValueError, match="line 2: got '1::20::3::1::7'"):
        load_movielens(_write(tmp_path, ratings=[RATINGS[0], "1::20::3::1::7", "2::10::1"]))
    with pytest.raises(ValueError, match="line 1: got '1::20::3'"):
        load_movielens(_write(tmp_path, ratings=["1::20::3", "1::20::3::1::7"]))
    with pytest.raises(ValueError, match="line 1: got '1::20::3::1..?r2::20::3::1'"):
        load_movielens(_write(tmp_path, ratings=["1::20::3::1\r2::20::3::1", ""]))
    with pytest.raises(ValueError, match="line 2: got ''"):
        load_movielens(_write(tmp_path, ratings=[RATINGS[0], "", "1::20::3::1::7::8::9"]))


@pytest.mark.parametrize(("bad", "message"), [
    ("9::20::3::1", "line 5: got '9::20::3::1', but user 9 is none of the 3 users"),
    ("1::99::3::1", "line 5: got '1::99::3::1', but item 99 is none of the 4 films"),
])
def test_an_id_without_a_row_in_its_table_is_named(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        load_movielens(_write(tmp_path, ratings=[*RATINGS, bad]))


@pytest.mark.parametrize(("table", "bad", "message"), [
    ("users", "4::X::25::0::1", "users.dat, line 4: got '4::X::25::0::1', want UserID::Gender::Age::Occupation::Zip"),
    ("users", "4::M::26::0::1", "line 4: .*age one of 1, 18, 25, 35, 45, 50, 56"),
    ("users", "4::M::25::21::1", "line 4: .*occupation 0 to 20"),
    ("users", "4::M::25::0", "line 4"),
    ("users", "2::M::25::0::1", "line 4: .*but line 2 has the same id"),
    ("movies", "50::No Genre (1990)::", "movies.dat, line 5: got .*MovieID::Title::Genre"),
    ("movies", "50::Comedy", "line 5"),
    ("movies", "50::A::B::Comedy", "line 5"),
    ("movies", "x::A (1990)::Comedy", "line 5"),
    ("movies", "", "line 5: got ''"),
])
def test_a_malformed_table_is_named_with_its_line(tmp_path, table, bad, message):
    with pytest.raises(ValueError, match=message):
        load_movielens(_write(tmp_path, **{table: {"users": USERS, "movies": MOVIES}[table] + [bad]}))


def test_missing_and_empty_files_and_strange_versions_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no ratings.dat, users.dat, movies.dat in "):
        load_movielens(tmp_path)
    with pytest.raises(ValueError, match="version='2m', want '1m' or '100k'"):
        load_movielens(tmp_path, version="2m")
    for name in ("ratings.dat", "users.dat", "movies.dat"):
        _write(tmp_path)
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ValueError, match=name):
            load_movielens(tmp_path)


# ---------------------------------------------------------------- 100K
FLAGS = ["0"] * 19
U_ITEM = ["1|Toy Story (1995)|01-Jan-1995||http://x/?(1995)|" + "|".join(FLAGS[:3] + ["1", "1", "1"] + FLAGS[:13]),
          "2|unknown||||" + "|".join(["1"] + FLAGS[:18]),
          "3|Land Before Time III, The (1995) (V)|01-Jan-1995||u|" + "|".join(FLAGS[:18] + ["1"])]
U_USER = ["1|24|M|technician|85711", "2|7|F|student|T8H1N", "3|73|M|retired|37771", "4|18|F|none|1", "5|55|M|other|2",
          "6|49|M|other|3", "7|34|M|other|4"]
U_DATA = ["1\t1\t3\t881250949", "7\t3\t5\t891717742"]


def _write_100k(folder, data=U_DATA, item=U_ITEM, user=U_USER):
    for name, lines in (("u.data", data), ("u.item", item), ("u.user", user)):
        (folder / name).write_bytes("\n".join([*lines, ""]).encode("latin-1"))
    return folder


def test_100k_reads_every_field_and_bins_the_age_as_1m_does(tmp_path):
    data = load_movielens(_write_100k(tmp_path), version="100k")
    assert data.frame.to_dict("list") == {"user": [1, 7], "item": [1, 3], "rating": [3.0, 5.0],
                                          "timestamp": [881250949, 891717742]}
    assert data.users["age_in_years"].tolist() == [24, 7, 73, 18, 55, 49, 34]
    assert data.users["age"].tolist() == [18, 1, 56, 18, 50, 45, 25]
    assert data.users.loc[2, ["gender", "occupation", "zip"]].tolist() == ["F", "student", "T8H1N"]
    assert data.items["genres"].tolist() == [("Animation", "Children's", "Comedy"), (), ("Western",)]
    assert data.items["year"].fillna(0).tolist() == [1995, 0, 1995]
    assert data.items["title"][2] == "unknown" and data.name == "ml-100k"


@pytest.mark.parametrize(("changes", "message"), [
    ({"data": [U_DATA[0], "1\t1\t3"]}, r"u.data, line 2: got '1\\t1\\t3', want user, item, rating, time"),
    ({"data": [U_DATA[0], "1 1 3 1"]}, "u.data, line 2"),
    ({"data": ["8\t1\t3\t1"]}, "user 8 is none of the 7 users"),
    ({"item": [*U_ITEM, U_ITEM[0][:-2].replace("1|", "4|", 1)]}, "u.item, line 4: .*19 flags"),
    ({"item": [*U_ITEM, U_ITEM[0].replace("1|", "4|", 1) + "|0"]}, "u.item, line 4"),
    ({"user": [*U_USER, "8|x|M|other|1"]}, "u.user, line 8: got '8|x|M|other|1', want user|age|gender|occupation|zip"),
])
def test_100k_names_malformed_lines(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        load_movielens(_write_100k(tmp_path, **changes), version="100k")


# ---------------------------------------------------------------- the real files
@pytest.fixture(scope="session")
def ml1m(real_data):
    return load_movielens(real_data("ml-1m"))


def test_the_real_1m(ml1m):
    assert len(ml1m) == 1_000_209
    assert (len(ml1m.users), len(ml1m.items)) == (6_040, 3_883)
    assert (len(ml1m.users_seen), len(ml1m.items_seen)) == (6_040, 3_706)
    assert round(ml1m.frame["rating"].mean(), 4) == 3.5816
    assert ml1m.frame["rating"].value_counts().sort_index().tolist() == [56174, 107557, 261197, 348971, 226310]
    assert not ml1m.frame.duplicated(["user", "item"]).any()
    assert ml1m.items["title"][73] == "Mis\xe9rables, Les (1995)"
    assert (ml1m.items["year"].min(), ml1m.items["year"].max()) == (1919, 2000)
    assert len({genre for genres in ml1m.items["genres"] for genre in genres}) == 18
    assert ml1m.users["gender"].value_counts().to_dict() == {"M": 4331, "F": 1709}
    assert sorted(ml1m.users["occupation"].unique()) == list(range(21))
    assert repr(ml1m) == ("Interactions 'ml-1m': 1,000,209 ratings from 1 to 5 by 6,040 users of 3,706 items (4.47 % of all "
                          "pairs), with timestamps")


def test_the_real_1m_is_found_without_a_path(ml1m):
    assert load_movielens().frame.equals(ml1m.frame)


# ---------------------------------------------------------------- Interactions
def _frame(**changes):
    return pd.DataFrame({"user": [1, 1, 2], "item": ["a", "b", "a"], "rating": [1, 5, 3], **changes})


def test_interactions_keep_four_columns_and_number_the_rows():
    given = _frame(timestamp=[7, 8, 9], extra=0).set_axis([5, 3, 3])
    data = Interactions(given, name="x", rating_range=(0, 5))
    assert data.frame.columns.tolist() == ["user", "item", "rating", "timestamp"]
    assert data.frame.index.equals(pd.RangeIndex(3)) and data.frame["rating"].dtype == np.float64
    assert given["rating"].dtype == np.int64 and given.index.tolist() == [5, 3, 3]  # what was given is left alone
    assert data.users.index.tolist() == [1, 2] and data.items.index.tolist() == ["a", "b"]
    assert data.rating_range == (0, 5) and Interactions(_frame()).rating_range == (1, 5)


def test_take_shares_the_side_tables():
    data = Interactions(_frame(), users=pd.DataFrame({"sex": ["F", "M", "F"]}, index=[1, 2, 3]), synthetic=True)
    part = data.take(np.array([2, 0]))
    assert part.frame.values.tolist() == [[2, "a", 3.0], [1, "a", 1.0]] and part.frame.index.equals(pd.RangeIndex(2))
    assert part.users is data.users and part.items is data.items and part.synthetic and part.rating_range == (1, 5)
    assert part.items_seen.tolist() == ["a"] and part.users_seen.tolist() == [1, 2]
    assert "SYNTHETIC" in repr(part) and "2 ratings" in repr(part) and "100 % of all pairs" in repr(part)
    assert len(data) == 3
    empty = data.take([])
    assert len(empty) == 0 and "0 ratings" in repr(empty)


@pytest.mark.parametrize(("rows", "error"), [([3], IndexError), ([-1], IndexError), ([0.5], TypeError), ([[0]], TypeError),
                                             ([True, False, True], TypeError)])
def test_take_refuses_what_are_not_rows(rows, error):
    with pytest.raises(error, match="take: got"):
        Interactions(_frame()).take(rows)


@pytest.mark.parametrize(("frame", "more", "error", "message"), [
    (_frame().drop(columns="rating"), {}, ValueError, "rename or add rating"),
    (_frame()[:0], {}, ValueError, "empty"),
    (_frame(rating=[1, np.nan, 2]), {}, ValueError, "rating in row 1 is nan"),
    (_frame(rating=[1, 2, np.inf]), {}, ValueError, "rating in row 2 is inf"),
    (_frame(rating=["1", "2", "3"]), {}, TypeError, "column rating is (str|object)"),
    (_frame(rating=pd.array([1, None, 3], "Int64")), {}, ValueError, "rating has missing"),
    (_frame(user=[1.0, 1.0, 2.0]), {}, TypeError, "column user is float64.*astype"),
    (_frame(user=[True, False, True]), {}, TypeError, "column user is bool"),
    (_frame(user=[1, np.nan, 2]), {}, ValueError, "user has a missing id in row 1"),
    (_frame(item=["a", 1, "b"]), {}, TypeError, "column item is object"),
    (_frame(timestamp=[1.5, 2, 3]), {}, TypeError, "timestamp is float64"),
    (_frame(timestamp=pd.array([1, None, 3], "Int64")), {}, ValueError, "timestamp has missing"),
    (_frame(), {"rating_range": (1, 4)}, ValueError, "from 1 to 5"),
    (_frame(), {"rating_range": (2, 5)}, ValueError, "from 1 to 5"),
    (_frame(), {"users": pd.DataFrame(index=[1, 2, 2])}, ValueError, "users has the id 2 twice"),
    (_frame(), {"users": pd.DataFrame(index=["1", "2"])}, TypeError, "index of users is"),
    (_frame(), {"items": pd.DataFrame(index=[1, 2])}, TypeError, "index of items is int64.*item is"),
])
def test_interactions_name_what_is_wrong(frame, more, error, message):
    with pytest.raises(error, match=message):
        Interactions(frame, **more)


def test_strings_of_old_object_columns_are_ids():
    data = Interactions(_frame(item=pd.Series(["a", "b", "a"], dtype=object)), items=pd.DataFrame(index=["a", "b"]))
    assert data.items_seen.tolist() == ["a", "b"]
