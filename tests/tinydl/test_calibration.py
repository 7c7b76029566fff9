"""Scores against their definitions: integrals, double loops, bins one by one; and that the truth has the best score."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydl.calibration import (
    coverage,
    expected_calibration_error,
    gaussian_crps,
    gaussian_nll,
    reliability,
    sample_crps,
)


@pytest.mark.parametrize("y, mean, std", [(0.0, 0.0, 1.0), (2.5, -1.0, 0.3), (-4.0, 1.0, 2.0)])
def test_gaussian_scores_are_their_integrals(y, mean, std):
    def squared(x):
        return (scipy.stats.norm.cdf(x, mean, std) - (x >= y)) ** 2

    low, high = min(y, mean - 10 * std), max(y, mean + 10 * std)
    want = sum(scipy.integrate.quad(squared, a, b, epsabs=1e-11)[0] for a, b in ((low, y), (y, high)))
    assert gaussian_crps([y], [mean], std) == pytest.approx(want, abs=1e-8)
    assert gaussian_nll([y], [mean], [std]) == pytest.approx(-scipy.stats.norm.logpdf(y, mean, std), rel=1e-12)


def test_scores_are_means_over_rows(rng):
    y, mean, std = rng.normal(size=7), rng.normal(size=7), rng.uniform(0.1, 2, 7)
    for score in (gaussian_nll, gaussian_crps):
        want = np.mean([score(y[n:n + 1], mean[n:n + 1], std[n:n + 1]) for n in range(7)])
        assert score(y, mean, std) == pytest.approx(want, rel=1e-12)
        assert score(y, mean, 0.5) == score(y, mean, np.full(7, 0.5))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_the_samples_score_is_the_double_sum(S, N, seed):
    rng = np.random.default_rng(seed)
    y, draws = rng.integers(-3, 4, N).astype(float), rng.integers(-3, 4, (S, N)).astype(float)  # with ties
    want = np.mean([sum(abs(x - y[n]) for x in draws[:, n]) / S
                    - sum(abs(x - z) for x in draws[:, n] for z in draws[:, n]) / (2 * S**2) for n in range(N)])
    assert sample_crps(y, draws) == pytest.approx(want, abs=1e-12)


def test_many_draws_of_a_gaussian_have_its_score(rng):
    y, mean, std = rng.normal(size=20), rng.normal(size=20), rng.uniform(0.5, 2, 20)
    draws = mean + std * rng.standard_normal((20_000, 20))
    assert sample_crps(y, draws) == pytest.approx(gaussian_crps(y, mean, std), rel=0.01)


def test_the_true_distribution_has_the_best_score(rng):
    mean, std = rng.normal(size=40_000), rng.uniform(0.5, 2, 40_000)
    y = mean + std * rng.standard_normal(40_000)
    for score in (gaussian_nll, gaussian_crps):
        true = score(y, mean, std)
        others = [score(y, mean, 0.8 * std), score(y, mean, 1.25 * std), score(y, mean + 0.3, std),
                  score(y, mean, np.sqrt(np.mean((y - mean) ** 2)))]
        assert true < min(others)
    z = scipy.stats.norm.ppf(0.95)
    assert coverage(y, mean - z * std, mean + z * std) == pytest.approx(0.9, abs=0.006)


def test_intervals_are_closed():
    assert coverage([1, 2, 3, 4], [1, 0, 3.1, 0], [5, 2, 9, 3.9]) == 0.5


def test_reliability_bin_by_bin(rng):
    p = rng.dirichlet(np.ones(4), 300)
    p[:4] = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.7, 0.3, 0, 0]]  # 0.7 * 10 is above 7
    t, bins = rng.integers(0, 4, 300), 10
    table = reliability(p, t, bins)
    assert table.count.sum() == 300 and np.array_equal(table.edges, np.arange(11) / 10)
    gap = 0.0
    for m in range(bins):
        inside = [n for n in range(300) if m / bins < p[n].max() <= (m + 1) / bins]
        assert table.count[m] == len(inside)
        if not inside:
            assert np.isnan(table.confidence[m]) and np.isnan(table.accuracy[m])
            continue
        right, sure = np.mean([np.argmax(p[n]) == t[n] for n in inside]), np.mean([p[n].max() for n in inside])
        assert table.accuracy[m] == pytest.approx(right) and table.confidence[m] == pytest.approx(sure)
        gap += len(inside) / 300 * abs(right - sure)
    assert expected_calibration_error(p, t, bins) == pytest.approx(gap, rel=1e-12)


def test_who_draws_the_class_by_his_own_word_is_calibrated(rng):
    p = rng.dirichlet(np.ones(3), 60_000)
    t = np.argmax(np.log(p) + rng.gumbel(size=p.shape), axis=1)
    assert expected_calibration_error(p, t) < 0.01
    sharper = p**3 / np.sum(p**3, axis=1, keepdims=True)
    assert expected_calibration_error(sharper, t) > 0.1


@pytest.mark.parametrize("call, message", [
    (lambda: gaussian_nll([1, 2], [1], 1.0), r"gaussian_nll: got y \(2,\), mean \(1,\) and std \(2,\)"),
    (lambda: gaussian_crps([1.0], [1.0], 0.0), "gaussian_crps: got a std of 0.0, want finite numbers above 0"),
    (lambda: gaussian_crps([1.0], [1.0], [np.nan]), "got a std of nan"),
    (lambda: gaussian_nll([np.nan], [1.0], 1.0), "y of row 0 is nan, want finite numbers"),
    (lambda: gaussian_nll([], [], 1.0), r"got y of shape \(0,\)"),
    (lambda: sample_crps([1.0], [[1.0, 2.0]]), r"draws of shape \(1, 2\), want \(N,\) and \(S, N\)"),
    (lambda: sample_crps([1.0], np.zeros((0, 1))), r"draws of shape \(0, 1\)"),
    (lambda: coverage([1.0], [2.0], [1.0]), "the interval of row 0 goes from 2 to 1; swap low and high"),
    (lambda: coverage([1.0], [0.0, 1.0], [2.0]), "want three arrays"),
    (lambda: reliability([[0.5, 0.6]], [0]), "take the softmax of logits first"),
    (lambda: reliability([[1.5, -0.5]], [0]), "take the softmax of logits first"),
    (lambda: reliability([[0.5, 0.5]], [0.0]), "want .N, C. and class numbers"),
    (lambda: reliability([[0.5, 0.5]], [2]), "got targets from 2 to 2, want class numbers, 0 to 1"),
    (lambda: reliability([[0.5, 0.5]], [-1]), "got targets from -1 to -1"),
    (lambda: reliability([[0.5, 0.5]], [0], 0), "got bins=0, want a whole number of at least 1"),
    (lambda: reliability([[0.5, 0.5]], [0], 2.5), "got bins=2.5"),
    (lambda: sample_crps([1.0], [[1.0], [np.nan]]), "draws have nan, want finite numbers")])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
