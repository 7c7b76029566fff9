"""Ratings with an interval: Bayesian Neural MF on MovieLens 1M, beside the same predictions with one width for all.

Protocol as in assignment I: default_rng(seed).permutation(n), the first n // 10 ratings test, the next n // 40 validate;
epochs and the intervals' one factor come from the validation ratings, and "refitted" means trained again on both, factor
kept. A rating r is foreseen as N(y, s^2), y cut to the scale from 1 to 5. Its 90 % interval, y +- 1.645 s cut to the scale,
ends included, covers the rating where low <= r <= high: ratings are whole stars, so for one pair the true chance moves in
jumps, and coverage is a mean over many. The constant width is given the best s for all that the test ratings themselves
choose, one for each score. Activity: fifths of the users by how many training ratings they have.

It must reach on ML-1M, refitted, mean of the seeds: RMSE <= 0.850; coverage of all test ratings, and of those of each fifth
of the users, from 88 to 92 %; CRPS and NLL below the constant width's. On the synthetic world, whose noise is the same for
all: coverage from 88 to 92 %. --quick claims nothing; --tune shows what other settings give on validation.
"""

import json
import pathlib
import sys
import time

import numpy as np

from recmodels.models import BayesianNeuralMF
from recmodels.splits import random_split
from tinydl.calibration import coverage, gaussian_crps, gaussian_nll

from .assignment1_movielens import QUICK
from .common import COLOURS, claim, figure, finish, loaded, output_folder, save_figure, write_record
from .movielens_data import load, movielens_arguments

GROUPS = 5
TRIED = [{}, {"kl_weight": 0.05}, {"kl_weight": 0.2}, {"kl_weight": 0.4}]
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
RECORDED = pathlib.Path(__file__).parent.parent / "results" / "assignment1.json"


def best_std(r, y, score):
    """The one standard deviation for all that makes `score` smallest on these very ratings."""
    from scipy.optimize import minimize_scalar

    return minimize_scalar(lambda s: score(r, y, s), bounds=(0.05, 3), method="bounded", options={"xatol": 1e-6}).x


def activity(train, users):
    """(number of training ratings (n,) of each row's user, the row's group (n,): 0 the least active fifth of the users)."""
    counts = train.frame["user"].value_counts()
    edges = np.quantile(counts, np.linspace(0, 1, GROUPS + 1)[1:-1])
    n = counts.reindex(users, fill_value=0).to_numpy()
    return n, np.searchsorted(edges, n)


def judge(model, test, train):
    """What the forecasts are worth on `test`, as the table and the figure show it."""
    from scipy.special import ndtri

    r, users = test.frame["rating"].to_numpy(np.float64), test.frame["user"].to_numpy()
    y, (noise, spread) = model.predict(test), model.deviations(test)
    s = np.hypot(noise, spread)                                 # as predict(test, return_std=True) has it
    n, group = activity(train, users)
    flat = {name: best_std(r, y, score) for name, score in (("nll", gaussian_nll), ("crps", gaussian_crps))}
    z = ndtri((1 + np.array(LEVELS)) / 2)
    (low, high), (flat_low, flat_high) = (
        [np.clip(y + side * z[LEVELS.index(0.9)] * width, *model.rating_range_) for side in (-1, 1)]
        for width in (s, flat["nll"]))                          # the first are predict_interval(test, level=0.9)

    def row(chosen):
        def part(a):
            return a[chosen]
        return {"ratings": int(chosen.sum()), "rmse": float(np.sqrt(np.mean((part(r) - part(y)) ** 2))),
                "coverage": coverage(part(r), part(low), part(high)), "width": float(np.mean(part(high) - part(low))),
                "constant_coverage": coverage(part(r), part(flat_low), part(flat_high)),
                "crps": gaussian_crps(part(r), part(y), part(s)), "nll": gaussian_nll(part(r), part(y), part(s)),
                "constant_crps": gaussian_crps(part(r), part(y), flat["crps"]),
                "constant_nll": gaussian_nll(part(r), part(y), flat["nll"]),
                "noise": float(np.mean(part(noise))), "spread": float(np.mean(part(spread)))}

    rows = {"all": row(np.full(len(r), True))}
    for g in range(GROUPS):
        if np.any(group == g):
            rows[f"fifth {g + 1}"] = {"users_ratings": [int(n[group == g].min()), int(n[group == g].max())],
                                      **row(group == g)}
    return {"rows": rows, "constant_std": flat, "factor": model.factor_,
            "levels": {name: [float(np.mean(np.abs(r - y) <= a * width)) for a in z]  # r within z deviations of y
                       for name, width in (("model", s), ("constant", flat["nll"]))}}


