"""The command `recmodels`: train a model, evaluate a run, recommend from it, compare models or runs.

    recmodels train --model neural-mf-2 --data ml-1m --seed 0 --set k=32 --out runs/v2 --refit
    recmodels evaluate runs/v2
    recmodels recommend runs/v2 --user 17 --k 5
    recmodels compare --models biases,ridge,neural-mf-2 --data ml-1m --seeds 0,1
    recmodels compare runs/v1 runs/v2

The same of check-ins, where a list is for a time, and a model looks back on its training part only (frozen) or on
every check-in so far (streaming):

    recmodels train --model user-slot-decay --data foursquare-nyc --regime streaming --out runs/decay
    recmodels recommend runs/decay --user 17 --at "2012-12-01 20:00" --k 5
    recmodels compare --models popularity,user-counts,user-slot-decay --regime frozen

Of sessions, where a list is for a visit that has just begun:

    recmodels train --model sasrec --data yoochoose --out runs/sasrec
    recmodels recommend runs/sasrec --session 709,1008 --k 5
    recmodels compare --models session-markov,session-knn,sasrec --data yoochoose

Of implicit feedback, where ratings of 4 and more are likes, and which of all other films a user likes is the question:

    recmodels train --model lightgcn --data ml-1m --out runs/lightgcn
    recmodels recommend runs/lightgcn --user 17 --k 5
    recmodels compare --models implicit-popularity,implicit-item-knn,lightgcn --data ml-1m

And of reviews, on which models of ratings that need no attributes are measured too:

    recmodels train --model narre --data amazon-musical-instruments --out runs/narre
    recmodels recommend runs/narre --user A2IBPI20UZIR0U --k 3 --explain
    recmodels compare --models biases,biased-mf,narre --data amazon-musical-instruments

Every number is printed with its protocol, the sizes of the split and the seeds. What goes wrong is one line on stderr
and exit code 2.
"""

import argparse
import ast
import difflib
import sys

from tinydl.training import CheckpointError

from .checkin_evaluation import REGIMES
from .commands import TASKS
from .commands.common import ALL_MODELS, WrongUse, is_whole, listed
from .runs import load_run


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
    _checked(args, _task_of([args.model], args.data)).train(args)


def evaluate(args):
    """Measure the model of a run again, on the test part of its own split."""
    settings, _ = load_run(args.run)
    _checked(args, _task_of_runs([settings])).evaluate(args, settings)


def recommend(args):
    """Print what the model of a run puts on top for one user or session: titles, venues at a local time, or items."""
    settings, _ = load_run(args.run)
    task = _checked(args, _task_of_runs([settings]))
    for option, wanted in task.asks.items():
        if getattr(args, option) is None:
            raise WrongUse(f"{args.run} holds a model of {task.kind}: say {wanted}")
    task.recommend(args, settings)


def compare(args):
    """Tables: of models, trained here, or of runs, for each split they were made on."""
    if bool(args.runs) == bool(args.models):
        raise WrongUse("compare: name either run folders or --models a,b,c")
    if args.runs:
        _checked(args, _task_of_runs([load_run(folder)[0] for folder in args.runs])).compare_runs(args.runs)
    else:
        _checked(args, _task_of(args.models, args.data)).compare_models(args)


def _task_of(names, what):
    """The task that can measure all these models; of several the one whose data are called `what`, else the first."""
    able = [task for task in TASKS if all(name in {**task.models, **task.guests} for name in names)]
    return next((task for task in able if task.owns(what)), None) or _one_of(
        able[:1] or [task for task in TASKS if any(name in task.models for name in names)])


def _task_of_runs(runs):
    """The task that all these settings name; those of runs made before there were tasks have none."""
    kinds = [settings.get("task", "check-ins" if "regime" in settings else "ratings") for settings in runs]
    known = [task.kind for task in TASKS]
    for kind in kinds:
        if kind not in known:
            raise WrongUse(f"got a run of the task {kind!r}, want one of {listed(known)}: train the run again")
    return _one_of([task for task in TASKS if task.kind in kinds])


def _one_of(tasks):
    if len(tasks) > 1:
        kinds = " and models of ".join(task.kind for task in tasks)
        raise WrongUse(f"compare: got models of {kinds}, want one kind: their metrics differ")
    return tasks[0]


