"""Datasets: every loader returns `Interactions`.

    interactions.py   ratings beside the attributes of users and items
    movielens.py      MovieLens 1M and 100K
    download.py       where data lies, and how it gets there
"""

from .interactions import Interactions
from .movielens import load_movielens

__all__ = ["Interactions", "load_movielens"]
