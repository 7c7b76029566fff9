"""The quick run on a small world: every model in the table, the record, the figure; differences are those of the users."""

import json

import numpy as np
import pytest

from examples import graph_movielens as example
from recmodels.datasets import synthetic_ratings
from recmodels.implicit_evaluation import liked
from recmodels.splits import user_random_split


@pytest.fixture
def tiny(monkeypatch):
    data = synthetic_ratings(users=60, items=60, ratings=1700, rng=0)
    monkeypatch.setattr(example, "load", lambda which, quick: data)
    monkeypatch.setattr(example, "QUICK", {"k": 4, "epochs": 1, "sweeps": 1, "batch_size": 512})
    return user_random_split(liked(data))


def test_quick_run(tiny, tmp_path, capsys):
    code = example.main(["--quick", "--data", "synthetic", "--seeds", "0,1", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert code == 0 and "0 of 0 claims hold" in out and "SYNTHETIC" in out
    assert (tmp_path / "graph.png").stat().st_size > 10_000
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["seeds"] == [0, 1] and record["synthetic"] and record["quick"]
    assert [list(row) for row in record["rows"]] == [list(example.SHOWN)] * 2
    assert list(record["layers"]) == ["0", "1", "2", "3"] and len(record["looks"]["title"]) % 2 == 0
    for name in example.SHOWN:
        found = [row[name]["test"]["all"]["nDCG@10"] for row in record["rows"]]
        line = next(line for line in out.splitlines() if line.startswith(f"{name} ") and "+-" in line)
        assert f"{np.mean(found):.4f} +- {np.std(found, ddof=1):.4f}" in line
    gap = record["differences"]["lightgcn - bpr-mf"]
    means = [np.mean([row[name]["test"]["all"]["nDCG@10"] for row in record["rows"]]) for name in ("lightgcn", "bpr-mf")]
    assert gap["mean"] == pytest.approx(means[0] - means[1], abs=1e-3) and gap["groups"] <= 60


def test_claims_are_about_the_graphs_and_the_baselines(tiny, tmp_path, monkeypatch, capsys):
    """A full run, on little data: four claims, which decide the exit code."""
    monkeypatch.setattr(example, "make", lambda name, quick, make=example.make, **changes: make(name, True, **changes))
    code = example.main(["--data", "synthetic", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert "of 4 claims hold" in out and code == ("FAILS" in out)
    claims = json.loads((tmp_path / "results.json").read_text())["claims"]
    assert [claim["what"] for claim in claims] == [f"nDCG@10 of {graph}, beside {other}" for graph in example.GRAPHS
                                                   for other in example.BASELINES]


def test_tuning_shows_as_many_settings_of_each_model(tiny, tmp_path, capsys):
    assert example.main(["--quick", "--tune", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in example.SHOWN[1:]:
        assert sum(line.startswith(f"{name} ") for line in lines) == 1 + len(example.TRIED[name]) == 4
