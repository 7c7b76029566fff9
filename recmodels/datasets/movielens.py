"""MovieLens: star ratings of films, with the sex, age and occupation of who rated and the genres of what was rated.

Harper & Konstan 2015, "The MovieLens Datasets: History and Context", ACM TiiS 5(4). Two forms of the same three files:

    1M      ratings.dat  UserID::MovieID::Rating::Timestamp    users.dat  UserID::Gender::Age::Occupation::Zip
            movies.dat   MovieID::Title::Genre|Genre|...
    100K    u.data       user, item, rating, time by tabs      u.user     user|age|gender|occupation|zip
            u.item       item|title|date|video date|URL|19 flags, one a genre
"""

import csv
import io
import pathlib
import re

import numpy as np

from .interactions import Interactions

AGE_GROUPS = {1: "under 18", 18: "18-24", 25: "25-34", 35: "35-44", 45: "45-49", 50: "50-55", 56: "56 or more"}
GENRES = ("Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
          "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western")
OCCUPATIONS = ("other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
               "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
               "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
               "unemployed", "writer")

_AGES = "|".join(map(str, AGE_GROUPS))


class _File:
    """One of the three files: its name, the pattern of a line, and that pattern in words."""

    def __init__(self, name, pattern, want, separator=None):
        self.name, self.pattern, self.want, self.separator = name, pattern, want, separator


_FILES = {
    "1m": {
        "ratings": _File("ratings.dat", r"\d+::\d+::[1-5]::\d+",
                         "UserID::MovieID::Rating::Timestamp, whole numbers, the rating 1 to 5", "::"),
        "users": _File("users.dat",
                       rf"(?P<id>\d+)::(?P<gender>[MF])::(?P<age>{_AGES})::(?P<occupation>1?\d|20)::(?P<zip>[^:]+)",
                       "UserID::Gender::Age::Occupation::Zip, the gender M or F, the age one of "
                       f"{', '.join(map(str, AGE_GROUPS))}, the occupation 0 to 20"),
        "items": _File("movies.dat", r"(?P<id>\d+)::(?P<title>(?:(?!::).)+)::(?P<genres>[^:|]+(?:\|[^:|]+)*)",
                       "MovieID::Title::Genre|Genre|..., at least one genre"),
    },
    "100k": {
        "ratings": _File("u.data", r"\d+\t\d+\t[1-5]\t\d+",
                         "user, item, rating, time with tabs between them, whole numbers, the rating 1 to 5", "\t"),
        "users": _File("u.user", r"(?P<id>\d+)\|(?P<age>\d{1,3})\|(?P<gender>[MF])\|(?P<occupation>[^|]+)\|(?P<zip>[^|]+)",
                       "user|age|gender|occupation|zip, the age in years, the gender M or F"),
        "items": _File("u.item", r"(?P<id>\d+)\|(?P<title>[^|]+)\|[^|]*\|[^|]*\|[^|]*\|(?P<genres>[01](?:\|[01]){18})",
                       "item|title|date|video date|URL and 19 flags, 0 or 1, with | between them"),
    },
}


def load_movielens(path=None, version="1m"):
    """The ratings, users and films of MovieLens as Interactions.

    path: the folder with the three files; None looks in the data folder, and downloads MovieLens 1M if it is not there.
    Columns of `items`: title, year (missing in a few titles of 100K), genres (a tuple). Of `users`: gender (M, F), age
    (the first year of its group, as 1M has it), occupation (1M: its number in `OCCUPATIONS`; 100K: its name), zip, and
    age_in_years for 100K.
    """
    if version not in _FILES:
        raise ValueError(f"load_movielens: got version={version!r}, want '1m' or '100k'")
    if path is None:
        from .download import find_or_download_movielens

        path = find_or_download_movielens(version)
    folder, files = pathlib.Path(path), _FILES[version]
    absent = [file.name for file in files.values() if not (folder / file.name).is_file()]
    if absent:
        raise FileNotFoundError(f"load_movielens: no {', '.join(absent)} in {folder}, want the folder with the files of "
                                f"MovieLens {version} ({', '.join(file.name for file in files.values())})")
    users, items = _users(folder, files["users"]), _items(folder, files["items"])
    frame = _ratings(folder, files["ratings"], users, items)
    return Interactions(frame, users, items, name=f"ml-{version}", rating_range=(1, 5))