def _checked(args, task):
    """The task; an option that it does not have is an error."""
    for option in dict.fromkeys(option for one in TASKS for option in one.options):
        if option not in task.options and getattr(args, option, None) is not None:
            having = listed([one.kind for one in TASKS if option in one.options])
            raise WrongUse(f"--{option.replace('_', '-')} is for models of {having}, got one of {task.kind}: leave it out")
    return task


# ---------------------------------------------------------------- arguments
class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise WrongUse(f"{message} (see {self.prog} --help)")


def _parser():
    parser = _Parser(prog="recmodels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title="commands", required=True, metavar="train | evaluate | recommend | compare")

    one, again, top, many = (commands.add_parser(function.__name__, help=function.__doc__, description=function.__doc__)
                             for function in (train, evaluate, recommend, compare))
    names = "; ".join(f"of {task.kind}: {', '.join(task.models)}" for task in TASKS)

    one.add_argument("--model", type=_model_name, required=True, metavar="NAME", help=names)
    one.add_argument("--seed", type=_seed, default=0, help="of weights and the order of batches (default 0)")
    one.add_argument("--out", required=True, metavar="RUN_FOLDER", help="made if need be")

    many.add_argument("runs", nargs="*", metavar="RUN_FOLDER", help="recorded runs")
    many.add_argument("--models", type=_list_of(_model_name), default=[], metavar="A,B,C", help=names)
    many.add_argument("--seeds", type=_list_of(_seed), default=[0], metavar="0,1", help="model seeds (default 0)")

    for command in (one, many):
        command.add_argument("--data", default="auto", help="; ".join(f"of {task.kind}: {task.data}" for task in TASKS)
                             + " (default auto)")
        command.add_argument("--split-seed", type=_seed, help="of the random split of ratings, likes or reviews (default 0)")
        command.add_argument("--set", type=_setting, action="append", default=[], metavar="PARAM=VALUE",
                             help="a parameter of the model, such as k=32 or hidden=128,64; may be given many times")
        command.add_argument("--refit", action="store_true",
                             help="measure a second model, trained on train and valid together for the chosen epochs")
        command.add_argument("--quiet", action="store_true", help="no lines while training")

    for command in (again, top):
        command.add_argument("run", metavar="RUN_FOLDER")
        command.add_argument("--data", help="where the run's data are now, if they have moved")
    for command in (one, again, many):
        command.add_argument("--regime", choices=REGIMES, help="of check-ins: what features may look back on (default "
                             "frozen, or the run's)")
    top.add_argument("--user", metavar="ID", help="for whom, but of sessions")
    top.add_argument("--session", metavar="A,B", help="of sessions: the items so far, as 12,45,3")
    top.add_argument("--k", type=_positive, default=10, help="how many (default 10)")
    top.add_argument("--include-seen", action="store_true", default=None,
                     help="of ratings, likes and reviews: also what the user has in the training data")
    top.add_argument("--explain", action="store_true", default=None,
                     help="say why, for models whose score is a sum: fm, fm-venues, narre")
    top.add_argument("--at", metavar="TIME", help="of check-ins: the local time, as in \"2012-12-01 20:00\"")
    top.add_argument("--category", metavar="NAME", help="of check-ins: only venues of this category, such as Bar")
    top.add_argument("--new", action="store_true", default=None,
                     help="of check-ins: only venues where the user has not been until then; of sessions: no item twice")

    for command, function in ((one, train), (again, evaluate), (top, recommend), (many, compare)):
        command.set_defaults(command=function)
    return parser


def _model_name(text):
    if text not in ALL_MODELS:
        near = difflib.get_close_matches(text, ALL_MODELS, n=1)
        raise argparse.ArgumentTypeError(f"no model is called {text!r}" + (f"; did you mean {near[0]}?" if near else "")
                                         + f" There are {', '.join(ALL_MODELS)}")
    return text


def _seed(text):
    if not is_whole(text) or int(text) < 0:
        raise argparse.ArgumentTypeError(f"got {text!r}, want a whole number, 0 or more")
    return int(text)


def _positive(text):
    if not is_whole(text) or int(text) < 1:
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
