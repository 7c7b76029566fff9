"""The quick study runs; its groups, scores and best constant widths are what they are called; bad intervals fail a claim."""

import json

import numpy as np
import pytest

from examples import bayesian_movielens as example
from examples import common
from recmodels.datasets import synthetic_ratings
from recmodels.models import BayesianNeuralMF
from recmodels.splits import random_split
from tinydl.calibration import gaussian_crps, gaussian_nll

TINY = {"k": 4, "epochs": 1, "batch_size": 256}


@pytest.fixture(scope="module")
def data():
    return synthetic_ratings(users=100, items=60, ratings=3000, rng=0)


def test_quick_run(data, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(example, "load", lambda which, quick: data)
    monkeypatch.setattr(example, "QUICK", TINY)
    assert example.main(["--quick", "--data", "synthetic", "--seeds", "0,1", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "0 of 0 claims hold" in out and "SYNTHETIC" in out and "its numbers claim nothing" in out
    assert (tmp_path / "intervals.png").stat().st_size > 10_000
    record = json.loads((tmp_path / "results.json").read_text())
    assert [one["seed"] for one in record["results"]] == [0, 1] and record["synthetic"] and record["quick"]
    for one in record["results"]:
        for which in ("fitted", "refitted"):
            row = one[which]["rows"]["all"]
            assert row["ratings"] == 300 and f"{row['rmse']:7.4f} {row['coverage']:11.4f}" in out
        assert one["refitted"]["factor"] == one["fitted"]["factor"]


def test_tuning_shows_validation_alone(data, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(example, "load", lambda which, quick: data)
    monkeypatch.setattr(example, "QUICK", TINY)
    monkeypatch.setattr(example, "TRIED", [{}, {"kl_weight": 0.5}])
    assert example.main(["--quick", "--tune", "--data", "synthetic", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    split = random_split(data, 0)
    model = BayesianNeuralMF(**TINY, kl_weight=0.5).fit(split.train, split.valid)
    y, s = model.predict(split.valid, return_std=True)
    nll = gaussian_nll(split.valid.frame["rating"].to_numpy(float), y, s)
    assert lines[0].startswith("as it is") and lines[1].startswith("{'kl_weight': 0.5}") and f"{nll:8.4f}" in lines[1]


def test_what_is_judged(data):
    split = random_split(data, 0)
    model = BayesianNeuralMF(**TINY).fit(split.train, split.valid)
    found = example.judge(model, split.test, split.train)
    r, users = split.test.frame["rating"].to_numpy(float), split.test.frame["user"].to_numpy()
    y, s = model.predict(split.test, return_std=True)
    flat = found["constant_std"]
    for score, key in ((gaussian_nll, "nll"), (gaussian_crps, "crps")):
        assert score(r, y, flat[key]) <= min(score(r, y, flat[key] * a) for a in (0.99, 1.01))
        assert found["rows"]["all"][key] == score(r, y, s)
        assert found["rows"]["all"][f"constant_{key}"] == score(r, y, flat[key])
    assert flat["nll"] == pytest.approx(np.sqrt(np.mean((r - y) ** 2)), rel=1e-4)
    count = split.train.frame["user"].value_counts().to_dict()
    n = np.array([count.get(user, 0) for user in users])
    least_active = np.quantile(list(count.values()), 0.2)
    first = n <= least_active
    low, high = model.predict_interval(split.test, level=0.9)
    inside = (low <= r) & (r <= high)
    assert found["rows"]["fifth 1"]["ratings"] == first.sum()
    assert found["rows"]["fifth 1"]["coverage"] == pytest.approx(inside[first].mean(), abs=1e-12)
    assert found["rows"]["all"]["width"] == pytest.approx(np.mean(high - low))
    assert found["rows"]["all"]["coverage"] == pytest.approx(found["levels"]["model"][example.LEVELS.index(0.9)], abs=1e-12)
    groups = [row for name, row in found["rows"].items() if name != "all"]
    assert sum(row["ratings"] for row in groups) == len(r) and len(groups) == 5
    assert all(one["users_ratings"][1] < other["users_ratings"][0] for one, other in zip(groups, groups[1:], strict=False))


def result(rmse=0.84, coverage=0.9, lowest=0.89, crps=0.46, nll=1.2):
    row = {"rmse": rmse, "coverage": coverage, "crps": crps, "nll": nll, "constant_crps": 0.47, "constant_nll": 1.25}
    return {"refitted": {"rows": {"all": row, "fifth 1": {"coverage": lowest}, "fifth 2": {"coverage": 0.91}}}}


@pytest.mark.parametrize("changes, failed", [
    ({}, 0), ({"rmse": 0.851}, 1), ({"coverage": 0.87}, 1), ({"coverage": 0.93}, 1), ({"lowest": 0.879}, 1),
    ({"lowest": 0.921}, 1), ({"crps": 0.471}, 1), ({"nll": 1.26}, 1)])
def test_claims_fail_where_they_should(changes, failed, capsys):
    common.arguments("bayesian_movielens")
    example.claims([result(**changes)], synthetic=False)
    assert example.finish() == failed and capsys.readouterr().out.count("FAILS") == failed


def test_a_folder_without_ratings_ends_with_its_reason(tmp_path):
    with pytest.raises(SystemExit, match="--data .*nowhere"):
        example.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path)])
