"""Foursquare: ten months of check-ins in New York and Tokyo, each a user, a venue with its category and place, and a time.

Yang, Zhang, Zheng & Yu 2015, "Modeling User Activity Preference by Leveraging User Spatial Temporal Characteristics in
LBSNs", IEEE Trans. SMC: Systems 45(1). One file a city, in one of two forms:

    dataset_TSMC2014_NYC.txt   user, venue, category id, category, latitude, longitude, offset in minutes, UTC time; by tabs
    dataset_TSMC2014_NYC.csv   the same eight with commas, below a header (as it stands on Kaggle)

Text is UTF-8 where it can be, else Windows' form of latin-1 (the original has "Caf\\xe9").
"""

import csv
import datetime
import io
import pathlib
import re

import numpy as np

from .checkins import CheckIns

_CITIES = {"nyc": ("NYC", 227_428), "tky": ("TKY", 573_703)}  # name in the file, lines of the publisher's file
_HEADER = "userId,venueId,venueCategoryId,venueCategory,latitude,longitude,timezoneOffset,utcTimestamp".split(",")
_DAYS, _TIME = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), "%a %b %d %H:%M:%S +0000 %Y"
_FIELDS = {  # what each field must look like
    "user": r"\d{1,18}", "item": r"[0-9a-f]{24}", "category": r"(?:[0-9a-f]{24})?",
    "category_name": r"[^\x00-\x20\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?",
    "latitude": r"-?\d{1,2}(?:\.\d+)?", "longitude": r"-?\d{1,3}(?:\.\d+)?", "offset": r"-?\d{1,3}",
    "utc": r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \+0000 \d{4}",
}
_PATTERNS = {name: re.compile(pattern, re.ASCII) for name, pattern in _FIELDS.items()}
_LIMITS = {"latitude": 90, "longitude": 180, "offset": 14 * 60}
_WANT = ("user, venue id (24 hexadecimal digits), category id (the same, or nothing), category name, latitude, longitude, "
         "offset in minutes (-840 to 840), and a UTC time such as 'Tue Apr 03 18:00:09 +0000 2012' whose day of the week "
         "is that date's")


def load_foursquare(path=None, city="nyc", k_core=None):
    """The check-ins of New York ("nyc") or Tokyo ("tky") as CheckIns, in the order of time (of equal ones, of the file).

    path: the file, or the folder it is in; None looks for tsmc2014/ in the data folder. local = UTC + 60 offset. Exact
    duplicates, all eight fields equal, are dropped. A venue whose lines disagree gets the category, and the place, that
    most of them have; an empty category id is missing. k_core: see `CheckIns.core`. The notes of what is returned say
    what was done, and how often.
    """
    if city not in _CITIES:
        raise ValueError(f"load_foursquare: got city={city!r}, want 'nyc' or 'tky'")
    path = _find(path, city)
    lines = _read(path)
    label, whole = _CITIES[city]
    notes, visits = [], lines["item"].value_counts()
    if len(lines) != whole:
        cut = (f"; it was cut to venues with at least {visits.min()} lines, counted over the whole period, so its choice "
               "of catalogue knows the future") if visits.min() > 1 else ""
        notes.append(f"{path.name} has {len(lines):,} of the publisher's {whole:,} lines{cut}")
    again = lines.duplicated().to_numpy()
    if again.any():
        notes.append(f"{again.sum():,} exact duplicates dropped")
    lines = lines[~again].sort_values("timestamp", kind="stable")
    items, more = _venues(lines)
    data = CheckIns(lines, items, name=f"foursquare-{city}", notes=notes + more)
    return data if k_core is None else data.core(k_core)


def _find(path, city):
    """The city's file: `path`, or the one in the folder `path`, or in the data folder or the cache."""
    from .download import _cache, data_folder

    names = [f"dataset_TSMC2014_{_CITIES[city][0]}.{end}" for end in ("txt", "csv")]
    if path is not None and pathlib.Path(path).is_file():
        other = next(label for key, (label, _) in _CITIES.items() if key != city)
        if other in pathlib.Path(path).name:
            raise ValueError(f"load_foursquare: got the file {path} for city={city!r}, want city={other.lower()!r} for it")
        return pathlib.Path(path)
    folders = [data_folder() / "tsmc2014", _cache() / "tsmc2014"] if path is None else [pathlib.Path(path)]
    for file in (folder / name for folder in folders for name in names):
        if file.is_file():
            return file
    raise FileNotFoundError(f"load_foursquare: no {' or '.join(names)} in {' or '.join(map(str, folders))}. Download "
                            "dataset_tsmc2014.zip from https://sites.google.com/site/yangdingqi/home/foursquare-dataset and "
                            f"unpack its files to {folders[0]}, or pass path=")


