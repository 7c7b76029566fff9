"""How cost grows: seconds an epoch of Neural FM against check-ins, candidates a check-in, and K; other two held fixed.

    python -m benchmarks.cost_growth [--quick] [--out cost_growth.json] [--figure cost_growth.png]

Random check-ins of a city of 5,000 users and 5,000 venues: cost asks for sizes, not for sense. Seconds an epoch are those of
a step (the median of several) times the steps of an epoch: of 10^7 check-ins nobody needs to wait for the end. The
arrays are as long as the epoch, so rows that no longer fit a cache are felt.
"""

import argparse
import json
import pathlib
import statistics
import time

import numpy as np

USERS, SLOTS, VENUES, CATEGORIES, BATCH, HIDDEN = 5_000, 12, 5_000, 250, 512, 64
ROWS, CANDIDATES, KS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000), (10, 20, 40, 80, 160), (16, 32, 64, 128, 256)
DEFAULT = {"rows": 100_000, "candidates": 40, "K": 64}


class City:
    """Check-ins (n,) of users and venues, few of which have most of them, at random slots."""

    def __init__(self, n, rng):
        self.user, self.item = ((size * rng.random(n) ** 2).astype(np.int64) for size in (USERS, VENUES))
        self.slot, self.category = rng.integers(0, SLOTS, n), rng.integers(0, CATEGORIES, VENUES)


def step_seconds(rows, candidates, K, steps):
    """Seconds of each training step: a shuffled batch, negatives, features, forward, backward, AdamW."""
    from recmodels.models.neural_fm import NeuralFMNetwork
    from recmodels.negatives import NegativeSampler
    from recmodels.ranking_losses import sampled_softmax
    from tinydl import optim

    rng = np.random.default_rng(0)
    city, order = City(rows, rng), rng.permutation(rows)
    sampler = NegativeSampler(VENUES, np.bincount(city.item, minlength=VENUES) + 1, power=0.75)
    user, slot, item, category, end = np.cumsum([0, USERS, SLOTS, VENUES, CATEGORIES])
    network = NeuralFMNetwork(int(end), K, HIDDEN, order=3, rng=rng)
    optimizer, seconds = optim.AdamW(network.parameters(), weight_decay=0.0), []
    for step in range(steps + 2):  # the first two compile and fill caches
        started = time.perf_counter()
        at = order[np.arange(step * BATCH, (step + 1) * BATCH) % rows]
        users, target = city.user[at], city.item[at]
        drawn = sampler.sample(users, candidates, rng, exclude=target)
        venues = np.concatenate([target[:, None], drawn], axis=1)
        scores = network.rank(np.stack([user + users, slot + city.slot[at]], axis=1),
                              np.stack([item + venues, category + city.category[venues]], axis=2))
        loss = sampled_softmax(scores, sampler.log_expected_counts(users, drawn, target).astype(np.float32))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds[2:]


def measure(quick):
    """{axis: [{rows, candidates, K, step, epoch}]} with medians in seconds."""
    axes = {"rows": ROWS, "candidates": CANDIDATES, "K": KS}
    table = {}
    for axis, values in axes.items():
        table[axis] = []
        for value in values[:3] if quick else values:
            sizes = {**DEFAULT, axis: value}
            step = statistics.median(step_seconds(**sizes, steps=4 if quick else 40))
            table[axis].append({**sizes, "step": step, "epoch": step * sizes["rows"] / BATCH})
    return table


def slope(lines, axis):
    """d log(seconds) / d log(size) by least squares: 1 is linear."""
    x, y = np.log([[line[axis], line["epoch"]] for line in lines]).T
    return float(np.polyfit(x, y, 1)[0])


def draw(table, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(table), figsize=(11, 3.4), sharey=False, layout="constrained")
    for ax, (axis, lines) in zip(axes, table.items(), strict=True):
        x, y = ([line[key] for line in lines] for key in (axis, "epoch"))
        ax.loglog(x, y, "o-", label=f"measured, slope {slope(lines, axis):.2f}")
        ax.loglog(x, [y[-1] * a / x[-1] for a in x], ":", color="gray", label="linear")
        ax.set(xlabel={"rows": "check-ins", "candidates": "negatives a check-in", "K": "K"}[axis], ylabel="seconds an epoch")
        ax.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost_growth", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three sizes each, few steps: shows that it runs, no more")
    parser.add_argument("--out", metavar="FILE.json", help="where to write the table")
    parser.add_argument("--figure", metavar="FILE.png", help="where to draw it, log-log (needs matplotlib)")
    args = parser.parse_args(argv)
    table = measure(args.quick)
    for axis, lines in table.items():
        print(f"\n{axis + ':':<12}slope {slope(lines, axis):.2f} (1 is linear)")
        for line in lines:
            print(f"{line[axis]:>12,}{1e3 * line['step']:>10.1f} ms a step{line['epoch']:>10.1f} s an epoch")
    if args.out:
        tree = {"batch": BATCH, "hidden": HIDDEN, "default": DEFAULT, "table": table,
                "slopes": {axis: slope(lines, axis) for axis, lines in table.items()}}
        pathlib.Path(args.out).write_text(json.dumps(tree, indent=1) + "\n")
    if args.figure:
        draw(table, args.figure)


if __name__ == "__main__":
    main()
