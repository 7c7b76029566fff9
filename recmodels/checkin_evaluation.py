"""Evaluation of models of check-ins: the questions that a part of a split asks, and the tables of the answers.

    event      every check-in: which venue, of the user at this time?             one target, ranked in the full catalogue
    context    every user and slot of the week in the part: which venues there?   all venues that he was in there
    new venue  the events whose target is new to the user, ranked among the venues where he has not been

A model is fitted before and evaluated in one of two regimes: "frozen", it looks back on its training check-ins only, or
"streaming", on every check-in of the whole data with a strictly earlier timestamp than the question's.
"""

import numpy as np

from .datasets.checkins import slot
from .evaluation import COSTS, fitted, means_table
from .ragged import row_of
from .ranking import evaluate_contexts, evaluate_events
from .visit_log import VisitLog

REGIMES = ("frozen", "streaming")
_COLUMNS = {  # of the tables: title -> (line, metric) of a row's part
    "events": {**{m: ("events", "all", m) for m in ("Recall@1", "Recall@5", "Recall@10", "Recall@20", "MRR", "nDCG@20")},
               "revisits R@10": ("events", "revisit", "Recall@10"), "new venues R@10": ("new venues", "all", "Recall@10")},
    "contexts, MAP over min(k,R)": {m: ("contexts", "all", m) for m in (
        "Recall@5", "Recall@10", "Recall@20", "MAP@5", "MAP@10", "nDCG@5", "nDCG@20")},
}


def evaluate_checkins(model, split, regime="frozen", part="test", denominator="min(k,R)"):
    """(events, contexts): RankingResults of a fitted model on a part, "test" or "valid", of a split of CheckIns.

    events: Recall@1/5/10/20, MRR, nDCG at the same k, apart for revisits and new venues. contexts: Recall@5/10/20,
    MAP@5/10 over `denominator`, nDCG@5/20. Cold users and venues, without a check-in in the model's training part, are
    reported apart.
    """
    model, data, notes = _prepare(model, split, regime, part)
    events = evaluate_events(**event_questions(model, data))
    contexts = evaluate_contexts(**context_questions(model, data), denominator=denominator)
    return _with_notes(events, notes), _with_notes(contexts, notes)


def evaluate_new_venues(model, split, regime="frozen", part="test"):
    """RankingResult of the events whose target is new to the user, ranked among the venues where the user has not been.

    Where he has been is what the model can look back on: his check-ins in the training part, or until the event.
    """
    model, data, notes = _prepare(model, split, regime, part)
    questions = event_questions(model, data)
    new = np.flatnonzero(questions.pop("strata") == "new")
    asked = questions["queries"].iloc[new]
    visited = model.log_.visited(model.log_.rows(asked["user"]), asked["timestamp"].to_numpy())
    rows = {name: values[new] for name, values in questions.items() if name not in ("scorer", "queries")}
    result = evaluate_events(questions["scorer"], asked, **rows, exclude=visited)
    result.rows = new[result.rows]
    return _with_notes(result, [*notes, "new venues only, among those where the user has not been"])


def fit_and_evaluate(model, split, regime="frozen", refit=False):
    """Fit `model` to split.train, with split.valid to choose its epochs by, and measure it on split.test.

    refit: measure a second model, fitted to training and validation part together for as many epochs as the first one
    chose. Returns (the model that was measured, its row):

        events, contexts, new venues   {line of the table: {metric: value}} on the test part
        valid                          {metric: value} of the first model, all events of the validation part
        epochs                         trained for; None where a model has none
        parameters                     how many numbers it learned
        seconds                        of fitting, both fits together
    """
    log = split.data if regime == "streaming" else None
    measured, costs = fitted(model, split, refit, log)
    valid, _ = evaluate_checkins(model, split, regime, "valid")
    events, contexts = evaluate_checkins(measured, split, regime)
    tables = {"events": events, "contexts": contexts, "new venues": evaluate_new_venues(measured, split, regime)}
    row = {name: result.table().to_dict("index") for name, result in tables.items()}
    return measured, {**row, "valid": {metric: valid[metric] for metric in valid.per_query}, **costs}


