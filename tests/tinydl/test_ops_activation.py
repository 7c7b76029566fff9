"""Activations far out, at their kinks, and against the table of their names: what random inputs near 0 do not show."""

import math

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, kernels, ops

FAR = np.array([-1e4, -700.0, -90.0, -1.0, 0.0, 1.0, 90.0, 700.0, 1e4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function, value, slope", [
    (ops.sigmoid, lambda x: 0.0 if x < -700 else 1.0, lambda x: 0.0),
    (ops.tanh, lambda x: math.copysign(1, x), lambda x: 0.0),
    (ops.softplus, lambda x: max(x, 0.0), lambda x: float(x > 0)),
    (ops.logsigmoid, lambda x: min(x, 0.0), lambda x: float(x < 0)),
    (ops.silu, lambda x: max(x, 0.0), lambda x: float(x > 0)),
    (ops.gelu, lambda x: max(x, 0.0), lambda x: float(x > 0)),
    (lambda x: ops.gelu(x, approximate="tanh"), lambda x: max(x, 0.0), lambda x: float(x > 0)),
    (ops.elu, lambda x: x if x > 0 else -1.0, lambda x: float(x > 0)),
    (ops.erf, lambda x: math.copysign(1, x), lambda x: 0.0)])
def test_values_and_slopes_at_ten_thousand_are_the_limits(function, value, slope, dtype):
    """Warnings are errors here: nothing overflows on the way, in the value, its gradient or its second derivative."""
    x = Tensor([-1e4, 1e4], requires_grad=True, dtype=dtype)
    y = function(x)
    np.testing.assert_allclose(y._data, [value(-1e4), value(1e4)], atol=1e-30)
    dx, = tinydl.grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(dx._data, [slope(-1e4), slope(1e4)], atol=1e-30)
    np.testing.assert_array_equal(tinydl.grad(dx.sum(), x)[0]._data, [0.0, 0.0])


@pytest.mark.parametrize("x", FAR)
def test_sigmoid_and_its_logarithm_are_exact_far_out(x):
    t = Tensor([x], dtype=np.float64)
    small = math.exp(-abs(x)) if abs(x) < 700 else 0.0
    assert ops.sigmoid(t).item() == pytest.approx(1 / (1 + small) if x >= 0 else small / (1 + small), rel=1e-15, abs=1e-300)
    assert ops.softplus(t).item() == pytest.approx(max(x, 0) + math.log1p(small), rel=1e-15)
    assert ops.logsigmoid(t).item() == pytest.approx(min(x, 0) - math.log1p(small), rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_and_its_logarithm_are_finite_and_shift_invariant_at_ten_thousand(dtype):
    base = np.array([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]], dtype)
    wanted = np.exp(base) / np.exp(base).sum(1, keepdims=True)
    v = Tensor([[1.0, -2.0, 0.5], [0.3, 0.2, 0.1]], dtype=dtype)
    gradients = []
    for shift in (0.0, 1e4, -1e4):
        x = Tensor(base + dtype(shift), requires_grad=True)
        tolerance = 1e-6 if dtype == np.float64 else 2e-3 if shift else 1e-6  # base + 1e4 itself is rounded to 1e-3
        np.testing.assert_allclose(ops.softmax(x)._data, wanted, rtol=tolerance)
        np.testing.assert_allclose(ops.log_softmax(x)._data, np.log(wanted), rtol=tolerance)
        np.testing.assert_allclose(ops.logsumexp(x, axis=1)._data - shift, np.log(np.exp(base).sum(1)), atol=10 * tolerance)
        gradients.append(tinydl.grad((ops.log_softmax(x) * v + ops.softmax(x) * v).sum() + ops.logsumexp(x), x)[0]._data)
    for g in gradients[1:]:
        np.testing.assert_allclose(g, gradients[0], rtol=0, atol=2e-3 if dtype == np.float32 else 1e-9)


def test_softmax_between_ten_thousand_and_its_opposite_is_certain():
    x = Tensor([1e4, -1e4, 0.0], requires_grad=True)
    assert ops.softmax(x).tolist() == [1.0, 0.0, 0.0] and ops.log_softmax(x).tolist() == [0.0, -2e4, -1e4]
    assert ops.logsumexp(x).item() == 1e4
    loss = ops.cross_entropy(x.reshape(1, 3), np.array([1]))
    loss.backward()
    assert loss.item() == 2e4 and x.grad.tolist() == [1.0, -1.0, 0.0]


