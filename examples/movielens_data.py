"""The ratings of the examples on MovieLens: the option that names them, and how they are loaded."""

import numpy as np

from recmodels.datasets import load_ratings, synthetic_ratings

from .common import arguments


def movielens_arguments(name, description):
    """The options of all examples, and --data."""
    parser = arguments(name, description, seeds=True)
    parser.add_argument("--data", default="auto", metavar="auto|synthetic|PATH", help="auto: MovieLens 1M, found or "
                        "downloaded (default %(default)s); or a folder with its files")
    return parser


def load(which, quick):
    """The ratings called `which`; of real ones, a quick run takes those of every tenth user."""
    if quick and which == "synthetic":
        return synthetic_ratings(users=600, items=300, ratings=30_000, rng=0)
    _, data = load_ratings(which)
    return data.take(np.flatnonzero(data.frame["user"].rank(method="dense") % 10 == 0)) if quick else data
