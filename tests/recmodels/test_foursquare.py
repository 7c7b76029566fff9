"""Foursquare's files, made ones of each city and form and the real one: every field, every fault, every choice counted."""

import datetime

import numpy as np
import pandas as pd
import pytest

from recmodels import load_foursquare, time_split
from recmodels.datasets.checkins import hour_of_week

A, B, C = "4f5684de771657f331e5ca01", "4a06f10df964a5200c731fe3", "4e63bfa345ddda352a235a77"
BAR, CAFE = "4bf58dd8d48988d103941735", "4bf58dd8d48988d16d941735"
HEADER = "userId,venueId,venueCategoryId,venueCategory,latitude,longitude,timezoneOffset,utcTimestamp"
NYC = [f"470\t{A}\t{BAR}\tArts & Crafts Store\t40.71981\t-74.002581\t-240\tTue Apr 03 18:00:09 +0000 2012",
       f"5\t{B}\t{CAFE}\tCaf\xe9\t40.6\t-74\t-240\tSat Nov 03 03:59:59 +0000 2012",
       f"470\t{A}\t{BAR}\tArts & Crafts Store\t40.71981\t-74.002581\t-300\tSun Feb 10 03:00:00 +0000 2013"]
TKY = [f"1541\t{C}\t{BAR}\tRamen /  Noodle House\t35.7051\t139.7196\t540\tTue Apr 03 18:17:18 +0000 2012",
       f"868\t{B}\t{CAFE}\tConvenience Store\t35.7\t139.5\t540\tTue Apr 03 18:22:04 +0000 2012"]


def _write(folder, lines=NYC, name="dataset_TSMC2014_NYC.txt", end="\n", encoding="latin-1"):
    (folder / name).write_bytes(end.join([*lines, ""]).encode(encoding))
    return folder


def _seconds(text):
    return int(datetime.datetime.fromisoformat(text + "+00:00").timestamp())


def _csv(lines):
    return [HEADER, *(line.replace("\t", ",") for line in lines)]


def _changed(line, field, value):
    fields = line.split("\t")
    fields[field] = value
    return "\t".join(fields)


# ---------------------------------------------------------------- good files
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("form", ["txt", "csv"])
def test_new_york_reads_every_field(tmp_path, form, end, encoding):
    lines = NYC if form == "txt" else _csv(NYC)
    data = load_foursquare(_write(tmp_path, lines, f"dataset_TSMC2014_NYC.{form}", end, encoding))
    utc = ["2012-04-03 18:00:09", "2012-11-03 03:59:59", "2013-02-10 03:00:00"]
    local = ["2012-04-03 14:00:09", "2012-11-02 23:59:59", "2013-02-09 22:00:00"]
    assert data.frame.to_dict("list") == {"user": [470, 5, 470], "item": [A, B, A], "timestamp": list(map(_seconds, utc)),
                                          "local": list(map(_seconds, local))}
    assert data.frame[["user", "timestamp", "local"]].dtypes.tolist() == [np.int64] * 3
    assert data.items.to_dict("index") == {
        A: {"category": BAR, "category_name": "Arts & Crafts Store", "latitude": 40.71981, "longitude": -74.002581},
        B: {"category": CAFE, "category_name": "Caf\xe9", "latitude": 40.6, "longitude": -74.0}}
    assert data.items.index.tolist() == sorted([A, B]) and data.users.index.tolist() == [5, 470]
    assert data.name == "foursquare-nyc" and not data.synthetic
    assert data.notes == (f"dataset_TSMC2014_NYC.{form} has 3 of the publisher's 227,428 lines",)
    assert hour_of_week(data.frame["local"]).tolist() == [24 + 14, 4 * 24 + 23, 5 * 24 + 22]


