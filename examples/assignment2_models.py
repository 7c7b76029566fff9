"""The models of assignment II: their settings and how those were chosen, fitting in both regimes, and what is left out.

    tune           settings of counters and item-kNN by validation, on every run
    tune_trained   the settings of trained models that were tried before
    study          one model over the seeds, in both regimes
    ablation       one option more or less, order 2 and 3, FM and NTF
"""

import itertools
import time

import numpy as np

from examples.assignment2_tables import ROW, measure, measured_again
from recmodels.checkin_evaluation import REGIMES, event_questions
from recmodels.checkin_features import OPTIONS
from recmodels.models import CHECKIN_MODELS
from recmodels.ranking import evaluate_events

GRID = {  # without decay user-slot-decay would be user-slot-counts
    "slot-popularity": {"weight": (3, 10, 30, 100)},
    "user-slot-counts": {"weight": (3, 6, 10, 20, 40)},
    "user-slot-decay": {"decay": (15, 30, 60, 120), "weight": (3, 6, 10, 20, 40)},
    "item-knn": {"decay": (30, 60, 120)},
}
TRIED = {  # beside a model's own settings
    "fpmc": [dict(loss="sampled-softmax"), dict(window=7.0), dict(power=0.75)],
    "fm-venues": [dict(order=3), dict(k=64), dict(weight_decay=0.2)],
    "nfm": [dict(order=3), dict(k=64, hidden=64), dict(time="hour of week"), dict(weight_decay=0.3)],
    "nfm-options": [dict(order=3), dict(lag=60), dict(weight_decay=4.0), dict(weight_decay=12.0)],
    "ntf": [dict(k=64, hidden=64), dict(time="hour of week"), dict(weight_decay=0.3)],
}
ABLATION = {  # row: (model, what is changed of it): what stands below "four fields" and "all options" differs in one thing
    "nfm, four fields": ("nfm", {}),
    **{f"  and {option}": ("nfm", {"features": (option,)}) for option in OPTIONS},
    "nfm, all options": ("nfm-options", {}),
    **{f"  without {option}": ("nfm-options", {"features": tuple(o for o in OPTIONS if o != option)}) for option in OPTIONS},
    "nfm, order 3": ("nfm", {"order": 3}), "fm, order 2": ("fm-venues", {}), "fm, order 3": ("fm-venues", {"order": 3}),
    "ntf": ("ntf", {}),
}


def make(name, **parameters):
    """An unfitted model, with those of the parameters that it has."""
    model = CHECKIN_MODELS[name]()
    return model.clone(**{key: value for key, value in parameters.items() if key in model.get_params()})


def fit(model, split, regime):
    """The seconds that it took to fit the model for the regime."""
    started = time.perf_counter()
    model.fit(split.train, split.valid, split.data if regime == "streaming" else None)
    return time.perf_counter() - started


def validation(model, split, regime):
    """Recall@10 of the validation events."""
    fit(model, split, regime)
    return evaluate_events(**event_questions(model, split.valid))["Recall@10"]


def tune(names, split):
    """{regime: {model: the settings of GRID that are best on validation}}; prints them."""
    print("\ntuned on validation, Recall@10 of its events")
    chosen = {regime: {} for regime in REGIMES}
    for regime, name in itertools.product(REGIMES, (name for name in names if name in GRID)):
        settings = [dict(zip(GRID[name], values, strict=True)) for values in itertools.product(*GRID[name].values())]
        found = [validation(make(name, **one), split, regime) for one in settings]
        chosen[regime][name] = settings[int(np.argmax(found))]
        print(f"  {regime:10} {name:17} {str(chosen[regime][name]):30} {max(found):.4f}  (of {len(found)}; the worst "
              f"{min(found):.4f})", flush=True)
    return chosen


def tune_trained(names, split, **parameters):
    """Print what the settings of TRIED give on validation."""
    print("\ntried on validation, Recall@10 of its events; the first of a model is what the assignment uses")
    for regime, name in itertools.product(REGIMES, (name for name in names if name in TRIED)):
        for changes in [{}, *TRIED[name]]:
            found = validation(make(name, **{**parameters, "regime": regime, **changes}), split, regime)
            print(f"  {regime:10} {name:17} {str(changes or 'as it is'):30} {found:.4f}", flush=True)


def never_looks_back(model):
    """Whether a fit is one for both regimes: a ranker's on the four fields alone."""
    return getattr(model, "features", None) == ()


def study(name, split, seeds, settings, **parameters):
    """{regime: (Results, fitted models)} of one model over the seeds; the first seed alone if it draws nothing.

    settings: {regime: what is its own there}.
    """
    found = {regime: ([], []) for regime in REGIMES}
    for seed in seeds if "epochs" in make(name).get_params() else seeds[:1]:
        model = result = None
        for regime in REGIMES:
            if result is not None and never_looks_back(model):
                result = measured_again(result, model, split, regime)
            else:
                model = make(name, seed=seed, regime=regime, **{**parameters, **settings[regime]})
                seconds = fit(model, split, regime)
                result = measure(model, split, regime, seconds)
            found[regime][0].append(result)
            found[regime][1].append(model)
            print(f"  {name:21} {regime:10} seed {seed}: Recall@10 {result.events['Recall@10']:.4f}, new among unvisited "
                  f"{result.new_venues['Recall@10']:.4f}  (fit {result.seconds:.1f} s)", flush=True)
    return found


def ablation(results, split, seed, **parameters):
    """{row: {column: [number]}} of ABLATION on one seed; what `results` holds of it is not trained again."""
    rows = {}
    for row, (name, changes) in ABLATION.items():
        found = {regime: results[regime].get(name) for regime in REGIMES}
        if changes or None in found.values():
            again = study(name, split, [seed], dict.fromkeys(REGIMES, changes), **parameters)
            found = {regime: of_seeds for regime, (of_seeds, _) in again.items()}
        rows[row] = {f"{regime} {title}": [first.numbers()[part][column]] for regime, (first, *_) in found.items()
                     for title, (part, column) in ROW.items()}
    return rows
