"""Evaluation: one model on one split -> one row of a table, the same for every model. Fitting and tables serve all tasks."""

import operator
import time

import numpy as np

from . import metrics

METRICS = {"rmse": "RMSE", "mae": "MAE", "auc": "AUC", "log_loss": "log loss"}  # key in a row: title in a table
COSTS = {"epochs": ("epochs", 0), "parameters": ("parameters", 0), "seconds": ("seconds", 1)}  # title: key in a row, digits


def rating_metrics(model, data):
    """How well a fitted model predicts `data`: {"rmse", "mae"} of ratings, or {"auc", "log_loss"} of likes.

    A like is a rating of at least `model.threshold`. Averages are over ratings, not over users.
    """
    prediction, rating = model.predict(data), data.frame["rating"].to_numpy()
    if model.output == "rating":
        return {"rmse": metrics.rmse(rating, prediction), "mae": metrics.mae(rating, prediction)}
    like = rating >= model.threshold
    return {"auc": metrics.auc(like, prediction), "log_loss": metrics.log_loss(like, prediction)}


def evaluate_ratings(model, split, refit=False):
    """Fit `model` to split.train, with split.valid to choose its epochs by, and measure it on split.test.

    refit: measure a second model, fitted to training and validation ratings together for as many epochs as the first one
    chose. Returns (the model that was measured, its row):

        rmse, mae or auc, log_loss   on the test part
        valid                        the same two of the first model on the validation part
        epochs                       trained for; None where a model has none
        parameters                   how many numbers it learned
        seconds                      of fitting, both fits together
    """
    measured, costs = fitted(model, split, refit)
    return measured, {**rating_metrics(measured, split.test), "valid": rating_metrics(model, split.valid), **costs}


def fitted(model, split, refit=False, *log):
    """Fit `model` to split.train, with split.valid to choose its epochs by. Returns (the model to measure, its costs):

        epochs       trained for; None where a model has none
        parameters   how many numbers it learned
        seconds      of fitting, both fits together

    refit: the model to measure is a second one, fitted to training and validation part together for as many epochs as the
    first one chose. log: what models of check-ins look back on.
    """
    measured, seconds = _timed(model.fit, split.train, split.valid, *log)
    if refit:
        measured, more = _timed(model.refit, split.refit, *log)
        seconds += more
    return measured, {"epochs": getattr(model, "best_epoch_", None), "parameters": measured.num_parameters(),
                      "seconds": seconds}


def evaluate_refit(model, split):
    """Measure on split.test what `model`, fitted to split.train, becomes with the validation ratings for training too.

    Returns (the second model, {"rmse", "mae" or "auc", "log_loss", "seconds" of fitting}).
    """
    again, seconds = _timed(model.refit, split.refit)
    return again, {**rating_metrics(again, split.test), "seconds": seconds}


def _timed(fit, *data):
    """(fit(*data), the seconds that it took)"""
    started = time.perf_counter()
    return fit(*data), time.perf_counter() - started


def mean_deviation(values, digits=4, sign="+-"):
    """The text "mean +- deviation" of numbers, such as a metric's over seeds; "" where there are none.

    values: numbers; None stands for one that a model does not have, and is passed over. The deviation is that of a
    sample (N - 1); it stands where there are two numbers or more. sign: what stands between the two, or None for the mean
    alone.
    """
    values = [value for value in values if value is not None]
    if not values:
        return ""
    deviation = f" {sign} {np.std(values, ddof=1):.{digits}f}" if sign and len(values) > 1 else ""
    return f"{np.mean(values):,.{digits}f}{deviation}"


def results_table(rows):
    """A DataFrame of text from [(label, row of `evaluate_ratings`)]: a line a label, metrics as `mean_deviation`."""
    return means_table(rows, {title: operator.methodcaller("get", key) for key, title in METRICS.items()})


def means_table(rows, metrics, costs=COSTS):
    """A DataFrame of text from [(label, row)], a line a label: metrics as `mean_deviation`, costs as means, and how many
    fits; columns without a number are left out.

    metrics: {title: function of a row}; costs: {title: (key in a row, digits)}. What is None is passed over.
    """
    import pandas

    groups = {}
    for label, row in rows:
        groups.setdefault(label, []).append(row)
    table = {title: [mean_deviation(map(of, group)) for group in groups.values()] for title, of in metrics.items()}
    for title, (key, digits) in costs.items():
        table[title] = [mean_deviation((row.get(key) for row in group), digits, None) for group in groups.values()]
    table["fits"] = [str(len(group)) for group in groups.values()]
    frame = pandas.DataFrame(table, index=list(groups))
    return frame.loc[:, (frame != "").any()]
