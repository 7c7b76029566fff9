"""The verbs for models of ratings: RMSE and MAE, or AUC and log loss, on a random split; lists of titles."""

import pathlib
import sys

from ..datasets import load_ratings
from ..evaluation import METRICS, evaluate_ratings, rating_metrics, results_table
from ..recommender import Recommender
from ..runs import prepare_run, save_run
from ..splits import random_split
from .common import (
    check_data,
    label,
    make_model,
    make_models,
    runs_by,
    say,
    seeds_text,
    settings_of,
    user_id,
    with_parameters,
)


def train(args):
    """Fit, measure, keep."""
    model = with_parameters(make_model(args.model, args.set), seed=args.seed, verbose=not args.quiet)
    folder = prepare_run(args.out)
    name, data = load_ratings(args.data)
    split = random_split(data, args.split_seed or 0)
    say(split, f"model {args.model}: {model}", _seeds(args.split_seed or 0, [args.seed]))
    measured, row = evaluate_ratings(model, split, args.refit)
    settings = {**settings_of(args, data, name, split, model), "split_seed": args.split_seed or 0}
    save_run(folder, measured, settings, row, getattr(model, "history_", None))
    epochs = f"{row['epochs']} epochs, " if row["epochs"] else ""
    say(f"validation: {_metrics(row['valid'])}", f"test: {_metrics(row)}" + " (refit on train and valid)" * args.refit,
        f"{epochs}{row['parameters']:,} parameters, {row['seconds']:.1f} s", f"run: {folder}")


def evaluate(args, settings):
    """Measure the model of a run again, on the test ratings of its own split."""
    split, model = _open(args, settings)
    say(split, f"model {settings['model']}: {model}", _seeds(settings["split_seed"], [settings["seed"]]),
        f"test: {_metrics(rating_metrics(model, split.test))}")


def recommend(args, settings):
    """Print the titles that the model of a run puts on top for one user."""
    split, model = _open(args, settings)
    user = user_id(args.user, model.users_.ids)
    known = bool(model.users_.codes([user])[0])
    table, items = model.recommend([user], args.k, exclude_seen=not args.include_seen), split.data.items
    print(f"user {args.user}{'' if known else ' (unknown: the list of an average user)'}, "
          f"{'all films' if args.include_seen else 'films not rated in the training data'}"
          f"{', SYNTHETIC data' if split.data.synthetic else ''}")
    for rank, item, score in zip(table["rank"], table["item"], table["score"], strict=True):
        print(f"{rank:4d}  {score:.3f}  {items['title'][item] if 'title' in items else item}  [{item}]")
    if table.empty:
        print("      nothing is left: the user has rated every film; see them with --include-seen")


def compare_runs(folders):
    """One table of runs for each split that they were made on."""
    for runs in runs_by(folders, "fingerprint", "protocol"):
        first = runs[0][0]
        say(f"{first['data']}{' (SYNTHETIC)' * first['synthetic']}: {first['sizes']}; {first['protocol']}",
            _seeds(first["split_seed"], sorted({settings["seed"] for settings, _ in runs})))
        print(results_table([(label(settings), row) for settings, row in runs]).to_string())


def compare_models(args):
    """Train the models over the seeds; one table."""
    models, seeds = make_models(args), list(dict.fromkeys(args.seeds))
    split = random_split(load_ratings(args.data)[1], args.split_seed or 0)
    say(split, _seeds(args.split_seed or 0, seeds))
    rows = []
    for name, model in models.items():
        for seed in seeds if "seed" in model.get_params() else seeds[:1]:
            _, row = evaluate_ratings(with_parameters(model, seed=seed), split, args.refit)
            rows.append((name + " (refit)" * args.refit, row))
            if not args.quiet:
                print(f"{name}, seed {seed}: {_metrics(row)} ({row['seconds']:.1f} s)", file=sys.stderr)
    print(results_table(rows).to_string())


def _open(args, settings):
    """(split, model) of a run folder; the data must be what the run was trained on."""
    model = Recommender.load(pathlib.Path(args.run) / "model.npz")
    _, data = load_ratings(args.data or settings["data"])
    check_data(args.run, settings, args.data, data)
    return random_split(data, settings["split_seed"]), model


def _seeds(split_seed, seeds):
    return f"split seed {split_seed}; {seeds_text(seeds)}"


def _metrics(row):
    return "  ".join(f"{title} {row[key]:.4f}" for key, title in METRICS.items() if key in row)
