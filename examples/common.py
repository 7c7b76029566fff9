"""What every example shares: its options, its folder, the claims it must keep, its record, and the look of its figures.

    args = arguments("my_example", __doc__, seeds=True).parse_args(argv)
    folder = output_folder(args)
    fig, ax = figure(title="...")
    save_figure(fig, folder / "loss.png")
    claim("test accuracy of the convnet", [0.921, 0.925, 0.922], ">=", 0.92)     # a number for each seed: about their mean
    claim("points lost without a block", lost["residual"], "<", lost["plain"])
    check("the image becomes its mirror's mirror", np.array_equal(x, again))     # yes or no, nothing to measure
    write_record(args, data=images.name, synthetic=images.synthetic, accuracy=reached)
    return finish()          # 0, or 1 when a claim does not hold

`write_record` writes --out/results.json, in the one form that README.md's table is made from:

    {"example": "my_example", "command": "python -m examples.my_example --seeds 0,1,2", "seeds": [0, 1, 2], "quick": false,
     "claims": [{"what": "test accuracy of the convnet", "value": [0.921, 0.925, 0.922], "goal": ">= 0.92", "holds": true},
                ...],    # value: a number, or one a seed; null, like goal, for yes or no
     "data": ..., "synthetic": ..., "accuracy": ...}    # and what else the example keeps

Copy it to results/my_example.json after a full run; `python -m examples.readme_tables` then shows its claims.
"""

import argparse
import importlib.util
import json
import operator
import pathlib
import shlex
import sys
import tempfile

import numpy as np

# Okabe and Ito's colours, which the colour-blind can tell apart, by what they look like.
COLOURS = {"blue": "#0072B2", "orange": "#E69F00", "green": "#009E73", "red": "#D55E00", "purple": "#CC79A7",
           "sky": "#56B4E9", "black": "#000000", "grey": "#7F7F7F"}

COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

_claims = []


class _Parser(argparse.ArgumentParser):
    """Its arguments know, as `command`, how the example was called (but not where it wrote to)."""

    def parse_args(self, args=None, namespace=None):
        given = sys.argv[1:] if args is None else list(args)
        parsed = super().parse_args(given, namespace)
        kept = [word for before, word in zip(["", *given], given, strict=False)
                if "--out" not in (before, word) and not word.startswith("--out=")]
        parsed.example = self.prog.rpartition(".")[2]
        parsed.command = " ".join([self.prog, *map(shlex.quote, kept)])
        parsed.seeds = getattr(parsed, "seeds", None) or [parsed.seed]
        return parsed


def arguments(name, description=None, seeds=False, generated=False):
    """A parser with the options of all examples. A new example begins: claims of an earlier one are forgotten.

    seeds: whether the example can run over several seeds, which --seeds then names. generated: whether it draws its own data
    and takes no others, so that --data, which every example has, makes no difference. What is parsed also has `example`, the
    name; `command`, how it was called; and `seeds`, a list, of --seed alone where --seeds is not given.
    """
    _claims.clear()
    parser = _Parser(prog=f"python -m examples.{name}", description=description,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same numbers (default 0)")
    if seeds:
        parser.add_argument("--seeds", type=whole_numbers, metavar="A,B", help="several seeds, as 0,1,2; claims are about "
                            "their mean")
    if generated:
        parser.add_argument("--data", default="auto", choices=("auto", "synthetic"), help="both the same: all is generated")
    parser.add_argument("--quick", action="store_true", help="smaller settings, a few seconds")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs") / name, metavar="FOLDER",
                        help="where figures and tables go, made if need be (default %(default)s)")
    return parser


def whole_numbers(text):
    """The numbers of an option such as 0,1,2."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers with commas between, as 0,1,2") from None


def output_folder(args, figures=True):
    """The folder of --out, made; the example ends here with a message where nothing can be written to it, or drawn."""
    if figures and importlib.util.find_spec("matplotlib") is None:
        raise SystemExit('the figures of this example need matplotlib: pip install -e ".[plots]"')
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=args.out):
            return args.out
    except OSError as error:
        raise SystemExit(f"--out {args.out}: cannot write there ({error.strerror or error}); "
                         "choose a folder of yours with --out FOLDER") from None


def loaded(args, load, *settings):
    """load(args.data, *settings); the example ends here with a message where there is nothing of the kind to read."""
    try:
        return load(args.data, *settings)
    except (OSError, ValueError) as error:
        where = f"--data {args.data}: "
        raise SystemExit(where + str(error).removeprefix(where)) from error


def check(claim, holds):
    """Print whether a claim holds, and remember it for `finish`. Returns the answer. One about a number is a `claim`."""
    return _remember(claim, claim, holds)


def claim(what, value, comparison, goal):
    """Check that a measured number keeps its goal, and print both. Returns the answer.

    what: the quantity, with its unit; value: its number, or one for each seed, whose mean is judged; comparison: <, <=, >
    or >=; goal: a number, given or measured.
    """
    mean = float(np.mean(value))
    holds, goal_text = COMPARISONS[comparison](mean, goal), f"{comparison} {float(goal):.4g}"
    return _remember(f"{what}: {mean:.4g} {goal_text}", what, holds, np.asarray(value, float).tolist(), goal_text)


def _remember(line, what, holds, value=None, goal=None):
    _claims.append({"what": what, "value": value, "goal": goal, "holds": bool(holds)})
    print(f"  {'holds ' if holds else 'FAILS '} {line}")
    return bool(holds)


def write_record(args, **found):
    """Write results.json to --out: how the example was called, its claims so far, and what it found. Says where."""
    record = {"example": args.example, "command": args.command, "seeds": args.seeds, "quick": args.quick, "claims": _claims}
    path = args.out / "results.json"
    path.write_text(json.dumps({**record, **found}, indent=1) + "\n")
    print(f"record: {path}")


def finish():
    """Say how many claims hold; 0 if all of them do, else 1: the exit code of the example."""
    failed = sum(not claim["holds"] for claim in _claims)
    print(f"\n{len(_claims) - failed} of {len(_claims)} claims hold")
    return int(failed > 0)


def figure(rows=1, columns=1, size=(8, 4.5), title=None, synthetic=False, **options):
    """(fig, axes), as `plt.subplots` gives them, in the examples' style and without a window.

    synthetic: the data were generated, and the figure says so. options: sharex, sharey, width_ratios, ...
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=size, dpi=150, layout="constrained")
    FigureCanvasAgg(fig)
    axes = fig.subplots(rows, columns, **options)
    for ax in fig.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(True, color="#DDDDDD", linewidth=0.6)
        ax.set_axisbelow(True)
    if title:
        fig.suptitle(title, fontsize=12, fontweight="bold")
    if synthetic:
        fig.supxlabel("synthetic data", fontsize=9, color=COLOURS["red"], x=0.995, ha="right")
    return fig, axes


def save_figure(fig, path):
    """Write the figure and say where."""
    fig.savefig(path)
    print(f"figure: {path}")
