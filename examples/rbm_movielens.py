"""The RBM for ratings on MovieLens 1M: each rating a visible unit of five levels, those that are missing left out.

Protocol as in assignment I: default_rng(seed).permutation(n), the first n // 10 ratings test, the next n // 40 validate, the
rest train. Settings were chosen on the validation part of seed 0, epochs on that of each seed; "refit" trains again on
training and validation ratings for as many. Which films a user has rated counts as far as it is in the training ratings.

It must reach on ML-1M, refitted, mean of the seeds: item-based RBM RMSE <= 0.860 (published 0.854, user-based 0.881; both
in Sedhain et al. 2015), and both below the biases. --quick claims nothing. Figure: validation RMSE by epoch, and what the
machine says of single ratings: not a number but a distribution over the stars.
"""

import sys

import numpy as np

from .common import COLOURS
from .rating_rows import run

NAMES = ("item-rbm", "user-rbm")


def sharpness(model, data, groups=10):
    """[(how probable the machine says a rating is, how often that rating is given)], over all stars of all pairs."""
    frame = data.frame
    p = model.p_levels(frame["user"].to_numpy(), frame["item"].to_numpy())
    given = frame["rating"].to_numpy()[:, None] == np.array(model.levels)
    order = np.argsort(p, axis=None, kind="stable")
    return [(float(p.ravel()[part].mean()), float(given.ravel()[part].mean())) for part in np.array_split(order, groups)]


def page(fitted, split, ax):
    """Some test ratings' distributions in print; in the figure how often what is foreseen comes."""
    model, titles = fitted["item-rbm"], split.data.items["title"]
    frame = split.test.frame.iloc[:5]
    print("\nthe item-based machine on some test ratings: the probability of each number of stars")
    p = model.p_levels(frame["user"].to_numpy(), frame["item"].to_numpy())
    for n, (user, item, rating) in enumerate(zip(frame["user"], frame["item"], frame["rating"], strict=True)):
        print(f"  user {user:>5}  " + "  ".join(f"{value:.2f}" for value in p[n]) + f"  was {rating:g}  {titles[item]}")
    for name, colour in (("item-rbm", "blue"), ("user-rbm", "orange")):
        points = sharpness(fitted[name], split.test)
        print(f"  {name}: foreseen and found " + "  ".join(f"{said:.2f}/{found:.2f}" for said, found in points))
        ax.plot(*zip(*points, strict=True), "o-", color=COLOURS[colour], markersize=4, label=name)
    ax.plot([0, 1], [0, 1], color=COLOURS["black"], linewidth=0.8)
    ax.set(xlabel="foreseen probability of a number of stars", ylabel="share of test ratings that had it", xlim=(0, 1),
           ylim=(0, 1))
    ax.legend(frameon=False, fontsize=8)


def main(argv=None):
    return run("rbm_movielens", __doc__, NAMES, {"item-rbm": 0.860}, {"item-rbm": 0.854, "user-rbm": 0.881},
               dict(hidden=20, epochs=8, batch_size=16, lr=1e-2), page, argv)


if __name__ == "__main__":
    sys.exit(main())
