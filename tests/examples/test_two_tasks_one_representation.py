"""The classifier is at its optimum, its decay is chosen without the test images, and the quick study runs and draws."""

import json

import numpy as np
import pytest

import tinydl
from examples import image_data
from examples import two_tasks_one_representation as example
from tests.examples.test_convnet_images import digits
from tinydl import nn


def test_the_study_learns_classifies_prints_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image_data, "_synthetic", digits)
    monkeypatch.setattr(example, "DECAYS", {"10 classes": (1e-3,), "200 labels": (1e-1,)})
    monkeypatch.setattr(example, "FOLDS", 2)
    example.main(["--quick", "--data", "synthetic", "--epochs", "1", "--seeds", "0,1", "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "of 2 claims hold" in shown and "2 groups, 200 labels" in shown
    assert (tmp_path / "accuracy.png").stat().st_size > 20_000
    record = json.loads((tmp_path / "results.json").read_text())
    assert np.shape(record["accuracy"]["10 classes"]["RBM"]) == (2, 1)
    assert np.shape(record["accuracy"]["200 labels"]["denoiser"]) == (2, 3)


@pytest.mark.parametrize("changes, kept", [({}, 4), ({"RBM": 0.85}, 2), ({"denoiser": 0.85}, 2), ({"pixels": 0.91}, 0)])
def test_its_claims_are_the_stated_ones(tmp_path, monkeypatch, capsys, changes, kept):
    reached = {"pixels": 0.86, "RBM": 0.87, "denoiser": 0.88, **changes}
    found = {task: {name: [value] for name, value in reached.items()} for task in ("10 classes", "200 labels")}
    monkeypatch.setattr(example, "load", lambda *_: digits(False, 0))
    monkeypatch.setattr(example, "study", lambda *_: found)
    code = example.main(["--out", str(tmp_path)])
    assert f"{kept} of 4 claims hold" in capsys.readouterr().out and code == (kept < 4)


def test_softmax_regression_is_at_its_optimum(rng):
    X, t = rng.standard_normal((60, 4)).astype(np.float32), rng.integers(0, 3, 60)
    layer = example.softmax_regression(X, t, 3, decay=0.1).double()

    def objective():
        return nn.functional.cross_entropy(layer(tinydl.tensor(X.astype(float))), t) + 0.05 * (layer.weight**2).sum()

    loss = objective()
    loss.backward()
    assert all(np.max(np.abs(p.grad.data)) < 1e-3 for p in layer.parameters())
    shrunk = np.linalg.norm(example.softmax_regression(X, t, 3, decay=10.0).weight.data)
    assert shrunk < 0.1 * np.linalg.norm(layer.weight.data)


def test_the_decay_is_the_one_that_wins_on_rows_held_out(rng, monkeypatch):
    trained_on = []

    def recorded(X, t, classes, decay):
        trained_on.append(set(X[:, 0].astype(int)))
        return decay
    monkeypatch.setattr(example, "softmax_regression", recorded)
    monkeypatch.setattr(example, "accuracy", lambda decay, X, t: -abs(decay - 0.1))
    X = np.arange(10.0)[:, None]
    held_out = [np.array([0, 1]), np.array([8, 9])]
    assert example.chosen(X, np.zeros(10, int), 2, (1.0, 0.1, 0.01), held_out) == 0.1
    assert trained_on == [set(range(2, 10)), set(range(8))] * 3


def test_the_groups_cover_the_classes():
    names, group_of = example.second_task(digits(False, 0)._replace(classes=image_data.FASHION))
    grouped = {name: [image_data.FASHION[k] for k in np.flatnonzero(group_of == n)] for n, name in enumerate(names)}
    assert grouped["footwear"] == ["sandal", "sneaker", "boot"] and grouped["bag"] == ["bag"]
    assert sum(map(len, grouped.values())) == 10
    assert example.second_task(digits(False, 0))[1].tolist() == [0, 1] * 5
