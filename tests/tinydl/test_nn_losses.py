"""Every loss against its formula, a number at a time, in all reductions; gradients; classes that are ignored."""

import math

import numpy as np
import pytest

from tinydl import Tensor, gradcheck, gradgradcheck, nn
from tinydl.nn import functional as F

pytestmark = pytest.mark.usefixtures("float64")

RNG = np.random.default_rng(11)
X, Z = RNG.standard_normal((3, 5)), RNG.standard_normal((3, 5))
P, T = RNG.uniform(0.05, 0.95, (3, 5)), RNG.uniform(0.1, 0.9, (3, 5))
CLASSES = np.array([4, 0, 2])
WEIGHT = RNG.uniform(0.5, 3, 5)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def bce(p, t):
    return -t * math.log(p) - (1 - t) * math.log(1 - p)


def huber(p, t, delta=1.0):
    d = abs(p - t)
    return d * d / 2 if d <= delta else delta * (d - delta / 2)


def each(f):
    """f of two numbers, as a formula of two arrays."""
    return lambda a, b: np.array([f(p, t) for p, t in zip(a.flat, b.flat, strict=True)]).reshape(a.shape)


def picked(x, t):
    return np.array([-x[b, t[b]] for b in range(len(t))])


def log_softmax(x):
    return np.log(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True))


# name (the class first): (loss with a reduction, its two inputs, formula of the unreduced loss)
CASES = {
    "MSELoss": (nn.MSELoss, X, Z, each(lambda p, t: (p - t) ** 2)),
    "L1Loss": (nn.L1Loss, X, Z, each(lambda p, t: abs(p - t))),
    "HuberLoss": (nn.HuberLoss, X, Z, each(huber)),
    "HuberLoss narrow": (lambda reduction: nn.HuberLoss(reduction, 0.3), X, Z, each(lambda p, t: huber(p, t, 0.3))),
    "BCELoss": (nn.BCELoss, P, T, each(bce)),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, X, T, each(lambda x, t: bce(sigmoid(x), t))),
    "BCEWithLogitsLoss weighted": (
        lambda reduction: nn.BCEWithLogitsLoss(reduction=reduction, pos_weight=Tensor(WEIGHT)), X, T,
        lambda x, t: np.array([[-w * b * math.log(sigmoid(a)) - (1 - b) * math.log(1 - sigmoid(a))
                                for a, b, w in zip(xs, ts, WEIGHT, strict=True)] for xs, ts in zip(x, t, strict=True)])),
    "CrossEntropyLoss": (nn.CrossEntropyLoss, X, CLASSES, lambda x, t: picked(log_softmax(x), t)),
    "CrossEntropyLoss of probabilities": (nn.CrossEntropyLoss, X, T, lambda x, t: -(t * log_softmax(x)).sum(axis=1)),
    "NLLLoss": (nn.NLLLoss, X, CLASSES, picked),
    "KLDivLoss": (nn.KLDivLoss, X, T, each(lambda p, t: t * (math.log(t) - p))),
    "KLDivLoss of logarithms": (lambda reduction: nn.KLDivLoss(reduction=reduction, log_target=True), X, Z,
                                each(lambda p, t: math.exp(t) * (t - p))),
    "BPRLoss": (nn.BPRLoss, X[:, 0], Z[:, 0], each(lambda p, n: -math.log(sigmoid(p - n)))),
}


@pytest.mark.parametrize("reduction, reduce", [("none", lambda x: x), ("sum", np.sum), ("mean", np.mean)])
@pytest.mark.parametrize("name", CASES)
def test_formula(name, reduction, reduce):
    make, one, other, formula = CASES[name]
    loss, expected = make(reduction=reduction)(Tensor(one), Tensor(other)), reduce(formula(one, other))
    assert loss.shape == np.shape(expected)
    np.testing.assert_allclose(loss.data, expected, rtol=1e-12)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("name", CASES)
def test_gradients(name, reduction):
    make, one, other, _ = CASES[name]
    loss = make(reduction=reduction)
    inputs = [Tensor(one, requires_grad=True), Tensor(other, requires_grad=other.dtype.kind == "f")]
    assert gradcheck(loss, inputs)
    assert gradgradcheck(loss, inputs)


@pytest.mark.parametrize("name", CASES)
def test_another_shape_is_never_broadcast(name):
    make, one, other, _ = CASES[name]
    with pytest.raises(ValueError, match="shape"):
        make(reduction="mean")(Tensor(one), Tensor(other[:1]))


@pytest.mark.parametrize("name", CASES)
def test_unknown_reductions_are_refused(name):
    with pytest.raises(ValueError, match="'avg'"):
        CASES[name][0](reduction="avg")


