"""Assignment I: Wide & Deep and Neural MF predict the ratings of MovieLens 1M; MAE and RMSE beside honest baselines.

Protocol: numpy.random.default_rng(seed).permutation(n); the first n // 10 ratings test, the next n // 40 validate, the rest
train. Settings were chosen on the validation part of seed 0, four tried for each model (`--tune` shows them), epochs on that
of each seed; "refit" trains again on training and validation ratings together for as many epochs, as published figures do.
Predictions are clipped to the scale; averages are over ratings; +- is the deviation over the seeds.

It must reach, refitted, on ML-1M (RMSE / MAE): Neural MF V2 0.846 / 0.662, V1 0.852 / 0.670, Wide & Deep with IDs
0.850 / 0.666, biased MF 0.850; on attributes alone Wide & Deep beats ridge; the deep regression model's AUC beats a logistic
regression's. On the synthetic world the best model must come within 10 % of the way from the biases to the noise floor.
"""

import json
import sys
import time

import numpy as np

from examples.assignment1_page import bias_page, learning_curves, top_ten
from examples.common import check, finish, loaded, output_folder
from examples.movielens_data import load, movielens_arguments
from recmodels.evaluation import evaluate_ratings, evaluate_refit, mean_deviation
from recmodels.models import MODELS
from recmodels.splits import random_split

REFITTED = ("biases", "biased-mf", "neural-mf-1", "neural-mf-2", "wide-deep")
TRIED = {  # beside a model's own settings, what else was tried on validation
    "biases": [dict(reg_user=2.0, reg_item=1.0), dict(reg_user=10.0, reg_item=5.0), dict(reg_user=5.0, reg_item=5.0)],
    "ridge": [dict(reg=1.0), dict(reg=100.0), dict(reg=1000.0)],
    "biased-mf": [dict(weight_decay=0.3), dict(weight_decay=0.6), dict(dropout=0.2)],
    "neural-mf-1": [dict(weight_decay=1.0), dict(weight_decay=2.0), dict(biases=True)],
    "neural-mf-2": [dict(weight_decay=0.6, dropout=0.2), dict(weight_decay=0.8, dropout=0.2), dict(biases=False)],
    "wide-deep": [dict(dropout=0.0), dict(dropout=0.2), dict(weight_decay=1.0)],
    "wide-deep-attributes": [dict(dropout=0.0), dict(weight_decay=0.1), dict(hidden=(64,))],
    "logistic": [dict(reg=1.0), dict(reg=100.0), dict(reg=1000.0)],
    "deep-regression": [dict(dropout=0.2), dict(weight_decay=0.1), dict(hidden=128)],
}
ELSEWHERE = ("combined", "bayesian", "item-", "user-")  # how the names of models begin that have examples of their own
QUICK = {"epochs": 5, "k": 16, "batch_size": 256}
MUST = {"biased-mf": (0.850, None), "neural-mf-1": (0.852, 0.670), "neural-mf-2": (0.846, 0.662),
        "wide-deep": (0.850, 0.666)}


def measure(name, split, **parameters):
    """One model on one split: (fitted model, row of the table), of the refitted one too where the table shows that."""
    model = MODELS[name]()
    model = model.clone(**{key: value for key, value in parameters.items() if key in model.get_params()})
    fitted, row = evaluate_ratings(model, split)
    if hasattr(fitted, "history_"):
        row["seconds_per_epoch"] = float(fitted.history_["seconds"].median())
        row["history"] = fitted.history_.reset_index().to_dict("list")
    if name in REFITTED:
        fitted, again = evaluate_refit(fitted, split)
        row.update({f"refit_{key}": value for key, value in again.items()})
    return fitted, row


def best_rmse(row):
    return row.get("refit_rmse", row["rmse"])


def cells(rows, keys, width=16, **options):
    """The numbers of one model, over its rows of all seeds, as columns of a table."""
    return " ".join(f"{mean_deviation((row.get(key) for row in rows), **options):>{width}}" for key in keys)


def tables(results, floor):
    """Print the ratings' table and the likes' table. results: {model: rows of all seeds}."""
    rated = {name: rows for name, rows in results.items() if "rmse" in rows[0]}
    liked = {name: rows for name, rows in results.items() if "auc" in rows[0]}
    if rated:
        print(f"\n{'rating prediction':21} {'RMSE':>16} {'MAE':>16} {'RMSE, refit':>16} {'MAE, refit':>16} {'gain':>8} "
              f"{'s/epoch':>8} {'epochs':>8} {'parameters':>11}" + ("  to the floor" if floor else ""))
    for name, rows in rated.items():
        gain, left = "", ""
        if "biases" in rated:  # like with like: refitted against refitted
            key = "refit_rmse" if "refit_rmse" in rows[0] else "rmse"
            gain = f"{np.mean([b[key] - row[key] for b, row in zip(rated['biases'], rows, strict=True)]):.4f}"
            if floor:
                left = f"{(rows[0][key] ** 2 - floor) / (rated['biases'][0][key] ** 2 - floor):14.3f}"
        epochs = "/".join(str(row["epochs"]) for row in rows if row["epochs"])
        speed = cells(rows, ["seconds_per_epoch"], width=8, digits=2, sign=None)
        print(f"{name:21} {cells(rows, ['rmse', 'mae', 'refit_rmse', 'refit_mae'])} {gain:>8} {speed} {epochs:>8} "
              f"{rows[0]['parameters']:11,}{left}")
    if "biases" in rated:
        print("gain: RMSE of the biases on the same rows minus the model's, both refitted where the model is")
    if liked:
        print(f"\n{'does he like it?':21} {'AUC':>16} {'log-loss':>16}    (a rating of 4 or 5)")
    for name, rows in liked.items():
        print(f"{name:21} {cells(rows, ['auc', 'log_loss'])}")