def show(found, title):
    print(f"\n{title:11} {'ratings of':>13} {'test':>8} {'':>7} {'90 % intervals':^23} {'constant':>9} {'CRPS':>7} "
          f"{'constant':>9} {'NLL':>7} {'constant':>9} {'noise':>6} {'spread':>7}")
    print(f"{'users':11} {'a user':>13} {'ratings':>8} {'RMSE':>7} {'coverage':>11} {'mean width':>11} {'coverage':>9}")
    for name, row in found["rows"].items():
        least, most = row.get("users_ratings", ("", ""))
        print(f"{name:11} {f'{least} - {most}':>13} {row['ratings']:8,} {row['rmse']:7.4f} {row['coverage']:11.4f} "
              f"{row['width']:11.3f} {row['constant_coverage']:9.4f} {row['crps']:7.4f} {row['constant_crps']:9.4f} "
              f"{row['nll']:7.4f} {row['constant_nll']:9.4f} {row['noise']:6.3f} {row['spread']:7.3f}")
    print("coverage at " + ", ".join(f"{level:.0%}: {value:.3f} ({flat:.3f})" for level, value, flat in zip(
        LEVELS, found["levels"]["model"], found["levels"]["constant"], strict=True)) + "   (in brackets: constant width)")


def lines(model, split):
    """Some test ratings with their intervals; and how unsure the model is of somebody it has never seen."""
    frame, titles = split.test.frame.iloc[:5], split.data.items["title"]
    (low, high), y = model.predict_interval(frame), model.predict(frame)
    print("\nsome test ratings, each with its 90 % interval")
    for n, (user, item, r) in enumerate(zip(frame["user"], frame["item"], frame["rating"], strict=True)):
        print(f"  user {user:>5}  {y[n]:.2f} in [{low[n]:.2f}, {high[n]:.2f}], was {r:g}   {titles[item]}")
    frame = split.test.frame.iloc[:5000]
    known, new = (model.deviations(users, frame["item"])[1] for users in (frame["user"], [None] * len(frame)))
    print(f"spread of the same films' predictions: {known.mean():.3f} for their users, {new.mean():.3f} for an unknown user")
    return {"known": float(known.mean()), "unknown": float(new.mean())}


def draw(first, path, synthetic):
    rows = {name: row for name, row in first["rows"].items() if name != "all"}
    fig, (left, middle, right) = figure(1, 3, size=(13, 4), synthetic=synthetic, width_ratios=(1.2, 1, 1),
                                        title="90 % intervals of ratings, by the activity of the user")
    x, names = np.arange(len(rows)), ["{}\n-{}".format(*row["users_ratings"]) for row in rows.values()]
    left.axhspan(0.88, 0.92, color=COLOURS["green"], alpha=0.15, linewidth=0)
    for key, colour, label in (("constant_coverage", "grey", "one width for all"),
                               ("coverage", "blue", "Bayesian Neural MF")):
        left.plot(x, [row[key] for row in rows.values()], "o-", color=COLOURS[colour], label=label)
    left.set(xticks=x, xticklabels=names, xlabel="training ratings of the user", ylabel="share of test ratings inside")
    left.legend(frameon=False, loc="lower right")
    middle.plot([0.4, 1], [0.4, 1], color=COLOURS["black"], linewidth=0.8)
    for key, colour in (("constant", "grey"), ("model", "blue")):
        middle.plot(LEVELS, first["levels"][key], "o-", color=COLOURS[colour])
    middle.set(xlabel="level of the interval", ylabel="share of test ratings inside")
    for key, colour, label in (("noise", "orange", "noise"), ("spread", "purple", "spread of the embeddings")):
        right.plot(x, [row[key] for row in rows.values()], "o-", color=COLOURS[colour], label=label)
    right.set(xticks=x, xticklabels=names, xlabel="training ratings of the user", ylabel="deviation, in stars",
              ylim=(0, None))
    right.legend(frameon=False, loc="center right")
    save_figure(fig, path)


