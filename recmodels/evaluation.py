"""Evaluation: one model on one split -> one row of a table, the same for every model."""

import time

import numpy as np

from . import metrics

METRICS = {"rmse": "RMSE", "mae": "MAE", "auc": "AUC", "log_loss": "log loss"}  # key in a row: title in a table


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
    started = time.perf_counter()
    model.fit(split.train, valid=split.valid)
    seconds = time.perf_counter() - started
    measured, row = evaluate_refit(model, split) if refit else (model, rating_metrics(model, split.test))
    return measured, {**row, "valid": rating_metrics(model, split.valid), "epochs": getattr(model, "best_epoch_", None),
                      "parameters": measured.num_parameters(), "seconds": seconds + row.get("seconds", 0.0)}


def evaluate_refit(model, split):
    """Measure on split.test what `model`, fitted to split.train, becomes with the validation ratings for training too.

    Returns (the second model, {"rmse", "mae" or "auc", "log_loss", "seconds" of fitting}).
    """
    started = time.perf_counter()
    again = model.refit(split.refit)
    seconds = time.perf_counter() - started
    return again, {**rating_metrics(again, split.test), "seconds": seconds}


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
    import pandas

    groups = {}
    for label, row in rows:
        groups.setdefault(label, []).append(row)

    def column(key, digits=4, sign="+-"):
        return [mean_deviation((row.get(key) for row in group), digits, sign) for group in groups.values()]

    table = {title: column(key) for key, title in METRICS.items()}
    table.update(epochs=column("epochs", 0, None), parameters=column("parameters", 0, None),
                 seconds=column("seconds", 1, None), fits=[str(len(group)) for group in groups.values()])
    frame = pandas.DataFrame(table, index=list(groups))
    return frame.loc[:, (frame != "").any()]
