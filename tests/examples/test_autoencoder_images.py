"""The baseline is PCA, the yardsticks measure what they say, and the quick study runs, draws and keeps its claim."""

import json

import numpy as np
import pytest

from examples import autoencoder_images as example
from examples import image_data
from tests.examples.test_convnet_images import digits


def test_the_study_trains_all_variants_prints_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image_data, "_synthetic", digits)
    assert example.main(["--quick", "--data", "synthetic", "--epochs", "2", "--seeds", "0,1", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "2 of 2 claims hold" in shown and "SYNTHETIC" in shown
    assert all((tmp_path / name).stat().st_size > 20_000 for name in ("rebuilt.png", "filters.png"))
    record = json.loads((tmp_path / "results.json").read_text())
    assert [set(errors) for errors in record["test_error"]] == [set(example.COLOUR)] * 2 and record["synthetic"]
    assert record["test_error"][0]["tied"] != record["test_error"][1]["tied"]


@pytest.mark.parametrize("changes, kept", [
    ({}, 9), ({"untied": 11.6}, 8), ({"deep": 10.1}, 8), ({"error from damaged images, denoising": 13.1}, 8),
    ({"units on, sparse": 0.02}, 8), ({"units on, sparse": 0.08}, 8), ({"||dh/dx||^2, contractive": 4.1}, 8),
    ({"ELBO, variational": -301.0}, 8), ({"training": 9.9}, 7)])
def test_its_claims_are_the_stated_ones(tmp_path, monkeypatch, capsys, changes, kept):
    errors = {**dict.fromkeys(example.COLOUR, 11.4), "PCA": 10.0, "deep": 9.9}
    measured = {"error from damaged images, tied": 13.0, "error from damaged images, denoising": 12.9, "units on, tied": 0.3,
                "units on, sparse": 0.05, "||dh/dx||^2, tied": 8.0, "||dh/dx||^2, contractive": 3.9,
                "ELBO, variational": -299.0, "log-likelihood, independent pixels": -400.0}
    errors, measured = ({name: changes.get(name, value) for name, value in old.items()} for old in (errors, measured))
    in_training = {**dict.fromkeys(example.COLOUR, changes.get("training", 10.1)), "PCA": 10.0}
    images = digits(False, 0)
    monkeypatch.setattr(example, "load", lambda *_: images)
    monkeypatch.setattr(example, "study", lambda *_: ({name: name for name in example.COLOUR}, {}))
    monkeypatch.setattr(example, "squared_error", lambda name, X: (errors if len(X) == 300 else in_training)[name])
    monkeypatch.setattr(example, "yardsticks", lambda *_: measured)
    for draw in ("draw_rebuilt", "draw_filters"):
        monkeypatch.setattr(example, draw, lambda *_: None)
    code = example.main(["--out", str(tmp_path)])
    assert f"{kept} of 9 claims hold" in capsys.readouterr().out and code == (kept < 9)


def test_the_baseline_is_the_best_linear_map_of_its_rank(rng):
    X = (rng.standard_normal((50, 6)) @ rng.standard_normal((6, 6)) + 3).astype(np.float32)
    singular = np.linalg.svd(X - X.mean(0), compute_uv=False)
    assert example.squared_error(example.components(X, 2), X) == pytest.approx(np.sum(singular[2:] ** 2) / 50, rel=1e-4)
    np.testing.assert_allclose(example.components(X, 6)(X[:3]), X[:3], atol=1e-4)


def test_the_error_is_of_what_was_meant_not_of_what_was_seen(rng, monkeypatch):
    X, seen = rng.random((7, 4)), rng.random((7, 4))
    assert example.squared_error(lambda x: 2 * x, X, seen) == pytest.approx(np.mean(((X - 2 * seen) ** 2).sum(1)))
    assert example.squared_error(lambda x: x, X) == 0
