"""Assignment I: Wide & Deep and Neural MF predict the ratings of MovieLens 1M; MAE and RMSE beside honest baselines.

Protocol: numpy.random.default_rng(seed).permutation(n); the first n // 10 ratings test, the next n // 40 validate, the rest
train. Settings were chosen on the validation part of seed 0 (`--tune` shows how), epochs on that of each seed; "refit"
trains again on training and validation ratings together for as many epochs, as published figures do. Predictions are
clipped to the scale; averages are over ratings.

It must reach, refitted, on ML-1M (RMSE / MAE): Neural MF V2 0.846 / 0.662, V1 0.852 / 0.670, Wide & Deep with IDs
0.850 / 0.666, biased MF 0.850; on attributes alone Wide & Deep beats ridge; the deep regression model's AUC beats a logistic
regression's. On the synthetic world the best model must come within 10 % of the way from the biases to the noise floor.
"""

import json
import sys
import time

import numpy as np

from examples.assignment1_page import bias_page, learning_curves, top_ten
from examples.common import arguments, check, finish, output_folder
from recmodels import metrics
from recmodels.datasets import load_movielens, synthetic_ratings
from recmodels.evaluation import evaluate_ratings
from recmodels.models import (
    BiasedMF,
    Biases,
    DeepRegression,
    GlobalMean,
    LogisticRegression,
    NeuralMF,
    RidgeRegression,
    WideDeep,
)
from recmodels.splits import random_split

PLAIN = dict(biases=False, dropout=0.0, weight_decay=0.0)  # the slide's form

# name: (model, is it refitted?, other settings that validation chose it from)
MODELS = {
    "global mean": (GlobalMean(), False, []),
    "biases": (Biases(), True, [dict(reg_user=u, reg_item=i) for u in (2.0, 5.0, 10.0) for i in (1.0, 2.0, 5.0)]),
    "biased MF": (BiasedMF(), True, [dict(weight_decay=w) for w in (0.3, 0.4, 0.6)] + [dict(dropout=0.2), dict(k=32)]),
    "neural MF V1, slide": (NeuralMF(version=1, **PLAIN), False, []),
    "neural MF V1": (NeuralMF(version=1), True, [dict(weight_decay=w) for w in (0.3, 0.5, 0.8)] + [dict(dropout=0.2)]),
    "neural MF V2, slide": (NeuralMF(version=2, **PLAIN), False, []),
    "neural MF V2": (NeuralMF(version=2), True, [dict(weight_decay=w) for w in (0.3, 0.5, 0.8)] + [dict(dropout=0.2)]),
    "wide & deep, IDs": (WideDeep(), True, [dict(weight_decay=w) for w in (0.3, 0.5, 0.8)] + [dict(dropout=0.2)]),
    "ridge, attributes": (RidgeRegression(), False, [dict(reg=r) for r in (1.0, 10.0, 100.0)]),
    "wide & deep, attributes": (WideDeep(ids=False), False, [dict(hidden=(64,)), dict(dropout=0.2)]),
    "logistic regression": (LogisticRegression(), False, [dict(reg=r) for r in (1.0, 10.0, 100.0)]),
    "deep regression": (DeepRegression(), False, [dict(hidden=128), dict(dropout=0.2)]),
}
QUICK = {"epochs": 5, "k": 16, "batch_size": 256}
MUST = {"neural MF V2": (0.846, 0.662), "neural MF V1": (0.852, 0.670), "wide & deep, IDs": (0.850, 0.666),
        "biased MF": (0.850, None)}


def load(which, quick):
    """MovieLens 1M, or the synthetic world where it is not to be had and `auto` was asked for."""
    if which in ("auto", "ml-1m"):
        try:
            data = load_movielens()
        except OSError as error:
            if which == "ml-1m":
                raise SystemExit(f"--data ml-1m: {error}") from error
            print(f"!!! MovieLens 1M is not here ({error})\n!!! All numbers below are of a SYNTHETIC world.")
        else:
            return data.take(np.arange(0, len(data), 10)) if quick else data
    return synthetic_ratings(rng=0, **(dict(users=600, items=300, ratings=30_000) if quick else {}))


