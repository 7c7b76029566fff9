"""Tensor: what it holds, its operators and their reflections, PyTorch's methods, dtypes, copies and refusals."""

import copy
import operator

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, from_numpy, ops


def t(values, requires_grad=False, dtype=np.float64):
    return Tensor(values, requires_grad, dtype)


A, B = np.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]]), np.array([2.0, 0.5, -1.5])
POSITIVE = np.array([1.5, 2.0, 0.5])
WHOLE, OTHER = np.array([7, -3, 2]), np.array([2, 2, 5])
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


# ------------------------------------------------------------------------------------------------ operators
@pytest.mark.parametrize("function", [*ARITHMETIC, *COMPARISONS])
def test_operators_and_their_reflections_equal_numpys(function):
    for a, b in ((A, B), (B, A), (A, 2), (2, A), (A, 0.5), (0.5, A), (A, np.float64(3)), (np.float64(3), A), (A, A)):
        wanted = function(a, b)
        forms = [(x, y) for x in (a, t(a)) for y in (b, t(b)) if isinstance(x, Tensor) or isinstance(y, Tensor)]
        for x, y in forms:
            result = function(x, y)
            assert type(result) is Tensor, "an array on the left steps back, too"
            assert result.dtype == wanted.dtype
            np.testing.assert_array_equal(result._data, wanted)


@pytest.mark.parametrize("a, b", [(POSITIVE, B), (POSITIVE, 2), (2, B), (2.0, B), (A, 3), (np.float64(2), B), (0.5, A)])
def test_powers_and_their_reflection_equal_numpys(a, b):
    for x, y in ((t(a), b), (a, t(b)), (t(a), t(b))):
        result = x ** y
        assert type(result) is Tensor
        np.testing.assert_allclose(result._data, a ** b, rtol=1e-15)


def test_matrix_products_and_their_reflections_equal_numpys():
    for x, y in ((t(A), t(B)), (t(A), B), (A, t(B))):
        np.testing.assert_array_equal((x @ y)._data, A @ B)


@pytest.mark.parametrize("function", [operator.floordiv, operator.mod, operator.and_, operator.or_, operator.xor])
def test_integer_operators_and_their_reflections_equal_numpys(function):
    for x, y in ((Tensor(WHOLE), Tensor(OTHER)), (Tensor(WHOLE), OTHER), (WHOLE, Tensor(OTHER)), (Tensor(WHOLE), 3),
                 (9, Tensor(OTHER))):
        plain = [v._data if isinstance(v, Tensor) else v for v in (x, y)]
        result = function(x, y)
        assert type(result) is Tensor and result.dtype == np.int64
        np.testing.assert_array_equal(result._data, function(*plain))


@pytest.mark.parametrize("function, gradient", [
    (lambda x: 2 - x, lambda x: -1 + 0 * x), (lambda x: 2 / x, lambda x: -2 / x**2),
    (lambda x: 2 ** x, lambda x: np.log(2) * 2**x), (lambda x: x ** -2, lambda x: -2 * x**-3),
    (lambda x: B - x, lambda x: -1 + 0 * x), (lambda x: B / x, lambda x: -B / x**2),
    (lambda x: POSITIVE ** x, lambda x: np.log(POSITIVE) * POSITIVE**x), (lambda x: -x, lambda x: -1 + 0 * x),
    (lambda x: +x, lambda x: 1 + 0 * x), (abs, np.sign), (lambda x: (A @ x), lambda x: A.sum(0)),
    (lambda x: x @ A.T, lambda x: A.sum(0)), (lambda x: np.float64(2) * x, lambda x: 2 + 0 * x)])
def test_the_gradients_of_operators_and_reflections_are_calculus(function, gradient):
    x = t([0.7, 1.3, -0.4], requires_grad=True)
    function(x).sum().backward()
    np.testing.assert_allclose(x.grad._data, gradient(x._data), rtol=1e-13)


