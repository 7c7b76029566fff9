"""AutoRec on MovieLens 1M: an autoencoder reads a film's ratings, or a user's, and predicts those that are missing.

Protocol as in assignment I: default_rng(seed).permutation(n), the first n // 10 ratings test, the next n // 40 validate, the
rest train. Settings were chosen on the validation part of seed 0, epochs on that of each seed; "refit" trains again on
training and validation ratings for as many. A prediction reads training ratings alone. Predictions are clipped to the scale.

It must reach on ML-1M, refitted, mean of the seeds: item-based AutoRec RMSE <= 0.840 (published 0.831, user-based 0.874;
Sedhain et al. 2015), and both below the biases. --quick claims nothing. Figure: validation RMSE by epoch, and the error by
how many ratings the film has, where reading them pays.
"""

import sys

import numpy as np

from .common import COLOURS
from .rating_rows import run

NAMES = ("item-autorec", "user-autorec")
GROUPS = 8


def error_by_activity(model, split):
    """(median number of training ratings, RMSE) of groups of test ratings, from their film's few ratings to many."""
    frame = split.test.frame
    counts = split.refit.frame["item"].value_counts().reindex(frame["item"], fill_value=0).to_numpy()
    error = model.predict(split.test) - frame["rating"].to_numpy()
    groups = np.array_split(np.argsort(counts, kind="stable"), GROUPS)
    return (np.array([np.median(counts[rows]) for rows in groups]),
            np.array([np.sqrt(np.mean(error[rows] ** 2)) for rows in groups]))


def page(fitted, split, ax):
    print("\ntest RMSE by how many ratings the film has, refitted, first seed")
    colours = {"biased-mf": "grey", "item-autorec": "blue", "user-autorec": "orange"}
    for name, colour in colours.items():
        counts, rmse = error_by_activity(fitted[name], split)
        print(f"  {name:14} " + "  ".join(f"{n:5.0f}: {e:.3f}" for n, e in zip(counts, rmse, strict=True)))
        ax.plot(counts, rmse, "o-", color=COLOURS[colour], markersize=4, label=name)
    ax.set(xscale="log", xlabel="training ratings of the film", ylabel="test RMSE, refitted")
    ax.legend(frameon=False, fontsize=8)


def main(argv=None):
    return run("autorec_movielens", __doc__, NAMES, {"item-autorec": 0.840},
               {"item-autorec": 0.831, "user-autorec": 0.874}, dict(hidden=30, epochs=8, batch_size=32, lr=5e-3), page, argv)


if __name__ == "__main__":
    sys.exit(main())
