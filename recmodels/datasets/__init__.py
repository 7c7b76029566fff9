"""Datasets: every loader returns `Interactions`.

    interactions.py   ratings beside the attributes of users and items
    movielens.py      MovieLens 1M and 100K
    synthetic.py      a made world with MovieLens' columns and a known truth
    download.py       where data lies, and how it gets there
"""

from .interactions import Interactions
from .movielens import load_movielens
from .synthetic import SyntheticRatings, synthetic_ratings

__all__ = ["Interactions", "SyntheticRatings", "load_movielens", "synthetic_ratings"]