def test_in_place_operators_keep_the_tensor_and_its_dtype():
    x = Tensor([1.0, 2.0])
    before, memory = x, x._data
    x += np.array([1.0, 1.0])
    x *= Tensor([2.0, 3.0])
    x -= 1
    x /= 2
    assert x is before and x._data is memory and x.dtype == np.float32 and x.tolist() == [1.5, 4.0]
    whole = Tensor([1, 2])
    with pytest.raises(TypeError, match="same_kind"):
        whole += 0.5
    with pytest.raises(ValueError, match="broadcast"):
        x += np.ones((2, 2))
    assert x.tolist() == [1.5, 4.0]


def test_invert_and_logic_on_masks():
    a, b = Tensor([True, False]), Tensor([True, True])
    assert (~a).tolist() == [False, True] and (a & b).tolist() == [True, False] and (a ^ b).tolist() == [False, True]
    assert a.any() and not a.all() and b.all()


# ------------------------------------------------------------------------------------------------ indexing
INDICES = [0, -1, slice(None), slice(None, None, -1), (1, 2), (Ellipsis, 0), (None, 1), [0, 0, 1], ([0, 1], [2, 2]), A > 0,
           np.array([[0, 1], [1, 1]]), (slice(None), [0, 0]), np.int64(1), [], True]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_equals_numpys_and_its_gradient_adds_up_repeated_places(index):
    x = t(A, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y._data, A[index])
    v = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(v)
    wanted = np.zeros_like(A)
    np.add.at(wanted, np.zeros(0, int) if isinstance(index, list) and not index else index, v)
    np.testing.assert_allclose(x.grad._data, wanted, rtol=1e-15)


def test_tensors_index_tensors():
    x = t(A, requires_grad=True)
    i = Tensor(np.array([1, 1, 0]))
    y = x[i, Tensor([2, 2, 0])]
    assert y.tolist() == [-1.0, -1.0, 1.5]
    i.fill_(0)  # the graph holds its own copy
    y.sum().backward()
    assert x.grad.tolist() == [[1, 0, 0], [0, 0, 2]]
    assert x[x > 2].tolist() == [3.0, 4.0]
    assert x[Tensor(1)].tolist() == A[1].tolist() and A.tolist()[Tensor(1)] == A[1].tolist()


def test_assignment_outside_graphs_writes_in_place():
    x = Tensor(A)
    x[0, 1:] = 0.0
    x[Tensor([1]), 0] = Tensor([9.0], dtype=np.float64)
    assert x.tolist() == [[1.5, 0, 0], [9, 4, -1]]


def test_iteration_gives_rows_with_their_graph():
    x = t(A, requires_grad=True)
    assert len(x) == 2
    first, second = x
    (first * 2 + second).sum().backward()
    assert x.grad.tolist() == [[2.0] * 3, [1.0] * 3]
    for action in (len, list):
        with pytest.raises(TypeError, match="0-d"):
            action(Tensor(1.0))


# ------------------------------------------------------------------------------------------------ making one
def test_numbers_and_lists_get_the_default_dtype_and_arrays_keep_theirs(float64):
    assert Tensor(1.5).dtype == Tensor([1.5]).dtype == tinydl.zeros(2).dtype == np.float64
    tinydl.set_default_dtype(np.float32)
    assert Tensor(1.5).dtype == Tensor([[1.5]]).dtype == tinydl.randn(2).dtype == np.float32
    assert Tensor(np.ones(2)).dtype == Tensor(np.float64(1)).dtype == np.float64
    assert Tensor([1, 2]).dtype == np.int64 and Tensor([True]).dtype == np.bool_
    assert Tensor([1], dtype=np.float64).dtype == Tensor(Tensor(np.ones(2))).dtype == np.float64
    with pytest.raises(TypeError, match="got int64, want float32 or float64"):
        tinydl.set_default_dtype(np.int64)