def _ratings(folder, file, users, items):
    """The ratings, read at the speed of pandas' C parser; the lines are looked at one by one only if something is wrong."""
    import pandas

    path, separator = folder / file.name, file.separator.encode()
    raw = path.read_bytes()
    if not raw:
        raise ValueError(f"{path}: the file is empty, want lines of {file.want}")
    if raw.translate(None, b"0123456789\r\n" + separator):  # pandas would take 3.0, 1e3, +3 and " 3" for whole numbers
        raise _malformed(path, raw, file)
    lines = raw.count(b"\n") + (not raw.endswith(b"\n"))
    try:
        frame = pandas.read_csv(io.BytesIO(raw.replace(separator, b"\t")), sep="\t", header=None, dtype=np.int64,
                                names=["user", "item", "rating", "timestamp"], usecols=range(4),
                                skip_blank_lines=False, quoting=csv.QUOTE_NONE)
    except (ValueError, OverflowError):  # pandas' ParserError is a ValueError
        raise _malformed(path, raw, file) from None
    # a line with a field too few does not parse; so if there are 4 fields a line on average, every line has 4
    if not (len(frame) == lines and raw.count(separator) == 3 * lines and frame["rating"].between(1, 5).all()):
        raise _malformed(path, raw, file)
    for column, table, others in (("user", users, "users"), ("item", items, "films")):
        known = frame[column].isin(table.index).to_numpy()
        if not known.all():
            row = int(np.argmin(known))
            raise ValueError(f"{path}, line {row + 1}: got {_line(raw, row)!r}, but {column} {frame[column][row]} is "
                             f"none of the {len(table):,} {others} of its folder: are the files whole and of one version?")
    return frame


def _lines(raw):
    """The lines of a file as bytes (latin-1 has characters that str.splitlines would take for line ends)."""
    return [line.removesuffix(b"\r") for line in raw.removesuffix(b"\n").split(b"\n")]


def _line(raw, row):
    return _lines(raw)[row].decode("latin-1")


def _malformed(path, raw, file):
    """The error that names the first line that is not as it should be."""
    good = re.compile(file.pattern.encode())
    for number, line in enumerate(_lines(raw), start=1):
        if not good.fullmatch(line) or max(int(x) for x in re.findall(rb"\d+", line)) >= 2**63:
            return ValueError(f"{path}, line {number}: got {line.decode('latin-1')!r}, want {file.want}")
    return ValueError(f"{path}: some line is not of the form {file.want}")


def _table(path, file):
    """{group: list} of the pattern's named groups over all lines; each id once."""
    good = re.compile(file.pattern, re.ASCII)
    rows, first = [], {}
    for number, line in enumerate(_lines(path.read_bytes()), start=1):
        line = line.decode("latin-1")
        match = good.fullmatch(line)
        if not match:
            raise ValueError(f"{path}, line {number}: got {line!r}, want {file.want}")
        row = match.groupdict() | {"id": int(match["id"])}
        if row["id"] in first:
            raise ValueError(f"{path}, line {number}: got {line!r}, but line {first[row['id']]} has the same id")
        first[row["id"]] = number
        rows.append(row)
    return {name: [row[name] for row in rows] for name in rows[0]}


def _users(folder, file):
    import pandas

    table = _table(folder / file.name, file)
    years = np.array([int(age) for age in table["age"]])
    groups = np.array(list(AGE_GROUPS))
    age = groups[np.maximum(np.searchsorted(groups, years, side="right") - 1, 0)]
    columns = {"gender": table["gender"], "age": age, "occupation": table["occupation"], "zip": table["zip"]}
    if file.name == "u.user":
        columns["age_in_years"] = years
    else:
        columns["occupation"] = [int(code) for code in table["occupation"]]
    return pandas.DataFrame(columns, index=pandas.Index(table["id"], name="user"))


def _items(folder, file):
    import pandas

    table = _table(folder / file.name, file)
    genres = [_flagged(g) if file.name == "u.item" else tuple(g.split("|")) for g in table["genres"]]
    return pandas.DataFrame({"title": table["title"], "year": [_year(title) for title in table["title"]], "genres": genres},
                            index=pandas.Index(table["id"], name="item"))


def _flagged(flags):
    """The genres of u.item's 19 flags; the first of them says "unknown", which is no genre."""
    return tuple(genre for genre, flag in zip(GENRES, flags.split("|")[1:], strict=True) if flag == "1")


def _year(title):
    """The last year in brackets, nan where there is none: "Land Before Time III (1995) (V)" is of 1995."""
    found = re.findall(r"\((\d{4})\)", title)
    return int(found[-1]) if found else np.nan
