"""Datasets: a loader of ratings returns `Interactions`, one of visits `CheckIns`.

    interactions.py         ratings beside the attributes of users and items
    movielens.py            MovieLens 1M and 100K
    named.py                what `--data NAME` means
    synthetic.py            a made world with MovieLens' columns and a known truth
    checkins.py             visits to venues, and what part of the week a local time is
    foursquare.py           Foursquare's check-ins in New York and Tokyo
    synthetic_checkins.py   a made city with Foursquare's columns and a known truth
    download.py             where data lies, and how it gets there
"""

from .checkins import CheckIns
from .foursquare import load_foursquare
from .interactions import Interactions
from .movielens import load_movielens
from .named import CHECKIN_DATA, DATA, load_checkins, load_ratings
from .synthetic import SyntheticRatings, synthetic_ratings
from .synthetic_checkins import SyntheticCheckIns, synthetic_checkins

__all__ = ["CHECKIN_DATA", "DATA", "CheckIns", "Interactions", "SyntheticCheckIns", "SyntheticRatings", "load_checkins",
           "load_foursquare", "load_movielens", "load_ratings", "synthetic_checkins", "synthetic_ratings"]
