"""Session-based recommendation: what does somebody click next, whose name nobody knows and whose visit has just begun?

On the YooChoose subset: popularity, a Markov chain, item-kNN, session-kNN and GRU4Rec beside models with attention: NARM
(over the states of a recurrent network), STAMP (over the clicks, without one), SASRec (self-attention), and two readers
(SASRec's and GRU4Rec's, each with its own loss, their scores averaged; two-gru has a second GRU in place of the attention).
Protocol: train.txt trains; valid.txt chooses settings and epochs; test.txt is asked once. Questions are the last item of
every session, and apart from that every item but the first; the full catalogue is ranked, items of the session itself are
candidates, ties count by expectation. Baselines are tuned on validation on every run, by Recall@20 over the grids below;
settings of what is trained were chosen there before. All networks read the items' categories, GRU4Rec too; the baselines
have no use for them, so sasrec-ids is SASRec without. +- is the deviation over the seeds; what draws nothing is measured
once.

It must reach, on YooChoose: the attention model that is best on validation is above every baseline and GRU4Rec in Recall@20
and MRR@20 of the test file, on last items and on every prefix, in the mean over the seeds; the intervals of the differences
(bootstrap over sessions) are printed. In the synthetic shop, where the first click matters to the end: an MRR@20 above the
Markov chain's, and 85 % of the best possible Recall@5.
"""

import sys
import time

import numpy as np

from examples.common import COLOURS, arguments, claim, figure, finish, loaded, output_folder, save_figure, write_record
from recmodels.bootstrap import paired_bootstrap
from recmodels.datasets import SESSION_DATA, load_session_split, synthetic_sessions
from recmodels.evaluation import mean_deviation
from recmodels.models import SESSION_MODELS
from recmodels.ranking_metrics import expected_recall
from recmodels.session_evaluation import METRICS, PREFIXES, evaluate_sessions, sessions_of
from recmodels.splits import Split

GRIDS = {  # of the baselines: what is tried on validation
    "session-popularity": [{}], "session-own-popularity": [{}], "session-markov": [{}],
    "session-item-knn": [{"decay": decay, "shrink": shrink} for decay in (0.0, 0.5, 0.8) for shrink in (5.0, 20.0)],
    "session-knn": [{"neighbours": n} for n in (100, 500, 1500)],
    "session-knn-recent": [{"neighbours": n, "decay": decay} for n in (100, 500) for decay in (0.5, 1.0, 2.0)],
}
ATTENTION = ("narm", "stamp", "sasrec", "sasrec-ids", "two-readers")
NEURAL = ("gru4rec", "two-gru", *ATTENTION)
VARIANTS = {"sasrec-ids": ("sasrec", {"categories": False}),
            "two-gru": ("two-readers", {"readers": ("recurrence", "recurrence"), "lr": 8e-3, "dropout": 0.3, "epochs": 6})}
QUICK = {"k": 32, "epochs": 3, "lr": 5e-3}
SYNTHETIC = {"k": 64, "epochs": 14, "dropout": 0.1, "smoothing": 0.0, "batch_size": 64, "lr": 5e-3}
LOOKS = {"session-popularity": "grey", "session-own-popularity": "grey", "session-markov": "black",
         "session-item-knn": "sky", "session-knn": "purple", "session-knn-recent": "purple", "gru4rec": "orange",
         "two-gru": "orange", "narm": "green", "stamp": "blue", "sasrec": "red", "sasrec-ids": "red", "two-readers": "black"}


def load(which, quick):
    """The split called `which`; a quick run of real sessions takes every sixth."""
    if which == "synthetic":
        which = "synthetic-sessions"
    if which == "synthetic-sessions" and quick:
        return synthetic_sessions(sessions=1_200, items=60)
    _, split = load_session_split(which)
    if not quick or split.data.synthetic:
        return split
    rows = [part[::6] for part in split.rows]
    data = split.data.take(np.concatenate(rows))
    return Split(data, *np.split(np.arange(len(data)), np.cumsum([len(part) for part in rows[:2]])),
                 f"every sixth session of {split.protocol}")


