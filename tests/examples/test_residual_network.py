"""The chain's joins are their formulas, a left-out block is out of the way, and the quick study keeps its claim."""

import json

import numpy as np
import pytest

import tinydl
from examples import image_data
from examples import residual_network as example
from tinydl.data import synthetic_digits


def digits(quick, seed):
    """300 and 100 synthetic digits, 12 x 12."""
    rng = np.random.default_rng(seed)
    return image_data.Images("SYNTHETIC digits", synthetic_digits(300, 12, 0.05, rng),
                             synthetic_digits(100, 12, 0.05, rng), tuple("0123456789"), True)


def test_the_study_trains_leaves_out_prints_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image_data, "_synthetic", digits)
    example.main(["--quick", "--data", "synthetic", "--epochs", "1", "--out", str(tmp_path)])
    assert "of 1 claims hold" in capsys.readouterr().out
    assert (tmp_path / "deletion.png").stat().st_size > 10_000
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results["resnet"]["valid"]) == len(results["resnet"]["test"]) == 1
    assert np.shape(results["without_one_layer"]["residual"]) == (1, 8)


@pytest.mark.parametrize("resnet, of_residual, of_plain, code", [
    (0.931, 0.88, 0.5, 0), (0.929, 0.88, 0.5, 1), (0.931, 0.86, 0.5, 1), (0.931, 0.88, 0.61, 1)])
def test_its_claims_are_the_stated_ones(tmp_path, monkeypatch, resnet, of_residual, of_plain, code):
    found = {"plain": ([0.9], [[of_plain] * 3]), "residual": ([0.9], [[of_residual] * 3]), "slide": ([0.9], [[0.4] * 3])}
    monkeypatch.setattr(example, "load", lambda *_: digits(False, 0)._replace(name="Fashion-MNIST", synthetic=False))
    monkeypatch.setattr(example, "study_accuracy", lambda *_: {"valid": [0.5], "test": [resnet]})
    monkeypatch.setattr(example, "study_deletion", lambda *_: found)
    assert example.main(["--out", str(tmp_path)]) == code


@pytest.mark.parametrize("name", example.JOINS)
def test_the_joins_are_their_formulas(name, rng):
    network = example.Chain(5, example.JOINS[name][0], 3, width=4, rng=rng).double().eval()
    x = tinydl.tensor(rng.random((2, 1, 8, 8)))
    h, f = [network.stem(x)], []
    for n in range(5):
        f.append(network.layers[n](h[n]))
        if name == "residual":
            h.append(f[n] + h[n])
        elif name == "slide" and n >= 3:
            h.append(f[n] + network.layers[n - 3](h[n - 3]))
        else:
            h.append(f[n])
    np.testing.assert_allclose(network(x).data, network.head(h[5]).data, rtol=1e-12)
    assert network(x, without=set(range(5))).tolist() == network.head(network.stem(x)).tolist()
    assert network(x, without={2}).tolist() != network(x).tolist()


def test_the_cost_of_a_layer_is_the_mean_over_layers_and_seeds():
    found = {"plain": ([0.9, 0.8], [[0.5, 0.7], [0.4, 0.6]])}
    assert example.drop(found, "plain") == pytest.approx(0.85 - 0.55)
