"""Ratings by name: what `--data` means in the command and in the examples."""

import pathlib

from .movielens import load_movielens
from .synthetic import synthetic_ratings

DATA = "ml-1m, ml-100k, synthetic, a folder with the files of MovieLens, or auto: ml-1m if it can be had, else synthetic"


def load_ratings(what):
    """(name, Interactions) of the ratings called `what`: one of DATA. A loud line says when `auto` ends as synthetic."""
    if what == "auto":
        try:
            return "ml-1m", load_movielens(version="1m")
        except OSError as error:
            print(f"*** NO REAL DATA ({' '.join(str(error).split())}): everything below is SYNTHETIC ***")
            what = "synthetic"
    if what == "synthetic":
        return what, synthetic_ratings()
    if what in ("ml-1m", "ml-100k"):
        return what, load_movielens(version=what.removeprefix("ml-"))
    folder = pathlib.Path(what)
    if not folder.is_dir():
        raise ValueError(f"--data {what}: no such folder; want {DATA}")
    return str(folder.resolve()), load_movielens(folder, "100k" if (folder / "u.data").is_file() else "1m")