# ---------------------------------------------------------------- fitting and measuring
def made(name, **settings):
    """The model of this name, or the variant of one."""
    name, changes = VARIANTS.get(name, (name, {}))
    return SESSION_MODELS[name](**{**changes, **settings})


def tuned(name, split):
    """(the baseline with the settings that are best in Recall@20 on validation, those, every try)"""
    tries = []
    for settings in GRIDS[name]:
        model = SESSION_MODELS[name](**settings).fit(split.train)
        valid = evaluate_sessions(model, split.valid)
        tries.append((valid["Recall@20"], settings, model, {metric: valid[metric] for metric in METRICS}))
    _, settings, model, found = max(tries, key=lambda one: one[0])
    return model, settings, found, [{**one, **metrics} for _, one, _, metrics in tries]


def study(split, seeds, changes, verbose):
    """{model: {"valid": [{metric: value}, ..], "last": [RankingResult, ..], "all": [..], "seconds", "settings", ..}}"""
    found = {}
    for name in (*GRIDS, *NEURAL):
        fits = found[name] = {"valid": [], "seconds": [], **{prefixes: [] for prefixes in PREFIXES}}
        for seed in seeds if name in NEURAL else [None]:
            started = time.process_time()
            if seed is None:
                model, fits["settings"], valid, fits["tried"] = tuned(name, split)
            else:
                model = made(name, **changes, seed=seed, verbose=verbose).fit(split.train, split.valid)
                result = evaluate_sessions(model, split.valid)
                valid, fits["settings"] = {metric: result[metric] for metric in METRICS}, model.get_params()
                fits.setdefault("epochs", []).append(model.best_epoch_)
            fits["valid"].append(valid)
            fits["seconds"].append(time.process_time() - started)
            fits["parameters"] = model.num_parameters()
            for prefixes in PREFIXES:
                fits[prefixes].append(evaluate_sessions(model, split.test, prefixes))
            print(f"{name}{'' if seed is None else f', seed {seed}'}: Recall@20 {fits['last'][-1]['Recall@20']:.4f}, MRR@20 "
                  f"{fits['last'][-1]['MRR@20']:.4f} ({fits['seconds'][-1]:.0f} s)", file=sys.stderr, flush=True)
    return found


def mean_of(results, metric):
    """(n,) the mean of the fits' numbers for each question."""
    return np.mean([result.per_query[metric] for result in results], axis=0)


# ---------------------------------------------------------------- what is shown
def show(found):
    for prefixes, title in (("last", "the last item of every test session"), ("all", "every item but the first")):
        one = next(iter(found.values()))[prefixes][0]
        print(f"\n{title}: {one.notes[1]}\n{one.notes[2]}")
        ks = ("Recall@1", "Recall@5", "Recall@10", *METRICS)
        print(f"{'':24}" + "".join(f"{metric:>17}" for metric in ks) + f"{'valid R@20':>12}{'seconds':>9}")
        for name, fits in found.items():
            numbers = "".join(f"{mean_deviation([r[metric] for r in fits[prefixes]]):>17}" for metric in ks)
            valid = np.mean([valid["Recall@20"] for valid in fits["valid"]])
            print(f"{name:24}{numbers}{valid:12.4f}{np.mean(fits['seconds']):9.1f}")
    print("\ntuned: " + "; ".join(f"{name} {found[name]['settings']}" for name, grid in GRIDS.items() if len(grid) > 1))


def differences(found, best, split):
    """{prefixes: {metric: {model: Difference}}} of the best attention model and every model that it must beat."""
    groups = {prefixes: sessions_of(found[best][prefixes][0], split.test, prefixes) for prefixes in PREFIXES}
    made = {prefixes: {metric: {name: paired_bootstrap(mean_of(found[best][prefixes], metric), mean_of(
        fits[prefixes], metric), groups[prefixes]) for name, fits in found.items() if name not in ATTENTION}
        for metric in METRICS} for prefixes in PREFIXES}
    for prefixes, metrics in made.items():
        for metric, rivals in metrics.items():
            print(f"\n{best} minus the others, {metric}, {'last items' if prefixes == 'last' else 'every prefix'}")
            print("\n".join(f"  {name:24}{difference}" for name, difference in rivals.items()))
    return made


