"""The results section of README.md, made from the recorded runs in results/: `python -m examples.readme_tables`.

    python -m examples.assignment1_movielens --seeds 0,1,2 --out runs/assignment1_movielens
    cp runs/assignment1_movielens/results.json results/assignment1.json
    python -m benchmarks --out results/benchmarks.json      (on another machine: benchmarks-NAME.json)

results/assignment2.json stands in it too, once it is there: {"city", "protocol", "seeds", "rows": {part: how many},
"tables": {title: {model: {metric: [its value for each seed]}}}, "ablation": one more such table, "seconds"}. And the claims
of every other record that `common.write_record` has written, such as runs/convnet_images/results.json, copied to
results/convnet_images.json: a line a claim, what was measured beside the goal.
"""

import json
import math
import pathlib
import sys

from recmodels.evaluation import mean_deviation

ROOT = pathlib.Path(__file__).resolve().parent.parent
START, END = "<!-- results:", "<!-- end of results -->"


def table(header, rows):
    """The lines of a table in Markdown: titles of the columns, lists of text, in which a | is no border."""
    head, *body = ("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |" for cells in (header, *rows))
    return [head, "|" + "---|" * len(header), *body, ""]


def assignment1(record):
    sizes, seeds = record["rows"], ", ".join(map(str, record["seeds"]))
    rated = {name: rows for name, rows in record["results"].items() if "rmse" in rows[0]}
    liked = {name: rows for name, rows in record["results"].items() if "auc" in rows[0]}

    def cell(rows, key, digits=4):
        return mean_deviation((row.get(key) for row in rows), digits, "±")

    return [f"**Assignment I, {record['data']}.** {sizes['train']:,} training, {sizes['valid']:,} validation and "
            f"{sizes['test']:,} test ratings by `default_rng(seed).permutation(n)`, seeds {seeds} (of split and training); "
            "mean ± deviation. "
            "*Refit*: trained again on training and validation ratings for the epochs that validation chose.", "",
            *table(["model", "RMSE", "MAE", "RMSE, refit", "MAE, refit", "epochs", "parameters"],
                   [[name, *(cell(rows, key) for key in ("rmse", "mae", "refit_rmse", "refit_mae")),
                     "/".join(str(row["epochs"]) for row in rows if row["epochs"]), f"{rows[0]['parameters']:,}"]
                    for name, rows in rated.items()]),
            *table(["does the user like it (a rating of 4 or 5)?", "AUC", "log-loss"],
                   [[name, cell(rows, "auc"), cell(rows, "log_loss")] for name, rows in liked.items()])]


def assignment2(record):
    sizes = ", ".join(f"{count:,} {part}" for part, count in record["rows"].items())
    lines = [f"**Assignment II, {record['city']}.** {record['protocol']}; check-ins: {sizes}; seeds "
             f"{', '.join(map(str, record['seeds']))}; mean ± deviation.", ""]
    tables = {**record["tables"], "ablation": record["ablation"]}
    for title in [title for title, models in tables.items() if models]:
        metrics = list(dict.fromkeys(metric for values in tables[title].values() for metric in values))
        lines += table([title.replace("-", ", "), *metrics], [
            [name, *(mean_deviation(values.get(metric, []), sign="±") for metric in metrics)]
            for name, values in tables[title].items()])
    return lines


def measured(value, digits=4):
    """A claim's number in a few digits, of seeds "mean ± deviation"; "yes" or "no" where nothing was measured.

    The digits after the point are those that the mean shows when it has `digits` in all.
    """
    values = value if isinstance(value, list) else [value]
    mean = abs(sum(values) / len(values))
    if mean and not 1e-3 <= mean < 1e5:
        return f"{sum(values) / len(values):.2e}"
    return mean_deviation(values, min(6, max(0, digits - 1 - math.floor(math.log10(mean)))) if mean else 1, "±")


def claims(records):
    """The lines of one table: what each of the records claims."""
    rows = []
    for record in records:
        if record["quick"]:
            raise ValueError(f"the record of {record['example']} is of a --quick run, whose numbers claim little; want that "
                             f"of a full one: {record['command'].replace(' --quick', '')}")
        call = f"`{record['command'].removeprefix('python -m examples.')}`"
        for n, claim in enumerate(record["claims"]):
            value = {True: "yes", False: "no"}[claim["holds"]] if claim["value"] is None else measured(claim["value"])
            goal = (claim["goal"] or "yes") + ("" if claim["holds"] else ", **missed**")
            rows.append(["" if n else call, claim["what"], value, goal])
    return ["**What the other examples measured, and their goals**; mean ± deviation over the seeds. A line begins with "
            "what follows `python -m examples.`", "", *table(["example", "what", "measured", "goal"], rows)] if rows else []


def benchmarks(records):
    """A table for each machine."""
    lines = ["**Speed beside PyTorch**, the sides of a row alternating in one run, same weights, losses and gradients"
             " asserted equal; how many times as fast depends on the machine.", ""] if records else []
    for record in records:
        lines += ["; ".join(f"{key} {value}" for key, value in record["machine"].items()) + ":", "",
                  *table(["what", "tinydl", "PyTorch", "in its best mode", "ratio", "must"],
                         [[row[key] for key in ("title", "tinydl", "other", "mode", "ratio", "must")]
                          for row in record["rows"]])]
    return lines


def with_results(readme, folder):
    """The text of README.md with its results section made anew, of the records that are in the folder."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"), key=lambda path: path.stem)}
    lines = []
    for section in (assignment1, assignment2):
        lines += section(records[section.__name__]) if section.__name__ in records else []
    lines += claims([record for record in records.values() if "claims" in record])
    lines += benchmarks([record for name, record in records.items() if name.startswith("benchmarks")])
    head, rest = readme.split(START)
    comment, tail = rest.split("\n", 1)[0], rest.split(END)[1]
    return "\n".join([head + START + comment, "", *lines, END]) + tail


def main():
    readme = ROOT / "README.md"
    readme.write_text(with_results(readme.read_text(), ROOT / "results"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
