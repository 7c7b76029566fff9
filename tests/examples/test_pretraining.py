"""Starts are what they are called, equal compute is equal, and the quick study runs, draws and checks its claims."""

import json

import numpy as np
import pytest

from examples import image_data
from examples import pretraining as example
from tests.examples.test_convnet_images import digits
from tinydl import nn


def test_the_study_trains_all_starts_prints_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image_data, "_synthetic", digits)
    example.main(["--quick", "--data", "synthetic", "--epochs", "1", "--seeds", "0,1", "--out", str(tmp_path)])
    assert "of 2 claims hold" in capsys.readouterr().out
    assert (tmp_path / "depth.png").stat().st_size > 20_000
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["depths"] == [1, 3, 6] and len(record["accuracy"]) == 2
    assert all(len(row) == 3 for part in record["accuracy"][0].values() for row in part.values())
    assert {name: len(loss) for name, loss in record["losses"][0].items()} == {
        "RBM": 1, "denoiser": 1, "small": 11, "Glorot": 11, "ReLU": 11}


def test_the_table_of_learning_rates_looks_at_held_out_images_only(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image_data, "_synthetic", digits)
    monkeypatch.setattr(example, "TRIED", (0.01,))
    seen = []
    monkeypatch.setattr(example, "accuracy", lambda network, part: seen.append(len(part[1])) or 0.5)
    example.main(["--quick", "--validate", "--data", "synthetic", "--epochs", "1", "--out", str(tmp_path)])
    assert seen == [50] * 5 and "held-out accuracy at lr" in capsys.readouterr().out  # 50 = 600 / 12
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize("changes, kept", [({}, 6), ({"on_all": 0.85}, 4), ({"small": 0.9}, 4), ({"Glorot": 0.88}, 5),
                                           ({"ReLU": 0.99}, 6)])
def test_its_claims_are_the_stated_ones(tmp_path, monkeypatch, capsys, changes, kept):
    last = {"RBM": 0.875, "denoiser": 0.885, "small": 0.6, "Glorot": 0.8, "ReLU": 0.89, **changes}
    found = {"test": {name: [0.85] * 5 + [last[name]] for name in example.LOOK}}
    monkeypatch.setattr(example, "load", lambda *_: digits(False, 0)._replace(name="Fashion-MNIST", synthetic=False))
    monkeypatch.setattr(example, "study", lambda *_: (found, {name: [1.0] for name in example.LOOK}))
    monkeypatch.setattr(example, "pretrained", lambda *_: {})
    monkeypatch.setattr(example, "trained", lambda *_: (None, None))
    monkeypatch.setattr(example, "accuracy", lambda *_: changes.get("on_all", 0.87))
    code = example.main(["--out", str(tmp_path)])
    assert f"{kept} of 6 claims hold" in capsys.readouterr().out and code == (kept < 6)


def test_the_starts_are_what_they_are_called(rng):
    sizes = (400, 300, 300)
    for name, spread in (("small", 0.01), ("Glorot", (2 / 600) ** 0.5), ("ReLU", (2 / 300) ** 0.5)):
        network = example.other_start(name, sizes, 10, rng)
        assert network[2].weight.data.std() == pytest.approx(spread, rel=0.02)
        assert type(network[1]) is type(network[3]) is (nn.ReLU if name == "ReLU" else nn.Sigmoid)
        assert not network[0].bias.data.any() and network[-1].out_features == 10


def test_pretraining_is_paid_for():
    setting = example.Setting(quick=False, epochs=None)
    layers = [784 * setting.width] + [setting.width**2] * 5
    spent = 5 * setting.pretraining * sum(layers) + 3 * setting.fine_tuning * sum(layers)
    assert spent == 3 * setting.others * sum(layers)


def test_a_shallower_network_has_the_first_machines(rng):
    images = digits(True, 0)
    images = images._replace(train=(images.train[0].reshape(600, -1)[:100], images.train[1][:100]))
    setting = example.Setting(quick=True, epochs=1)
    setting.pretraining = 1
    machines = example.pretrained(images, setting, 0)
    network, history = example.trained("RBM", 2, machines, images, setting, 0, lr=1e-9)
    assert len(network) == 5 and len(history) == 1
    np.testing.assert_allclose(network[2].weight.data, machines["RBM"][1].W.data.T, atol=1e-6)
