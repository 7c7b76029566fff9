"""Calibration: does a forecast mean what it says? Of ten things that are 90 % sure, nine should happen.

Scores of a forecast distribution, the smaller the better, whose expectation is smallest for the true one ("proper"; Gneiting
and Raftery 2007):

    gaussian_nll            -log N(y; m, s^2)
    gaussian_crps           the continuous ranked probability score of N(m, s^2)
    sample_crps             the same of a forecast that is given by draws

and what can be read off directly:

    coverage                the share of targets inside their intervals
    reliability             how sure a classifier is, and how often it is right, bin by bin
    expected_calibration_error

All take arrays of numbers and give the mean over the N rows.
"""

from typing import NamedTuple

import numpy as np


def gaussian_nll(y, mean, std):
    """mean of  log s_n + (y_n - m_n)^2 / (2 s_n^2) + log(2 pi) / 2

    y, mean (N,), std (N,) or one number; in nats.

    >>> round(gaussian_nll([1.0, 3.0], [1.0, 2.0], 1.0), 4)
    1.1689
    """
    y, mean, std = _gaussian("gaussian_nll", y, mean, std)
    z = (y - mean) / std
    return float(np.mean(np.log(std) + 0.5 * z * z) + 0.5 * np.log(2 * np.pi))


def gaussian_crps(y, mean, std):
    """mean of  s [z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)],   z = (y - m) / s

    The integral of (F(x) - [x >= y])^2 over x, F the forecast's distribution function: |y - m| where s is 0 (Gneiting and
    Raftery 2007, section 4.2). y, mean (N,), std (N,) or one number; in the unit of y.

    >>> round(gaussian_crps([0.0], [0.0], 1.0), 4)
    0.2337
    """
    from scipy.special import ndtr

    y, mean, std = _gaussian("gaussian_crps", y, mean, std)
    z = (y - mean) / std
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return float(np.mean(std * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))))


def sample_crps(y, draws):
    """mean of  sum_i |x_i - y| / S - sum_ij |x_i - x_j| / (2 S^2)

    which is E|X - y| - E|X - X'| / 2 of the forecast that gives each of the S draws x_i the same chance (their equation 21).
    y (N,), draws (S, N). The double sum is taken over sorted draws, sum_ij |x_i - x_j| = 2 sum_i (2i - S - 1) x_(i).

    >>> sample_crps([0.0], [[-1.0], [1.0]])
    0.5
    """
    y, draws = _row("sample_crps", "y", y), np.asarray(draws, np.float64)
    if draws.ndim != 2 or draws.shape[1:] != y.shape or len(draws) == 0:
        raise ValueError(f"sample_crps: got y of shape {y.shape} and draws of shape {draws.shape}, want (N,) and (S, N): "
                         "one row a draw, as predictive_draws gives them")
    if not np.isfinite(draws).all():
        raise ValueError(f"sample_crps: draws have {draws[~np.isfinite(draws)][0]}, want finite numbers")
    S = len(draws)
    rank = 2 * np.arange(1, S + 1) - S - 1
    apart = rank @ np.sort(draws, axis=0) / S**2                # (N,)
    return float(np.mean(np.mean(np.abs(draws - y), axis=0) - apart))


def coverage(y, low, high):
    """The share of rows with low_n <= y_n <= high_n: near 0.9 where 90 % intervals are what they say. All (N,).

    >>> coverage([1.0, 5.0], [0.0, 1.0], [1.0, 4.0])
    0.5
    """
    y, low, high = (_row("coverage", what, a) for what, a in (("y", y), ("low", low), ("high", high)))
    if not y.shape == low.shape == high.shape:
        raise ValueError(f"coverage: got y {y.shape}, low {low.shape} and high {high.shape}, want three arrays (N,)")
    if np.any(low > high):
        row = int(np.argmax(low > high))
        raise ValueError(f"coverage: the interval of row {row} goes from {low[row]:g} to {high[row]:g}; swap low and high")
    return float(np.mean((low <= y) & (y <= high)))


class Reliability(NamedTuple):
    """Bins of equal width in the confidence: the edges (M + 1,); for each bin the mean confidence and the share of right
    answers (nan where the bin is empty) and how many rows it holds, (M,) each."""
    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray


def reliability(probability, target, bins=15):
    """The rows by how sure the classifier is, max_c p_nc, in `bins` bins of equal width on (0, 1] -> Reliability

    probability (N, C), each row of sum 1; target (N,) class numbers. A diagram of accuracy over confidence is the diagonal
    where the classifier is calibrated, below it where it is too sure   (Guo et al. 2017, section 2).
    """
    p, t = np.asarray(probability, np.float64), np.asarray(target)
    if p.ndim != 2 or t.shape != p.shape[:1] or t.dtype.kind not in "iu" or len(p) == 0:
        raise ValueError(f"reliability: got probabilities {p.shape} and a target {t.shape}, {t.dtype}; want (N, C) and "
                         "class numbers (N,)")
    if not np.all(p >= 0) or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise ValueError("reliability: got rows that are not probabilities, at least 0 and of sum 1; take the softmax of "
                         "logits first")
    if t.min() < 0 or t.max() >= p.shape[1]:
        raise ValueError(f"reliability: got targets from {t.min()} to {t.max()}, want class numbers, 0 to {p.shape[1] - 1}")
    if bins != int(bins) or bins < 1:
        raise ValueError(f"reliability: got bins={bins!r}, want a whole number of at least 1")
    sure, right = p.max(axis=1), p.argmax(axis=1) == t
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, sure) - 1, 0, bins - 1)  # edges[m] < sure <= edges[m + 1]
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (np.bincount(place, value, bins) / count for value in (sure, right))
    return Reliability(edges, confidence, accuracy, count)


def expected_calibration_error(probability, target, bins=15):
    """ECE = sum_m (n_m / N) |accuracy_m - confidence_m|   over the bins of `reliability`   (Naeini et al. 2015)

    It depends on the bins: compare at equal ones. 0 is calibrated; a classifier that says the classes' frequencies for every
    row has 0 too, so read it beside the accuracy.

    >>> round(expected_calibration_error([[0.9, 0.1], [0.9, 0.1]], [0, 1]), 4)
    0.4
    """
    table = reliability(probability, target, bins)
    some = table.count > 0
    gap = np.abs(table.accuracy[some] - table.confidence[some])
    return float(np.sum(table.count[some] * gap) / table.count.sum())


def _row(name, what, values):
    """values as a float64 array (N,), after the checks."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name}: got {what} of shape {values.shape}, want (N,), with at least one row")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise ValueError(f"{name}: {what} of row {row} is {values[row]}, want finite numbers")
    return values


def _gaussian(name, y, mean, std):
    y, mean = _row(name, "y", y), _row(name, "mean", mean)
    std = np.full(y.shape, std, np.float64) if np.ndim(std) == 0 else np.asarray(std, np.float64)
    if not y.shape == mean.shape == std.shape:
        raise ValueError(f"{name}: got y {y.shape}, mean {mean.shape} and std {std.shape}, want three arrays (N,), or one "
                         "number as std")
    if not np.all((std > 0) & np.isfinite(std)):
        raise ValueError(f"{name}: got a std of {std[~((std > 0) & np.isfinite(std))][0]}, want finite numbers above 0")
    return y, mean, std
