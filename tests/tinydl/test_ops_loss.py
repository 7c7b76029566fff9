"""Losses where they are easily wrong: certain and wrong probabilities, far logits, ignored classes, unequal shapes."""

import math

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, ops

PAIRWISE = [ops.mse_loss, ops.l1_loss, ops.huber_loss, ops.binary_cross_entropy, ops.binary_cross_entropy_with_logits,
            ops.kl_div, ops.bpr_loss]


@pytest.mark.parametrize("loss", PAIRWISE)
def test_shapes_must_be_equal_and_nothing_broadcasts(loss):
    p = Tensor(np.full((3,), 0.5))
    for target in (np.full((3, 1), 0.5), Tensor(np.full((1,), 0.5)), 0.5):
        with pytest.raises(ValueError, match=rf"{loss.__name__}: got a prediction of shape \(3,\) and a target of shape "
                                             rf"\({'3, 1|1,|'}\); they must be equal"):
            loss(p, target)


@pytest.mark.parametrize("loss", PAIRWISE)
def test_an_unknown_reduction_and_an_empty_mean_are_refused(loss):
    p = Tensor(np.full(2, 0.5))
    with pytest.raises(ValueError, match=f"{loss.__name__}: got reduction='average', want 'mean', 'sum' or 'none'"):
        loss(p, p, reduction="average")
    empty = Tensor(np.zeros(0))
    with pytest.raises(ValueError, match=r"the mean over an empty batch \(shape \(0,\)\)"):
        loss(empty, empty)
    assert loss(empty, empty, reduction="sum").item() == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_certain_probabilities_is_cut_at_100_with_a_finite_gradient(dtype):
    p = Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True, dtype=dtype)
    t = Tensor([1.0, 0.0, 0.0, 1.0], requires_grad=True, dtype=dtype)
    y = ops.binary_cross_entropy(p, t, reduction="none")
    assert y.tolist() == [100.0, 100.0, 0.0, 0.0]
    y.sum().backward()
    np.testing.assert_allclose(p.grad._data, [-1e12, 1e12, 0.0, 0.0], rtol=1e-6)  # as PyTorch's
    np.testing.assert_allclose(t.grad._data, [100.0, -100.0, 100.0, -100.0], rtol=1e-6)


@pytest.mark.parametrize("values, said", [([0.5, 1.5], "from 0.5 to 1.5"), ([-0.25, 0.5], "from -0.25 to 0.5"),
                                          ([0.5, np.nan], "nan")])
def test_what_is_no_probability_is_refused(values, said):
    with pytest.raises(ValueError, match=rf"binary_cross_entropy: got probabilities .*{said}.*, want \[0, 1\]; for"):
        ops.binary_cross_entropy(Tensor(values), Tensor([0.0, 1.0]))


def test_cross_entropy_on_logits_equals_the_one_on_probabilities_and_is_exact_far_out():
    x, t = Tensor([-3.0, 0.5, 2.0], dtype=np.float64), np.array([0.0, 0.3, 1.0])
    np.testing.assert_allclose(ops.binary_cross_entropy_with_logits(x, t)._data,
                               ops.binary_cross_entropy(x.sigmoid(), t)._data, rtol=1e-13)
    far = Tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    loss = ops.binary_cross_entropy_with_logits(far, np.array([1.0, 0.0, 0.0, 1.0]), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0.0, 0.0, 1e4, 1e4] and far.grad.tolist() == [0.0, 0.0, 1.0, -1.0]


def test_bpr_is_minus_the_log_of_the_sigmoid_of_the_difference_and_exact_far_out():
    wins, loses = Tensor([1e4, 2.0, -1e4], requires_grad=True, dtype=np.float64), Tensor([-1e4, 1.0, 1e4], dtype=np.float64)
    loss = ops.bpr_loss(wins, loses, reduction="none")
    np.testing.assert_allclose(loss._data, [0.0, -math.log(1 / (1 + math.exp(-1))), 2e4], rtol=1e-14)
    loss.sum().backward()
    np.testing.assert_allclose(wins.grad._data, [0.0, -1 / (1 + math.e), -1.0], rtol=1e-14)


def test_huber_by_hand():
    d = Tensor([0.0, 0.5, -0.5, 2.0, -3.0], requires_grad=True, dtype=np.float64)
    y = ops.huber_loss(d, np.zeros(5), "none", delta=1.0)
    assert y.tolist() == [0.0, 0.125, 0.125, 1.5, 2.5]
    y.sum().backward()
    assert d.grad.tolist() == [0.0, 0.5, -0.5, 1.0, -1.0]


def test_ignored_classes_count_for_nothing():
    x = Tensor(np.random.default_rng(0).standard_normal((4, 3)), requires_grad=True)
    t = np.array([2, -100, 0, -100])
    loss = ops.cross_entropy(x, t)
    assert loss.item() == pytest.approx(ops.cross_entropy(x[[0, 2]], t[[0, 2]]).item(), rel=1e-15)
    loss.backward()
    assert not x.grad._data[[1, 3]].any() and x.grad._data[[0, 2]].all()
    with pytest.raises(ValueError, match="every target is ignore_index"):
        ops.cross_entropy(x, np.full(4, -100))
    assert ops.cross_entropy(x, np.full(4, -100), reduction="sum").item() == 0.0


@pytest.mark.parametrize("target, error, message", [
    (np.array([0, 3]), IndexError, r"nll_loss: got class 3, want 0 <= class < 3 \(or ignore_index=-100\)"),
    (np.array([0, -1]), IndexError, "got class -1"),
    (np.array([0.0, 1.0]), ValueError, r"log-probabilities \(2, 3\) and a target of shape \(2,\), float64; want integers"),
    (np.array([0, 1, 2]), ValueError, r"a target of shape \(3,\), int64; want integers of shape \(2,\)"),
    (np.array([[0], [1]]), ValueError, r"a target of shape \(2, 1\)")])
def test_classes_are_checked(target, error, message):
    with pytest.raises(error, match=message):
        ops.cross_entropy(tinydl.zeros(2, 3), target)
    with pytest.raises(error, match=message):
        ops.nll_loss(tinydl.zeros(2, 3), target)


def test_a_row_without_a_batch_axis_has_one_class():
    x = Tensor([1.0, 2.0, 0.5], requires_grad=True)
    for reduction in ("mean", "sum", "none"):
        assert ops.cross_entropy(x, 1, reduction).shape == ()
    assert ops.cross_entropy(x, Tensor(1)).item() == pytest.approx(ops.cross_entropy(x.reshape(1, 3), np.array([1])).item())
    with pytest.raises(ValueError, match=r"a target of shape \(2,\), int64; want integers of shape \(\)"):
        ops.cross_entropy(x, np.array([1, 0]))


def test_kl_divergence_is_zero_where_the_target_is_and_between_equals():
    p = np.array([0.2, 0.0, 0.8])
    logq = Tensor(np.log([0.3, 0.1, 0.6]), requires_grad=True)
    loss = ops.kl_div(logq, p, "none")
    np.testing.assert_allclose(loss._data, [0.2 * math.log(0.2 / 0.3), 0.0, 0.8 * math.log(0.8 / 0.6)], rtol=1e-14)
    loss.sum().backward()
    np.testing.assert_allclose(logq.grad._data, -p)
    assert ops.kl_div(Tensor(np.log([0.2, 0.8])), np.array([0.2, 0.8]), "sum").item() == pytest.approx(0.0, abs=1e-16)
    assert ops.kl_div(tinydl.zeros(4, 2), np.ones((4, 2)), "batchmean").item() == 0.0
