"""Evaluation of models of implicit feedback: which of all items that a user does not have yet will he choose?

Every user with an item in the part asks one question; the answers are his items there. All items of the training part are
candidates but those that he had in training; nothing is sampled. A user without a training item is cold, and apart; an item
without a training user is in no catalogue: it is counted, and left out.
"""

import numpy as np

from .evaluation import COSTS, fitted, means_table
from .ragged import row_of
from .ranking import evaluate_contexts

METRICS = ("Recall@10", "nDCG@10", "Recall@20", "nDCG@20")
ACTIVITY = {"1-19": 1, "20-49": 20, "50-99": 50, "100-199": 100, "200 and more": 200}  # training items: each class's least


def liked(data, threshold=4.0):
    """The ratings of at least `threshold`, of Interactions: what implicit feedback would know of them.

    Every row of the result is a positive. A loud error where none is left.
    """
    good = data.frame["rating"].to_numpy() >= threshold
    if not good.any():
        raise ValueError(f"liked: none of the {len(data):,} ratings is {threshold:g} or more, want some: take a lower "
                         "threshold")
    part = data.take(np.flatnonzero(good))
    part.name = f"{data.name}, ratings of {threshold:g} or more"
    return part


def evaluate_implicit(model, data, block=512):
    """RankingResult of a fitted model on Interactions: Recall, nDCG at 10 and 20, MAP@10; strata by training items.

    result.users are the ids of the measured users: the groups of `paired_bootstrap`.
    """
    model._check_fitted()
    users, row = np.unique(data.frame["user"].to_numpy(), return_inverse=True)
    item = model.items_.get_indexer(data.frame["item"])
    pairs = np.unique(row * (len(model.items_) + 1) + item + 1)  # unknown items are 0
    row, item = pairs // (len(model.items_) + 1), pairs % (len(model.items_) + 1) - 1
    seen = model.seen_by(users)
    had = row_of(seen[0]) * len(model.items_) + seen[1]
    if np.isin(row * len(model.items_) + item, had)[item >= 0].any():
        raise ValueError("evaluate_implicit: the model was trained on pairs of this part, want one that was not: fit it to "
                         "split.train")
    result = evaluate_contexts(
        model.scores, users, (np.searchsorted(row, np.arange(len(users) + 1)), item), recall=(10, 20), ap=(10,),
        ndcg=(10, 20), exclude=seen, strata=activity(np.diff(seen[0])), cold_users=~np.isin(users, model.users_),
        cold_items=item < 0, block=block)
    result.users = users[result.rows]
    result.notes.insert(0, f"{data.name}{' (SYNTHETIC)' * data.synthetic}: users with an item in the part, all items but "
                        "those of the user's training")
    return result


def activity(count):
    """(Q,) the class of how many training items a user has."""
    names = np.array(["none", *ACTIVITY])
    return names[np.searchsorted(list(ACTIVITY.values()), count, side="right")]


def fit_and_evaluate(model, split, refit=False):
    """Fit `model` to split.train, with split.valid to choose its epochs by, and measure it on split.test.

    refit: measure a second model, fitted to training and validation part together for as many epochs as the first one
    chose. Returns (the model that was measured, its row):

        test         {line of the table: {metric: value}}
        valid        {metric: value} of the first model on the validation part
        epochs       trained for; None where a model has none
        parameters   how many numbers it learned
        seconds      of fitting, both fits together
        seconds_epoch   of training an epoch, without validation; None where a model has none
    """
    measured, costs = fitted(model, split, refit)
    return measured, as_row(model, costs, evaluate_implicit(measured, split.test), evaluate_implicit(model, split.valid))


def as_row(model, costs, test, valid):
    """The row that `fit_and_evaluate` describes, of a fitted model, what `fitted` says it cost, and two RankingResults."""
    history = getattr(model, "history_", None)
    return {"test": test.table().to_dict("index"), "valid": {metric: valid[metric] for metric in valid.per_query}, **costs,
            "seconds_epoch": None if history is None else float(history["seconds"].mean())}


def compare_table(rows):
    """DataFrame of text from [(label, row of `fit_and_evaluate`)], a line a label: mean, and deviation over several fits."""
    metrics = {metric: lambda row, metric=metric: row["test"]["all"][metric] for metric in METRICS}
    return means_table(rows, {**metrics, "valid nDCG@10": lambda row: row["valid"]["nDCG@10"]},
                       {**COSTS, "seconds an epoch": ("seconds_epoch", 2)})