# ---------------------------------------------------------------- classes
@pytest.mark.parametrize("ignored", [-100, 2])
def test_ignored_rows_count_for_nothing(ignored):
    options = {} if ignored == -100 else {"ignore_index": ignored}
    target = np.array([4, ignored, 0])
    expected = picked(log_softmax(X), np.array([4, 0, 0]))[[0, 2]]
    for make, x in ((nn.CrossEntropyLoss, X), (nn.NLLLoss, log_softmax(X))):
        np.testing.assert_allclose(make(**options)(Tensor(x), Tensor(target)).item(), expected.mean(), rtol=1e-12)
        np.testing.assert_allclose(make(reduction="sum", **options)(Tensor(x), target).item(), expected.sum(), rtol=1e-12)
        each_row = make(reduction="none", **options)(Tensor(x), target).data
        np.testing.assert_allclose(each_row, [expected[0], 0, expected[1]], rtol=1e-12)
        x = Tensor(x, requires_grad=True)
        make(**options)(x, target).backward()
        assert not x.grad.data[1].any() and x.grad.data[0].any()
        with pytest.raises(ValueError, match="ignore_index"):
            make(**options)(Tensor(X), np.full(3, ignored))


def test_class_axis_is_the_second():
    x, target = RNG.standard_normal((2, 5, 3)), RNG.integers(0, 5, (2, 3))
    expected = np.array([[-x[b, target[b, k], k] + np.log(np.exp(x[b, :, k]).sum()) for k in range(3)] for b in range(2)])
    np.testing.assert_allclose(nn.CrossEntropyLoss(reduction="none")(Tensor(x), target).data, expected, rtol=1e-12)
    probabilities = np.moveaxis(np.eye(5)[target], -1, 1)
    np.testing.assert_allclose(nn.CrossEntropyLoss(reduction="none")(Tensor(x), Tensor(probabilities)).data, expected,
                               rtol=1e-12)
    assert gradcheck(lambda x: nn.CrossEntropyLoss()(x, target), [Tensor(x, requires_grad=True)])


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_one_row_without_batch_axis(reduction):
    loss = nn.CrossEntropyLoss(reduction=reduction)(Tensor(X[0]), np.array(3))
    assert loss.shape == ()
    np.testing.assert_allclose(loss.item(), -log_softmax(X)[0, 3], rtol=1e-12)


@pytest.mark.parametrize("target, error, words", [
    (np.array([0, 5, 1]), IndexError, "class 5"), (np.array([0, -1, 1]), IndexError, "class -1"),
    (np.array([0.0, 1.0, 2.0]), ValueError, "integers")])
def test_class_numbers_are_checked(target, error, words):
    with pytest.raises(error, match=words):
        nn.CrossEntropyLoss()(Tensor(X), target)


# ---------------------------------------------------------------- the ends of the number line
def test_large_scores_neither_overflow_nor_lose_their_gradient():
    x = Tensor([1e4, -1e4], requires_grad=True)
    loss = nn.BCEWithLogitsLoss(reduction="sum")(x, Tensor([0.0, 1.0]))
    loss.backward()
    assert loss.item() == 2e4 and x.grad.tolist() == [1.0, -1.0]
    x = Tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    loss = nn.CrossEntropyLoss()(x, np.array([2]))
    loss.backward()
    assert loss.item() == 2e4 and x.grad.tolist() == [[1.0, 0.0, -1.0]]


def test_certain_and_wrong_probabilities_cost_100():
    p, t = Tensor([0.0, 1.0, 0.0, 1.0]), Tensor([0.0, 1.0, 1.0, 0.0])
    assert nn.BCELoss(reduction="none")(p, t).tolist() == [0.0, 0.0, 100.0, 100.0]
    for bad in (-0.01, 1.01):
        with pytest.raises(ValueError, match="with_logits"):
            nn.BCELoss()(Tensor([bad]), Tensor([1.0]))


def test_kl_of_a_target_with_zeros_and_per_example():
    p, t = np.log(np.array([[0.2, 0.8], [0.5, 0.5]])), np.array([[0.0, 1.0], [0.25, 0.75]])
    expected = -math.log(0.8) + 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    np.testing.assert_allclose(nn.KLDivLoss(reduction="batchmean")(Tensor(p), Tensor(t)).item(), expected / 2, rtol=1e-12)
    np.testing.assert_allclose(nn.KLDivLoss(reduction="sum")(Tensor(p), Tensor(t)).item(), expected, rtol=1e-12)


def test_pos_weight_goes_with_the_module():
    loss = nn.BCEWithLogitsLoss(pos_weight=np.array([2.0, 3.0]))
    assert list(loss.state_dict()) == ["pos_weight"]
    assert loss.float()(Tensor(np.zeros((1, 2), np.float32)), Tensor(np.ones((1, 2), np.float32))).dtype == np.float32


def test_functions_are_the_modules():
    np.testing.assert_array_equal(F.mse_loss(Tensor(X), Tensor(Z)).data, nn.MSELoss()(Tensor(X), Tensor(Z)).data)
    for name in F.__all__:
        assert callable(getattr(F, name)), name
