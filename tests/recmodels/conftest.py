"""A small world with everything a model may use: biases, tastes, attributes that matter, and integer ids."""

import numpy as np
import pandas
import pytest

from recmodels import Interactions, cli
from recmodels.splits import random_split

GENRES = ("Comedy", "Drama", "Sci-Fi", "War")


def make_world(n_users=60, n_items=50, n=1600, seed=0):
    rng = np.random.default_rng(seed)
    users = pandas.DataFrame({"gender": rng.choice(["F", "M"], n_users), "age": rng.choice([1, 18, 25], n_users),
                              "occupation": rng.integers(0, 5, n_users)}, index=pandas.Index(np.arange(n_users) * 3 + 1))
    genres = [tuple(rng.choice(GENRES, rng.integers(1, 4), replace=False).tolist()) for _ in range(n_items)]
    items = pandas.DataFrame({"title": [f"Film {i}" for i in range(n_items)], "genres": genres,
                              "year": rng.integers(1950, 2000, n_items).astype(float)},
                             index=pandas.Index(np.arange(n_items) * 7 + 2))
    pair = rng.choice(n_users * n_items, n, replace=False)
    u, i = pair // n_items, pair % n_items
    taste = (rng.normal(0, 0.6, (n_users, 3))[u] * rng.normal(0, 0.6, (n_items, 3))[i]).sum(axis=1)
    likes = np.where(users["gender"].to_numpy()[u] == "F", 1.0, -0.6) * np.array(["Drama" in g for g in genres])[i]
    likes += 0.6 * np.array(["War" in g for g in genres])[i] - 0.5 * (users["age"].to_numpy()[u] == 1)
    rating = 3.2 + rng.normal(0, 0.5, n_users)[u] + rng.normal(0, 0.5, n_items)[i] + taste + likes + rng.normal(0, 0.3, n)
    frame = pandas.DataFrame({"user": users.index[u], "item": items.index[i], "rating": np.clip(np.rint(rating), 1, 5)})
    return Interactions(frame, users, items, name="small world", synthetic=True, rating_range=(1, 5))


@pytest.fixture(scope="session")
def world():
    return make_world()


@pytest.fixture(scope="session")
def split(world):
    return random_split(world, seed=0)


@pytest.fixture(scope="session")
def movielens_folder(world, tmp_path_factory):
    """The small world as ratings.dat, users.dat and movies.dat."""
    path = tmp_path_factory.mktemp("ml") / "small"
    path.mkdir()
    frame, users, items = world.frame, world.users, world.items
    lines = {"ratings.dat": [f"{u}::{i}::{r:.0f}::{10**9 + n}" for n, (u, i, r) in
                             enumerate(zip(frame["user"], frame["item"], frame["rating"], strict=True))],
             "users.dat": [f"{u}::{row.gender}::{row.age}::{row.occupation}::00000" for u, row in users.iterrows()],
             "movies.dat": [f"{i}::{row.title} ({row.year:.0f})::{'|'.join(row.genres)}" for i, row in items.iterrows()]}
    for name, text in lines.items():
        (path / name).write_text("".join(line + "\n" for line in text), encoding="latin-1")
    return path


@pytest.fixture(scope="session")
def foursquare(real_data):
    """New York's check-ins as the loader gives them."""
    from recmodels import load_foursquare

    return load_foursquare(real_data("tsmc2014"))


@pytest.fixture
def run(capsys):
    """run(*arguments) -> (exit code, stdout, stderr) of the command `recmodels`"""
    def call(*arguments):
        code = cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err
    return call
