"""NumPy's own functions on tensors: values and gradients of np.f(t), and clear refusals where there is no graph to make."""

import numpy as np
import pytest

import tinydl
from tinydl import Tensor
from tinydl.ops import methods

X = np.random.default_rng(0).uniform(0.2, 0.9, (2, 3))
Y = np.random.default_rng(1).uniform(0.2, 0.9, (2, 3))
PLACES = np.array([[2, 0], [1, 1]])


def t(values=X):
    return Tensor(values, requires_grad=True)


# Each is a program that knows nothing of tensors: it must give the same on an array and on a tensor of the same numbers.
UFUNCS = {
    np.add: lambda x: np.add(x, Y), np.subtract: lambda x: np.subtract(Y, x), np.multiply: lambda x: np.multiply(x, x),
    np.divide: lambda x: np.divide(Y, x), np.negative: np.negative, np.power: lambda x: np.power(Y, x), np.square: np.square,
    np.exp: np.exp, np.expm1: np.expm1, np.log: np.log, np.log1p: np.log1p, np.sqrt: np.sqrt, np.sin: np.sin, np.cos: np.cos,
    np.absolute: lambda x: np.absolute(x - 0.5),
    np.maximum: lambda x: np.maximum(x, Y), np.minimum: lambda x: np.minimum(Y, x),
    np.tanh: np.tanh, np.matmul: lambda x: np.matmul(x, Y.T)}
FUNCTIONS = {
    np.sum: lambda x: np.sum(x, axis=1, keepdims=True), np.mean: lambda x: np.mean(x, 0),
    np.var: lambda x: np.var(x, ddof=1, axis=1),
    np.std: lambda x: np.std(x, keepdims=True), np.max: lambda x: np.max(x, axis=(0, 1)), np.min: lambda x: np.min(x, 1),
    np.cumsum: lambda x: np.cumsum(x) * np.sum(np.cumsum(x, axis=1)), np.clip: lambda x: np.clip(x, 0.3, 0.6),
    np.where: lambda x: np.where(x > 0.5, x, -Y), np.concatenate: lambda x: np.concatenate([x, Y, x], axis=1),
    np.stack: lambda x: np.stack([Y, x], axis=-1),
    np.reshape: lambda x: np.reshape(x, (3, 2)) + np.reshape(x, shape=(3, -1)),
    np.transpose: lambda x: np.transpose(x) @ np.transpose(x, (0, 1)), np.swapaxes: lambda x: np.swapaxes(x, 0, 1),
    np.expand_dims: lambda x: np.expand_dims(x, (0, -1)), np.squeeze: lambda x: np.squeeze(np.squeeze(x[None, :1], 0)),
    np.broadcast_to: lambda x: np.broadcast_to(x, (4, 2, 3)) + np.broadcast_to(x, shape=(1, 2, 3)),
    np.flip: lambda x: np.flip(x, 1),
    np.pad: lambda x: np.pad(np.pad(x, 1), ((0, 1), (2, 0)), constant_values=3.0),
    np.take: lambda x: np.take(x, [5, 5, 0]) * np.sum(np.take(x, PLACES, axis=1)),
    np.take_along_axis: lambda x: np.take_along_axis(x, PLACES, 1) + np.take_along_axis(x, PLACES[:1], axis=1),
    np.einsum: lambda x: np.einsum("ij,kj->ik", x, Y), np.linalg.norm: np.linalg.norm}
UNTRACKED = {
    np.sign: np.sign, np.isnan: np.isnan, np.isfinite: np.isfinite, np.isinf: np.isinf, np.floor: np.floor, np.ceil: np.ceil,
    np.rint: np.rint, np.logical_and: lambda x: np.logical_and(x > 0.5, Y > 0.5),
    np.logical_or: lambda x: np.logical_or(x > 0.5, x < 0), np.logical_not: lambda x: np.logical_not(x > 0.5),
    np.invert: lambda x: np.invert(x > 0.5), np.equal: lambda x: np.equal(X, x), np.not_equal: lambda x: np.not_equal(x, Y),
    np.less: lambda x: np.less(Y, x), np.less_equal: lambda x: np.less_equal(x, Y),
    np.greater: lambda x: np.greater(x, Y), np.greater_equal: lambda x: np.greater_equal(Y, x),
    np.bitwise_and: lambda x: np.bitwise_and(x > 0.4, Y > 0.4), np.bitwise_or: lambda x: np.bitwise_or(x > 0.8, Y > 0.8),
    np.bitwise_xor: lambda x: np.bitwise_xor(x > 0.4, Y > 0.4), np.floor_divide: lambda x: np.floor_divide(x, 0.3),
    np.remainder: lambda x: np.remainder(x, 0.3),
    np.shape: np.shape, np.ndim: np.ndim, np.size: np.size, np.argmax: lambda x: np.argmax(x, axis=1),
    np.argmin: np.argmin,
    np.argsort: lambda x: np.argsort(x, axis=0), np.any: lambda x: np.any(x > 0.5, axis=1),
    np.all: lambda x: np.all(x > 0.5),
    np.isclose: lambda x: np.isclose(x, Y, atol=0.1), np.zeros_like: np.zeros_like, np.ones_like: np.ones_like,
    np.allclose: lambda x: np.allclose(x, Y, atol=1.0), np.array_equal: lambda x: np.array_equal(X, x)}


