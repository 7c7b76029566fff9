"""The examples of AutoRec and of the RBM for ratings: rows are errors of the refitted models, claims are about them."""

import json

import numpy as np
import pytest

from examples import autorec_movielens, rating_rows, rbm_movielens
from recmodels.datasets import synthetic_ratings
from recmodels.models import MODELS
from recmodels.splits import random_split

TINY = {"item-autorec": dict(hidden=4, epochs=2, batch_size=32), "item-rbm": dict(hidden=4, epochs=2, batch_size=32)}


@pytest.fixture
def tiny(monkeypatch):
    data = synthetic_ratings(users=120, items=80, ratings=4000, rng=0)
    monkeypatch.setattr(rating_rows, "load", lambda which, quick: data)
    return data


@pytest.mark.parametrize("example", [autorec_movielens, rbm_movielens])
def test_quick_run(example, tiny, tmp_path, capsys):
    name = example.__name__.split(".")[-1]
    assert example.main(["--quick", "--data", "synthetic", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "SYNTHETIC" in out and "published" in out and "0 of 0 claims hold" in out
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    record = json.loads((tmp_path / "results.json").read_text())
    assert list(record["results"]) == ["biases", "biased-mf", *example.NAMES] and record["quick"]
    for model in example.NAMES:
        (row,) = record["results"][model]
        assert f"{row['refit_rmse']:.4f}" in out and len(row["history"]["valid_loss"]) >= row["epochs"] >= 1


def test_rows_are_errors_of_the_refitted_model_on_the_test_ratings(tiny):
    split = random_split(tiny, 0)
    model, row = rating_rows.measured("item-rbm", split, 3, **TINY["item-rbm"])
    rating = split.test.frame["rating"].to_numpy()
    first = MODELS["item-rbm"](seed=3, **TINY["item-rbm"]).fit(split.train, split.valid)
    for key, one in (("rmse", first), ("refit_rmse", first.refit(split.refit))):
        assert row[key] == pytest.approx(np.sqrt(np.mean((one.predict(split.test) - rating) ** 2)))
    np.testing.assert_array_equal(model.predict(split.test), first.refit(split.refit).predict(split.test))


def test_a_model_that_misses_its_goal_fails(tiny, tmp_path, capsys, monkeypatch):
    tiny.synthetic = False
    rows = {"biases": 0.9, "biased-mf": 0.85, "item-autorec": 0.84, "user-autorec": 0.95}
    row = {"rmse": 0.9, "mae": 0.7, "refit_mae": 0.7, "valid": {"rmse": 0.9}, "epochs": 2, "parameters": 5, "seconds": 1.0,
           "refit_seconds": 1.0, "history": {"epoch": [1, 2], "valid_loss": [0.9, 0.8], "train_loss": [0.9, 0.8]}}
    monkeypatch.setattr(rating_rows, "measured", lambda name, split, seed, **_: (
        None, {**row, "refit_rmse": rows[name] + 0.01 * seed}))
    monkeypatch.setattr(autorec_movielens, "page", lambda *_: None)
    assert autorec_movielens.main(["--seeds", "0,1", "--out", str(tmp_path)]) == 1  # 0.84 and 0.85: 0.845 > 0.840
    out = capsys.readouterr().out
    assert out.count("FAILS") == 2 and "RMSE of item-autorec, refitted: 0.845 <= 0.84" in out


def test_what_is_foreseen_comes_as_often(tiny):
    """A model that gives every pair the shares of the ratings themselves is calibrated."""
    class Shares:
        levels = (1, 2, 3, 4, 5)

        def p_levels(self, users, items):
            share = np.bincount(tiny.frame["rating"].astype(int), minlength=6)[1:] / len(tiny)
            return np.tile(share, (len(users), 1))

    for said, found in rbm_movielens.sharpness(Shares(), tiny, groups=5):
        assert found == pytest.approx(said, abs=1e-6)


def test_errors_by_activity_are_of_all_test_ratings(tiny):
    split = random_split(tiny, 0)
    model = MODELS["biases"]().fit(split.refit)
    counts, rmse = autorec_movielens.error_by_activity(model, split)
    rating = split.test.frame["rating"].to_numpy()
    sizes = [len(part) for part in np.array_split(np.arange(len(rating)), autorec_movielens.GROUPS)]
    assert (np.diff(counts) >= 0).all()
    assert np.average(rmse**2, weights=sizes) == pytest.approx(np.mean((model.predict(split.test) - rating) ** 2))
