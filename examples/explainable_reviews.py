"""Explainable recommendation: a rating predicted from reviews, and the reviews and words that it was predicted from.

On Amazon's musical instruments (10,261 reviews): NARRE (Chen et al. 2018), attention over what others said of the item and
over what the user said of other items, beside biases and biased MF. Protocol: 20 random splits, 80 % train, 10 % choose
settings and epochs, 10 % test, the same rows for all models. The baselines are tuned on each split's validation ratings
over the grids below; NARRE takes the biases' regularisation from there, its own settings were chosen before on the
validation ratings of another split. Neither a text of validation or test, nor a pair's own review is ever read.

Shown: RMSE and MAE; the paired differences with two t intervals, the plain one and that of Nadeau and Bengio (2003), who
widen it because training parts overlap; how far a prediction moves without the review that was attended to most, and
without another one; ten explanations and two that fail, as text and as a page. Which, a rule says (`sensible`, `failing`).

It must reach: NARRE's RMSE at or below the better of the two baselines, mean of the splits; the most attended review moves
the prediction more than a random other one, on both sides (the wider t interval of the splits is above 0).
"""

import itertools
import sys
import time

import numpy as np

from examples.common import COLOURS, arguments, claim, figure, finish, loaded, output_folder, save_figure, write_record
from recmodels.datasets import REVIEW_DATA, load_reviews, synthetic_reviews
from recmodels.evaluation import mean_deviation, rating_metrics
from recmodels.explanations import faithfulness, page
from recmodels.models import BiasedMF, Biases
from recmodels.models.explainable import NARRE
from recmodels.splits import random_split

GRIDS = {  # of the baselines: what is tried on each split's validation ratings
    "biases": [Biases(reg_user=u, reg_item=i) for u, i in itertools.product((3.0, 6.0, 10.0), (3.0, 6.0, 10.0))],
    "biased MF": [BiasedMF(k=k, weight_decay=decay, epochs=30, batch_size=256, lr=3e-3)
                  for k, decay in itertools.product((4, 16), (1.0, 4.0))],
}
SYNTHETIC = {"k": 8, "least": 2, "epochs": 12, "batch_size": 128, "lr": 0.02, "scale": 0.2}
SIDES = ("item", "user")


def load(which, quick):
    if which == "synthetic" and quick:
        return synthetic_reviews(users=60, items=30, reviews=700)
    return load_reviews("synthetic-reviews" if which == "synthetic" else which)[1]


# ---------------------------------------------------------------- fitting and measuring
def tuned(candidates, split):
    """The candidate with the lowest RMSE on validation, fitted."""
    fitted = [model.fit(split.train, split.valid) for model in (one.clone() for one in candidates)]
    return min(fitted, key=lambda model: rating_metrics(model, split.valid)["rmse"])


def study(split, settings, seed, quick):
    """({model: its row}, {side: Faithfulness}, the fitted NARRE) of one split."""
    rows = {}
    for name in (*GRIDS, "NARRE"):
        started = time.process_time()
        if name == "NARRE":
            biases = rows["biases"]["model"]
            model = NARRE(reg_user=biases.reg_user, reg_item=biases.reg_item, **settings, seed=seed)
            model.fit(split.train, split.valid)
        else:
            model = tuned(GRIDS[name][:2] if quick else GRIDS[name], split)
        rows[name] = {"model": model, **rating_metrics(model, split.test), "epochs": getattr(model, "best_epoch_", None),
                      "valid": rating_metrics(model, split.valid)["rmse"], "parameters": model.num_parameters(),
                      "seconds": time.process_time() - started}
    narre = rows["NARRE"]["model"]
    found = {side: faithfulness(narre, split.test, side, rng=seed) for side in SIDES}
    errors = ", ".join(f"{name} {row['rmse']:.4f}" for name, row in rows.items())
    moved = ", ".join(f"{side} {one.most.mean():.4f}, {one.other.mean():.4f}" for side, one in found.items())
    print(f"split {seed}: RMSE {errors}; moved by the most attended, by another: {moved}", file=sys.stderr, flush=True)
    return rows, found, narre


def t_intervals(differences, test_by_train=1 / 8):
    """(mean, half width of the 95 % t interval, and as Nadeau and Bengio widen it) of paired differences (n,), n >= 2."""
    from scipy.stats import t

    d, n = np.asarray(differences), len(differences)
    half = t.ppf(0.975, n - 1) * d.std(ddof=1)
    return float(d.mean()), float(half * np.sqrt(1 / n)), float(half * np.sqrt(1 / n + test_by_train))


def lower_end(found):
    """Of the interval of the difference that `faithfulness` finds: the wide t interval of several splits, or one's own."""
    if len(found) == 1:
        return found[0].difference().low
    mean, _, wide = t_intervals([(one.most - one.other).mean() for one in found])
    return mean - wide


