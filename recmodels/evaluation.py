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
    valid = rating_metrics(model, split.valid)
    epochs, measured = getattr(model, "best_epoch_", None), model
    if refit:
        measured = model.refit(split.refit)
    seconds = time.perf_counter() - started
    return measured, {**rating_metrics(measured, split.test), "valid": valid, "epochs": epochs,
                      "parameters": measured.num_parameters(), "seconds": seconds}


def results_table(rows):
    """A DataFrame of text from [(label, row of `evaluate_ratings`)]: a line a label, metrics as mean +- deviation.

    The deviation is that of a sample (N - 1); it stands where a label has two rows or more, such as two seeds.
    """
    import pandas

    groups = {}
    for label, row in rows:
        groups.setdefault(label, []).append(row)
    titles = {**METRICS, "epochs": "epochs", "parameters": "parameters", "seconds": "seconds"}
    table = {title: [_cell(group, key) for group in groups.values()] for key, title in titles.items()}
    table["fits"] = [str(len(group)) for group in groups.values()]
    frame = pandas.DataFrame(table, index=list(groups))
    return frame.loc[:, (frame != "").any()]


def _cell(rows, key):
    values = [row[key] for row in rows if row.get(key) is not None]
    if not values:
        return ""
    digits = {"epochs": 0, "parameters": 0, "seconds": 1}.get(key, 4)
    spread = f" +- {np.std(values, ddof=1):.{digits}f}" if key in METRICS and len(values) > 1 else ""
    return f"{np.mean(values):,.{digits}f}{spread}"
