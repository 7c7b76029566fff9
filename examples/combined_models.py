"""Combining models (slide "All in one"): parts of one network, or models on their own whose predictions are weighed.

On MovieLens: Neural MF V1 and V2, Wide & Deep, item- and user-based AutoRec and the item-based RBM for ratings
  1. each on its own;
  2. blended: y = b + sum_n w_n y_n, with w_n >= 0 and b from the validation ratings; refitted with the weights kept;
  3. jointly: Neural MF V2 and a factorization machine as one network, y = mu + y_1 + y_2, one loss, one optimizer.
Protocol as in assignment I: a random split, 10 % test, 2.5 % validate; settings as there; predictions clipped to the scale.
It must reach, on the test ratings, mean of the seeds: the blend at most the RMSE of its best part and of the parts' plain
mean, refitted or not; on ML-1M, refitted, at most 0.832. That a joint network is better than its parts is not claimed: the
table tells. Table and figure are of the first seed.
"""

import sys
import time

import numpy as np

from examples.common import COLOURS, claim, figure, finish, loaded, output_folder, save_figure, write_record
from examples.movielens_data import load, movielens_arguments
from recmodels import metrics
from recmodels.evaluation import rating_metrics
from recmodels.models import MODELS
from recmodels.splits import random_split

PARTS = ("neural-mf-1", "neural-mf-2", "wide-deep", "item-autorec", "user-autorec", "item-rbm")
JOINT = ("neural-mf-2", "fm")
MUST = 0.832
QUICK = {"k": 16, "epochs": 5, "batch_size": 256}
QUICK_ROWS = {"hidden": 16, "epochs": 5, "batch_size": 16}  # of models that read rows


def named(models, quick, trained):
    """The parts as `models` takes them. trained: each trains on its own, so a quick run shortens that too."""
    if not quick:
        return tuple(models)
    small = {name: QUICK_ROWS if name.startswith(("item-", "user-")) else QUICK for name in models}
    return tuple({"model": name, **{key: value for key, value in small[name].items() if trained or key == "k"}}
                 for name in models)


def measure(model, data):
    row = rating_metrics(model, data)
    return row["rmse"], row["mae"]


def plain_mean(parts, data):
    """RMSE and MAE of the mean of the parts' predictions: a blend that has learned nothing."""
    y, rating = np.mean([part.predict(data) for part in parts], axis=0), data.frame["rating"].to_numpy()
    return metrics.rmse(rating, y), metrics.mae(rating, y)


def study(split, quick, seed, verbose):
    """{row of the table: [(RMSE, MAE) of the fit, of the refit, on test]}, the blend's weights, seconds."""
    started = time.perf_counter()
    blend = MODELS["combined-blended"](models=named(PARTS, quick, True), seed=seed, verbose=verbose)
    blend.fit(split.train, split.valid)
    again = blend.refit(split.refit)
    seconds = {"blended": time.perf_counter() - started}
    table = {name: [measure(one, split.test), measure(other, split.test)]
             for name, one, other in zip(PARTS, blend.parts_, again.parts_, strict=True)}
    table["plain mean"] = [plain_mean(model.parts_, split.test) for model in (blend, again)]
    table["blended"] = [measure(model, split.test) for model in (blend, again)]
    started = time.perf_counter()
    training = {key: value for key, value in QUICK.items() if quick and key != "k"}
    joint = MODELS["combined-joint"](models=named(JOINT, quick, False), seed=seed, verbose=verbose, **training)
    joint.fit(split.train, split.valid)
    table["joint: " + " + ".join(JOINT)] = [measure(joint, split.test), measure(joint.refit(split.refit), split.test)]
    seconds["joint"] = time.perf_counter() - started
    return table, blend, seconds


def likeness(blend, data):
    """Correlations (N, N) of the parts' errors on `data`: what is alike cannot make up for each other."""
    rating = data.frame["rating"].to_numpy()
    return np.corrcoef([part.predict(data) - rating for part in blend.parts_])