def test_every_function_in_the_protocols_has_a_case():
    assert {*methods._UFUNCS, *methods._FUNCTIONS, *methods._UNTRACKED_UFUNCS} == {*UFUNCS, *FUNCTIONS, *UNTRACKED}


@pytest.mark.parametrize("function", [*UFUNCS, *FUNCTIONS], ids=lambda f: f.__name__)
def test_a_numpy_function_records_its_gradient(function):
    program = {**UFUNCS, **FUNCTIONS}[function]
    y = program(t())
    assert isinstance(y, Tensor) and y.requires_grad and y.dtype == np.float64
    np.testing.assert_allclose(y._data, program(X), rtol=1e-13)
    assert y.shape == np.shape(program(X))
    assert tinydl.gradcheck(program, [t()]) and tinydl.gradgradcheck(program, [t()])


@pytest.mark.parametrize("function", UNTRACKED, ids=lambda f: f.__name__)
def test_a_numpy_function_without_a_gradient_gives_numpys_value(function):
    program = UNTRACKED[function]
    y = program(t())
    assert not isinstance(y, Tensor) or not y.requires_grad and y.is_leaf
    value = y._data if isinstance(y, Tensor) else y
    assert np.asarray(value).dtype == np.asarray(program(X)).dtype
    np.testing.assert_array_equal(value, program(X))


def test_code_written_for_arrays_can_be_differentiated():
    def softmax_cross_entropy(x):
        z = x - np.max(x, axis=-1, keepdims=True)
        logp = z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
        return -np.mean(np.take_along_axis(logp, PLACES[:, :1], axis=-1))

    x = t()
    y = softmax_cross_entropy(x)
    assert y.item() == pytest.approx(softmax_cross_entropy(X), rel=1e-14)
    y.backward()
    other = t()
    tinydl.ops.cross_entropy(other, PLACES[:, 0]).backward()
    np.testing.assert_allclose(x.grad._data, other.grad._data, rtol=1e-12)


@pytest.mark.parametrize("make", [lambda: np.array([t()]), lambda: np.array(t()), lambda: np.asarray(t()),
                                  lambda: np.array([[t(1.0)]]),
                                  lambda: np.float64(1) + np.array([t(2.0), 1.0]), lambda: Tensor([t(1.0)])])
def test_a_tensor_does_not_become_an_array_unseen(make):
    with pytest.raises(TypeError, match=r"the graph would be lost unseen: call .detach\(\).numpy\(\), or tinydl.stack"):
        make()


@pytest.mark.parametrize("call, message", [
    (lambda: np.add(X, t(), out=np.zeros((2, 3))), r"np.add with \['out'\] is not a differentiable operation"),
    (lambda: np.add(X, t(), where=X > 0), r"np.add with \['where'\]"),
    (lambda: X.__iadd__(t()), r"np.add with \['out'\]"),
    (lambda: np.add.reduce(t()), "np.add.reduce with"),
    (lambda: np.multiply.outer(t(), t()), "np.multiply.outer with"),
    (lambda: np.arctan2(t(), X), "np.arctan2 with .* use the functions of tinydl.ops, or .detach"),
    (lambda: np.sort(t()), "np.sort is not defined on tensors; use the functions of tinydl.ops, or .detach"),
    (lambda: np.pad(t(), 1, mode="reflect"), "np.pad: mode 'reflect' is not differentiable here, only 'constant'"),
])
def test_what_has_no_gradient_here_is_refused_by_name(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_float32_survives_numpys_functions():
    x = Tensor(X, dtype=np.float32)
    for y in (np.exp(x), np.add(x, Y), np.mean(x), np.std(x, axis=0), np.concatenate([x, Y]), np.where(x > 0, x, 0.0)):
        assert y.dtype == np.float32