def compare_table(rows):
    """{"events": DataFrame, "contexts, ..": DataFrame} of text from [(label, row of `fit_and_evaluate`)], a line a label."""
    return {part: means_table(rows, {title: lambda row, path=path: _at(row, *path) for title, path in columns.items()},
                              COSTS if part == "events" else {})
            for part, columns in _COLUMNS.items()}


def _at(row, part, line, metric):
    return row[part].get(line, {}).get(metric)


def event_questions(model, data):
    """What `evaluate_events` takes: each check-in of CheckIns `data` asks for its venue. Row q is check-in q of the data."""
    queries = data.frame[["user", "local", "timestamp"]]
    targets = model.items_.get_indexer(data.frame["item"])
    start, visited = model.log_.visited(model.log_.rows(queries["user"]), queries["timestamp"].to_numpy())
    pairs = row_of(start) * len(model.items_) + visited
    revisit = np.isin(np.arange(len(data)) * len(model.items_) + targets, pairs) & (targets >= 0)
    return {"scorer": scorer(model), "queries": queries, "targets": targets,
            "strata": np.where(revisit, "revisit", "new"), "cold_items": targets < 0,
            "cold_users": ~queries["user"].isin(model.users_).to_numpy()}


def context_questions(model, data):
    """What `evaluate_contexts` takes: each user and slot in `data` asks for all venues that the user was in there.

    The question is asked at the user's first check-in of the slot in `data`, so nothing that is looked back on can be
    among the answers' own check-ins. queries: user, local, timestamp, ordered by user and slot.
    """
    frame = data.frame[["user", "local", "timestamp"]].assign(slot=slot(data.frame["local"].to_numpy()),
                                                              item=model.items_.get_indexer(data.frame["item"]),
                                                              venue=data.frame["item"])
    contexts = frame.groupby(["user", "slot"], sort=True)
    queries = contexts[["local", "timestamp"]].first().reset_index()  # the frame is in the order of time
    answers = frame.assign(context=contexts.ngroup()).drop_duplicates(["context", "venue"])
    answers = answers.sort_values("context", kind="stable")
    start = np.searchsorted(answers["context"].to_numpy(), np.arange(len(queries) + 1))
    item = answers["item"].to_numpy()
    return {"scorer": scorer(model), "queries": queries, "relevant": (start, item), "cold_items": item < 0,
            "cold_users": ~queries["user"].isin(model.users_).to_numpy()}


def scorer(model):
    """The model's scores as the function of a block of queries (user, local, timestamp) that the evaluations take."""
    return lambda q: model.scores(q["user"], q["local"], q["timestamp"])


def _prepare(model, split, regime, part):
    """(the model in the regime, the part's CheckIns, notes)"""
    if regime not in REGIMES or part not in ("valid", "test"):
        raise ValueError(f"evaluate_checkins: got regime={regime!r} and part={part!r}, want 'frozen' or 'streaming', and "
                         "'test' or 'valid'")
    data = getattr(split, part)
    if data is None:
        raise ValueError("evaluate_checkins: the split has no validation part, want part='test'")
    model = model.frozen()
    if model.log_.contains(VisitLog.of(data, model.users_, model.items_)).any():
        raise ValueError(f"evaluate_checkins: the model was trained on check-ins of the {part} part, want one that was not: "
                         "fit it to split.train" + (" or split.refit" if part == "test" else ""))
    notes = [f"{part} of {split}", f"regime: {regime}, looking back on " +
             ("the training part only" if regime == "frozen" else "all earlier check-ins")]
    return model if regime == "frozen" else model.streaming(split.data), data, notes


def _with_notes(result, notes):
    result.notes = [*notes, *result.notes]
    return result
