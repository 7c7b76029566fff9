"""The quick study runs, its table is measured on the test ratings, and a blend that is worse fails its claim."""

import json

import numpy as np
import pytest

from examples import combined_models as example
from examples import common
from recmodels.datasets import synthetic_ratings
from recmodels.models import CombinedBlended
from recmodels.splits import random_split

TINY = {"k": 4, "epochs": 2, "batch_size": 256}
TINY_ROWS = {"hidden": 4, "epochs": 2, "batch_size": 32}


@pytest.fixture
def tiny(monkeypatch):
    """Data and networks for seconds."""
    data = synthetic_ratings(users=120, items=80, ratings=4000, rng=0)
    monkeypatch.setattr(example, "load", lambda which, quick: data)
    monkeypatch.setattr(example, "QUICK", TINY)
    monkeypatch.setattr(example, "QUICK_ROWS", TINY_ROWS)
    return random_split(data, 0)


def test_quick_run(tiny, tmp_path, capsys):
    code = example.main(["--quick", "--data", "synthetic", "--seeds", "3", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert code == ("FAILS" in out) and "of 4 claims hold" in out and "SYNTHETIC" in out
    assert (tmp_path / "combined.png").stat().st_size > 10_000
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["seeds"] == [3] and record["synthetic"] and record["quick"] and len(record["claims"]) == 4
    for table, weights in zip(record["tables"], record["weights"], strict=True):
        assert list(table) == [*example.PARTS, "plain mean", "blended", "joint: neural-mf-2 + fm"]
        assert list(weights) == [*example.PARTS, "intercept"]
        for name, rows in table.items():
            assert f"{name:28} {rows[0][0]:8.4f} {rows[0][1]:8.4f} {rows[1][0]:12.4f} {rows[1][1]:12.4f}" in out


def test_rows_are_errors_on_the_test_ratings(tiny):
    table, blend, _ = example.study(tiny, True, 0, False)
    rating = tiny.test.frame["rating"].to_numpy()

    def errors(prediction):
        return np.sqrt(np.mean((prediction - rating) ** 2)), np.mean(np.abs(prediction - rating))

    again = blend.refit(tiny.refit)
    for n, model in enumerate((blend, again)):
        predictions = {name: part.predict(tiny.test) for name, part in zip(example.PARTS, model.parts_, strict=True)}
        predictions["plain mean"] = sum(predictions.values()) / len(example.PARTS)
        predictions["blended"] = model.predict(tiny.test)
        for name, prediction in predictions.items():
            np.testing.assert_allclose(table[name][n], errors(prediction), rtol=1e-6)
    assert isinstance(blend, CombinedBlended) and [part.hidden for part in blend.parts_[3:]] == [4] * 3
    assert [part.k for part in blend.parts_[:3]] == [4] * 3
    likeness = example.likeness(blend, tiny.test)
    one, other = (blend.parts_[n].predict(tiny.test) - rating for n in (0, 3))
    assert likeness[0, 3] == pytest.approx(np.corrcoef(one, other)[0, 1])


def test_claims_fail_where_they_should(capsys):
    """Of the mean over the seeds: one that misses is made up for by one that does not."""
    good = {**dict.fromkeys(example.PARTS, [(0.85, 0.7), (0.84, 0.7)]), "plain mean": [(0.845, 0.7), (0.839, 0.7)],
            "blended": [(0.843, 0.7), (0.831, 0.7)]}
    for table, on_ml_1m, failed in ((good, True, 0), ({**good, "blended": [(0.846, 0.7), (0.8395, 0.7)]}, True, 3),
                                    ({**good, "wide-deep": [(0.83, 0.7), (0.83, 0.7)]}, False, 2),
                                    ({**good, "blended": [(0.85, 0.7), (0.8325, 0.7)]}, True, 2)):
        common.arguments("combined_models")
        example.claims([table], on_ml_1m)
        assert example.finish() == (failed > 0)
        assert capsys.readouterr().out.count("FAILS") == failed
    common.arguments("combined_models")
    example.claims([{**good, "blended": [(0.84, 0.7), (value, 0.7)]} for value in (0.835, 0.828)], True)
    assert example.finish() == 0
