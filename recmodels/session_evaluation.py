"""Evaluation of models of sessions: given the first items of a session, where in the full catalogue stands its next one?

    last   every session's last item, after all the others: one question a session
    all    its second, third, .. last item, each after those before it

Nothing is sampled and nothing left out: items of the session itself are candidates, for people come back to them. Ties
count by expectation. A target that no training session has is in no catalogue; such questions are counted and left out.
"""

import numpy as np

from .datasets.sessions import Sessions
from .evaluation import fitted, means_table
from .ranking import evaluate_events
from .ranking_metrics import check_ks, expected_reciprocal_rank
from .session_recommender import CodedSessions

KS = (1, 5, 10, 20)
METRICS = ("Recall@20", "MRR@20")
PREFIXES = ("last", "all")
_LENGTHS = {"1": 1, "2": 2, "3-4": 3, "5-9": 5, "10 and more": 10}  # items before the target: the smallest of each class


def evaluate_sessions(model, sessions, prefixes="last", ks=KS, block=256):
    """RankingResult of a fitted model on Sessions: Recall@k, MRR@k, nDCG@k and MRR; strata by how many items come before.

    result.rows are the numbers of the questions in `sessions.prefixes(prefixes)`; `sessions_of(result, ..)` their sessions.
    """
    if not isinstance(sessions, Sessions):
        raise TypeError(f"evaluate_sessions: got sessions of type {type(sessions).__name__}, want Sessions: make them of "
                        "lists with Sessions.of")
    model._check_fitted()
    ks = check_ks("evaluate_sessions", ks)
    row, length = sessions.prefixes(prefixes)
    if len(row) == 0:
        raise ValueError("evaluate_sessions: no session has two items or more, want some: a session of one item has no next "
                         "one to ask for")
    targets = model.items_.get_indexer(sessions.items[sessions.start[row] + length])
    result = evaluate_events(scorer(model, sessions, row, length), np.arange(len(row)), targets, ks, strata=strata(length),
                             cold_items=targets < 0, block=block)
    for k in ks:
        result.per_query[f"MRR@{k}"] = expected_reciprocal_rank(result.greater, result.equal, k)
    result.notes.insert(0, f"{sessions.name}{' (SYNTHETIC)' * sessions.synthetic}: {len(sessions):,} sessions, " + (
        "the last item of each" if prefixes == "last" else "every item but the first of each"))
    return result


def scorer(model, sessions, row, length):
    """The model's scores as the function of a block of question numbers that `evaluate_events` takes."""
    coded = CodedSessions(sessions.start, model.items_.get_indexer(sessions.items))

    def score(questions):
        prefixes = coded.take(row[questions], length[questions])
        return model._scored(prefixes.keep(prefixes.items >= 0))
    return score


def strata(length):
    """(Q,) the class of how many items come before the target."""
    return np.array(list(_LENGTHS))[np.searchsorted(list(_LENGTHS.values()), length, side="right") - 1]


def sessions_of(result, sessions, prefixes="last"):
    """(n,) the session number of each measured question: the groups of `paired_bootstrap`."""
    return sessions.prefixes(prefixes)[0][result.rows]


def fit_and_evaluate(model, split, refit=False):
    """Fit `model` to split.train, with split.valid to choose its epochs by, and measure it on split.test.

    refit: measure a second model, fitted to training and validation sessions together for as many epochs as the first one
    chose. Returns (the model that was measured, its row):

        last, all    {line of the table: {metric: value}} on the test sessions
        valid        {metric: value} of the first model on the last items of the validation sessions
        epochs       trained for; None where a model has none
        parameters   how many numbers it learned
        seconds      of fitting, both fits together
    """
    measured, costs = fitted(model, split, refit)
    valid = evaluate_sessions(model, split.valid)
    row = {prefixes: evaluate_sessions(measured, split.test, prefixes).table().to_dict("index") for prefixes in PREFIXES}
    return measured, {**row, "valid": {metric: valid[metric] for metric in valid.per_query}, **costs}


def compare_table(rows):
    """DataFrame of text from [(label, row of `fit_and_evaluate`)], a line a label: mean, and deviation over several fits."""
    def at(prefixes, metric):
        return lambda row: row[prefixes]["all"][metric]

    return means_table(rows, {**{metric: at("last", metric) for metric in ("Recall@5", "Recall@10", *METRICS)},
                              **{f"every prefix {metric}": at("all", metric) for metric in METRICS}})
