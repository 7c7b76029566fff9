"""What the examples of models that read rows of ratings share: fits and refits, the table, the figure, the claims.

AutoRec and the RBM for ratings are judged as assignment I's models are, beside the biases and biased matrix factorization.
"""

import time

import numpy as np

from recmodels.evaluation import evaluate_ratings, evaluate_refit
from recmodels.models import MODELS
from recmodels.splits import random_split

from .assignment1_movielens import tables
from .common import COLOURS, claim, figure, finish, loaded, output_folder, save_figure, write_record
from .movielens_data import load, movielens_arguments

BASELINES = ("biases", "biased-mf")
QUICK = {"biased-mf": dict(k=16, epochs=5, batch_size=256)}
STYLES = {"item": ("blue", "o"), "user": ("orange", "s")}


def measured(name, split, seed, **settings):
    """(the refitted model, its row of the table) of the model called `name`."""
    model = MODELS[name]()
    common = {"seed": seed} if "seed" in model.get_params() else {}
    first, row = evaluate_ratings(model.clone(**{**common, **settings}), split)
    again, refitted = evaluate_refit(first, split)
    row.update({f"refit_{key}": value for key, value in refitted.items()}, seed=seed)
    if hasattr(first, "history_"):
        row["seconds_per_epoch"] = float(first.history_["seconds"].median())
        row["history"] = first.history_.reset_index().to_dict("list")
    return again, row


def curves(ax, results, names):
    """Validation RMSE by epoch of the first seed, a line for each of `names`; the baselines' as level lines."""
    for name, style in zip(BASELINES, (":", "--"), strict=True):
        ax.axhline(results[name][0]["valid"]["rmse"], color=COLOURS["grey"], linestyle=style, label=name)
    for name in names:
        colour, marker = STYLES[name.split("-")[0]]
        history = results[name][0]["history"]
        rmse = np.sqrt(history["valid_loss"])
        best = int(np.argmin(rmse))
        ax.plot(history["epoch"], rmse, color=COLOURS[colour], label=name)
        ax.plot(history["epoch"][best], rmse[best], marker, color=COLOURS[colour])
    best = [results[name][0]["valid"]["rmse"] for name in (*BASELINES, *names)]
    ax.set(xlabel="epoch", ylabel="validation RMSE, first seed", ylim=(min(best) - 0.01, max(best) + 0.03))
    ax.legend(frameon=False, fontsize=8)


def run(name, description, names, goals, published, quick, page, argv=None):
    """The example called `name`: `names` of MODELS over the seeds, each beside BASELINES. Returns the exit code.

    goals, published: {model: refitted test RMSE} that it must reach, that was published. quick: settings of a quick run.
    page(fitted, split, ax): what else the example shows of the first seed, printed and drawn; fitted: {model: refitted}.
    """
    parser = movielens_arguments(name, description)
    parser.add_argument("--verbose", action="store_true", help="a line an epoch")
    args = parser.parse_args(argv)
    folder, started, results, fitted = output_folder(args), time.perf_counter(), {}, {}
    data = loaded(args, load, args.quick)
    print(data)
    for seed in args.seeds:
        split = random_split(data, seed)
        print(f"\n{split}", flush=True)
        for model in (*BASELINES, *names):
            settings = {"verbose": args.verbose} if model != "biases" else {}
            settings.update((QUICK.get(model) or (quick if model in names else {})) if args.quick else {})
            again, row = measured(model, split, seed, **settings)
            results.setdefault(model, []).append(row)
            if seed == args.seeds[0]:
                fitted[model], first = again, split
            print(f"  {model:14} valid {row['valid']['rmse']:.4f}, test {row['rmse']:.4f}, refitted "
                  f"{row['refit_rmse']:.4f}  ({row['seconds'] + row['refit_seconds']:.0f} s)", flush=True)
    tables(results, first.test.floor_mse if data.synthetic else None)
    for model, rmse in published.items():
        print(f"published, {model}: {rmse}")
    fig, (left, right) = figure(1, 2, size=(11, 4.2), synthetic=data.synthetic, title=description.split(":")[0])
    curves(left, results, names)
    page(fitted, first, right)
    save_figure(fig, folder / f"{name}.png")
    if not args.quick:
        print()
        for model in names:
            refitted = [row["refit_rmse"] for row in results[model]]
            claim(f"RMSE of {model}, refitted, against the biases'", refitted, "<",
                  np.mean([row["refit_rmse"] for row in results["biases"]]))
            if model in goals and not data.synthetic:
                claim(f"RMSE of {model}, refitted", refitted, "<=", goals[model])
    write_record(args, data=data.name, synthetic=data.synthetic, protocol=first.protocol, published=published,
                 rows={"train": len(first.train), "valid": len(first.valid), "test": len(first.test)}, results=results,
                 seconds=time.perf_counter() - started)
    return finish()