def measure(name, split, seed, quick, verbose):
    """One model on one split: (fitted model, row of the table)."""
    model, refit, _ = MODELS[name]
    parameters = model.get_params()
    changes = {key: value for key, value in dict(seed=seed, verbose=verbose).items() if key in parameters}
    if quick:
        changes.update({key: value for key, value in QUICK.items() if key in parameters})
    model = model.clone(**changes)
    fitted, row = evaluate_ratings(model, split)
    row.update(model=name, seed=seed, seconds_per_epoch=None)
    if hasattr(fitted, "history_"):
        row["seconds_per_epoch"] = float(fitted.history_["seconds"].median())
        row["history"] = fitted.history_.reset_index().to_dict("list")
    if refit:
        started = time.perf_counter()
        fitted = fitted.refit(split.refit)
        y, p = split.test.frame["rating"].to_numpy(), fitted.predict(split.test)
        row.update(refit_rmse=metrics.rmse(y, p), refit_mae=metrics.mae(y, p),
                   refit_seconds=time.perf_counter() - started)
    return fitted, row


def mean_std(rows, key):
    values = [row[key] for row in rows if row.get(key) is not None]
    return "" if not values else f"{np.mean(values):.4f} +- {np.std(values):.4f}" if len(values) > 1 else f"{values[0]:.4f}"


def tables(results, floor=None):
    """Print the ratings' table and the likes' table. results: {model: rows of all seeds}."""
    biases = results.get("biases")
    print(f"\n{'rating prediction':25} {'RMSE':>16} {'MAE':>16} {'RMSE, refit':>16} {'MAE, refit':>16} {'gain':>7} "
          f"{'s/epoch':>8} {'epochs':>7} {'parameters':>11}" + (" to the floor" if floor else ""))
    for name, rows in results.items():
        if "rmse" not in rows[0]:
            continue
        best = "refit_rmse" if "refit_rmse" in rows[0] else "rmse"
        gain = np.mean([b.get("refit_rmse", b["rmse"]) if best != "rmse" else b["rmse"] for b in biases]) - np.mean(
            [row[best] for row in rows]) if biases else np.nan
        epochs = "" if rows[0]["epochs"] is None else "/".join(str(row["epochs"]) for row in rows)
        speed = "" if rows[0]["seconds_per_epoch"] is None else f"{np.mean([r['seconds_per_epoch'] for r in rows]):.2f}"
        line = (f"{name:25} {mean_std(rows, 'rmse'):>16} {mean_std(rows, 'mae'):>16} {mean_std(rows, 'refit_rmse'):>16} "
                f"{mean_std(rows, 'refit_mae'):>16} {gain:7.4f} {speed:>8} {epochs:>7} {rows[0]['parameters']:11,}")
        if floor:
            line += f" {(rows[0][best] ** 2 - floor) / (biases[0]['rmse'] ** 2 - floor):12.3f}"
        print(line)
    print("gain: RMSE of the biases on the same rows minus the model's (both refitted where the model is)")
    if any("auc" in rows[0] for rows in results.values()):
        print(f"\n{'does the user like it?':25} {'AUC':>16} {'log-loss':>16}")
        for name, rows in results.items():
            if "auc" in rows[0]:
                print(f"{name:25} {mean_std(rows, 'auc'):>16} {mean_std(rows, 'log_loss'):>16}")


def tune(split, names):
    """The settings that were tried on the validation part, each model's in turn."""
    print("\nvalidation RMSE (or log-loss) by setting; the first row of a model is what the assignment uses")
    for name in names:
        model, _, grid = MODELS[name]
        for changes in [{}, *grid]:
            fitted = model.clone(**changes).fit(split.train, valid=split.valid)
            prediction, y = fitted.predict(split.valid), split.valid.frame["rating"].to_numpy()
            value = (metrics.rmse(y, prediction) if fitted.output == "rating"
                     else metrics.log_loss(y >= fitted.threshold, prediction))
            print(f"{name:25} {str(changes or 'as it is'):45} {value:.4f}", flush=True)