@pytest.mark.parametrize("form", ["txt", "csv"])
def test_tokyo_reads_every_field(tmp_path, form):
    """Made rows of Tokyo's form; its real file was not at hand."""
    data = load_foursquare(_write(tmp_path, TKY if form == "txt" else _csv(TKY), f"dataset_TSMC2014_TKY.{form}"), city="tky")
    assert data.frame["user"].tolist() == [1541, 868] and data.name == "foursquare-tky"
    assert data.frame["local"].tolist() == [_seconds("2012-04-04 03:17:18"), _seconds("2012-04-04 03:22:04")]
    assert data.items.loc[C].tolist() == [BAR, "Ramen /  Noodle House", 35.7051, 139.7196]
    assert "2 of the publisher's 573,703 lines" in data.notes[0]


def test_quoted_fields_of_a_csv_may_hold_commas_and_quotes(tmp_path):
    line = f'1,{A},{BAR},"Food, Drink ""& more""",40.5,-74.1,-240,"Tue Apr 03 18:00:09 +0000 2012"'
    data = load_foursquare(_write(tmp_path, [HEADER, line], "dataset_TSMC2014_NYC.csv"))
    assert data.items["category_name"][A] == 'Food, Drink "& more"'


def test_quotes_of_the_tab_form_and_windows_letters_are_text(tmp_path):
    lines = [_changed(NYC[0], 3, '"Joe\x92s'), _changed(NYC[1], 3, "NA")]
    assert sorted(load_foursquare(_write(tmp_path, lines)).items["category_name"]) == ['"Joe\u2019s', "NA"]


def test_a_last_line_without_its_end_is_a_line_and_a_file_is_a_path(tmp_path):
    path = _write(tmp_path) / "dataset_TSMC2014_NYC.txt"
    path.write_bytes(path.read_bytes()[:-1])
    assert len(load_foursquare(path)) == 3


def test_exact_duplicates_are_dropped_and_counted_and_ties_keep_their_order(tmp_path):
    other = _changed(NYC[1], 0, "9")
    data = load_foursquare(_write(tmp_path, [NYC[2], other, NYC[1], NYC[0], NYC[1], NYC[1], NYC[2]]))
    assert data.frame["user"].tolist() == [470, 9, 5, 470] and data.frame["timestamp"].is_monotonic_increasing
    assert "3 exact duplicates dropped" in data.notes
    order = np.random.default_rng(0).permutation(100).tolist()
    data = load_foursquare(_write(tmp_path, [NYC[2], *(_changed(NYC[1], 0, str(user)) for user in order)]))
    assert data.frame["user"].tolist() == [*order, 470]


def test_a_venue_that_disagrees_with_itself_gets_what_most_lines_say(tmp_path):
    def at(minute, *changes):
        line = _changed(NYC[0], 7, f"Tue Apr 03 18:{minute:02d}:00 +0000 2012")
        for field, value in changes:
            line = _changed(line, field, value)
        return line
    lines = [at(0, (4, "40.9")), at(1), at(2), at(3, (2, CAFE), (3, "Cafe")), at(4, (2, CAFE), (3, "Cafe")),
             at(5, (2, CAFE), (3, "Cafe"), (4, "40.9")),
             at(6, (1, B), (5, "-73")), at(7, (1, B), (5, "-72"))]  # a tie: the first seen
    data = load_foursquare(_write(tmp_path, [*lines, lines[1], lines[1]]))  # duplicates have no vote
    assert data.items.loc[A].tolist() == [BAR, "Arts & Crafts Store", 40.71981, -74.002581]
    assert data.items.loc[B, "longitude"] == -73
    assert data.notes[2:] == ("1 venues with several categories have the most frequent one",
                              "2 venues with several coordinates have the most frequent ones")


def test_an_empty_category_id_is_missing_and_counted(tmp_path):
    data = load_foursquare(_write(tmp_path, [_changed(NYC[0], 2, ""), NYC[1], _changed(NYC[2], 2, "")]))
    assert data.items["category"].isna().to_dict() == {A: True, B: False}
    assert data.items["category_name"][A] == "Arts & Crafts Store"
    assert data.notes[-1] == "1 venues (2 check-ins) have no category id, only a category name"


def test_a_filter_that_was_built_in_and_one_that_is_asked_for_are_said(tmp_path):
    twice = [*NYC, _changed(NYC[1], 0, "470")]
    data = load_foursquare(_write(tmp_path, twice), k_core=2)
    assert "cut to venues with at least 2 lines, counted over the whole period" in data.notes[0]
    assert data.frame["user"].tolist() == [470, 470] and data.items.index.tolist() == [A] and "2-core: 2" in data.notes[-1]