def tune(split, names, **parameters):
    """What the settings tried give on the validation part, each model's in turn."""
    print("\nvalidation RMSE (or log-loss) by setting; the first of a model is what the assignment uses")
    for name in names:
        for changes in [{}, *TRIED.get(name, [])]:
            _, row = measure(name, split, **{**parameters, **changes})
            value = row["valid"].get("rmse", row["valid"].get("log_loss"))
            print(f"{name:21} {str(changes or 'as it is'):40} {value:.4f}", flush=True)


def claims(results, floor):
    """What the assignment must reach: on the real data, or on the synthetic world."""
    def mean(name, key):
        return np.mean([row[key] for row in results[name]])

    print()
    if floor is None:
        for name, (rmse, mae) in MUST.items():
            if name in results:
                check(f"{name}, refitted: RMSE {mean(name, 'refit_rmse'):.4f} <= {rmse}", mean(name, "refit_rmse") <= rmse)
                if mae is not None:
                    check(f"{name}, refitted: MAE {mean(name, 'refit_mae'):.4f} <= {mae}", mean(name, "refit_mae") <= mae)
    elif "biases" in results:
        best = min(best_rmse(row) for rows in results.values() for row in rows if "rmse" in row)
        share = (best ** 2 - floor) / (best_rmse(results["biases"][0]) ** 2 - floor)
        check(f"the best model leaves {share:.3f} <= 0.1 of the way from the biases to the noise floor", share <= 0.1)
    if {"ridge", "wide-deep-attributes"} <= set(results):
        check("on attributes alone, Wide & Deep beats ridge", mean("wide-deep-attributes", "rmse") < mean("ridge", "rmse"))
    if {"logistic", "deep-regression"} <= set(results):
        check("the deep regression model's AUC beats the logistic regression's", mean("deep-regression", "auc")
              > mean("logistic", "auc"))


def main(argv=None):
    parser = movielens_arguments("assignment1_movielens", __doc__)
    parser.add_argument("--models", default=",".join(name for name in MODELS if not name.startswith(ELSEWHERE)),
                        metavar="A,B", help="some of %(default)s; others: examples.combined_models, bayesian_movielens, "
                        "autorec_movielens, rbm_movielens")
    parser.add_argument("--tune", action="store_true", help="show the settings tried on validation, and stop")
    parser.add_argument("--verbose", action="store_true", help="a line an epoch")
    args = parser.parse_args(argv)
    names, seeds, started = args.models.split(","), args.seeds, time.perf_counter()
    for name in names:
        if name not in MODELS:
            parser.error(f"--models: got {name!r}, want some of {', '.join(MODELS)}")
    folder = output_folder(args)
    parameters = {"verbose": args.verbose, **(QUICK if args.quick else {})}
    data = loaded(args, load, args.quick)
    print(data)
    if args.tune:
        tune(random_split(data, seeds[0]), names, seed=seeds[0], **parameters)
        return 0
    results, fitted = {}, {}
    for seed in seeds:
        split = random_split(data, seed)
        print(f"\n{split}", flush=True)
        for name in names:
            model, row = measure(name, split, seed=seed, **parameters)
            results.setdefault(name, []).append({"seed": seed, **row})
            shown = ", ".join(f"{key.replace('_', ' ')} {row[key]:.4f}" for key in
                              ("rmse", "mae", "auc", "log_loss", "refit_rmse", "refit_mae") if key in row)
            print(f"  {name:21} {shown}  ({row['seconds'] + row.get('refit_seconds', 0):.1f} s)", flush=True)
            if seed == seeds[0]:
                fitted[name], first = model, split
    floor = first.test.floor_mse if data.synthetic else None
    tables(results, floor)
    histories = {name: [row.pop("history") for row in rows] for name, rows in results.items() if "history" in rows[0]}
    learning_curves(histories, folder, data.synthetic)
    for name in ("neural-mf-2", "wide-deep"):
        if name in fitted:
            top_ten(fitted[name], name, first)
    raters = {name: model for name, model in fitted.items() if model.output == "rating"}
    if raters:
        best = min(raters, key=lambda name: results[name][0]["valid"]["rmse"])
        bias_page(raters, best, first, folder)
    record = {"data": data.name, "synthetic": data.synthetic, "quick": args.quick, "protocol": first.protocol,
              "seeds": seeds, "rows": {"train": len(first.train), "valid": len(first.valid), "test": len(first.test)},
              "noise_floor_mse": floor, "results": results, "seconds": time.perf_counter() - started}
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "histories.json").write_text(json.dumps(histories) + "\n")
    print(f"\nwritten: {folder / 'results.json'}; {record['seconds']:.0f} s in all")
    if args.quick:
        print("a quick run shows that everything runs; its numbers claim nothing")
        return 0
    claims(results, floor)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
