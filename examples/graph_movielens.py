"""Topological attention (slide): recommenders on the graph of who likes what, of MovieLens 1M as implicit feedback.

Protocol: ratings of 4 and 5 are likes, others are nothing; each user's likes are shuffled and cut, 80 % train, 10 %
validate, 10 % test; every user with a test item ranks all films but his training ones (none sampled), Recall@10 and
nDCG@10, means over users. The data's days of rating do not allow a split by time. Settings are written down, not searched
for: `--tune` tries them, and three others for each model but popularity, on the validation part of the first seed. Epochs
are chosen by nDCG@10 on the validation part of each seed; no refit. Models: popularity, item-kNN, iALS, BPR-MF; factors
trained as the graph models are, but without a graph ("softmax-mf"); NGCF, LightGCN and graph attention. +- is the
deviation over the seeds, intervals are paired bootstraps over users.

It must reach on ML-1M, mean of the seeds: nDCG@10 of LightGCN and of graph attention at or above that of BPR-MF and of
item-kNN. iALS and softmax-mf are reported: how much is the graph's, and how much the loss's. A quick run claims nothing.
"""

import sys
from functools import partial

import numpy as np

from examples.common import COLOURS, claim, figure, finish, loaded, output_folder, save_figure, write_record
from examples.movielens_data import load, movielens_arguments
from recmodels.bootstrap import paired_bootstrap
from recmodels.evaluation import fitted
from recmodels.implicit_evaluation import ACTIVITY, as_row, compare_table, evaluate_implicit, liked
from recmodels.models import IMPLICIT_MODELS
from recmodels.splits import user_random_split

MODELS = {**IMPLICIT_MODELS, "softmax-mf": partial(IMPLICIT_MODELS["lightgcn"], layers=0, lr=0.03, weight_decay=0.1)}
SHOWN = ("implicit-popularity", "implicit-item-knn", "ials", "bpr-mf", "softmax-mf", "ngcf", "lightgcn", "graph-attention")
GRAPHS, BASELINES = ("lightgcn", "graph-attention"), ("bpr-mf", "implicit-item-knn")
TRIED = {  # beside a model's own settings, what else was tried on validation
    "implicit-item-knn": [dict(neighbours=100), dict(neighbours=100, shrink=0.0), dict(shrink=20.0)],
    "ials": [dict(reg=0.003), dict(reg=0.03), dict(weight=0.3)],
    "bpr-mf": [dict(weight_decay=0.3), dict(lr=0.02, batch_size=8192, negatives=8), dict(lr=5e-3)],
    "softmax-mf": [dict(weight_decay=0.3), dict(lr=0.1, weight_decay=0.02), dict(lr=0.01)],
    "ngcf": [dict(lr=0.05), dict(layers=1), dict(weight_decay=0.1)],
    "lightgcn": [dict(layers=1), dict(layers=3), dict(weight_decay=0.05)],
    "graph-attention": [dict(layers=1), dict(score="dot"), dict(weight_decay=0.05)],
}
LAYERS = (1, 2, 3)
QUICK = {"k": 16, "epochs": 3, "sweeps": 2, "batch_size": 2048}


def make(name, quick, **changes):
    model = MODELS[name]()
    changes |= QUICK if quick else {}
    return model.clone(**{key: value for key, value in changes.items() if key in model.get_params()})


def tune(split, quick, seed):
    """What the settings tried give on the validation part, each model's in turn."""
    print("\nvalidation nDCG@10 by setting; the first of a model is what the table uses")
    for name in SHOWN[1:]:
        for changes in [{}, *TRIED[name]]:
            model = make(name, quick, **{"seed": seed, **changes}).fit(split.train, split.valid)
            found = evaluate_implicit(model, split.valid)["nDCG@10"]
            print(f"{name:20} {str(changes or 'as it is'):30} {found:.4f}", flush=True)


def study(split, quick, seed):
    """({model: fitted}, {model: RankingResult on test}, {model: row}) of one seed."""
    models, results, rows = {}, {}, {}
    for name in SHOWN:
        models[name], costs = fitted(make(name, quick, seed=seed), split)
        results[name], valid = (evaluate_implicit(models[name], part) for part in (split.test, split.valid))
        rows[name] = as_row(models[name], costs, results[name], valid)
        print(f"  {name:20} nDCG@10 {results[name]['nDCG@10']:.4f}, {rows[name]['seconds']:.1f} s", flush=True)
    return models, results, rows


def differences(results):
    """{(graph, baseline): Difference of nDCG@10} over the users of all seeds, who are resampled as persons."""
    found = {}
    for graph in GRAPHS:
        for other in (*BASELINES, "ials", "softmax-mf"):
            a, b = ([r[name].per_query["nDCG@10"] for r in results] for name in (graph, other))
            users = np.concatenate([r[graph].users for r in results])
            found[graph, other] = paired_bootstrap(np.concatenate(a), np.concatenate(b), users, rng=0)
    return found


