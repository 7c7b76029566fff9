"""Cells of tables are Python's own mean and deviation; what is measured after a refit is the refitted model."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmodels.datasets import synthetic_ratings
from recmodels.evaluation import evaluate_ratings, evaluate_refit, mean_deviation, rating_metrics
from recmodels.models import MODELS
from recmodels.splits import random_split

NUMBERS = st.lists(st.floats(-1e5, 1e5).map(lambda x: round(x, 3)), min_size=2, max_size=6)


@given(values=NUMBERS, digits=st.integers(0, 4))
def test_mean_and_deviation_are_those_of_a_sample(values, digits):
    mean, deviation = mean_deviation(values, digits).split(" +- ")
    tolerance = 0.5 * 10.0**-digits * (1 + 1e-6) + 1e-9
    assert abs(float(mean.replace(",", "")) - statistics.fmean(values)) <= tolerance
    assert abs(float(deviation) - statistics.stdev(values)) <= tolerance + 1e-6


@pytest.mark.parametrize("values, options, text", [
    ([0.5, 0.7], {}, "0.6000 +- 0.1414"),
    ([0.5, 0.7], {"sign": "±", "digits": 2}, "0.60 ± 0.14"),
    ([0.5, 0.7], {"sign": None}, "0.6000"),
    ([0.5], {}, "0.5000"),
    ([None, 0.25, None], {}, "0.2500"),
    ([0.0, 0.0], {"digits": 1}, "0.0 +- 0.0"),
    ([1234567], {"digits": 0}, "1,234,567"),
    ([], {}, ""),
    ([None, None], {"digits": 2}, ""),
])
def test_cells_of_a_table(values, options, text):
    assert mean_deviation(values, **options) == text
    assert mean_deviation(iter(values), **options) == text


@pytest.mark.parametrize("name", ["biases", "logistic", "biased-mf"])
def test_a_refit_is_measured_beside_the_first_model(name):
    split = random_split(synthetic_ratings(users=60, items=50, ratings=1500, rng=0), seed=1)
    model = MODELS[name]()
    if name == "biased-mf":
        model = model.clone(k=4, epochs=3, batch_size=256)
    first, row = evaluate_ratings(model, split)
    before = first.predict(split.test)
    again, refitted = evaluate_refit(first, split)
    want = first.refit(split.refit)
    np.testing.assert_array_equal(again.predict(split.test), want.predict(split.test))
    np.testing.assert_array_equal(first.predict(split.test), before)  # the first one is as it was
    assert refitted.pop("seconds") > 0 and refitted == rating_metrics(want, split.test)
    assert refitted != {key: row[key] for key in refitted}
    both = evaluate_ratings(model.clone(), split, refit=True)[1]
    assert {key: both[key] for key in refitted} == refitted and both["valid"] == row["valid"]


def test_seconds_are_those_of_both_fits(monkeypatch):
    from recmodels import evaluation

    split = random_split(synthetic_ratings(users=30, items=40, ratings=600, rng=0), seed=1)
    ticks = iter([10.0, 13.0, 20.0, 24.0])  # before and after each fit
    monkeypatch.setattr(evaluation.time, "perf_counter", lambda: next(ticks))
    assert evaluate_ratings(MODELS["biases"](), split, refit=True)[1]["seconds"] == 7.0
