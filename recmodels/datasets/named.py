"""Ratings, check-ins, sessions and reviews by name: what `--data` means in the command and in the examples."""

import pathlib

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


def load_ratings(what):
    """(name, Interactions) of the ratings called `what`: one of DATA. A loud line says when `auto` ends as synthetic."""
    if what == "auto":
        try:
            return "ml-1m", load_movielens(version="1m")
        except OSError as error:
            what = _say_synthetic(error, "synthetic")
    if what == "synthetic":
        return what, synthetic_ratings()
    if what in ("ml-1m", "ml-100k"):
        return what, load_movielens(version=what.removeprefix("ml-"))
    folder = pathlib.Path(what)
    if not folder.is_dir():
        raise ValueError(f"--data {what}: no such folder; want {DATA}")
    return str(folder.resolve()), load_movielens(folder, "100k" if (folder / "u.data").is_file() else "1m")


def load_checkins(what):
    """(name, CheckIns) of the check-ins called `what`: one of CHECKIN_DATA. A loud line says when `auto` is synthetic."""
    if what == "auto":
        try:
            return "foursquare-nyc", load_foursquare()
        except OSError as error:
            what = _say_synthetic(error, "synthetic-checkins")
    if what == "synthetic-checkins":
        return what, synthetic_checkins()
    if what in ("foursquare-nyc", "foursquare-tky"):
        return what, load_foursquare(city=what.removeprefix("foursquare-"))
    path = pathlib.Path(what)
    if not path.exists():
        raise ValueError(f"--data {what}: no such file or folder; want {CHECKIN_DATA}")
    names = [path.name] if path.is_file() else [file.name for file in path.glob("dataset_TSMC2014_*")]
    tokyo = any("TKY" in name for name in names) and not any("NYC" in name for name in names)
    return str(path.resolve()), load_foursquare(path, "tky" if tokyo else "nyc")


def load_session_split(what):
    """(name, Split of Sessions) of the sessions called `what`: one of SESSION_DATA. A loud line says if it is synthetic."""
    if what == "auto":
        try:
            return "yoochoose", load_yoochoose()
        except OSError as error:
            what = _say_synthetic(error, "synthetic-sessions")
    if what == "synthetic-sessions":
        return what, synthetic_sessions()
    if what == "yoochoose":
        return what, load_yoochoose()
    folder = pathlib.Path(what)
    if not folder.is_dir():
        raise ValueError(f"--data {what}: no such folder; want {SESSION_DATA}")
    return str(folder.resolve()), load_yoochoose(folder)


def load_reviews(what):
    """(name, Reviews) of the reviews called `what`: one of REVIEW_DATA. A loud line says when `auto` is synthetic."""
    if what == "auto":
        try:
            return "amazon-musical-instruments", load_amazon_reviews()
        except OSError as error:
            what = _say_synthetic(error, "synthetic-reviews")
    if what == "synthetic-reviews":
        return what, synthetic_reviews()
    if what == "amazon-musical-instruments":
        return what, load_amazon_reviews()
    path = pathlib.Path(what)
    if not path.is_file():
        raise ValueError(f"--data {what}: no such file; want {REVIEW_DATA}")
    return str(path.resolve()), load_amazon_reviews(path)


def are_reviews(what):
    """Whether the data called `what` are reviews: by name, or because they are a file, where ratings are a folder."""
    return what in ("amazon-musical-instruments", "synthetic-reviews") or pathlib.Path(what).is_file()


def _say_synthetic(error, name):
    print(f"*** NO REAL DATA ({' '.join(str(error).split())}): everything below is SYNTHETIC ***")
    return name