def _read(path):
    """All lines as a DataFrame. Each different text of a column is checked once; lines are looked at only on failure."""
    import pandas

    text = _decode(path.read_bytes()).replace("\r\n", "\n")
    if not text.strip():
        raise ValueError(f"{path}: the file is empty, want lines of {_WANT}")
    first = text.split("\n", 1)[0]
    separator = "," if first.split(",") == _HEADER else "\t"
    skipped = int(first.split(separator) == _HEADER)
    count = text.count("\n") + (not text.endswith("\n"))
    outside = text if separator == "\t" else re.sub(r'"[^"\n]*"', "", text)  # the separators that separate
    try:
        if "\0" in text:  # where some versions of pandas end the field
            raise ValueError
        frame = pandas.read_csv(io.StringIO(text), sep=separator, header=None, names=list(_FIELDS), usecols=range(8),
                                dtype=str, skiprows=skipped, keep_default_na=False, lineterminator="\n",
                                quoting=csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL)
        # a line with a field too few has no time; so if there are 8 fields a line on average, every line has 8
        if not len(frame) == count - skipped > 0 or outside.count(separator) != 7 * count or frame.isna().any(axis=None):
            raise ValueError
        for name in _FIELDS:
            codes, texts = pandas.factorize(frame[name])
            frame[name] = pandas.Series(_values(name, texts.tolist())).take(codes).set_axis(frame.index)
    except (ValueError, OverflowError):  # pandas' ParserError is a ValueError
        raise _malformed(path, text, separator, skipped) from None
    frame["timestamp"], frame["local"] = frame["utc"], frame["utc"] + 60 * frame["offset"]
    return frame.drop(columns="utc")


def _decode(raw):
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            pass
    return raw.decode("latin-1")


def _values(name, texts):
    """The values that the different texts of a column stand for; ValueError if one of them is malformed."""
    if not all(map(_PATTERNS[name].fullmatch, texts)):
        raise ValueError
    if name == "utc":
        import pandas

        seconds = pandas.to_datetime(pandas.Series(texts), format=_TIME).to_numpy().astype("datetime64[s]").astype(np.int64)
        if (np.array(_DAYS)[(seconds // 86400 + 3) % 7] != [text[:3] for text in texts]).any():
            raise ValueError
        return seconds
    if name in ("user", "offset", "latitude", "longitude"):
        values = np.array(texts, np.int64 if name in ("user", "offset") else np.float64)
        if name in _LIMITS and (np.abs(values) > _LIMITS[name]).any():
            raise ValueError
        return values
    return texts


def _malformed(path, text, separator, skipped):
    """The error that names the first line that is not as it should be."""
    between = f"with {'commas' if separator == ',' else 'tabs'} between them (commas below the header {_HEADER[0]},...)"
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        if number > skipped and not _good(line, separator):
            return ValueError(f"{path}, line {number}: got {line!r}, want {_WANT}; {between}")
    return ValueError(f"{path}: no check-ins, or some line is not of the form {_WANT}; {between}")


def _good(line, separator):
    try:
        fields = line.split("\t") if separator == "\t" else next(csv.reader([line], strict=True), [])
        if len(fields) != 8 or not all(p.fullmatch(x) for p, x in zip(_PATTERNS.values(), fields, strict=True)):
            return False
        when = datetime.datetime.strptime(fields[7], _TIME)
    except (csv.Error, ValueError):
        return False
    return _DAYS[when.weekday()] == fields[7][:3] and all(abs(float(x)) <= limit for x, limit in
                                                         zip(fields[4:7], _LIMITS.values(), strict=True))


def _venues(lines):
    """The table of venues, with the category and the place that most of a venue's lines have, and notes on it."""
    notes = []
    category, several = _most_frequent(lines, ["category", "category_name"])
    if several:
        notes.append(f"{several:,} venues with several categories have the most frequent one")
    place, several = _most_frequent(lines, ["latitude", "longitude"])
    if several:
        notes.append(f"{several:,} venues with several coordinates have the most frequent ones")
    items = category.join(place)
    empty = items["category"] == ""
    if empty.any():
        items["category"] = items["category"].mask(empty)
        notes.append(f"{empty.sum():,} venues ({lines['item'].isin(items.index[empty]).sum():,} check-ins) have no category "
                     "id, only a category name")
    return items, notes


def _most_frequent(lines, columns):
    """Per venue, sorted by id, the most frequent of its values (of equals, the first seen); and how many have several."""
    count = lines.groupby(["item", *columns], sort=False).size().reset_index(name="n")  # in the order of first appearance
    count = count.sort_values("n", ascending=False, kind="stable")
    again = count["item"].duplicated()
    return count[~again].set_index("item")[columns].sort_index(), count["item"][again].nunique()
