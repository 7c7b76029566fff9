"""Clipping against its formula, on dense gradients and on those of tables."""

import numpy as np
import pytest

from tinydl import RowGradient, Tensor, optim


def with_gradients(*gradients):
    made = []
    for g in gradients:
        p = Tensor(np.zeros(g.shape, g.dtype), requires_grad=True)
        p.grad = Tensor(g) if isinstance(g, np.ndarray) else g
        made.append(p)
    return made


def table(sparse=False):
    """Row 2 twice: 3 + 1 and 0 + 0; row 0: 0 and -3. The norm is 5, the sums are 7, the largest is 4."""
    return RowGradient(np.array([2, 0, 2]), np.array([[3.0, 0.0], [0.0, -3.0], [1.0, 0.0]]), (4, 2), sparse)


@pytest.mark.parametrize("order, of_table, total", [(2.0, 5, 13), (1.0, 7, 19), (np.inf, 4, 12)])
def test_the_norm_is_that_of_all_gradients_together(order, of_table, total):
    assert optim.clip_grad_norm_(with_gradients(table()), 1e9, order) == of_table
    assert optim.clip_grad_norm_(with_gradients(table(), np.array([[-12.0], [0.0]])), 1e9, order) == total
    dense = with_gradients(table().dense(), np.array([[-12.0], [0.0]]))
    assert optim.clip_grad_norm_(dense, 1e9, order) == total


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_above_the_bound_are_scaled_together(dtype, rng):
    gradients = [rng.normal(size=s).astype(dtype) for s in ((3, 4), (), (5,))]
    params = with_gradients(*gradients)
    total = optim.clip_grad_norm_(params, max_norm=0.5)
    want = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients))
    np.testing.assert_allclose(total, want, rtol=1e-6)
    for p, g in zip(params, gradients, strict=True):
        assert p.grad.dtype == dtype
        np.testing.assert_allclose(p.grad.numpy(), g * 0.5 / (want + 1e-6), rtol=1e-6)
    np.testing.assert_allclose(optim.clip_grad_norm_(params, max_norm=9.0), 0.5, rtol=1e-5)


def test_gradients_below_the_bound_stay_to_the_bit(rng):
    g = rng.normal(size=3).astype(np.float32)
    p, = with_gradients(g.copy())
    optim.clip_grad_norm_(p, max_norm=float(np.linalg.norm(g)) + 1e-5)
    np.testing.assert_array_equal(p.grad.numpy(), g)


def test_one_tensor_and_missing_gradients():
    p, = with_gradients(np.array([3.0, 4.0]))
    q = Tensor([1.0], requires_grad=True)
    assert optim.clip_grad_norm_(p, 100) == 5 and optim.clip_grad_norm_(iter([q, p]), 100) == 5
    assert optim.clip_grad_norm_([q], 1.0) == 0 and optim.clip_grad_norm_([], 1.0) == 0 and q.grad is None
    empty = RowGradient(np.array([], np.int64), np.zeros((0, 2)), (4, 2))
    assert optim.clip_grad_norm_(with_gradients(empty, np.zeros((0, 3))), 1.0, np.inf) == 0


@pytest.mark.parametrize("sparse", [False, True])
def test_a_clipped_table_gradient_is_still_one(sparse):
    p, = with_gradients(table(sparse))
    optim.clip_grad_norm_([p], max_norm=1.0)
    assert isinstance(p.grad, RowGradient) and p.grad.sparse == sparse
    np.testing.assert_allclose(p.grad.dense(), table().dense() / 5, rtol=1e-6)
    p.grad = table(sparse)
    optim.clip_grad_value_([p], 2.5)
    assert isinstance(p.grad, RowGradient) and p.grad.sparse == sparse
    assert p.grad.dense().tolist() == [[0, -2.5], [0, 0], [2.5, 0], [0, 0]]


def test_values_that_repeat_are_clipped_after_they_are_added_up():
    p, = with_gradients(RowGradient(np.array([1, 1]), np.array([[5.0], [-4.5]]), (2, 1)))
    optim.clip_grad_value_(p, 1.0)
    assert p.grad.dense().tolist() == [[0.0], [0.5]]


def test_clip_grad_value():
    p, = with_gradients(np.array([-3.0, -0.5, 0.0, 0.5, 3.0], np.float32))
    q = Tensor([1.0], requires_grad=True)
    optim.clip_grad_value_([p, q], 1)
    assert p.grad.tolist() == [-1, -0.5, 0, 0.5, 1] and p.grad.dtype == np.float32 and q.grad is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_not_finite(bad):
    p, q = with_gradients(np.array([bad, 1.0]), np.array([2.0]))
    with pytest.raises(RuntimeError, match=f"norm of order 2.0 is {bad}, there is nothing to clip"):
        optim.clip_grad_norm_([p, q], 1.0, error_if_nonfinite=True)
    assert p.grad.tolist()[1] == 1.0 and q.grad.item() == 2.0
    np.testing.assert_equal(optim.clip_grad_norm_([p, q], 1.0), bad)
    np.testing.assert_equal(p.grad.tolist() + q.grad.tolist(), [np.nan] * 3 if np.isnan(bad) else [np.nan, 0, 0])


def test_backward_notices_that_clipping_has_changed_a_gradient():
    p, = with_gradients(np.array([3.0, 4.0]))
    for clip, name in ((optim.clip_grad_norm_, "clip_grad_norm_"), (optim.clip_grad_value_, "clip_grad_value_")):
        weight = Tensor(np.array([1.0, 2.0]), requires_grad=True)
        y = (p.grad * weight).sum()
        clip(p, 0.1)
        with pytest.raises(RuntimeError, match=f"{name} has changed in place"):
            y.backward()


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_bounds_that_mean_nothing(bad):
    p, = with_gradients(np.array([3.0]))
    with pytest.raises(ValueError, match=f"got max_norm={bad}, want a number >= 0"):
        optim.clip_grad_norm_(p, bad)
    with pytest.raises(ValueError, match="got norm_type=0, want a number > 0 or np.inf"):
        optim.clip_grad_norm_(p, 1.0, norm_type=0)
    with pytest.raises(ValueError, match=f"got clip_value={bad}"):
        optim.clip_grad_value_(p, bad)
    assert p.grad.item() == 3.0
