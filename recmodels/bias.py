"""Machine bias, measured: for whom is a recommender worse, and does it show the whole catalogue or only what is popular?

"ML systems are biased when data is biased" (three slides of the lecture). Two views:

    error_by_group      RMSE and MAE of ratings, by an attribute of the user, or by how active he was in training
    list_statistics     of top-k lists: how much of the catalogue they show, and how popular what they show is
"""

import numpy as np

from . import metrics


def error_by_group(model, train, test, by):
    """A DataFrame with a row for each group: users, ratings, mean rating, bias (mean of p - y), rmse, mae.

    by: a column of the users' table ("gender", "age"; who has no value there is "missing"), or "activity": quarters of the
    users by their number of training ratings. bias > 0 means that the group's ratings are predicted too high.
    """
    import pandas

    users, y, p = test.frame["user"].to_numpy(), test.frame["rating"].to_numpy(), model.predict(test)
    if by == "activity":
        counts = train.frame["user"].value_counts()
        borders = np.floor(np.quantile(counts, [0.25, 0.5, 0.75]))  # a number of ratings is whole: so are the labels
        n = counts.reindex(users).fillna(0).to_numpy()
        labels = np.array([f"{low:.0f} to {high:.0f} ratings" for low, high in zip(
            [min(counts.min(), n.min()), *(borders + 1)], [*borders, counts.max()], strict=True)])
        order, group = list(labels), labels[np.searchsorted(borders, n)]
    else:
        if by not in test.users.columns:
            raise KeyError(f"error_by_group: no column {by!r} of the users, only {list(test.users.columns)}, or 'activity'")
        group = test.users[by].reindex(users).to_numpy(object)
        missing = pandas.isna(group)
        order = sorted(set(group[~missing].tolist())) + ["missing"]
        group[missing] = "missing"
    rows = []
    for name in order:
        rows_of = np.flatnonzero(group == name)
        if len(rows_of):
            truth, prediction = y[rows_of], p[rows_of]
            rows.append({by: name, "users": len(np.unique(users[rows_of])), "ratings": len(rows_of),
                         "mean rating": truth.mean(), "bias": (prediction - truth).mean(),
                         "rmse": metrics.rmse(truth, prediction), "mae": metrics.mae(truth, prediction)})
    return pandas.DataFrame(rows).set_index(by)


def list_statistics(lists, train):
    """Of top-k lists (as `recommend` gives them): {"coverage", "popularity", "gini"}.

    coverage     the share of the rated catalogue that stands in any list
    popularity   the mean percentile of the listed items by their number of training ratings (0.5: no bias, 1: the top)
    gini         how unequally the items share the places: 0 if all are listed equally often, near 1 if a few take all
    """
    if len(lists) == 0:
        raise ValueError("list_statistics: got no lists, want some of `recommend`")
    counts = train.frame["item"].value_counts()
    percentile = counts.rank(method="average") / len(counts)
    shown = lists["item"].value_counts().reindex(counts.index).fillna(0).to_numpy()
    shown = np.sort(shown)
    n = len(shown)
    gini = float((2 * np.arange(1, n + 1) - n - 1) @ shown / (n * shown.sum()))
    return {"coverage": float((shown > 0).mean()), "popularity": float(percentile.reindex(lists["item"]).mean()),
            "gini": gini}
