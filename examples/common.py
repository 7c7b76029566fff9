"""What every example shares: its options, its folder, the claims it must keep, and the look of its figures.

    args = arguments("my_example", __doc__).parse_args(argv)
    folder = output_folder(args)
    check("the loss is below 0.1", loss < 0.1)
    fig, ax = figure(title="...")
    save_figure(fig, folder / "loss.png")
    return finish()          # 0, or 1 when a claim does not hold
"""

import argparse
import importlib.util
import pathlib
import tempfile

# Okabe and Ito's colours, which the colour-blind can tell apart, by what they look like.
COLOURS = {"blue": "#0072B2", "orange": "#E69F00", "green": "#009E73", "red": "#D55E00", "purple": "#CC79A7",
           "sky": "#56B4E9", "black": "#000000", "grey": "#7F7F7F"}

_claims = []


def arguments(name, description=None):
    """A parser with the options of all examples. A new example begins: claims of an earlier one are forgotten."""
    _claims.clear()
    parser = argparse.ArgumentParser(prog=f"python -m examples.{name}", description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same numbers (default 0)")
    parser.add_argument("--quick", action="store_true", help="smaller settings, a few seconds")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs") / name, metavar="FOLDER",
                        help="where figures and tables go, made if need be (default %(default)s)")
    return parser


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


def check(claim, holds):
    """Print whether a claim holds, and remember it for `finish`. Returns the answer."""
    _claims.append((claim, bool(holds)))
    print(f"  {'holds ' if holds else 'FAILS '} {claim}")
    return bool(holds)


def finish():
    """Say how many claims hold; 0 if all of them do, else 1: the exit code of the example."""
    failed = sum(not holds for _, holds in _claims)
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
