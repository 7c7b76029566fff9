"""The residual formulas are what they say, a deleted block is out of the way, and the quick study keeps its claims."""

import numpy as np
import pytest

import tinydl
from examples import vanishing_gradients as example
from tinydl import ops


def test_quick_run_keeps_its_claims(tmp_path, capsys):
    assert example.main(["--quick", "--out", str(tmp_path)]) == 0
    assert "11 of 11 claims hold" in capsys.readouterr().out
    assert (tmp_path / "deletion.png").stat().st_size > 10_000
    assert (tmp_path / "gradient_by_layer.png").stat().st_size > 10_000
    rows = (tmp_path / "gradient_by_layer.csv").read_text().splitlines()
    assert len(rows) == 1 + len(example.KINDS) * (5 + 20)


def test_a_residual_that_forgets_its_plus_sign_fails(tmp_path, monkeypatch, capsys):
    sigma, _, *rest = example.KINDS[example.RESIDUAL]
    monkeypatch.setitem(example.KINDS, example.RESIDUAL, (sigma, example.plain, *rest))
    example.arguments("vanishing_gradients")
    example.study_gradients([5, 20], 1, 0, tmp_path)
    assert example.finish() == 1
    assert "FAILS  the same layers as residual blocks" in capsys.readouterr().out


@pytest.mark.parametrize("join", [example.plain, example.residual, example.slide])
def test_the_joins_are_their_formulas(join, rng):
    network = example.Deep(6, ops.tanh, join, rng=rng).double()
    x = rng.standard_normal((7, 2))

    def dense(layer, h):
        return h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()

    h, f = [dense(network.first, x)], []
    for n in range(6):
        f.append(np.tanh(dense(network.hidden[n], h[n])))
        if join is example.residual:
            h.append(f[n] + h[n])
        elif join is example.slide and n >= 3:
            h.append(f[n] + np.tanh(dense(network.hidden[n - 3], h[n - 3])))
        else:
            h.append(f[n])
    expected = dense(network.last, h[6])[:, 0]
    np.testing.assert_allclose(network(tinydl.tensor(x)).detach().numpy(), expected, rtol=1e-12, atol=1e-14)


def test_leaving_out_every_layer_leaves_the_two_linear_maps(rng):
    network = example.Deep(5, ops.relu, example.residual, "he/sqrt(N)", rng)
    x = tinydl.tensor(rng.standard_normal((4, 2)), dtype=np.float32)
    bare = network.last(network.first(x)).reshape(-1).tolist()
    assert network(x, set(range(5))).tolist() == bare
    assert network(x).tolist() != bare


def test_gradient_norms_are_those_that_backward_leaves(rng):
    network = example.Deep(3, ops.sigmoid, rng=rng)
    x, t = example.spirals(32, rng)
    norms = example.gradient_norms(network, x, t)
    ops.binary_cross_entropy_with_logits(network(tinydl.tensor(x)), t).backward()
    left = [np.linalg.norm(layer.weight.grad.numpy()) for layer in network.hidden]
    np.testing.assert_allclose(norms, left, rtol=1e-5)


def test_spirals_have_two_classes_in_turns_of_their_own(rng):
    x, t = example.spirals(1000, rng)
    assert x.shape == (1000, 2) and set(t.tolist()) == {0.0, 1.0} and 0.4 < t.mean() < 0.6
    turned = np.arctan2(x[:, 1], x[:, 0]) - 1.5 * np.pi * np.linalg.norm(x / 2, axis=1) - np.pi * t
    far = np.linalg.norm(x, axis=1) > 1
    assert np.all(np.cos(turned[far]) > 0.9)