def test_a_tensor_copies_its_data_and_from_numpy_shares_it():
    array = np.ones(2)
    copied, shared = Tensor(array), from_numpy(array)
    array[0] = 5.0
    assert copied.tolist() == [1.0, 1.0] and shared.tolist() == [5.0, 1.0]


@pytest.mark.parametrize("make, error, message", [
    (lambda: Tensor("text"), TypeError, "got data of dtype <U4, want numbers"),
    (lambda: Tensor([None]), TypeError, "got data of dtype object, want numbers"),
    (lambda: Tensor([[1.0], [1.0, 2.0]]), ValueError, "inhomogeneous"),
    (lambda: Tensor([1, 2], requires_grad=True), TypeError, "only floating dtypes have gradients, got int64"),
    (lambda: Tensor([1]).requires_grad_(), TypeError, "only floating dtypes have gradients, got int64"),
    (lambda: from_numpy([1.0]), TypeError, "got list, want a NumPy array"),
    (lambda: tinydl.randn(2, rng="seed"), TypeError, "rng: got str, want a numpy.random.Generator, an integer seed or None"),
])
def test_what_cannot_be_a_tensor_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_creation_functions_follow_pytorch():
    assert tinydl.zeros(2, 3).shape == tinydl.zeros((2, 3)).shape == (2, 3) and tinydl.ones([2]).tolist() == [1.0, 1.0]
    assert tinydl.full((2,), 7.0, requires_grad=True).requires_grad and tinydl.full((), 2.5).tolist() == 2.5
    assert tinydl.eye(2).tolist() == [[1, 0], [0, 1]] and tinydl.eye(1, 2).tolist() == [[1, 0]]
    assert tinydl.arange(3).dtype == np.int64 and tinydl.arange(1, 2, 0.5, dtype=np.float32).tolist() == [1.0, 1.5]
    like = Tensor(np.ones((2, 1)))
    assert tinydl.zeros_like(like).dtype == tinydl.ones_like(like).dtype == np.float64
    assert tinydl.zeros_like(like).tolist() == [[0], [0]] and tinydl.ones_like(like).tolist() == [[1], [1]]
    assert tinydl.zeros(1, dtype=np.float64).dtype == tinydl.rand(1, dtype=np.float64).dtype == np.float64


def test_random_numbers_follow_their_generator_and_distribution():
    assert tinydl.randn(3, rng=5).tolist() == tinydl.randn(3, rng=np.random.default_rng(5)).tolist()
    tinydl.manual_seed(1)
    first = tinydl.rand(4).tolist()
    assert tinydl.rand(4).tolist() != first
    tinydl.manual_seed(1)
    assert tinydl.rand(4).tolist() == first
    uniform, normal = tinydl.rand(10_000, rng=0)._data, tinydl.randn(10_000, rng=0)._data
    assert 0 <= uniform.min() and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.02
    assert abs(normal.mean()) < 0.04 and abs(normal.std() - 1) < 0.03


# ------------------------------------------------------------------------------------------------ looking at one
def test_it_prints_values_dtype_and_origin():
    x = Tensor([1.0, 2.5], requires_grad=True)
    assert repr(x) == "tensor([1. , 2.5], requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 5.], made by multiply)"
    assert repr(t([1.0])) == "tensor([1.], dtype=float64)" and repr(Tensor([1])) == "tensor([1])"
    assert f"{Tensor(1.23456):.2f}" == "1.23" and f"{Tensor([1])}" == "tensor([1])"