# ---------------------------------------------------------------- bad files
@pytest.mark.parametrize("field, bad", [
    (0, ""), (0, "x"), (0, "-1"), (0, "1.0"), (0, " 1"), (0, "1" * 19), (0, "\u0661"), (1, ""), (1, A[:-1]), (1, A.upper()),
    (1, A + " "), (2, BAR + "0"), (2, " "), (2, "nan"), (3, ""), (3, " "), (3, "Bar "), (3, "B\x00r"), (3, "B\x8dr"),
    (4, ""), (4, "nan"), (4, "91"), (4, "-90.1"), (4, "1e1"), (4, "+40.7"), (4, "40,7"), (4, "40."), (5, "181"), (5, "inf"),
    (5, "-180.5"), (6, "-841"), (6, "841"), (6, "-240.0"), (6, ""), (7, ""), (7, "Tue Apr 03 18:00:09 2012"),
    (7, "Wed Apr 03 18:00:09 +0000 2012"), (7, "Tue Apr 31 18:00:09 +0000 2012"), (7, "Tue Apr 03 24:00:09 +0000 2012"),
    (7, "Tue Apr 03 18:00:09 +0100 2012"), (7, "2012-04-03 18:00:09"), (7, "Tue Apr 3 18:00:09 +0000 2012"),
    (7, "Tue Xxx 03 18:00:09 +0000 2012"), (7, "Tue Apr 03 18:00:09 +0000 2012\tx"), (7, "Tue Apr 03 18:00:09 +0000 2012\t"),
    (7, "Tue Apr 03 18:00:09 +0000 2012\rx"), (7, "Tue Apr 03 18:00:09 +0000 2012 "),
])
@pytest.mark.parametrize("place", [0, 3])
def test_a_malformed_line_is_named(tmp_path, field, bad, place):
    lines = [*NYC[:place], _changed(NYC[0], field, bad), *NYC[place:]]
    path = _write(tmp_path, lines, encoding="latin-1" if max(map(ord, bad), default=0) < 256 else "utf-8")
    with pytest.raises(ValueError) as caught:
        load_foursquare(path)
    text = str(caught.value)
    assert f"dataset_TSMC2014_NYC.txt, line {place + 1}: got {lines[place]!r}, want user, venue id" in text
    assert "with tabs between them" in text


@pytest.mark.parametrize("bad", ["", " ", "\t" * 7, "x", NYC[0].replace("\t", ","), NYC[0].rsplit("\t", 1)[0],
                                 NYC[0].split("\t", 1)[1], NYC[0].replace("\t", "\r", 1), HEADER.replace(",", "\t")])
def test_a_line_that_is_none_is_named_wherever_it_is(tmp_path, bad):
    for place in (1, 3):
        with pytest.raises(ValueError, match=f"line {place + 1}: got "):
            load_foursquare(_write(tmp_path, [*NYC[:place], bad, *NYC[place:]]))


def test_too_many_and_too_few_fields_do_not_make_up_for_each_other(tmp_path):
    short, long = NYC[0].rsplit("\t", 1)[0], NYC[1] + "\tx"
    for lines, number in (([short, long], 1), ([long, short], 1), ([NYC[0], long, short], 2), ([NYC[0], short, long], 2)):
        with pytest.raises(ValueError, match=f"line {number}: got"):
            load_foursquare(_write(tmp_path, lines))


@pytest.mark.parametrize("bad", ['1,"' + A, NYC[0], "", _csv(NYC)[1] + ",x", _csv(NYC)[1].replace("Arts", 'Arts,"more'),
                                 _csv(NYC)[1].replace(f",{BAR}", "")])
def test_malformed_lines_of_a_csv_are_named(tmp_path, bad):
    for place in (1, 4):
        lines = _csv(NYC)
        with pytest.raises(ValueError, match=f"NYC.csv, line {place + 1}: got .*with commas between them"):
            load_foursquare(_write(tmp_path, [*lines[:place], bad, *lines[place:]], "dataset_TSMC2014_NYC.csv"))


