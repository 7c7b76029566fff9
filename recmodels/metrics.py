"""Metrics: how far predictions are from the truth, averaged over ratings (never over users).

y_n is the truth of row n, p_n the prediction, N the number of rows. Both are arrays of one and the same shape (N,).
"""

import numpy as np


def mae(truth, prediction):
    """MAE = sum_n |y_n - p_n| / N

    >>> mae([4, 2], [3.5, 2.25])
    0.375
    """
    y, p = _pair("mae", truth, prediction)
    return float(np.mean(np.abs(y - p)))


def mse(truth, prediction):
    """MSE = sum_n (y_n - p_n)^2 / N

    >>> mse([4, 2], [3.5, 2.25])
    0.15625
    """
    y, p = _pair("mse", truth, prediction)
    return float(np.mean((y - p) ** 2))


def rmse(truth, prediction):
    """RMSE = sqrt(MSE)

    >>> rmse([3, 1], [0, 5])
    3.5355339059327378
    """
    y, p = _pair("rmse", truth, prediction)
    return float(np.sqrt(np.mean((y - p) ** 2)))


def auc(truth, score):
    """AUC = P(s+ > s-) + P(s+ = s-) / 2,   s+ and s- the scores of a random positive and a random negative

    truth: zeros and ones. By ranks instead of pairs (Mann & Whitney 1947): with R the sum of the positives' ranks among
    all scores, equal scores sharing their mean rank, and N+ positives and N- negatives,

        AUC = (R - N+ (N+ + 1) / 2) / (N+ N-)

    >>> auc([1, 0, 1, 0], [0.9, 0.9, 0.8, 0.1])
    0.625
    """
    y, s = _labels("auc", truth, score)
    positives = int(y.sum())
    negatives = len(y) - positives
    if positives == 0 or negatives == 0:
        raise ValueError(f"auc: got {positives} positives and {negatives} negatives, want at least one "
                         "of each: AUC compares pairs")
    _, place, count = np.unique(s, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2
    return float((mean_rank[place][y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(truth, probability):
    """log loss = -sum_n [y_n log p_n + (1 - y_n) log(1 - p_n)] / N

    truth: zeros and ones. 0 log 0 is 0, and a prediction of 0 or 1 that is wrong costs infinity: nothing is clipped.

    >>> round(log_loss([1, 0], [0.5, 0.75]), 4)
    1.0397
    """
    y, p = _labels("log_loss", truth, probability)
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"log_loss: got predictions from {p.min():g} to {p.max():g}, want probabilities, 0 to 1 (of a "
                         "logit, take the sigmoid first)")
    right = np.where(y == 1, p, 1 - p)
    return float(-np.log(right).mean()) if right.min() > 0 else float("inf")


def _pair(name, truth, prediction):
    """Both as float64 arrays (N,), after the checks."""
    y, p = np.asarray(truth, np.float64), np.asarray(prediction, np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise ValueError(f"{name}: got truth of shape {y.shape} and predictions of shape {p.shape}, want two arrays of one "
                         "shape (N,)")
    if len(y) == 0:
        raise ValueError(f"{name}: got no rows, want at least one")
    for array, what in ((y, "truth"), (p, "prediction")):
        if not np.isfinite(array).all():
            row = int(np.argmin(np.isfinite(array)))
            raise ValueError(f"{name}: the {what} of row {row} is {array[row]}, want finite numbers")
    return y, p


def _labels(name, truth, score):
    y, s = _pair(name, truth, score)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"{name}: got {y[~np.isin(y, (0, 1))][0]:g} in the truth, want zeros and ones (of ratings, pass "
                         "rating >= 4)")
    return y, s
