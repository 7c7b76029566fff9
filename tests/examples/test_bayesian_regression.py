"""The quick study runs; spread and coverage are measured where they are said to be; a band that does not open fails."""

import json

import numpy as np
import pytest

from examples import bayesian_regression as example
from examples import image_data
from tinydl.data import synthetic_digits


@pytest.fixture
def digits(monkeypatch):
    """300 and 200 digits, 12 x 12, and few steps."""
    def made(quick, seed):
        rng = np.random.default_rng(seed)
        train, test = (synthetic_digits(n, 12, 0.05, rng) for n in (300, 200))
        return image_data.Images("SYNTHETIC digits", train, test, tuple("0123456789"), True)
    monkeypatch.setattr(image_data, "_synthetic", made)
    monkeypatch.setattr(example, "QUICK_STEPS", 20)
    return made(True, 0)


def test_quick_run(digits, tmp_path, capsys):
    code = example.main(["--quick", "--data", "synthetic", "--epochs", "2", "--seeds", "0,1", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert code == ("FAILS" in out) and "of 5 claims hold" in out and "holds  the plain network's interval" in out
    record = json.loads((tmp_path / "results.json").read_text())
    assert list(record["regression"]) == list(example.COLOUR)[:5]
    assert list(record["classification"]) == ["plain", "MC dropout", "Bayesian"]
    for rows in (record["regression"], record["classification"]):
        assert all(len(numbers) == 2 for numbers in rows.values())
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("bands.png", "reliability.png"))


@pytest.mark.parametrize("kind", ["plain", "MC dropout, ReLU", "Bayesian, tanh"])
def test_what_a_band_says(kind):
    band = example.regression(kind, 3, 20)
    x, numbers = example.GRID, band.numbers
    at_data, in_gap = (np.abs(x) > 0.85) & (np.abs(x) < 1.9), np.abs(x) < 0.4
    assert numbers["spread at data"] == pytest.approx(band.spread[at_data].mean(), rel=1e-6)
    assert numbers["spread in gap"] == pytest.approx(band.spread[in_gap].mean(), rel=1e-6)
    assert (band.spread.max() == 0) == (kind == "plain")
    from scipy.special import ndtr

    half, off = 1.6449 * np.hypot(band.spread, 0.1), band.mean - np.sin(3 * x)
    expected = ndtr((off + half) / 0.1) - ndtr((off - half) / 0.1)
    for name, where in (("coverage at data", at_data), ("coverage in gap", in_gap)):
        assert numbers[name] == pytest.approx(expected[where].mean(), abs=0.02)


def test_no_point_lies_in_the_gap():
    x, y = example.points(0)
    assert x.shape == y.shape == (200, 1) and np.abs(x).min() >= 0.75 and np.abs(x).max() <= 2
    assert (x < 0).sum() == 100 and np.std(y - np.sin(3 * x)) == pytest.approx(0.1, rel=0.15)


def test_classifiers_give_probabilities_that_are_measured(digits):
    p, numbers = example.classification(digits, 0, 3)["Bayesian"]
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-4)
    t = digits.test[1]
    assert numbers["accuracy"] == np.mean(p.argmax(1) == t)
    assert numbers["nll"] == pytest.approx(-np.log(p[np.arange(len(t)), t]).mean(), rel=1e-6)


def rows(ratio, data, gap):
    return [{"ratio": ratio, "coverage at data": data, "coverage in gap": gap}]


@pytest.mark.parametrize("bayesian, plain_ece, failed", [
    ((2.5, 0.9, 0.9), 0.1, 0), ((1.9, 0.9, 0.9), 0.1, 1), ((1.0, 0.9, 0.9), 0.1, 2), ((2.5, 0.84, 0.9), 0.1, 1),
    ((2.5, 0.9, 0.4), 0.1, 1), ((2.5, 0.9, 0.9), 0.05, 2)])
def test_claims_fail_where_they_should(bayesian, plain_ece, failed, capsys):
    curves = {"plain": rows(1, 0.9, 0.5), "MC dropout, tanh": rows(1.1, 0.9, 0.6), "Bayesian, tanh": rows(*bayesian)}
    classes = {"plain": [{"ece": plain_ece}], "MC dropout": [{"ece": 0.03}], "Bayesian": [{"ece": 0.03}]}
    example.image_arguments("bayesian_regression", "")
    example.claims(curves, classes, fashion=True)
    assert example.finish() == (failed > 0) and capsys.readouterr().out.count("FAILS") == failed
