"""The verbs for models of sessions: the next item ranked in the full catalogue; lists for a session so far."""

import pathlib
import sys

from ..datasets import load_session_split
from ..runs import prepare_run, save_run
from ..session_evaluation import METRICS, PREFIXES, compare_table, evaluate_sessions, fit_and_evaluate
from ..session_recommender import SessionRecommender
from .common import (
    WrongUse,
    check_data,
    is_whole,
    label,
    make_model,
    make_models,
    runs_by,
    say,
    seeds_text,
    settings_of,
    with_parameters,
)


def train(args):
    """Fit, measure, keep."""
    model = with_parameters(make_model(args.model, args.set), seed=args.seed, verbose=not args.quiet)
    folder = prepare_run(args.out)
    name, split = load_session_split(args.data)
    say(split, f"model {args.model}: {model}", seeds_text([args.seed]))
    measured, row = fit_and_evaluate(model, split, args.refit)
    settings = {**settings_of(args, split.data, name, split, model), "task": "sessions"}
    save_run(folder, measured, settings, row, getattr(model, "history_", None))
    say("validation:" + "".join(f"  {metric} {row['valid'][metric]:.4f}" for metric in METRICS),
        "test:" + " (refit on train and valid)" * args.refit, compare_table([(args.model, row)]).to_string(),
        f"run: {folder}")


def evaluate(args, settings):
    """Measure the model of a run again, on the test sessions of its own split."""
    model = _load(args)
    _, split = load_session_split(args.data or settings["data"])
    check_data(args.run, settings, args.data, split.data)
    say(f"model {settings['model']}: {model}", seeds_text([settings["seed"]]))
    for prefixes in PREFIXES:
        print(f"\n{evaluate_sessions(model, split.test, prefixes)}")


def recommend(args, settings):
    """Print the items that the model of a run puts on top after a session."""
    words = [word.strip() for word in args.session.split(",")]
    if not all(map(is_whole, words)):
        raise WrongUse(f"--session {args.session}: want the items so far, whole numbers with commas between, as 12,45,3")
    table = _load(args).recommend([[int(word) for word in words]], args.k, exclude="seen" if args.new else None)
    print(f"after {', '.join(words)}{', none of these again' * bool(args.new)}{', SYNTHETIC data' * settings['synthetic']}")
    for row in table.itertuples():
        print(f"{row.rank:4d}  {row.score:10.5g}  [{row.item}]")


def compare_runs(folders):
    """A table of runs for each split."""
    for runs in runs_by(folders, "fingerprint", "protocol"):
        first = runs[0][0]
        say(f"{first['data']}{' (SYNTHETIC)' * first['synthetic']}: {first['sizes']}; {first['protocol']}",
            seeds_text(sorted({settings["seed"] for settings, _ in runs})),
            compare_table([(label(settings), row) for settings, row in runs]).to_string())


def compare_models(args):
    """Train the models over the seeds; one table."""
    models, seeds = make_models(args), list(dict.fromkeys(args.seeds))
    _, split = load_session_split(args.data)
    say(split, seeds_text(seeds))
    rows = []
    for name, model in models.items():
        for seed in seeds if "seed" in model.get_params() else seeds[:1]:
            _, row = fit_and_evaluate(with_parameters(model, seed=seed), split, args.refit)
            rows.append((name + " (refit)" * args.refit, row))
            if not args.quiet:
                print(f"{name}, seed {seed}: Recall@20 {row['last']['all']['Recall@20']:.4f} ({row['seconds']:.1f} s)",
                      file=sys.stderr)
    print(compare_table(rows).to_string())


def _load(args):
    return SessionRecommender.load(pathlib.Path(args.run) / "model.npz")
