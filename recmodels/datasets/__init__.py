"""Datasets: a loader of ratings returns `Interactions`, one of visits `CheckIns`, one of clicks a `Split` of `Sessions`.

    interactions.py         ratings beside the attributes of users and items
    movielens.py            MovieLens 1M and 100K
    named.py                what `--data NAME` means
    synthetic.py            a made world with MovieLens' columns and a known truth
    checkins.py             visits to venues, and what part of the week a local time is
    foursquare.py           Foursquare's check-ins in New York and Tokyo
    synthetic_checkins.py   a made city with Foursquare's columns and a known truth
    sessions.py             sessions of clicks, and YooChoose's files of them
    synthetic_sessions.py   a made shop with a known truth, in which the first click matters to the end
    reviews.py              ratings with texts: Amazon's files of them, and a made world of reviews with a known truth
    download.py             where data lies, and how it gets there
"""

from .checkins import CheckIns
from .foursquare import load_foursquare
from .interactions import Interactions
from .movielens import load_movielens
from .named import (CHECKIN_DATA, DATA, REVIEW_DATA, SESSION_DATA, are_reviews, load_checkins, load_ratings,
                    load_reviews, load_session_split)
from .reviews import Reviews, SyntheticReviews, load_amazon_reviews, synthetic_reviews
from .sessions import Sessions, load_sessions, load_yoochoose
from .synthetic import SyntheticRatings, synthetic_ratings
from .synthetic_checkins import SyntheticCheckIns, synthetic_checkins
from .synthetic_sessions import SyntheticSessions, synthetic_sessions

__all__ = ["CHECKIN_DATA", "DATA", "REVIEW_DATA", "SESSION_DATA", "CheckIns", "Interactions", "Reviews", "Sessions",
           "SyntheticCheckIns", "SyntheticRatings", "SyntheticReviews", "SyntheticSessions", "are_reviews",
           "load_amazon_reviews", "load_checkins", "load_foursquare", "load_movielens", "load_ratings", "load_reviews",
           "load_session_split", "load_sessions", "load_yoochoose", "synthetic_checkins", "synthetic_ratings",
           "synthetic_reviews", "synthetic_sessions"]