def by_layers(split, quick, seed, known):
    """{layers: validation nDCG@10} of LightGCN; known: of those that the table has already."""
    found = dict(known)
    for layers in LAYERS:
        if layers not in found:
            model = make("lightgcn", quick, seed=seed, layers=layers).fit(split.train, split.valid)
            found[layers] = evaluate_implicit(model, split.valid)["nDCG@10"]
    return dict(sorted(found.items()))


def looks(model, data, count=6):
    """(user, DataFrame): where a user of middling activity looks: the films most and least weighed, times uniform."""
    n = np.diff(model.start_)
    user = model.users_[int(np.argmin(np.abs(n - 40)))]
    table = model.attention(user)
    table["relative"] = table["weight"] / table["uniform"]
    titles = data.items["title"] if "title" in data.items else None
    table["title"] = [str(item) if titles is None else titles[item] for item in table["item"]]
    count = min(count, len(table) // 2)
    return user, table.iloc[np.r_[:count, len(table) - count:len(table)]]


def draw(results, layers, user, table, path, synthetic):
    fig, (left, middle, right) = figure(1, 3, size=(14, 4.4), synthetic=synthetic, width_ratios=(1.4, 0.8, 1.3),
                                        title="Likes of MovieLens 1M as a graph: nDCG@10, and where a user looks")
    strata = [name for name in ACTIVITY if name in set(results["lightgcn"].strata)]
    for name, colour in zip(SHOWN, ("grey", "black", "orange", "green", "purple", "sky", "blue", "red"), strict=True):
        lines = results[name].table()["nDCG@10"]
        left.plot(strata, [lines[s] for s in strata], marker="o", markersize=3, color=COLOURS[colour], label=name)
    left.set(xlabel="training items of the user", ylabel="test nDCG@10")
    left.legend(frameon=False, fontsize=7)
    middle.plot(list(layers), list(layers.values()), marker="o", color=COLOURS["blue"])
    middle.set(xlabel="layers of LightGCN (0: no graph)", ylabel="validation nDCG@10", xticks=list(layers))
    right.barh(range(len(table)), table["relative"], color=COLOURS["red"])
    right.axvline(1, color=COLOURS["black"], linewidth=0.8)
    right.set_yticks(range(len(table)), [title[:34] for title in table["title"]], fontsize=7)
    right.invert_yaxis()
    right.set(xlabel="attention, 1 is uniform", title=f"user {user}: most and least")
    save_figure(fig, path)


def main(argv=None):
    parser = movielens_arguments("graph_movielens", __doc__)
    parser.add_argument("--tune", action="store_true", help="show the settings tried, on validation data, and end")
    args = parser.parse_args(argv)
    folder = output_folder(args)
    data = loaded(args, lambda which: liked(load(which, args.quick)))
    print(data)
    if args.tune:
        tune(user_random_split(data, seed=args.seeds[0]), args.quick, args.seeds[0])
        return 0
    found = []
    for seed in args.seeds:
        split = user_random_split(data, seed=seed)
        print(f"{split}, seed {seed} of training too{', quick' if args.quick else ''}", flush=True)
        found.append(study(split, args.quick, seed))
    split = user_random_split(data, seed=args.seeds[0])
    models, first, rows = found[0]
    print("\n" + "\n".join(first["lightgcn"].notes))
    print("\n" + compare_table([(name, row[name]) for name in SHOWN for _, _, row in found]).to_string())
    gaps = differences([results for _, results, _ in found])
    print("\nnDCG@10, difference (95 % interval, paired bootstrap over users)")
    for (graph, other), gap in gaps.items():
        print(f"{graph + ' - ' + other:40} {gap}")
    known = {models[name].layers: rows[name]["valid"]["nDCG@10"] for name in ("softmax-mf", "lightgcn")}
    layers = by_layers(split, args.quick, args.seeds[0], known)
    print("\nlayers of LightGCN, validation nDCG@10: " + ", ".join(f"{n}: {value:.4f}" for n, value in layers.items()))
    user, table = looks(models["graph-attention"], data)
    print(f"\nwhere user {user} looks in the first layer, times uniform\n" + "\n".join(
        f"{value:8.3f}  {title}" for value, title in zip(table["relative"], table["title"], strict=True)))
    draw(first, layers, user, table, folder / "graph.png", data.synthetic)
    if not args.quick:
        print()
        ndcg = {name: [row[name]["test"]["all"]["nDCG@10"] for _, _, row in found] for name in SHOWN}
        for graph in GRAPHS:
            for other in BASELINES:
                claim(f"nDCG@10 of {graph}, beside {other}", ndcg[graph], ">=", float(np.mean(ndcg[other])))
    write_record(args, data=data.name, synthetic=data.synthetic, protocol=split.protocol,
                 rows=[row for _, _, row in found], layers=layers,
                 differences={f"{a} - {b}": gap._asdict() for (a, b), gap in gaps.items()},
                 looks=table[["title", "relative"]].to_dict("list"))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