def draw(found, path, synthetic):
    fig, (left, right) = figure(1, 2, size=(12, 4.8), synthetic=synthetic,
                                title="The last item of a session, ranked in the full catalogue")
    ks = np.arange(1, 51)
    for name, fits in found.items():
        look = {"color": COLOURS[LOOKS[name]], "label": name, "linestyle": "-" if name in NEURAL else "--"}
        if name in ("session-own-popularity", "session-knn-recent", "sasrec-ids", "two-gru"):
            look["linestyle"] = ":"
        recalls = [[expected_recall(r.greater, r.equal, k).mean() for k in ks] for r in fits["last"]]
        left.plot(ks, np.mean(recalls, axis=0), **look)
        tables = [r.table()["MRR@20"].drop("all") for r in fits["last"]]
        classes = [c for c in ("1", "2", "3-4", "5-9", "10 and more") if c in tables[0].index]
        right.plot(classes, np.mean([table[classes] for table in tables], axis=0), marker="o", markersize=3, **look)
    left.set(xlabel="k", ylabel="Recall@k")
    right.set(xlabel="items before the last one", ylabel="MRR@20")
    right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save_figure(fig, path)


def claims(found, best, split, quick):
    print()
    for prefixes, what in (("last", "last items"), ("all", "every prefix")):
        for metric in METRICS:
            def mean(name, prefixes=prefixes, metric=metric):
                return np.mean([result[metric] for result in found[name][prefixes]])
            rivals = [name for name in found if name not in ATTENTION]
            if quick:  # a few epochs on a few sessions: more than what is popular
                rivals = ["session-popularity"]
            elif split.data.synthetic:
                continue
            rival = max(rivals, key=mean)
            claim(f"{metric} of {best}, {what}, beside the best rival, {rival}",
                  [result[metric] for result in found[best][prefixes]], ">", mean(rival))
    if split.data.synthetic and not quick:
        last = found[best]["last"]
        claim(f"MRR@20 of {best}, last items, beside the Markov chain", [result["MRR@20"] for result in last], ">",
              found["session-markov"]["last"][0]["MRR@20"])
        claim(f"{best}'s part of the best possible Recall@5", [result["Recall@5"] / split.test.best_recall(5)
                                                              for result in last], ">=", 0.85)


def main(argv=None):
    parser = arguments("sessions_yoochoose", __doc__, seeds=True)
    parser.add_argument("--data", default="auto", help=f"{SESSION_DATA}; synthetic for short")
    parser.add_argument("--verbose", action="store_true", help="a line an epoch")
    args = parser.parse_args(argv)
    folder = output_folder(args)
    split = loaded(args, load, args.quick)
    print(f"{split.data}\n{split}\nseeds {', '.join(map(str, args.seeds))}{', quick' * args.quick}", flush=True)
    changes = {**(SYNTHETIC if split.data.synthetic else {}), **(QUICK if args.quick else {})}
    found = study(split, args.seeds, changes, args.verbose)
    show(found)
    best = max(ATTENTION, key=lambda name: np.mean([valid["Recall@20"] for valid in found[name]["valid"]]))
    print(f"\nbest attention model on validation: {best}")
    gaps = differences(found, best, split)
    draw(found, folder / "sessions.png", split.data.synthetic)
    claims(found, best, split, args.quick)
    write_record(args, data=split.data.name, synthetic=split.data.synthetic, protocol=split.protocol, best=best,
                 models={name: {**{prefixes: [result.table().to_dict("index") for result in fits[prefixes]]
                                   for prefixes in PREFIXES},
                                **{key: value for key, value in fits.items() if key not in PREFIXES}}
                         for name, fits in found.items()},
                 differences={prefixes: {metric: {name: gap._asdict() for name, gap in rivals.items()}
                                         for metric, rivals in metrics.items()} for prefixes, metrics in gaps.items()})
    return finish()


if __name__ == "__main__":
    sys.exit(main())
