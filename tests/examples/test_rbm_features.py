"""That the study of Boltzmann machines runs, its claims are the stated ones, and its parts do what they say."""

import itertools
import json

import numpy as np
import pytest

from examples import image_data
from examples import rbm_features as example
from tests.examples.test_convnet_images import digits
from tinydl.unsupervised import annealed_importance_sampling

SMALL = {"log_likelihood": -4.0, "best_log_likelihood": -3.1, "largest_difference": 4e-10, "bias": [6.0, 5, 4, 3, 2, 1],
         "log_z": 34.58, "ais_log_z": 34.60, "ais_spread": 0.01}


def test_the_study_learns_in_three_ways_prints_draws_and_records(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(image_data, "_synthetic", digits)
    monkeypatch.setattr(example, "small_machine", lambda seed: SMALL)
    monkeypatch.setattr(example, "annealed_importance_sampling", lambda rbm, steps, chains, **options:
                        annealed_importance_sampling(rbm, min(steps, 20), 10, **options))
    example.main(["--quick", "--data", "synthetic", "--epochs", "2", "--seeds", "0,1", "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "of 6 claims hold" in shown and "pixels on above 0.5" in shown and "independent pixels" in shown
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["synthetic"] and len(record["log_likelihood"]) == 2 and len(record["small_machine"]) == 2
    for result in record["log_likelihood"]:
        assert list(result) == ["independent pixels", "CD-1", "CD-25", "PCD"]
        assert all(-144 * 2 < result[name][part] < 0 for name in result for part in example.PARTS)
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("machines.png", "bias.png"))


@pytest.mark.parametrize("change, ll, kept", [
    ({}, (-120, -110, -115), 6), ({"largest_difference": 2e-6}, (-120, -110, -115), 5),
    ({"bias": [6, 5, 4, 4, 2, 1]}, (-120, -110, -115), 5), ({"ais_log_z": 34.64}, (-120, -110, -115), 5),
    ({}, (-110, -120, -105), 5), ({}, (-120, -110, -145), 5), ({}, (-110, -100, -120), 6), ({}, (-150, -110, -115), 5)])
def test_its_claims_are_the_stated_ones(tmp_path, monkeypatch, capsys, change, ll, kept):
    row = {"training": 0.0, "validation": 0.0, "spread": 0.1, "shorter": 0.0, "pseudo": 0.0, "seconds": 1.0}
    names = "independent pixels", *example.WAYS
    found = {name: {**row, "test": value} for name, value in zip(names, (-140, *ll), strict=True)}
    monkeypatch.setattr(image_data, "_synthetic", digits)
    monkeypatch.setattr(example, "small_machine", lambda seed: {**SMALL, **change})
    monkeypatch.setattr(example, "study", lambda *_: (found, {}))
    for draw in ("draw_bias", "draw_machines"):
        monkeypatch.setattr(example, draw, lambda *_: None)
    code = example.main(["--data", "synthetic", "--out", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{kept} of 6") and code == (kept < 6)


def test_the_small_machine_keeps_its_three_claims():
    found = example.small_machine(1)
    assert found["largest_difference"] < 1e-6 and abs(found["ais_log_z"] - found["log_z"]) < 0.05
    assert all(more > less for more, less in itertools.pairwise(found["bias"]))
    assert found["best_log_likelihood"] == pytest.approx(-np.log(22))
    assert found["best_log_likelihood"] - 2 < found["log_likelihood"] < found["best_log_likelihood"]  # it has learned


def test_bars_are_all_images_of_plain_rows_or_columns_once():
    x = example.bars(3, 4).reshape(-1, 3, 4)
    assert len(x) == 2**3 + 2**4 - 2 == len(np.unique(x, axis=0))
    assert all(np.all(image == image[:, :1]) or np.all(image == image[:1]) for image in x)


def test_the_rate_falls_and_the_baseline_is_that_of_independent_pixels(rng):
    x = rng.random((60, 6)) < [0.1, 0.3, 0.5, 0.5, 0.7, 0.9]
    rates = []

    class Watched(example.RBM):
        def fit(self, X, **options):
            rates.append(options["learning_rate"])
            return super().fit(X, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example, "RBM", Watched)
        example.learned(x, example.WAYS["PCD"], 4, 4, 0)
    np.testing.assert_allclose(rates, 0.05 * np.array([1, 0.75, 0.5, 0.25]))
    parts = dict.fromkeys(example.PARTS, x)
    found = example.study(parts, 3, 1, 10, 0)[0]["independent pixels"]
    p = (x.sum(0) + 1) / 62
    assert found["test"] == pytest.approx(np.mean(x @ np.log(p) + ~x @ np.log(1 - p)), rel=1e-4)
    assert found["spread"] < 1e-5
