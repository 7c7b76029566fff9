"""The command `recmodels`: train a rating model, evaluate a run, recommend from it, compare models or runs.

    recmodels train --model neural-mf-2 --data ml-1m --seed 0 --set k=32 --out runs/v2 --refit
    recmodels evaluate runs/v2
    recmodels recommend runs/v2 --user 17 --k 5
    recmodels compare --models biases,ridge,neural-mf-2 --data ml-1m --seeds 0,1
    recmodels compare runs/v1 runs/v2

Every number is printed with its protocol, the sizes of the split and the seeds. What goes wrong is one line on stderr
and exit code 2.
"""

import argparse
import ast
import difflib
import pathlib
import sys

from tinydl.training import CheckpointError

from .datasets import DATA, load_ratings
from .evaluation import METRICS, evaluate_ratings, rating_metrics, results_table
from .models import MODELS
from .recommender import Recommender
from .runs import fingerprint, load_run, prepare_run, save_run
from .splits import random_split


class WrongUse(Exception):
    """What the user asked for cannot be done; the message says why and what to do."""


def main(argv=None):
    """Run the command; the exit code is 0, 2 for whatever the user can put right, or 130 if he stopped it."""
    try:
        args = _parser().parse_args(argv)
        args.command(args)
        return 0
    except KeyboardInterrupt:
        print("recmodels: stopped", file=sys.stderr)
        return 130
    except (WrongUse, OSError, ValueError, KeyError, FloatingPointError, CheckpointError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print("recmodels: " + " ".join(str(text).split()), file=sys.stderr)
        return 2


# ---------------------------------------------------------------- the four commands
def train(args):
    """Fit one model and keep it with all that belongs to it in a run folder."""
    model = _with(make_model(args.model, args.set), seed=args.seed, verbose=not args.quiet)
    folder = prepare_run(args.out)
    name, data = load_ratings(args.data)
    split = random_split(data, args.split_seed)
    _say(split, f"model {args.model}: {model}", _seeds(args.split_seed, [args.seed]))
    measured, row = evaluate_ratings(model, split, args.refit)
    save_run(folder, measured, _settings(args, name, split, model), row, getattr(model, "history_", None))
    epochs = f"{row['epochs']} epochs, " if row["epochs"] else ""
    _say(f"validation: {_metrics(row['valid'])}", f"test: {_metrics(row)}" + " (refit on train and valid)" * args.refit,
         f"{epochs}{row['parameters']:,} parameters, {row['seconds']:.1f} s", f"run: {folder}")


def evaluate(args):
    """Measure the model of a run again, on the test ratings of its own split."""
    settings, _, split, model = _open_run(args)
    _say(split, f"model {settings['model']}: {model}", _seeds(settings["split_seed"], [settings["seed"]]),
         f"test: {_metrics(rating_metrics(model, split.test))}")


def recommend(args):
    """Print the titles that the model of a run puts on top for one user."""
    _, _, split, model = _open_run(args)
    user = int(args.user) if model.users_.ids.dtype.kind == "i" and _is_whole(args.user) else args.user
    known = bool(model.users_.codes([user])[0])
    table, items = model.recommend([user], args.k, exclude_seen=not args.include_seen), split.data.items
    print(f"user {args.user}{'' if known else ' (unknown: the list of an average user)'}, "
          f"{'all films' if args.include_seen else 'films not rated in the training data'}"
          f"{', SYNTHETIC data' if split.data.synthetic else ''}")
    for rank, item, score in zip(table["rank"], table["item"], table["score"], strict=True):
        print(f"{rank:4d}  {score:.3f}  {items['title'][item] if 'title' in items else item}  [{item}]")
    if table.empty:
        print("      nothing is left: the user has rated every film; see them with --include-seen")


def compare(args):
    """One table: of models, trained here, or of runs, one table for each split they were made on."""
    if bool(args.runs) == bool(args.models):
        raise WrongUse("compare: name either run folders or --models a,b,c")
    if args.runs:
        tables = {}
        for folder in args.runs:
            settings, row = load_run(folder)
            key = (settings["fingerprint"], settings["protocol"])
            tables.setdefault(key, []).append((settings, row))
        for runs in tables.values():
            first = runs[0][0]
            _say(f"{first['data']}{' (SYNTHETIC)' * first['synthetic']}: {first['sizes']}; {first['protocol']}",
                 _seeds(first["split_seed"], sorted({settings["seed"] for settings, _ in runs})))
            print(results_table([(_label(settings), row) for settings, row in runs]).to_string())
        return
    seeds = list(dict.fromkeys(args.seeds))
    models = {name: make_model(name, args.set, partly=True) for name in args.models}
    unused = [key for key, _ in args.set if not any(key in model.get_params() for model in models.values())]
    if unused:
        raise WrongUse(f"--set {unused[0]}: none of these models has such a parameter")
    _, data = load_ratings(args.data)
    split = random_split(data, args.split_seed)
    _say(split, _seeds(args.split_seed, seeds))
    rows = []
    for name, model in models.items():
        for seed in seeds if "seed" in model.get_params() else seeds[:1]:
            _, row = evaluate_ratings(_with(model, seed=seed), split, args.refit)
            rows.append((name + " (refit)" * args.refit, row))
            if not args.quiet:
                print(f"{name}, seed {seed}: {_metrics(row)} ({row['seconds']:.1f} s)", file=sys.stderr)
    print(results_table(rows).to_string())


# ---------------------------------------------------------------- models and data by name
def make_model(name, changes=(), partly=False):
    """The model called `name` with the parameters [(parameter, value)]; partly: leave out those that it has not."""
    model = MODELS[name]()
    given = {key: value for key, value in changes if not partly or key in model.get_params()}
    for key, value in given.items():
        if key in ("seed", "verbose"):
            raise WrongUse(f"--set {key}: say --seed S, and --quiet for no lines while training")
        if key not in model.get_params():
            names = ", ".join(p for p in model.get_params() if p not in ("seed", "verbose"))
            raise WrongUse(f"--set {key}: {name} has no such parameter, only {names or 'none at all'}")
        _check_value(key, value, getattr(model, key))
    return model.clone(**given)


def _check_value(key, value, default):
    """A value of the default's kind: a positive whole number, a number from 0 on, True or False, or widths."""
    def whole(x):
        return type(x) is int and x >= 1

    if isinstance(default, bool):
        good, want = isinstance(value, bool), "True or False"
    elif isinstance(default, int):
        good, want = whole(value), "a whole number of at least 1"
    elif isinstance(default, float):
        good, want = type(value) in (int, float) and 0 <= value < float("inf"), "a number, 0 or more"
    else:
        good, want = isinstance(value, tuple) and len(value) > 0 and all(map(whole, value)), "whole numbers such as 128,64"
    if not good:
        raise WrongUse(f"--set {key}={value}: want {want}")


def _with(model, **parameters):
    """The model with those of the parameters that it has."""
    return model.clone(**{key: value for key, value in parameters.items() if key in model.get_params()})


# ---------------------------------------------------------------- runs
def _settings(args, data, split, model):
    parameters = {key: value for key, value in model.get_params().items() if key not in ("seed", "verbose")}
    train, valid, test = (len(rows) for rows in split.rows)
    return {"model": args.model, "parameters": parameters, "data": data, "fingerprint": fingerprint(split.data),
            "synthetic": split.data.synthetic, "split_seed": args.split_seed, "seed": args.seed, "refit": args.refit,
            "protocol": split.protocol, "sizes": f"{train:,} train, {valid:,} valid, {test:,} test"}


def _open_run(args):
    """(settings, metrics, split, model) of a run folder; the data must be what the run was trained on."""
    settings, row = load_run(args.run)
    model = Recommender.load(pathlib.Path(args.run) / "model.npz")
    _, data = load_ratings(args.data or settings["data"])
    if fingerprint(data) != settings["fingerprint"]:
        raise WrongUse(f"{args.run} was trained on other data than {args.data or settings['data']}: {settings['data']}, "
                       f"fingerprint {settings['fingerprint']}, here {fingerprint(data)}. Its test ratings may have trained "
                       "the model: give --data with the data of the run, or train again")
    return settings, row, random_split(data, settings["split_seed"]), model


def _label(settings):
    """The model's name, with the parameters that are not the default ones."""
    default = MODELS[settings["model"]]().get_params() if settings["model"] in MODELS else {}
    changed = [f"{key}={value}" for key, value in settings["parameters"].items() if value != _plain(default.get(key))]
    return " ".join([settings["model"], *changed] + ["(refit)"] * settings["refit"])


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


# ---------------------------------------------------------------- printing
def _say(*lines):
    for line in lines:
        print(line)


def _seeds(split_seed, seeds):
    return f"split seed {split_seed}; model seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _metrics(row):
    return "  ".join(f"{title} {row[key]:.4f}" for key, title in METRICS.items() if key in row)


# ---------------------------------------------------------------- arguments
class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise WrongUse(f"{message} (see {self.prog} --help)")


def _parser():
    parser = _Parser(prog="recmodels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title="commands", required=True, metavar="train | evaluate | recommend | compare")

    one, again, top, many = (commands.add_parser(function.__name__, help=function.__doc__, description=function.__doc__)
                             for function in (train, evaluate, recommend, compare))

    one.add_argument("--model", type=_model_name, required=True, metavar="NAME", help=", ".join(MODELS))
    one.add_argument("--seed", type=_seed, default=0, help="of weights and the order of batches (default 0)")
    one.add_argument("--out", required=True, metavar="RUN_FOLDER", help="made if need be")

    many.add_argument("runs", nargs="*", metavar="RUN_FOLDER", help="recorded runs")
    many.add_argument("--models", type=_list_of(_model_name), default=[], metavar="A,B,C", help=", ".join(MODELS))
    many.add_argument("--seeds", type=_list_of(_seed), default=[0], metavar="0,1", help="model seeds (default 0)")

    for command in (one, many):
        command.add_argument("--data", default="auto", help=DATA + " (default auto)")
        command.add_argument("--split-seed", type=_seed, default=0, help="of the split (default 0)")
        command.add_argument("--set", type=_setting, action="append", default=[], metavar="PARAM=VALUE",
                             help="a parameter of the model, such as k=32 or hidden=128,64; may be given many times")
        command.add_argument("--refit", action="store_true",
                             help="measure a second model, trained on train and valid together for the chosen epochs")
        command.add_argument("--quiet", action="store_true", help="no lines while training")

    for command in (again, top):
        command.add_argument("run", metavar="RUN_FOLDER")
        command.add_argument("--data", help="where the run's data are now, if they have moved")
    top.add_argument("--user", required=True, metavar="ID")
    top.add_argument("--k", type=_positive, default=10, help="how many (default 10)")
    top.add_argument("--include-seen", action="store_true", help="also what the user rated in the training data")

    for command, function in ((one, train), (again, evaluate), (top, recommend), (many, compare)):
        command.set_defaults(command=function)
    return parser


def _model_name(text):
    if text not in MODELS:
        near = difflib.get_close_matches(text, MODELS, n=1)
        raise argparse.ArgumentTypeError(f"no model is called {text!r}" + (f"; did you mean {near[0]}?" if near else "")
                                         + f" There are {', '.join(MODELS)}")
    return text


def _is_whole(text):
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


def _seed(text):
    if not _is_whole(text) or int(text) < 0:
        raise argparse.ArgumentTypeError(f"got {text!r}, want a whole number, 0 or more")
    return int(text)


def _positive(text):
    if not _is_whole(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, want a whole number of at least 1")
    return int(text)


def _list_of(kind):
    def parse(text):
        return [kind(part.strip()) for part in text.split(",") if part.strip()]
    return parse


def _setting(text):
    key, equals, value = text.partition("=")
    if not key or not equals or not value:
        raise argparse.ArgumentTypeError(f"got {text!r}, want PARAM=VALUE, as in k=32")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value
