"""Metrics against their definitions as plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.metrics import auc, log_loss, mae, mse, rmse

numbers = st.floats(-1e3, 1e3)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)  # no deadline: a busy machine is no bug
@given(pairs)
def test_errors_are_averaged_over_rows(rows):
    y, p = zip(*rows, strict=True)
    assert mae(y, p) == pytest.approx(sum(abs(a - b) for a, b in rows) / len(rows))
    assert mse(y, p) == pytest.approx(sum((a - b) ** 2 for a, b in rows) / len(rows))
    assert rmse(y, p) == pytest.approx(math.sqrt(sum((a - b) ** 2 for a, b in rows) / len(rows)))


def test_integers_do_not_wrap_and_float32_is_summed_in_float64():
    assert mae(np.array([1, 5], np.uint8), np.array([5, 1], np.uint8)) == 4
    y = np.full(3_000_001, 0.1, np.float32)
    assert mse(y, np.zeros_like(y)) == pytest.approx(float(np.float32(0.1)) ** 2, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40)
       .filter(lambda rows: len({label for label, _ in rows}) == 2))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    """Scores of seven values only, so that most lists have ties."""
    won = pairs = 0
    for label, score in rows:
        for other_label, other_score in rows:
            if label and not other_label:
                pairs += 1
                won += 1 if score > other_score else 0.5 if score == other_score else 0
    labels, scores = zip(*rows, strict=True)
    assert auc(labels, scores) == pytest.approx(won / pairs, abs=1e-12)


def test_auc_of_known_lists():
    assert auc([0, 0, 1, 1], [1, 2, 3, 4]) == 1
    assert auc([0, 0, 1, 1], [4, 3, 2, 1]) == 0
    assert auc([0, 1, 0], [2, 2, 2]) == 0.5


def test_auc_of_many_rows_needs_no_square_of_memory(rng):
    y, s = rng.integers(0, 2, 200_000), rng.standard_normal(200_000)
    assert auc(y, s + y) == pytest.approx(0.7602, abs=0.005)  # P(N(1, 2) > 0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.999)), min_size=1, max_size=30))
def test_log_loss_is_the_mean_surprise(rows):
    y, p = zip(*rows, strict=True)
    assert log_loss(y, p) == pytest.approx(sum(-math.log(b if a else 1 - b) for a, b in rows) / len(rows))


def test_log_loss_at_the_ends_is_not_clipped():
    assert log_loss([0, 1], [0, 1]) == 0
    assert log_loss([0, 1], [0, 0]) == math.inf
    assert log_loss([1], [1e-300]) == pytest.approx(300 * math.log(10))


@pytest.mark.parametrize("metric", [mae, mse, rmse, auc, log_loss])
def test_bad_input_is_named(metric):
    with pytest.raises(ValueError, match=rf"{metric.__name__}: .*no rows"):
        metric([], [])
    with pytest.raises(ValueError, match=r"shape \(2,\).*shape \(3,\)"):
        metric([1, 0], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"shape \(2,\).*shape \(2, 1\)"):
        metric([1, 0], [[0.1], [0.2]])
    with pytest.raises(ValueError, match=r"want two arrays of one shape \(N,\)"):
        metric([[1, 0]], [[0.1, 0.2]])
    with pytest.raises(ValueError, match="prediction of row 1 is nan"):
        metric([1, 0], [0.5, float("nan")])
    with pytest.raises(ValueError, match="truth of row 0 is inf"):
        metric([float("inf"), 0], [0.5, 0.5])


def test_labels_must_be_labels_and_probabilities_probabilities():
    with pytest.raises(ValueError, match="auc: got 4 in the truth"):
        auc([1, 4], [0.1, 0.2])
    with pytest.raises(ValueError, match="at least one of each"):
        auc([1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="0 to 1"):
        log_loss([1, 0], [0.5, 1.5])
    with pytest.raises(ValueError, match="0 to 1"):
        log_loss([1, 0], [-0.5, 0.5])