def test_a_masked_place_of_minus_infinity_gets_no_probability_and_no_gradient():
    x = Tensor([1.0, -np.inf, 2.0], requires_grad=True, dtype=np.float64)
    p = ops.softmax(x)
    (p * np.array([1.0, 5.0, 3.0])).sum().backward()
    assert p.tolist()[1] == 0.0 and x.grad.tolist()[1] == 0.0 and np.isfinite(x.grad._data).all()
    x.grad = None
    ops.logsumexp(x).backward()
    np.testing.assert_allclose(x.grad._data, p._data, rtol=1e-14)
    assert ops.logsumexp(Tensor([-np.inf, -np.inf])).item() == -np.inf


def test_slopes_at_the_kinks_are_pytorchs():
    for function, slope in ((ops.relu, 0.0), (ops.leaky_relu, 0.01), (ops.elu, 1.0), (ops.absolute, 0.0)):
        x = Tensor([0.0], requires_grad=True)
        function(x).backward()
        assert x.grad.item() == pytest.approx(slope)


def test_options_may_be_given_by_position():
    x = Tensor([[-1.0, 2.0]], requires_grad=True, dtype=np.float64)
    for placed, named in ((ops.leaky_relu(x, 0.2), ops.leaky_relu(x, negative_slope=0.2)),
                          (ops.softmax(x, 0), ops.softmax(x, axis=0)),
                          (ops.sum(x, 1, True), ops.sum(x, axis=1, keepdims=True)),
                          (ops.reshape(x, (2,)), ops.reshape(x, shape=(2,))),
                          (ops.take(x, np.array([1, 1]), 1), ops.take(x, indices=[1, 1], axis=1))):
        assert placed.tolist() == named.tolist()
        v = np.arange(1.0, 1 + placed.numel()).reshape(placed.shape)
        assert tinydl.grad(placed, x, v)[0].tolist() == tinydl.grad(named, x, v)[0].tolist()


def test_gelu_refuses_an_unknown_approximation():
    with pytest.raises(ValueError, match="got approximate='erf', want 'none' or 'tanh'"):
        ops.gelu(Tensor([1.0]), approximate="erf")


@pytest.mark.parametrize("dtype, error", [(np.float32, 4e-7), (np.float64, 2e-15)])
def test_tanh_is_tanh_to_the_last_digits(dtype, error):
    x = np.concatenate([np.linspace(-25, 25, 200_001), np.geomspace(1e-30, 1, 10_001)]).astype(dtype)[None]
    y, exact = ops.tanh(x), np.tanh(x.astype(np.longdouble))
    assert y.dtype == dtype and (np.abs(y - exact) <= error * np.abs(exact)).all() and (np.abs(y) <= 1).all()
    ends = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e30], dtype)
    np.testing.assert_array_equal(ops.tanh(ends), np.array([1, -1, np.nan, 0, 0, 1], dtype))
    some = x[:, ::50].copy()
    kernels.tanh_rows.loops(some)  # as plain Python: numba may be off
    assert (np.abs(some - exact[:, ::50]) <= error * np.abs(exact[:, ::50])).all()
    assert np.signbit(ops.tanh(ends)).tolist() == [False, True, False, False, True, False]


@pytest.mark.parametrize("x", [np.array([-2, 0, 3]), np.array([True, False]), np.array([0.5, -1], np.float16),
                               np.array(3), np.float64(0.3), 2, 0.5, [0.1, 0.2]], ids=repr)
@pytest.mark.parametrize("numba", [False, True])
def test_tanh_of_what_is_no_array_of_floats_is_numpys(x, numba):
    with kernels.use_numba(numba and kernels.numba_enabled()):
        y, want = ops.tanh(x), np.tanh(x)
    assert y.dtype == want.dtype
    np.testing.assert_array_equal(y, want)
    np.testing.assert_allclose(tinydl.tensor([1, 2, 3]).tanh().numpy(), np.tanh([1, 2, 3]), rtol=1e-6)


def test_tanh_keeps_how_an_array_lies_in_memory(rng):
    x = np.transpose(rng.standard_normal((2, 3, 4)), (0, 2, 1))
    y = ops.tanh(x)
    assert y.strides == x.strides
    np.testing.assert_allclose(y, np.tanh(x), rtol=1e-14)
