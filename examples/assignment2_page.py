"""What assignment II shows beside its tables: for whom it works, what its lists show, three users' top 5, and figures."""

import numpy as np

from examples.assignment2_tables import per_query
from examples.common import COLOURS, figure, save_figure
from recmodels.bias import list_statistics
from recmodels.checkin_evaluation import scorer
from recmodels.leaks import leak_audit
from recmodels.models.counters import COUNTERS
from recmodels.ranking import top_lists
from recmodels.ranking_metrics import expected_recall

SHOWN = ("nfm-options", "nfm", "item-knn", "user-slot-decay")  # the first of these that was fitted makes the lists
KS = np.arange(1, 21)


def bias_page(results, fitted, users, split, folder):
    """Print, and write, for whom the models work, what their lists show, and whether they read the future."""
    lines = [*activity(results, users, split), *list_page(fitted, split), *audit(fitted["streaming"], split)]
    print("\n" + "\n".join(lines))
    (folder / "bias.txt").write_text("\n".join(lines) + "\n")


def activity(results, users, split):
    """Lines: Recall@10 of the test events by how active their users were in training, thirds of the users."""
    import pandas

    counts = split.train.frame["user"].value_counts()
    low, high = np.floor(np.quantile(counts, [1 / 3, 2 / 3])).astype(int)
    group = np.searchsorted([low, high], counts[users])  # 0: at most low, 1: at most high, 2: more
    lines = []
    for regime, models in results.items():
        (first, *_), columns = next(iter(models.values())), {}
        recall = {name: per_query(seeds, "events", "Recall@10") for name, seeds in models.items()}
        for g, title in enumerate((f"{counts.min()} to {low} check-ins", f"{low + 1} to {high}",
                                   f"{high + 1} to {counts.max()}")):
            rows = np.flatnonzero(group == g)
            if len(rows):
                columns[title] = {"users": f"{len(np.unique(users[rows])):,}", "events": f"{len(rows):,}",
                                  "revisits": f"{(first.events.strata[rows] == 'revisit').mean():.3f}",
                                  **{name: f"{values[rows].mean():.4f}" for name, values in recall.items()}}
        lines += [f"Recall@10 by the user's activity in training, {regime}", pandas.DataFrame(columns).to_string(), ""]
    return lines


def list_page(fitted, split, queries=1000):
    """Lines: how much of the catalogue top-10 lists show, and how popular what they show is, at moments of the test part."""
    frame = split.test.frame[split.test.frame["user"].isin(split.train.users_seen)]
    some = frame.sample(min(queries, len(frame)), random_state=0).sort_index()
    visited = list_statistics(some, split.train)
    lines = [f"Top-10 lists at {len(some):,} moments of the test part: share of the catalogue shown, mean popularity "
             f"percentile, Gini index", f"  {'where they went then':32} coverage {visited['coverage']:.3f}  popularity "
             f"{visited['popularity']:.3f}  Gini {visited['gini']:.3f}"]
    for regime, models in fitted.items():
        for name, model in models.items():
            model = model.streaming(split.data) if regime == "streaming" else model.frozen()
            shown = list_statistics(top_lists(scorer(model), some, 10, ids=model.items_), split.train)
            lines.append(f"  {name:21} {regime:10} coverage {shown['coverage']:.3f}  popularity {shown['popularity']:.3f}  "
                         f"Gini {shown['gini']:.3f}")
    return [*lines, ""]


def audit(models, split):
    """Lines: does any of the models read the present or the future?"""
    return ["Leak audit, streaming", *(f"  {name:21} {leak_audit(model, split.test, split.data, moments=5)}"
                                       for name, model in models.items())]


def first_choice(models):
    """The name of the model whose lists are shown."""
    return next((name for name in SHOWN if name in models), next(iter(models)))


def moment(split, weekday, hour):
    """Local seconds of the test part's first such weekday (Monday is 0) after its first day, at that hour."""
    day = int(split.test.frame["local"].iloc[0]) // 86400 + 1
    return (day + (weekday - (day + 3)) % 7) * 86400 + hour * 3600  # day 0, 1970-01-01, was a Thursday