# ---------------------------------------------------------------- which explanations are shown
def explained(model, split):
    """[(Explanation, the rating that was given)] of the test pairs with 3 reviews or more to read on both sides."""
    found = zip(model.explain(split.test), split.test.frame["rating"], strict=True)
    return [(one, r) for one, r in found if all(len(one.of(side)) >= 3 for side in SIDES)]


def told(one):
    """What the reviews add to the score."""
    return sum(one.parts[f"{side}'s reviews"] for side in SIDES)


def agrees(one, mean):
    """Whether the item's most attended review raises the score if its stars are above the mean, and lowers it if below."""
    read = one.of("item")[0]
    return (read.rating - mean) * read.part > 0


def each_once(pairs):
    """Those whose user and item have not been there before."""
    users, items = set(), set()
    for one, r in pairs:
        if one.user not in users and one.item not in items:
            users.add(one.user)
            items.add(one.item)
            yield one, r


def sensible(pairs, mean, n=10):
    """The rule: prediction within 0.75 of the rating, its review agrees with its stars; of these the n / 2 that reviews
    raise most and the n / 2 that they lower most, each user and item once."""
    good = [(one, r) for one, r in pairs if abs(one.score - r) <= 0.75 and agrees(one, mean)]
    up = sorted(((one, r) for one, r in good if told(one) > 0), key=lambda pair: -told(pair[0]))
    down = sorted(((one, r) for one, r in good if told(one) < 0), key=lambda pair: told(pair[0]))
    return [*itertools.islice(each_once(up), n // 2), *itertools.islice(each_once(down), n - n // 2)]


def failing(pairs, mean):
    """[(Explanation, rating, why)]: the prediction that is most wrong, and the strongest review against its stars."""
    found = []
    if pairs:
        one, r = max(pairs, key=lambda pair: abs(pair[0].score - pair[1]))
        stars = np.mean([read.rating for read in one.of("item")])
        found.append((one, r, f"most wrong: the rating is {r:g}, while the item's other reviews give {stars:.1f} stars on "
                      "average. What this user met with stands in the user's own review alone, which is not read; and "
                      f"the reviews {'raise' if told(one) > 0 else 'lower'} the score by {abs(told(one)):.2f} only"))
    wrong = [(one, r) for one, r in pairs if not agrees(one, mean)]
    if wrong:
        one, r = max(wrong, key=lambda pair: abs(pair[0].of("item")[0].part))
        read = one.of("item")[0]
        found.append((one, r, f"contradicts its review: {read.rating:g} stars, {'above' if read.rating > mean else 'below'} "
                      f"the mean of {mean:.1f}, and yet it moves the score by {read.part:+.3f}. Each word counts "
                      "what it was found to count in all reviews, without its sentence"))
    return found


# ---------------------------------------------------------------- what is shown
def show(results, better, folder, split, narre):
    print(f"\n{'':12}{'RMSE':>18}{'MAE':>18}{'valid RMSE':>12}{'epochs':>8}{'numbers':>10}{'CPU s':>8}")
    for name in results[0][0]:
        rows = [one[0][name] for one in results]
        numbers = "".join(f"{mean_deviation([row[key] for row in rows]):>18}" for key in ("rmse", "mae"))
        epochs = mean_deviation([row["epochs"] for row in rows], 1, None)
        print(f"{name:12}{numbers}{np.mean([row['valid'] for row in rows]):12.4f}{epochs:>8}"
              f"{np.mean([row['parameters'] for row in rows]):10,.0f}{np.mean([row['seconds'] for row in rows]):8.1f}")
    if len(results) > 1:
        for name in GRIDS:
            for key in ("rmse", "mae"):
                mean, plain, wide = t_intervals([one[0]["NARRE"][key] - one[0][name][key] for one in results])
                print(f"NARRE minus {name}, {key.upper()}: {mean:+.4f} +- {plain:.4f} (t, {len(results)} splits), "
                      f"+- {wide:.4f} (as training parts overlap)")
    print(f"the better baseline: {better}\n\nwithout one review the prediction moves, in stars, first split:")
    for side, found in results[0][1].items():
        print(f"  {side}'s: {found.most.mean():.4f} without the most attended, {found.other.mean():.4f} without another, "
              f"{len(found.most):,} test pairs; difference {found.difference()}")
    if len(results) > 1:
        for side in SIDES:
            mean, plain, wide = t_intervals([(one[1][side].most - one[1][side].other).mean() for one in results])
            print(f"  {side}'s, all splits: difference {mean:+.5f} +- {plain:.5f} (t), +- {wide:.5f} (parts overlap)")
    pairs = explained(narre, split)
    good, bad = sensible(pairs, narre.mean_), failing(pairs, narre.mean_)
    print(f"\n{' '.join(sensible.__doc__.split())} ({len(pairs):,} test pairs of the first split have 3 reviews to read "
          "on both sides)")
    for one, r in good:
        print(f"\nrated {r:g}. {one}")
    print("\nand two that fail:")
    for one, r, why in bad:
        print(f"\nrated {r:g}. {one}\n  why: {why}")
    notes = [f"The rating was {r:g}." for _, r in good] + [f"FAILS. The rating was {r:g}; {why}." for _, r, why in bad]
    path = folder / "explanations.html"
    path.write_text(page([one for one, *_ in (*good, *bad)], "What the predictions were read from"
                         + " (SYNTHETIC)" * split.data.synthetic, notes=notes), encoding="utf-8")
    print(f"\npage: {path}")
    return good, bad


def draw(results, better, path, synthetic):
    fig, (left, right) = figure(1, 2, size=(11, 4.2), synthetic=synthetic, title="NARRE: ratings from reviews")
    d = [one[0]["NARRE"]["rmse"] - one[0][better]["rmse"] for one in results]
    left.bar(np.arange(len(d)), d, color=[COLOURS["blue"] if x <= 0 else COLOURS["red"] for x in d])
    left.axhline(np.mean(d), color=COLOURS["black"], linewidth=1, label=f"mean {np.mean(d):+.4f}")
    left.set(xlabel="split", ylabel=f"RMSE of NARRE minus {better}")
    left.legend(frameon=False)
    for n, (key, colour, label) in enumerate((("most", "blue", "the most attended"), ("other", "grey", "another"))):
        heights = [np.mean([getattr(one[1][side], key).mean() for one in results]) for side in SIDES]
        right.bar(np.arange(2) + 0.4 * n - 0.2, heights, 0.38, color=COLOURS[colour], label=f"without {label}")
    right.set(xticks=range(2), xticklabels=[f"review of the {side}" for side in SIDES], ylabel="prediction moves, in stars")
    right.legend(frameon=False)
    save_figure(fig, path)


def main(argv=None):
    parser = arguments("explainable_reviews", __doc__)
    parser.add_argument("--data", default="auto", help=f"{REVIEW_DATA}; synthetic for short")
    parser.add_argument("--splits", type=int, default=None, help="how many, from --seed on (default 20, quick 2)")
    args = parser.parse_args(argv)
    folder = output_folder(args)
    data = loaded(args, load, args.quick)
    n = (2 if args.quick else 20) if args.splits is None else args.splits
    if n < 1:
        raise SystemExit(f"--splits {n}: want at least 1")
    settings = {**(SYNTHETIC if data.synthetic else {}), **({"epochs": 2} if args.quick and not data.synthetic else {})}
    print(f"{data}\n{n} random splits from seed {args.seed}, 80/10/10{', quick' * args.quick}\n{NARRE(**settings)}",
          flush=True)
    results = []
    for seed in range(args.seed, args.seed + n):
        split = random_split(data, seed, (0.8, 0.1, 0.1))
        rows, found, narre = study(split, settings, seed, args.quick)
        results.append((rows, found))
        if seed == args.seed:
            shown = split, narre
    better = min(GRIDS, key=lambda name: np.mean([rows[name]["rmse"] for rows, _ in results]))
    good, bad = show(results, better, folder, *shown)
    draw(results, better, folder / "reviews.png", data.synthetic)
    print()
    rmse = {name: [rows[name]["rmse"] for rows, _ in results] for name in results[0][0]}
    if args.quick:  # of two epochs: better than nothing
        claim("RMSE of NARRE, beside the deviation of the ratings", rmse["NARRE"], "<", data.frame["rating"].std())
    else:
        claim(f"RMSE of NARRE, beside {better}", rmse["NARRE"], "<=", np.mean(rmse[better]))
        for side in SIDES:
            claim(f"{side}'s reviews: what the most attended one moves more than another, lower end of the interval",
                  lower_end([found[side] for _, found in results]), ">", 0)
        claim("explanations by the rule", len(good), ">=", 10)
    write_record(args, data=data.name, synthetic=data.synthetic, splits=n, better=better, best_rmse=getattr(
        data, "best_rmse", None), models={name: [{key: value for key, value in rows[name].items() if key != "model"} | {
            "settings": rows[name]["model"].get_params()} for rows, _ in results] for name in results[0][0]},
        faithfulness={side: [found[side].difference()._asdict() | {"most": found[side].most.mean(), "other": found[
            side].other.mean()} for _, found in results] for side in SIDES},
        explanations=[{"rating": r, "text": one.text()} for one, r in good],
        failures=[{"rating": r, "text": one.text(), "why": why} for one, r, why in bad])
    return finish()


if __name__ == "__main__":
    sys.exit(main())
