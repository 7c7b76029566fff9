"""The verbs for models of check-ins: events and contexts ranked on a split by time; lists for a user at a local time."""

import pathlib
import sys

from ..checkin_evaluation import compare_table, evaluate_checkins, evaluate_new_venues, fit_and_evaluate
from ..checkin_recommender import CheckInRecommender
from ..datasets import load_checkins
from ..runs import prepare_run, save_run
from ..splits import time_split
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
    regime = args.regime or "frozen"
    model = with_parameters(make_model(args.model, args.set), seed=args.seed, verbose=not args.quiet, regime=regime)
    folder = prepare_run(args.out)
    name, data = load_checkins(args.data)
    split = time_split(data)
    say(data, split, f"model {args.model}, {regime}: {model}", seeds_text([args.seed]))
    measured, row = fit_and_evaluate(model, split, regime, args.refit)
    settings = {**settings_of(args, data, name, split, model), "regime": regime}
    save_run(folder, measured, settings, row, getattr(model, "history_", None))
    epochs = f"{row['epochs']} epochs, " if row["epochs"] else ""
    say("validation:" + "".join(f"  {metric} {value:.4f}" for metric, value in row["valid"].items()),
        "test:" + " (refit on train and valid)" * args.refit)
    _tables([(args.model, row)])
    say(f"{epochs}{row['parameters']:,} parameters, {row['seconds']:.1f} s", f"run: {folder}")


def evaluate(args, settings):
    """Measure the model of a run again, on the test check-ins of its own split."""
    model = _load(args)
    _, data = load_checkins(args.data or settings["data"])
    check_data(args.run, settings, args.data, data)
    split, regime = time_split(data), args.regime or settings["regime"]
    say(f"model {settings['model']}: {model}", seeds_text([settings["seed"]]))
    for result in (*evaluate_checkins(model, split, regime), evaluate_new_venues(model, split, regime)):
        print(f"\n{result}")


def recommend(args, settings):
    """Print the venues that the model of a run puts on top for one user at a local time: category, place, score."""
    model = _load(args)
    table = model.recommend([user_id(args.user, model.log_.users)], args.at, args.k, category=args.category,
                            exclude="visited" if args.new else None)
    print(f"user {args.user} at {args.at}, {'venues not visited until then' if args.new else 'all venues'}"
          f"{f', {args.category} only' if args.category else ''}, {settings['regime']}"
          f"{', SYNTHETIC data' if settings['synthetic'] else ''}")
    venues = model.venues_.loc[table["item"]]
    width = max(map(len, venues["category_name"]), default=0)
    for row, venue in zip(table.itertuples(), venues.itertuples(), strict=True):
        print(f"{row.rank:4d}  {row.score:10.5g}  {venue.category_name:{width}}  {venue.latitude:.5f}, "
              f"{venue.longitude:.5f}  [{row.item}]")
    if table.empty:
        print("      nothing is left: the user has been in every such venue; see them without --new")


def compare_runs(folders):
    """Two tables of runs, events and contexts, for each split and regime."""
    for runs in runs_by(folders, "fingerprint", "protocol", "regime"):
        first = runs[0][0]
        say(f"{first['data']}{' (SYNTHETIC)' * first['synthetic']}: {first['sizes']}; {first['protocol']}; "
            f"{first['regime']}", seeds_text(sorted({settings["seed"] for settings, _ in runs})))
        _tables([(label(settings), row) for settings, row in runs])


def compare_models(args):
    """Train the models over the seeds; two tables."""
    models, seeds, regime = make_models(args), list(dict.fromkeys(args.seeds)), args.regime or "frozen"
    data = load_checkins(args.data)[1]
    split = time_split(data)
    say(data, split, f"{regime}; {seeds_text(seeds)}")
    rows = []
    for name, model in models.items():
        for seed in seeds if "seed" in model.get_params() else seeds[:1]:
            _, row = fit_and_evaluate(with_parameters(model, seed=seed, regime=regime), split, regime, args.refit)
            rows.append((name + " (refit)" * args.refit, row))
            if not args.quiet:
                print(f"{name}, seed {seed}: Recall@10 {row['events']['all']['Recall@10']:.4f} ({row['seconds']:.1f} s)",
                      file=sys.stderr)
    _tables(rows)


def _load(args):
    return CheckInRecommender.load(pathlib.Path(args.run) / "model.npz")


def _tables(rows):
    for part, table in compare_table(rows).items():
        say(f"\n{part}", table.to_string())