def three_users(split):
    """Users with few, a median number of and many check-ins, of those who train and test: {user: training check-ins}."""
    counts = split.train.frame["user"].value_counts(ascending=True)
    counts = counts[counts.index.isin(split.test.frame["user"].unique())]
    return counts.iloc[[len(counts) // 10, len(counts) // 2, -1 - len(counts) // 10]].to_dict()


def top_five(models, split):
    """Print lists of three users on a Tuesday morning and a Saturday night, by category and place."""
    name = first_choice(models)
    model = models[name].streaming(split.data)
    for user, visits in three_users(split).items():
        past = split.train.frame["item"][split.train.frame["user"] == user]
        often = "; ".join(f"{split.data.items.at[venue, 'category_name']} {times} x"
                          for venue, times in past.value_counts().head(3).items())
        for when, seconds in (("Tuesday morning", moment(split, 1, 9)), ("Saturday night", moment(split, 5, 22))):
            at = str(np.datetime64(seconds, "s")).replace("T", " ")[:16]
            print(f"\n{name}: top 5 for user {user} ({visits} training check-ins; {often}), {when} {at}")
            for row in model.recommend([user], at, 5).itertuples():
                venue, been = model.venues_.loc[row.item], int((past == row.item).sum())
                print(f"  {row.rank}. {venue['category_name']:28} {venue['latitude']:.5f}, {venue['longitude']:.5f}  "
                      f"{f'there {been} x' if been else 'never there'} in training")


def recall_curves(results, folder, synthetic):
    """Recall@k of the test events, k = 1 .. 20, a panel a regime; counters are dashed."""
    fig, axes = figure(1, len(results), size=(10, 4.5), title="Recall@k of the test events, first seed",
                       synthetic=synthetic, sharey=True, squeeze=False)
    for ax, (regime, models) in zip(axes.flat, results.items(), strict=True):
        colours = {True: iter(COLOURS.values()), False: iter(COLOURS.values())}
        for name, (first, *_) in models.items():
            recall = [expected_recall(first.events.greater, first.events.equal, k).mean() for k in KS]
            counter = name in COUNTERS
            ax.plot(KS, recall, "--" if counter else "-", color=next(colours[counter]), linewidth=1.5, label=name)
        ax.set(title=regime, xlabel="k", ylabel="Recall@k", xticks=[1, 5, 10, 15, 20])
    axes.flat[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(fig, folder / "recall_curves.png")


def suggestions_map(models, split, folder):
    """Past visits, ten suggestions for a Saturday night and what was visited in the test part, by longitude and latitude."""
    name, (_, user, _) = first_choice(models), three_users(split)
    model, venues = models[name].streaming(split.data), split.data.items
    seconds = moment(split, 5, 22)
    lists = model.recommend([user], seconds, min(10, len(model.items_)))
    fig, ax = figure(size=(7, 6), title=f"User {user}: {name} on Saturday {str(np.datetime64(seconds, 's'))[:10]}, 22:00",
                     synthetic=split.data.synthetic)
    past, later = (part.frame["item"][part.frame["user"] == user].value_counts() for part in (split.train, split.test))
    for visits, label, style in (
            (past, "visited in training (size: how often)", dict(color=COLOURS["grey"], alpha=0.5)),
            (later, "visited in the test part", dict(facecolor="none", edgecolor=COLOURS["blue"], linewidth=1.5))):
        place = venues.loc[visits.index]
        ax.scatter(place["longitude"], place["latitude"], s=20 + 6 * visits, label=label, **style)
    place = venues.loc[lists["item"]]
    ax.scatter(place["longitude"], place["latitude"], marker="x", color=COLOURS["red"], label="suggested, by rank", zorder=3)
    for rank, longitude, latitude in zip(lists["rank"], place["longitude"], place["latitude"], strict=True):
        ax.annotate(str(rank), (longitude, latitude), xytext=(4, 4), textcoords="offset points", fontsize=8,
                    color=COLOURS["red"])
    ax.set(xlabel="longitude", ylabel="latitude", xmargin=0.1, ymargin=0.1)
    ax.set_aspect(1 / np.cos(np.radians(place["latitude"].mean())), adjustable="datalim")
    ax.legend(fontsize=8)
    save_figure(fig, folder / "suggestions_map.png")
