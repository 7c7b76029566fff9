"""The catalogue's cross-entropy in blocks: the same numbers and gradients as with all scores at once."""

import numpy as np
import pytest

import recmodels.catalogue_loss as module
import tinydl
from recmodels.catalogue_loss import catalogue_cross_entropy
from tinydl import gradcheck
from tinydl.gradcheck import gradgradcheck
from tinydl.nn import functional as F


def inputs(rng, N=7, items=11, D=3, A=2):
    """h, W, b, r and targets; what came before is nothing for some rows, and the same twice for the last."""
    arrays = rng.normal(0, 1, (N, D)), rng.normal(0, 1, (items, D)), rng.normal(0, 1, items), rng.normal(0, 1, A)
    target = rng.integers(0, items, (N, 1 + A))
    target[:2, 2:] = -1
    target[0, 1:], target[-1] = -1, 4
    return [tinydl.tensor(a, requires_grad=True) for a in arrays], target


@pytest.mark.parametrize("block", [1, 30, 1 << 18])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_it_is_its_formula(rng, float64, monkeypatch, block, smoothing):
    monkeypatch.setattr(module, "BLOCK", block)
    (h, W, b, r), target = inputs(rng)
    z = h.detach().numpy() @ W.detach().numpy().T + b.detach().numpy()
    for n in range(7):
        for a in range(2):
            if target[n, 1 + a] >= 0:
                z[n, target[n, 1 + a]] += r.detach().numpy()[a]
    want = 0.0
    for n in range(7):
        logp = z[n] - np.log(np.exp(z[n]).sum())
        q = [smoothing / 11 + (1 - smoothing) * (i == target[n, 0]) for i in range(11)]
        want -= sum(q[i] * logp[i] for i in range(11)) / 7
    y = catalogue_cross_entropy(h, W, b, r, tinydl.tensor(target), smoothing)
    np.testing.assert_allclose(y.item(), want, rtol=1e-12)
    with tinydl.no_grad():
        np.testing.assert_allclose(catalogue_cross_entropy(h, W, b, r, target, smoothing).item(), want, rtol=1e-12)


@pytest.mark.parametrize("block", [1, 30, 1 << 18])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_are_finite_differences(rng, float64, monkeypatch, block, smoothing):
    monkeypatch.setattr(module, "BLOCK", block)
    leaves, target = inputs(rng)
    assert gradcheck(lambda *x: 1.7 * catalogue_cross_entropy(*x, target, smoothing), leaves)
    assert gradgradcheck(lambda *x: catalogue_cross_entropy(*x, target, smoothing), leaves)


def test_scores_in_the_thousands_and_float32(rng):
    (h, W, b, _), target = inputs(rng, A=0)
    h, W, b = (tinydl.tensor(x.detach().numpy().astype(np.float32) * 40, requires_grad=True) for x in (h, W, b))
    r = np.zeros(0, np.float32)
    y, want = catalogue_cross_entropy(h, W, b, r, target[:, :1]), F.cross_entropy(h @ W.T + b, target[:, 0])
    assert y.dtype == np.float32 and np.isfinite(y.item())
    np.testing.assert_allclose(y.item(), want.item(), rtol=1e-5)
    for one, other in zip(tinydl.grad(y, [h, W, b]), tinydl.grad(want, [h, W, b]), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change, error", [
    ({"target": np.zeros((6, 2), int)}, r"targets \(6, 2\)"), ({"target": np.full((7, 2), 11)}, "from 11 to 11"),
    ({"target": np.full((7, 2), -1)}, "from -1"), ({"target": np.zeros((7, 2))}, "targets of float64"),
    ({"target": np.tile([0, -2], (7, 1))}, "-1 for nothing in all columns but the first"), ({"r": np.zeros(2)}, r"r \(2,\)"),
    ({"b": np.zeros(10)}, r"b \(10,\)"),
    ({"W": np.zeros((11, 4))}, r"W \(11, 4\)"), ({"h": np.zeros((0, 3)), "target": np.zeros((0, 2), int)}, "no rows"),
    ({"smoothing": 1.0}, "smoothing=1.0"), ({"smoothing": -0.1}, "smoothing=-0.1")])
def test_wrong_input_is_refused(change, error):
    given = {"h": np.zeros((7, 3)), "W": np.zeros((11, 3)), "b": np.zeros(11), "r": np.zeros(1),
             "target": np.zeros((7, 2), int), "smoothing": 0.0}
    with pytest.raises(ValueError, match=error):
        catalogue_cross_entropy(**{**given, **change})
