"""Evaluation: one model on one split -> one row of a table, the same for every model."""

import time

from . import metrics


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
