"""Arithmetic where calculus has corners: ties, zeros, negative bases, small numbers, nothing at all; and what is refused."""

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, grad, ops


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


@pytest.mark.parametrize("function", [ops.maximum, ops.minimum])
def test_a_tie_sends_half_of_the_gradient_to_each(function):
    a, b = leaf(1.0, 2.0), leaf(1.0, 5.0)
    larger = function is ops.maximum
    function(a, b).backward(np.array([4.0, 8.0]))
    assert a.grad.tolist() == [2.0, 0.0 if larger else 8.0]
    assert b.grad.tolist() == [2.0, 8.0 if larger else 0.0]


@pytest.mark.parametrize("function", [ops.max, ops.min])
def test_equal_extremes_share_the_gradient(function):
    x = Tensor([[3.0, 3.0, 3.0], [1.0, 2.0, 1.0]], requires_grad=True)
    function(x, axis=1).backward(np.array([3.0, 6.0]))
    assert x.grad.tolist() == [[1.0, 1.0, 1.0], [0.0, 6.0, 0.0] if function is ops.max else [3.0, 0.0, 3.0]]


@pytest.mark.parametrize("exponent, slopes", [(0, [0, 0]), (1, [1, 1]), (2, [0, -4]), (3, [0, 12]),
                                              (np.array([0, 1]), [0, 1]),
                                              (np.array([2.0, 3.0]), [0, 12])])
def test_powers_of_zero_and_of_negative_numbers_have_their_slopes(exponent, slopes):
    """No 0 * inf, no log of a negative number: warnings are errors here."""
    x = leaf(0.0, -2.0)
    y = x ** exponent
    np.testing.assert_array_equal(y._data, x._data ** exponent)
    dx, = grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(dx._data, slopes)
    if dx.requires_grad:
        p = np.broadcast_to(exponent, 2)
        wanted = [0 if n < 2 else n * (n - 1) * v ** (n - 2) for n, v in zip(p, x._data, strict=True)]
        np.testing.assert_allclose(grad(dx.sum(), x)[0]._data, wanted)


def test_zero_to_a_power_has_no_slope_in_the_exponent():
    b = leaf(2.0, 0.5)
    (np.zeros(2) ** b).sum().backward()
    assert b.grad.tolist() == [0.0, 0.0]


def test_logarithm_and_exponential_are_exact_near_their_zeros():
    tiny = Tensor([1e-12], dtype=np.float64)
    for function in (ops.log1p, ops.expm1):
        assert function(tiny).item() == pytest.approx(1e-12, rel=1e-11)


def test_clip_passes_the_gradient_at_its_bounds():
    x = leaf(-1.0, -2.0, 0.0, 1.0, 3.0)
    ops.clip(x, -1.0, 1.0).sum().backward()
    assert x.grad.tolist() == [1, 0, 1, 1, 0]
    assert ops.clip(3.0, 0.0, 1.0) == 1.0


def test_where_keeps_what_was_not_chosen_out_of_the_gradient():
    x = leaf(4.0, -1.0)
    safe = ops.where(x > 0, x, 1.0)
    ops.where(x > 0, ops.log(safe), 0.0).sum().backward()
    assert x.grad.tolist() == [0.25, 0.0]