def recorded_rmse():
    """Neural MF V2's refitted test RMSE as recorded, mean of its seeds; None where there is no record."""
    if not RECORDED.is_file():
        return None
    return float(np.mean([row["refit_rmse"] for row in json.loads(RECORDED.read_text())["results"]["neural-mf-2"]]))


def claims(results, synthetic):
    def values(*keys):
        return [one["refitted"]["rows"]["all"][key] for one in results for key in keys]

    print()
    groups = [[row["coverage"] for name, row in one["refitted"]["rows"].items() if name != "all"] for one in results]
    claim("coverage of 90 % intervals", values("coverage"), ">=", 0.88)
    claim("coverage of 90 % intervals", values("coverage"), "<=", 0.92)
    if synthetic:
        return
    claim("coverage, lowest of five groups of users by activity", [min(group) for group in groups], ">=", 0.88)
    claim("coverage, highest of five groups of users by activity", [max(group) for group in groups], "<=", 0.92)
    claim("RMSE of Bayesian Neural MF, refitted", values("rmse"), "<=", 0.850)
    for score in ("crps", "nll"):
        flat = np.mean(values(f"constant_{score}"))
        claim(f"{score.upper()}, against the best constant width's", values(score), "<", flat)


def tune(split, model):
    """What the settings tried give on the validation ratings, which the factor is from too."""
    print(f"\n{'on validation':22}{'NLL':>8}{'RMSE':>8}{'epochs':>8}{'factor':>8}   (first: what the example uses)")
    for changes in TRIED:
        one = model.clone(**changes).fit(split.train, split.valid)
        r, (y, s) = split.valid.frame["rating"].to_numpy(np.float64), one.predict(split.valid, return_std=True)
        print(f"{str(changes or 'as it is'):22}{gaussian_nll(r, y, s):8.4f}{np.sqrt(np.mean((r - y) ** 2)):8.4f}"
              f"{one.best_epoch_:8}{one.factor_:8.3f}", flush=True)


def main(argv=None):
    parser = movielens_arguments("bayesian_movielens", __doc__)
    parser.add_argument("--tune", action="store_true", help="show the settings tried on validation, and stop")
    parser.add_argument("--verbose", action="store_true", help="a line an epoch")
    args = parser.parse_args(argv)
    folder, started, results = output_folder(args), time.perf_counter(), []
    data = loaded(args, load, args.quick)
    print(data)
    for seed in args.seeds:
        split = random_split(data, seed)
        model = BayesianNeuralMF(seed=seed, verbose=args.verbose)
        if args.quick:
            model = model.clone(**QUICK)
        print(f"\n{split}\n{model}", flush=True)
        if args.tune:
            tune(split, model)
            return 0
        model.fit(split.train, split.valid)
        again = model.refit(split.refit)
        one = {"seed": seed, "epochs": model.best_epoch_, "parameters": model.num_parameters(),
               "fitted": judge(model, split.test, split.train), "refitted": judge(again, split.test, split.refit)}
        show(one["fitted"], "fitted")
        show(one["refitted"], "refitted")
        one["spread"] = lines(again, split)
        results.append(one)
    mean = np.mean([one["refitted"]["rows"]["all"]["rmse"] for one in results])
    print(f"\nRMSE, refitted, mean of the seeds: {mean:.4f}; {results[0]['parameters']:,} parameters")
    if not data.synthetic and not args.quick and (recorded := recorded_rmse()):
        print(f"Neural MF V2 in assignment I, refitted, mean of its seeds: {recorded:.4f}")
    draw(results[0]["refitted"], folder / "intervals.png", data.synthetic)
    if args.quick:
        print("a quick run shows that everything runs; its numbers claim nothing")
    else:
        claims(results, data.synthetic)
    write_record(args, data=data.name, synthetic=data.synthetic, results=results, seconds=time.perf_counter() - started)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