def test_shape_size_and_conversions():
    x = t(A)
    assert (x.shape, x.ndim, x.dim(), x.numel(), x.size(), x.size(1)) == ((2, 3), 2, 2, 6, (2, 3), 3)
    assert Tensor([[2.5]]).item() == float(Tensor(2.5)) == 2.5 and int(Tensor(3.7)) == 3 and bool(Tensor([0.0])) is False
    assert list(range(5))[Tensor(2)] == 2
    for action, error, message in [(x.item, ValueError, r"shape \(2, 3\), want exactly one element"),
                                   (lambda: bool(x), ValueError, r"truth of a tensor of shape \(2, 3\) is ambiguous"),
                                   (lambda: [1, 2][Tensor(1.0)], TypeError, "float32 cannot be an index; call .long()"),
                                   (lambda: float(x), ValueError, "exactly one element")]:
        with pytest.raises(error, match=message):
            action()


def test_data_and_numpy_are_read_only_views():
    x = t(A)
    for view in (x.data, x.numpy(), x.detach().numpy()):
        assert np.shares_memory(view, x._data) and not view.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1
    with pytest.raises(AttributeError):
        x.data = A
    with pytest.raises(RuntimeError, match=r"requires grad; call .detach\(\).numpy\(\)"):
        x.requires_grad_().numpy()


def test_copy_fill_and_zero_write_in_place_and_keep_shape_and_dtype():
    x = Tensor([1.0, 2.0])
    memory = x._data
    assert x.copy_(np.array([3.0, 4.0])) is x and x.tolist() == [3.0, 4.0]
    x.copy_(Tensor([5.0, 6.0]))
    assert x.dtype == np.float32 and x._data is memory and x.tolist() == [5.0, 6.0]
    with pytest.raises(ValueError, match=r"copy_: got shape \(1,\), want \(2,\)"):
        x.copy_(np.ones(1))
    assert x.fill_(2.0).tolist() == [2.0, 2.0] and x.zero_().tolist() == [0.0, 0.0]


def test_clone_has_memory_of_its_own_and_a_graph():
    x = t([1.0, 2.0], requires_grad=True)
    y = x.clone()
    assert not np.shares_memory(x._data, y._data)
    (y * y).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    assert Tensor([1, 2]).clone().dtype == np.int64


def test_deepcopy_copies_leaves_and_refuses_the_rest():
    x = t([1.0], requires_grad=True)
    y = x * 2
    twin = copy.deepcopy([x, x])
    assert twin[0] is twin[1] and twin[0].requires_grad and twin[0] is not x
    twin[0].fill_(9.0)
    assert x.tolist() == [1.0]
    y.backward()  # whose input the twin's change did not touch
    with pytest.raises(RuntimeError, match="only leaves can be copied"):
        copy.deepcopy(x * 2)


def test_a_deepcopy_shares_no_gradient():
    x = t([1.0], requires_grad=True)
    (x * 2).backward()
    twin = copy.deepcopy(x)
    assert twin.grad.tolist() == [2.0] and twin.grad is not x.grad
    twin.grad.fill_(0.0)
    assert x.grad.tolist() == [2.0]


def test_requires_grad_changes_on_leaves_only():
    x = t([1.0], requires_grad=True)
    assert x.is_leaf and not (x * 2).is_leaf and Tensor([1.0]).is_leaf
    with pytest.raises(RuntimeError, match="only leaves can be changed"):
        (x * 2).requires_grad_(False)
    x.requires_grad_(False)
    assert not (x * 2).requires_grad


def test_tensors_are_keys_by_identity():
    x, y = Tensor([1.0]), Tensor([1.0])
    assert {x: 1, y: 2}[x] == 1 and len({x, y, x}) == 2