def test_empty_and_missing_files_and_strange_cities_are_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="city='paris', want 'nyc' or 'tky'"):
        load_foursquare(tmp_path, city="paris")
    with pytest.raises(FileNotFoundError, match="no dataset_TSMC2014_TKY.txt or dataset_TSMC2014_TKY.csv in .*Download "):
        load_foursquare(_write(tmp_path), city="tky")
    with pytest.raises(ValueError, match="for city='tky', want city='nyc'"):
        load_foursquare(tmp_path / "dataset_TSMC2014_NYC.txt", city="tky")
    for lines in ([], ["", ""]):
        with pytest.raises(ValueError, match="the file is empty"):
            load_foursquare(_write(tmp_path, lines))
    with pytest.raises(ValueError, match="no check-ins"):
        load_foursquare(_write(tmp_path, [HEADER]))
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="tsmc2014"):
        load_foursquare()
    cache = tmp_path / ".cache" / "tinydl" / "tsmc2014"
    cache.mkdir(parents=True)
    _write(cache, NYC[:1])
    assert len(load_foursquare()) == 1
    (tmp_path / "tsmc2014").mkdir()
    _write(tmp_path / "tsmc2014", NYC)
    assert len(load_foursquare()) == 3


# ---------------------------------------------------------------- the real file
def test_the_real_file(foursquare):
    assert (len(foursquare), len(foursquare.users), len(foursquare.items)) == (147_122, 1083, 5108)
    assert foursquare.notes == (
        "dataset_TSMC2014_NYC.txt has 147,580 of the publisher's 227,428 lines; it was cut to venues with at least 10 "
        "lines, counted over the whole period, so its choice of catalogue knows the future", "458 exact duplicates dropped",
        "57 venues (1,405 check-ins) have no category id, only a category name")
    assert foursquare.frame["timestamp"].iloc[[0, -1]].tolist() == [_seconds("2012-04-03 18:00:00"),
                                                                    _seconds("2013-02-16 02:34:00")]
    assert set(foursquare.frame["local"] - foursquare.frame["timestamp"]) == {-4 * 3600, -5 * 3600}
    assert "Caf\xe9" in set(foursquare.items["category_name"]) and foursquare.items["category_name"].nunique() == 203
    assert foursquare.items["latitude"].between(40.5, 41).all() and foursquare.items["longitude"].between(-74.3, -73.6).all()
    assert "75.5 % of them revisits" in repr(foursquare)


def test_the_real_file_line_by_line(foursquare, real_data):
    """The file read without pandas, by its own definition."""
    want = {}
    for line in (real_data("tsmc2014") / "dataset_TSMC2014_NYC.txt").read_text("latin-1").splitlines()[:20_000]:
        user, item, _, _, _, _, offset, utc = line.split("\t")
        when = int(datetime.datetime.strptime(utc, "%a %b %d %H:%M:%S %z %Y").timestamp())
        want[line] = (int(user), item, when, when + 60 * int(offset))
    assert list(foursquare.frame[:len(want)].itertuples(index=False, name=None)) == list(want.values())


def test_the_time_split_of_the_real_file(foursquare):
    """13,918 test events of known users and venues, 75.7 % of them revisits; 82.5 % when every earlier check-in counts."""
    split = time_split(foursquare)
    assert [len(part) for part in (split.train, split.valid, split.test)] == [117_697, 14_712, 14_713]
    train, test = split.train.frame, split.test.frame
    known = test[test["user"].isin(train["user"]) & test["item"].isin(train["item"])]
    assert len(known) == 13_918 and known["user"].nunique() == 791
    pairs = pd.MultiIndex.from_frame(known[["user", "item"]])
    assert pairs.isin(pd.MultiIndex.from_frame(train[["user", "item"]])).mean() == pytest.approx(0.757, abs=5e-4)
    first = foursquare.frame.groupby(["user", "item"])["timestamp"].min()
    assert (first[pairs].to_numpy() < known["timestamp"].to_numpy()).mean() == pytest.approx(0.825, abs=5e-4)
