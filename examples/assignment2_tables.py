"""The numbers of assignment II: of one model in one regime, of all of them over the seeds, and how sure a difference is."""

import copy
import dataclasses

import numpy as np

from recmodels.bootstrap import paired_bootstrap
from recmodels.checkin_evaluation import context_questions, evaluate_checkins, evaluate_new_venues, event_questions
from recmodels.evaluation import mean_deviation
from recmodels.models.counters import COUNTERS
from recmodels.ranking import RankingResult

EVENTS = ("Recall@1", "Recall@5", "Recall@10", "Recall@20", "MRR", "nDCG@20")
CONTEXTS = ("Recall@5", "Recall@10", "Recall@20", "MAP@5", "MAP@10", "nDCG@5", "nDCG@20")
REVISIT, NEW, UNVISITED = "R@10 revisits", "R@10 new", "R@10 new among unvisited"
COMPARED = {"events": ("Recall@1", "Recall@10", "nDCG@20"), "contexts": ("MAP@5", "MAP@10", "nDCG@5", "nDCG@20")}
ROW = {"Recall@10": ("events", "Recall@10"), "nDCG@20": ("events", "nDCG@20"), UNVISITED: ("events", UNVISITED),
       "contexts MAP@10": ("contexts", "MAP@10")}  # the ablation's columns


@dataclasses.dataclass
class Result:
    """What a fitted model gave on the test part in one regime; epochs is None where it has none, seconds are of its fit."""
    events: RankingResult
    contexts: RankingResult
    new_venues: RankingResult
    epochs: int | None
    parameters: int
    seconds: float

    def numbers(self):
        """{"events": {column: number}, "contexts": {column: number}}"""
        line = self.events.table()["Recall@10"]
        events = {**{metric: self.events[metric] for metric in EVENTS}, REVISIT: float(line.get("revisit", np.nan)),
                  NEW: float(line.get("new", np.nan)), UNVISITED: self.new_venues["Recall@10"]}
        return {"events": events, "contexts": {metric: self.contexts[metric] for metric in CONTEXTS}}


def measure(model, split, regime, seconds):
    """The Result of a fitted model; what it may look back on is what the regime says."""
    events, contexts = evaluate_checkins(model, split, regime)
    return Result(events, contexts, evaluate_new_venues(model, split, regime), getattr(model, "best_epoch_", None),
                  model.num_parameters(), seconds)


def measured_again(result, model, split, regime):
    """The Result in another regime of a model that never looks back: its scores stay, what is new to a user does not."""
    moved = model.streaming(split.data) if regime == "streaming" else model.frozen()
    events = copy.copy(result.events)
    events.strata = event_questions(moved, split.test)["strata"][events.rows]
    return dataclasses.replace(result, events=events, new_venues=evaluate_new_venues(model, split, regime))


def tables(results):
    """{title: {model: {column: [a number for each seed]}}}, of {regime: {model: Results of its seeds}}."""
    made = {}
    for part, title in (("events", "{}"), ("contexts", "contexts-{}")):
        for regime, models in results.items():
            rows = {name: [result.numbers()[part] for result in seeds] for name, seeds in models.items()}
            made[title.format(regime)] = {name: {column: [row[column] for row in of_seeds] for column in of_seeds[0]}
                                          for name, of_seeds in rows.items()}
    return made


def show(title, table, also=None):
    """Print one of `tables`, mean and deviation over the seeds. also: {column: [text of each model]}, further columns."""
    import pandas

    columns = list(dict.fromkeys(column for values in table.values() for column in values))
    frame = pandas.DataFrame({column: [mean_deviation(values.get(column, [])) for values in table.values()]
                              for column in columns} | (also or {}), index=list(table))
    print(f"\n{title}\n{frame.to_string()}", flush=True)


def effort(models):
    """Columns of `show`: what each model took. models: {model: Results of its seeds}."""
    return {"epochs": ["/".join(str(r.epochs) for r in seeds if r.epochs) for seeds in models.values()],
            "parameters": [f"{seeds[0].parameters:,}" for seeds in models.values()],
            "fit, s": [mean_deviation((r.seconds for r in seeds), 1, None) for seeds in models.values()]}


def per_query(seeds, part, metric):
    """(Q,) the metric of each query, the mean over a model's seeds. part: "events" or "contexts"."""
    return np.mean([getattr(result, part).per_query[metric] for result in seeds], axis=0)


def asking_users(model, split, some):
    """{"events", "contexts"}: the user of each measured query of the Result `some`. model: any that is fitted."""
    contexts = context_questions(model, split.test)["queries"]["user"].to_numpy()
    return {"events": split.test.frame["user"].to_numpy()[some.events.rows], "contexts": contexts[some.contexts.rows]}


def differences(results, users):
    """{regime: {model: {"events Recall@10": its mean minus the best counter's, with the interval}}} of all but counters.

    The best counter is the one with the highest number in that very column, on the test part: the hardest to beat. The
    interval is of resampled users; of several seeds each query's mean is taken first. users: `asking_users`.
    """
    found = {regime: {} for regime in results}
    for regime, models in results.items():
        for part, metric in [(part, metric) for part, metrics in COMPARED.items() for metric in metrics]:
            means = {name: per_query(seeds, part, metric) for name, seeds in models.items()}
            best = max((name for name in means if name in COUNTERS), key=lambda name: means[name].mean(), default=None)
            for name in means if best else ():
                if name not in COUNTERS:
                    difference = paired_bootstrap(means[name], means[best], users[part])
                    found[regime].setdefault(name, {})[f"{part} {metric}"] = {"counter": best, **difference._asdict()}
    return found


def show_differences(found):
    """Print the intervals of `differences`."""
    for regime, models in found.items():
        for name, columns in models.items():
            print(f"\n{name} minus the best counter, {regime}")
            for column, d in columns.items():
                print(f"  {column:18} {d['mean']:+.4f}  (95 % from {d['low']:+.4f} to {d['high']:+.4f}; {d['counter']}, "
                      f"{d['groups']:,} users resampled)")