# ------------------------------------------------------------------------------------------------ PyTorch's methods
X = np.random.default_rng(0).uniform(0.2, 0.9, (2, 3, 4))
METHODS = {
    "add": (lambda x: x.add(2.0), X + 2), "sub": (lambda x: x.sub(2.0), X - 2), "mul": (lambda x: x.mul(2.0), X * 2),
    "div": (lambda x: x.div(2.0), X / 2), "pow": (lambda x: x.pow(3), X**3), "neg": (lambda x: x.neg(), -X),
    "exp": (lambda x: x.exp(), np.exp(X)), "expm1": (lambda x: x.expm1(), np.expm1(X)),
    "log": (lambda x: x.log(), np.log(X)),
    "log1p": (lambda x: x.log1p(), np.log1p(X)), "sqrt": (lambda x: x.sqrt(), np.sqrt(X)),
    "square": (lambda x: x.square(), X**2),
    "sin": (lambda x: x.sin(), np.sin(X)), "cos": (lambda x: x.cos(), np.cos(X)), "erf": (lambda x: x.erf(), ops.erf(X)),
    "abs": (lambda x: (-x).abs(), X), "maximum": (lambda x: x.maximum(0.5), np.maximum(X, 0.5)),
    "minimum": (lambda x: x.minimum(0.5), np.minimum(X, 0.5)),
    "where": (lambda x: x.where(X > 0.5, 0.0), np.where(X > 0.5, X, 0)),
    "clamp": (lambda x: x.clamp(0.3, 0.6), np.clip(X, 0.3, 0.6)), "clip": (lambda x: x.clip(max=0.6), np.minimum(X, 0.6)),
    "to": (lambda x: x.to(np.float32), X.astype(np.float32)), "float": (lambda x: x.float(), X.astype(np.float32)),
    "double": (lambda x: x.double(), X), "long": (lambda x: (x * 10).long(), (X * 10).astype(np.int64)),
    "clone": (lambda x: x.clone(), X), "norm": (lambda x: x.norm(), np.sqrt((X**2).sum())),
    "sum": (lambda x: x.sum(dim=[0, 2], keepdim=True), X.sum((0, 2), keepdims=True)),
    "mean": (lambda x: x.mean(1), X.mean(1)),
    "var": (lambda x: x.var(dim=[0, 1]), X.var((0, 1), ddof=1)), "std": (lambda x: x.std(-1, correction=0), X.std(-1)),
    "max": (lambda x: x.max(), X.max()), "min": (lambda x: x.min(-1, keepdim=True).values, X.min(-1, keepdims=True)),
    "amax": (lambda x: x.amax((0, 1)), X.max((0, 1))), "amin": (lambda x: x.amin(0), X.min(0)),
    "logsumexp": (lambda x: x.logsumexp(1), np.log(np.exp(X).sum(1))), "cumsum": (lambda x: x.cumsum(2), X.cumsum(2)),
    "argmax": (lambda x: x.argmax(1), X.argmax(1)), "argmin": (lambda x: x.argmin(), X.argmin()),
    "any": (lambda x: (x > 0.8).any(), (X > 0.8).any()), "all": (lambda x: (x > 0.8).all(), (X > 0.8).all()),
    "isnan": (lambda x: x.isnan(), np.isnan(X)), "isfinite": (lambda x: x.isfinite(), np.isfinite(X)),
    "matmul": (lambda x: x.matmul(X[0].T), X @ X[0].T), "mm": (lambda x: x[0].mm(X[0].T), X[0] @ X[0].T),
    "bmm": (lambda x: x.bmm(x.transpose(1, 2)), X @ X.swapaxes(1, 2)),
    "reshape": (lambda x: x.reshape(4, -1), X.reshape(4, 6)), "view": (lambda x: x.view((6, 4)), X.reshape(6, 4)),
    "permute": (lambda x: x.permute(2, 0, 1), X.transpose(2, 0, 1)),
    "transpose": (lambda x: x.transpose(0, -1), X.swapaxes(0, 2)),
    "t": (lambda x: x[0].t(), X[0].T), "T": (lambda x: x.T, X.T),
    "expand": (lambda x: x[:, :1].expand(-1, 5, 4), X[:, :1].repeat(5, 1)),
    "squeeze": (lambda x: x[:1].squeeze(0), X[0]), "unsqueeze": (lambda x: x.unsqueeze(-1), X[..., None]),
    "flatten": (lambda x: x.flatten(1), X.reshape(2, 12)), "flip": (lambda x: x.flip(0, 2), X[::-1, :, ::-1]),
    "split": (lambda x: x.split(3, dim=2)[1], X[:, :, 3:]),
    "gather": (lambda x: x.gather(2, np.zeros((2, 3, 1), int)), X[:, :, :1]),
    "index_select": (lambda x: x.index_select(1, Tensor([2, 2])), X[:, [2, 2]]),
    "sigmoid": (lambda x: x.sigmoid(), 1 / (1 + np.exp(-X))), "tanh": (lambda x: x.tanh(), np.tanh(X)),
    "relu": (lambda x: (x - 0.5).relu(), np.maximum(X - 0.5, 0)),
    "softmax": (lambda x: x.softmax(1), np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    "log_softmax": (lambda x: x.log_softmax(dim=0), X - np.log(np.exp(X).sum(0))),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_what_pytorch_gives(name):
    call, wanted = METHODS[name]
    result = call(t(X, requires_grad=True))
    assert result.dtype == np.asarray(wanted).dtype and result.shape == np.shape(wanted)
    np.testing.assert_allclose(result._data, wanted, rtol=1e-13)
    if result.dtype == np.float64:
        assert tinydl.gradcheck(call, [t(X, requires_grad=True)])


def test_every_bound_method_has_a_case():
    from tinydl.ops.methods import _METHODS
    assert set(_METHODS) - {"backward"} == set(METHODS) - {"T"}


def test_the_extreme_along_a_dimension_comes_with_its_place_and_sends_its_gradient_there():
    x = t([[1.0, 5.0, 5.0], [7.0, 2.0, 0.0]], requires_grad=True)
    values, indices = x.max(dim=1)
    assert values.tolist() == [5.0, 7.0] and indices.tolist() == [1, 0] and indices.dtype == np.int64
    values.sum().backward()
    assert x.grad.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert x.min(0).indices.tolist() == [0, 1, 1]


# ------------------------------------------------------------------------------------------------ dtypes
def test_integers_beside_floats_follow_the_float():
    whole, real = Tensor([1, 2]), Tensor([0.5, 0.5], requires_grad=True)
    y = whole * real
    assert y.dtype == np.float32
    y.sum().backward()
    assert real.grad.tolist() == [1.0, 2.0] and real.grad.dtype == np.float32
    assert (whole * 2).dtype == np.int64 and (whole / 2).dtype == np.float32 and ops.exp(whole).dtype == np.float32
    assert (whole * np.array([0.5, 0.5])).dtype == np.float64 and (Tensor([True]) + whole).dtype == np.int64


def test_python_and_numpy_scalars_change_no_dtype():
    x = Tensor([1.0, 2.0])
    for y in (x * 2, x * 0.1, x * np.float64(0.1), np.float64(0.1) * x, x ** np.float64(2), 2 ** x, x + np.arange(2),
              x / np.ones(2)):
        assert y.dtype == np.float32


def test_a_change_of_dtype_is_asked_for_and_sends_its_gradient_back_in_the_old_one():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x.double()
    assert y.dtype == np.float64 and x.float() is x and not x.long().requires_grad
    (y * y).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [2.0, 4.0]
    with pytest.raises(TypeError, match=r"add: got tensors of dtypes float32 and float64; .* call .float\(\) or"):
        x + y


def test_inputs_may_be_passed_by_keyword():
    x, w, b = (t(np.random.default_rng(0).standard_normal(shape), requires_grad=True) for shape in ((2, 3), (4, 3), (4,)))
    named, placed = ops.linear(x, bias=b, weight=w), ops.linear(x, w, b)
    np.testing.assert_array_equal(named._data, placed._data)
    named.sum().backward()
    assert b.grad.tolist() == [2.0] * 4 and w.grad is not None and x.grad is not None