def show(table, blend, errors):
    weights = dict(zip(PARTS, blend.weights_, strict=True))
    print(f"\n{'on the test ratings':28} {'RMSE':>8} {'MAE':>8} {'RMSE, refit':>12} {'MAE, refit':>12} {'weight':>8}")
    for name, rows in table.items():
        (rmse, mae), (rmse_again, mae_again) = rows
        weight = f"{weights[name]:8.3f}" if name in weights else ""
        print(f"{name:28} {rmse:8.4f} {mae:8.4f} {rmse_again:12.4f} {mae_again:12.4f} {weight}")
    print(f"blended: {' + '.join(f'{w:.3f} {name}' for name, w in weights.items())} {blend.intercept_:+.3f}")
    print("\ncorrelation of the parts' errors\n" + "\n".join(
        f"{name:14}" + "".join(f"{value:7.3f}" for value in row) for name, row in zip(PARTS, errors, strict=True)))


def draw(table, blend, errors, path, synthetic):
    fig, (left, middle, right) = figure(1, 3, size=(14, 4.6), synthetic=synthetic, width_ratios=(1.5, 1, 1),
                                        title="Models of ratings, alone and combined")
    names = list(table)
    colours = [COLOURS["grey"]] * len(PARTS) + [COLOURS["sky"], COLOURS["blue"], COLOURS["orange"]]
    for y, (name, colour) in enumerate(zip(names, colours, strict=True)):
        first, second = (rmse for rmse, _ in table[name])
        left.plot([first, second], [y, y], color=colour, linewidth=2)
        left.plot(first, y, "o", color=colour, markerfacecolor="white", label="fitted" if y == 0 else None)
        left.plot(second, y, "o", color=colour, label="refitted" if y == 0 else None)
    left.set(yticks=range(len(names)), yticklabels=names, xlabel="test RMSE", ylim=(len(names) - 0.5, -0.5))
    left.legend(frameon=False)
    middle.bar(range(len(PARTS)), blend.weights_, color=COLOURS["blue"])
    middle.set_title("weights in the blend", fontsize=10)
    right.imshow(errors, vmin=0.8, vmax=1, cmap="Blues")
    right.set_title("correlation of errors", fontsize=10)
    right.grid(False)
    for row, column in np.ndindex(*errors.shape):
        right.text(column, row, f"{errors[row, column]:.3f}", ha="center", va="center", fontsize=9,
                   color="white" if errors[row, column] > 0.93 else "black")
    right.set(yticks=range(len(PARTS)), yticklabels=PARTS)
    for ax in (middle, right):
        ax.set_xticks(range(len(PARTS)), PARTS, rotation=25, ha="right", fontsize=9)
    save_figure(fig, path)


def claims(tables, on_ml_1m):
    """tables: one of each seed."""
    def rmse(name, n):
        return [table[name][n][0] for table in tables]

    print()
    for n, which in enumerate(("fitted", "refitted")):
        best = min(PARTS, key=lambda name: np.mean(rmse(name, n)))
        claim(f"RMSE of the blend, {which}, against its best part's, {best}", rmse("blended", n), "<=",
              np.mean(rmse(best, n)))
        claim(f"RMSE of the blend, {which}, against the plain mean's", rmse("blended", n), "<=",
              np.mean(rmse("plain mean", n)))
    if on_ml_1m:
        claim("RMSE of the blend, refitted", rmse("blended", 1), "<=", MUST)


def main(argv=None):
    parser = movielens_arguments("combined_models", __doc__)
    parser.add_argument("--verbose", action="store_true", help="a line an epoch")
    args = parser.parse_args(argv)
    folder, tables, weights, seconds = output_folder(args), [], [], []
    data = loaded(args, load, args.quick)
    print(data)
    for seed in args.seeds:
        split = random_split(data, seed)
        print(f"\n{split}, seed {seed} of training too{', quick' if args.quick else ''}", flush=True)
        table, blend, took = study(split, args.quick, seed, args.verbose)
        errors = likeness(blend, split.test)
        show(table, blend, errors)
        if not tables:
            draw(table, blend, errors, folder / "combined.png", data.synthetic)
        tables.append(table)
        weights.append({**dict(zip(PARTS, blend.weights_.tolist(), strict=True)), "intercept": blend.intercept_})
        seconds.append(took)
    claims(tables, not data.synthetic and not args.quick)
    write_record(args, data=data.name, synthetic=data.synthetic, protocol=split.protocol, tables=tables, weights=weights,
                 seconds=seconds)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
