"""The results section of README.md, made from the recorded runs in results/: `python -m examples.readme_tables`.

    python -m examples.assignment1_movielens --seeds 0,1,2 --out runs/assignment1_movielens
    cp runs/assignment1_movielens/results.json results/assignment1.json
    python -m benchmarks --out results/benchmarks.json
"""

import json
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
START, END = "<!-- results:", "<!-- end of results -->"


def cell(rows, key, digits=4):
    """mean +- deviation over the seeds (of a sample), or nothing where the model has no such number."""
    values = [row[key] for row in rows if row.get(key) is not None]
    if not values:
        return ""
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def assignment1(record):
    sizes, seeds = record["rows"], ", ".join(map(str, record["seeds"]))
    lines = [f"**Assignment I, {record['data']}.** {sizes['train']:,} training, {sizes['valid']:,} validation and "
             f"{sizes['test']:,} test ratings by `default_rng(seed).permutation(n)`, seeds {seeds} (of split and training); "
             "mean ± deviation. "
             "*Refit*: trained again on training and validation ratings for the epochs that validation chose.", "",
             "| model | RMSE | MAE | RMSE, refit | MAE, refit | s / epoch | parameters |", "|---|---|---|---|---|---|---|"]
    for name, rows in record["results"].items():
        if "rmse" in rows[0]:
            lines.append(f"| {name} | {cell(rows, 'rmse')} | {cell(rows, 'mae')} | {cell(rows, 'refit_rmse')} | "
                         f"{cell(rows, 'refit_mae')} | {cell(rows, 'seconds_per_epoch', 2)} | {rows[0]['parameters']:,} |")
    lines += ["", "| does the user like it (a rating of 4 or 5)? | AUC | log-loss |", "|---|---|---|"]
    for name, rows in record["results"].items():
        if "auc" in rows[0]:
            lines.append(f"| {name} | {cell(rows, 'auc')} | {cell(rows, 'log_loss')} |")
    return [*lines, "", f"All models and seeds took {record['seconds'] / 60:.1f} minutes on two cores.", ""]


def benchmarks(record):
    facts = record["machine"]
    lines = ["**Speed beside PyTorch**, alternating in one run, same weights, losses and gradients asserted equal "
             f"({'; '.join(f'{key} {value}' for key, value in facts.items())}).", "",
             "| what | tinydl | PyTorch | in its best mode | ratio | must |", "|---|---|---|---|---|---|"]
    for row in record["rows"]:
        lines.append("| " + " | ".join(row[key] for key in ("title", "tinydl", "other", "mode", "ratio", "must")) + " |")
    return [*lines, ""]


def main():
    lines = []
    for name, table in (("assignment1", assignment1), ("benchmarks", benchmarks)):
        path = ROOT / "results" / f"{name}.json"
        if path.is_file():
            lines += table(json.loads(path.read_text()))
    readme = (ROOT / "README.md").read_text()
    head, rest = readme.split(START)
    comment, tail = rest.split("\n", 1)[0], rest.split(END)[1]
    (ROOT / "README.md").write_text("\n".join([head + START + comment, "", *lines, END]) + tail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