def test_the_norm_of_zero_has_gradient_zero():
    x = leaf(0.0, 0.0)
    x.norm().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_the_gradient_of_a_cumulative_sum_is_a_sum_from_behind():
    x = leaf(1.0, 2.0, 3.0)
    ops.cumsum(x).backward(np.array([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [111.0, 110.0, 100.0]


def test_an_empty_tensor_has_a_sum_and_empty_gradients():
    x, w = Tensor(np.zeros((0, 3)), requires_grad=True), Tensor(np.ones((3, 2)), requires_grad=True)
    y = (x @ w).relu().sum()
    y.backward()
    assert y.item() == 0.0 and x.grad.shape == (0, 3) and w.grad.tolist() == [[0.0, 0.0]] * 3


REFUSED = [
    (lambda: ops.add(leaf(1.0, 2.0), leaf(1.0, 2.0, 3.0)), ValueError, r"add: got shapes \(2,\) and \(3,\).*equal or 1"),
    (lambda: ops.matmul(leaf(1.0, 2.0), leaf(1.0)), ValueError, r"matmul: got shapes \(2,\) and \(1,\); .* only axis"),
    (lambda: tinydl.ones(2, 3) @ tinydl.ones(2, 3), ValueError, r"\(2, 3\) and \(2, 3\); .* second last axis"),
    (lambda: tinydl.ones(2) @ Tensor(1.0), ValueError, r"matmul: got shapes \(2,\) and \(\)"),
    (lambda: ops.linear(tinydl.ones(2, 4), tinydl.ones(5, 3)), ValueError, r"x \(2, 4\) for .* \(5, 3\) .* be 3 long"),
    (lambda: ops.einsum("ij,jk", tinydl.ones(2, 2), tinydl.ones(2, 2)), ValueError, "got 'ij,jk' for 2 operands; want e.g."),
    (lambda: ops.einsum("ij,jk->ik", tinydl.ones(2, 2)), ValueError, "for 1 operands"),
    (lambda: ops.einsum("ij,ij->i", tinydl.ones(2, 1), tinydl.ones(2, 3)), ValueError, "'j' .* is 1 long .* and 3 in"),
    (lambda: ops.multiply(leaf(1.0), 1j), TypeError, "multiply: the result would be complex128; tensors hold floats"),
    (lambda: ops.einsum("ii->i", tinydl.ones(2, 2)), ValueError, "'ii' in 'ii->i' has an index that repeats"),
    (lambda: ops.einsum("ij->j", tinydl.ones(2, 2)), ValueError, "'ij' in 'ij->j' .* stands nowhere else"),
    (lambda: ops.var(tinydl.ones(2, 1), axis=1, correction=1), ValueError, r"got 1 .*x \(2, 1\), axis 1\) .* correction=1"),
    (lambda: ops.max(tinydl.ones(0)), ValueError, "zero-size"),
    (lambda: ops.reshape(tinydl.ones(2, 3), shape=(4,)), ValueError, r"size 6 into shape \(4,\)"),
    (lambda: ops.concatenate([tinydl.ones(2, 3), tinydl.ones(2, 2)]), ValueError, r"\[\(2, 3\), \(2, 2\)\]; .* but axis 0"),
    (lambda: ops.concatenate([]), ValueError, r"concatenate: got no tensors, want at least one"),
    (lambda: leaf(1.0, 2.0) @ leaf(3.0).sum(), ValueError, r"matmul: got shapes \(2,\) and \(\).*with a number, use \*"),
    (lambda: ops.concatenate([tinydl.ones(2), tinydl.ones(2, 2)]), ValueError, r"got shapes \[\(2,\), \(2, 2\)\]"),
    (lambda: ops.stack([tinydl.ones(2), tinydl.ones(3)]), ValueError, r"got shapes \[\(2,\), \(3,\)\], want .* all equal"),
    (lambda: ops.stack([]), ValueError, "want at least one"),
    (lambda: ops.split(tinydl.ones(4), [1, 2]), ValueError, r"split: sizes \[1, 2\] do not add up to axis 0's length 4"),
]


@pytest.mark.parametrize("call, error, message", REFUSED)
def test_a_refusal_says_what_was_given_and_what_is_wanted(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_lists_and_numbers_join_tensors():
    x = leaf(1.0, 2.0)
    ops.concatenate([x, [3.0]]).backward(np.ones(3))
    assert ops.stack([x, [3.0, 4.0]]).tolist() == [[1, 2], [3, 4]] and x.grad.tolist() == [1, 1]
    assert ops.flatten(Tensor(2.0)).tolist() == [2.0]