def claims(results, floor):
    """What the assignment must reach; on the real data in full, or on the synthetic world."""
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
        best = min(row.get("refit_rmse", row["rmse"]) for rows in results.values() for row in rows if "rmse" in row)
        share = (best ** 2 - floor) / (results["biases"][0]["rmse"] ** 2 - floor)
        check(f"the best model leaves {share:.3f} <= 0.1 of the way from the biases to the noise floor", share <= 0.1)
    if {"ridge, attributes", "wide & deep, attributes"} <= set(results):
        check("on attributes alone, Wide & Deep beats ridge", mean("wide & deep, attributes", "rmse")
              < mean("ridge, attributes", "rmse"))
    if {"logistic regression", "deep regression"} <= set(results):
        check("the deep regression model's AUC beats the logistic regression's", mean("deep regression", "auc")
              > mean("logistic regression", "auc"))


def main(argv=None):
    parser = arguments("assignment1_movielens", __doc__)
    parser.add_argument("--data", choices=["auto", "ml-1m", "synthetic"], default="auto", help="auto: ml-1m if it is there")
    parser.add_argument("--seeds", help="several seeds of split and training, as 0,1,2 (default: --seed alone)")
    parser.add_argument("--models", help=f"some of these, with ; between them: {'; '.join(MODELS)}")
    parser.add_argument("--tune", action="store_true", help="show the settings tried on validation, and stop")
    parser.add_argument("--verbose", action="store_true", help="a line an epoch")
    args = parser.parse_args(argv)
    folder = output_folder(args)
    names = [name.strip() for name in args.models.split(";")] if args.models else list(MODELS)
    for name in names:
        if name not in MODELS:
            raise SystemExit(f"--models: got {name!r}, want some of: {'; '.join(MODELS)}")
    seeds = [int(seed) for seed in args.seeds.split(",")] if args.seeds else [args.seed]
    started = time.perf_counter()
    data = load(args.data, args.quick)
    print(data)
    if args.tune:
        tune(random_split(data, seeds[0]), names)
        return 0
    results, fitted = {}, {}
    for seed in seeds:
        split = random_split(data, seed)
        print(f"\n{split.protocol}: {len(split.train):,} train, {len(split.valid):,} validation, {len(split.test):,} test")
        for name in names:
            model, row = measure(name, split, seed, args.quick, args.verbose)
            results.setdefault(name, []).append(row)
            if seed == seeds[0]:
                fitted[name] = model
            shown = {key: f"{row[key]:.4f}" for key in ("rmse", "mae", "refit_rmse", "refit_mae", "auc", "log_loss")
                     if key in row}
            print(f"  {name:25} {shown}  {row['seconds'] + row.get('refit_seconds', 0):.1f} s", flush=True)
        if seed == seeds[0]:
            first = split
    floor = first.test.floor_mse if data.synthetic else None
    tables(results, floor)
    learning_curves(results, folder, synthetic=data.synthetic)
    for name in ("neural MF V2", "wide & deep, IDs"):
        if name in fitted:
            top_ten(fitted[name], name, first)
    if fitted:
        bias_page({name: m for name, m in fitted.items() if m.output == "rating"}, first, folder)
    record = {"data": data.name, "synthetic": data.synthetic, "quick": args.quick, "protocol": first.protocol,
              "seeds": seeds, "rows": {"train": len(first.train), "valid": len(first.valid), "test": len(first.test)},
              "noise_floor_mse": floor, "results": results, "seconds": time.perf_counter() - started}
    (folder / "results.json").write_text(json.dumps(record, indent=1))
    print(f"\nwritten: {folder / 'results.json'}; {record['seconds']:.0f} s in all")
    if args.quick:
        print("a quick run shows that everything runs; its numbers claim nothing")
        return 0
    claims(results, floor)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
