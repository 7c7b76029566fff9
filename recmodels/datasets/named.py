"""Ratings, check-ins, sessions and reviews by name: what `--data` means in the command and in the examples."""

import pathlib
from functools import partial

from .foursquare import load_foursquare
from .movielens import load_movielens
from .reviews import load_amazon_reviews, synthetic_reviews
from .sessions import load_yoochoose
from .synthetic import synthetic_ratings
from .synthetic_checkins import synthetic_checkins
from .synthetic_sessions import synthetic_sessions

CHECKIN_DATA = ("foursquare-nyc, foursquare-tky, synthetic-checkins, a file of Foursquare's or its folder, or auto: "
                "foursquare-nyc if it is there, else synthetic-checkins")
SESSION_DATA = ("yoochoose, synthetic-sessions, a folder with train.txt, valid.txt and test.txt of its form, or auto: "
                "yoochoose if it is there, else synthetic-sessions")
REVIEW_DATA = ("amazon-musical-instruments, synthetic-reviews, a file of Amazon's reviews, or auto: "
               "amazon-musical-instruments if it is there, else synthetic-reviews")
DATA = "ml-1m, ml-100k, synthetic, a folder with the files of MovieLens, or auto: ml-1m if it can be had, else synthetic"


_KINDS = {"folder": pathlib.Path.is_dir, "file": pathlib.Path.is_file, "file or folder": pathlib.Path.exists}


def load_ratings(what):
    """(name, Interactions) of the ratings called `what`: one of DATA. A loud line says when `auto` ends as synthetic."""
    named = {**{f"ml-{version}": partial(load_movielens, version=version) for version in ("1m", "100k")},
             "synthetic": synthetic_ratings}

    def of_path(folder):
        return load_movielens(folder, "100k" if (folder / "u.data").is_file() else "1m")
    return _load(what, named, "folder", of_path, DATA)


def load_checkins(what):
    """(name, CheckIns) of the check-ins called `what`: one of CHECKIN_DATA. A loud line says when `auto` is synthetic."""
    named = {"foursquare-nyc": load_foursquare, "foursquare-tky": partial(load_foursquare, city="tky"),
             "synthetic-checkins": synthetic_checkins}

    def of_path(path):
        names = [path.name] if path.is_file() else [file.name for file in path.glob("dataset_TSMC2014_*")]
        tokyo = any("TKY" in name for name in names) and not any("NYC" in name for name in names)
        return load_foursquare(path, "tky" if tokyo else "nyc")
    return _load(what, named, "file or folder", of_path, CHECKIN_DATA)


def load_session_split(what):
    """(name, Split of Sessions) of the sessions called `what`: one of SESSION_DATA. A loud line says if it is synthetic."""
    named = {"yoochoose": load_yoochoose, "synthetic-sessions": synthetic_sessions}
    return _load(what, named, "folder", load_yoochoose, SESSION_DATA)


def load_reviews(what):
    """(name, Reviews) of the reviews called `what`: one of REVIEW_DATA. A loud line says when `auto` is synthetic."""
    named = {"amazon-musical-instruments": load_amazon_reviews, "synthetic-reviews": synthetic_reviews}
    return _load(what, named, "file", load_amazon_reviews, REVIEW_DATA)


def _load(what, named, kind, of_path, want):
    """(name, data). named: {name: how to load it}, first what `auto` looks for, last what stands for it where it is not."""
    real, *_, synthetic = named
    if what == "auto":
        try:
            return real, named[real]()
        except OSError as error:
            print(f"*** NO REAL DATA ({' '.join(str(error).split())}): everything below is SYNTHETIC ***")
            what = synthetic
    if what in named:
        return what, named[what]()
    path = pathlib.Path(what)
    if not _KINDS[kind](path):
        raise ValueError(f"--data {what}: no such {kind}; want {want}")
    return str(path.resolve()), of_path(path)


def are_reviews(what):
    """Whether the data called `what` are reviews: by name, or because they are a file, where ratings are a folder."""
    return what in ("amazon-musical-instruments", "synthetic-reviews") or pathlib.Path(what).is_file()
