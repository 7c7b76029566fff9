"""RowGradient stands for a table's dense gradient: in sums, products, norms, and wherever it meets a dense one."""

import numpy as np
import pytest

from tinydl import RowGradient, Tensor, grad, ops


def table(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


@pytest.fixture
def g():
    return RowGradient(np.array([4, 1, 4, 0]), np.arange(8.0).reshape(4, 2) + 1, (6, 2))


def test_dense_adds_repeated_rows(g):
    assert g.dense().tolist() == [[7, 8], [3, 4], [0, 0], [0, 0], [1 + 5, 2 + 6], [0, 0]]
    np.testing.assert_array_equal(g.numpy(), g.dense())
    assert (g.shape, g.ndim, g.dtype) == ((6, 2), 2, np.float64)


def test_coalesce_keeps_every_row_once(g):
    once = g.coalesce()
    assert once.rows.tolist() == [4, 1, 0] and once.values.tolist() == [[6, 8], [3, 4], [7, 8]] and once.unique
    np.testing.assert_array_equal(once.dense(), g.dense())
    assert once.coalesce() is once


def test_two_add_up_and_are_lazy_only_if_both_are(g):
    other = RowGradient(np.array([0, 5]), np.ones((2, 2)), (6, 2), sparse=True)
    both = g + other
    assert isinstance(both, RowGradient) and not both.sparse and (other + other).sparse
    np.testing.assert_array_equal(both.dense(), g.dense() + other.dense())
    np.testing.assert_array_equal((other.coalesce() + other.coalesce()).dense(), 2 * other.dense())
    assert not (g.coalesce() + g.coalesce()).unique


def test_a_sum_with_an_array_is_dense_on_either_side(g):
    array = np.ones((6, 2))
    for total in (g + array, array + g):
        assert type(total) is np.ndarray and total.dtype == np.float64
        np.testing.assert_array_equal(total, g.dense() + 1)


def test_scaling_keeps_rows_dtype_and_kind():
    g = RowGradient(np.array([1]), np.ones((1, 2), np.float32), (3, 2), sparse=True, unique=True)
    half = g * np.float64(0.5)
    assert half.dtype == np.float32 and half.sparse and half.unique and half.values.tolist() == [[0.5, 0.5]]
    assert g.values.tolist() == [[1.0, 1.0]]


def test_the_norm_is_that_of_the_dense_gradient(g):
    assert g.norm() == pytest.approx(np.linalg.norm(g.dense()), rel=1e-15)
    assert RowGradient(np.zeros(0, np.int64), np.zeros((0, 2)), (6, 2)).norm() == 0.0


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match=r"rows \(3,\) and values \(2, 2\) for a table \(5, 2\), want \(n,\) and \(n, 2\)"):
        RowGradient(np.zeros(3, int), np.zeros((2, 2)), (5, 2))
    with pytest.raises(ValueError, match=r"values \(3, 1\)"):
        RowGradient(np.zeros(3, int), np.zeros((3, 1)), (5, 2))


# ------------------------------------------------------------------------------------------------ in back-propagation
IDS = np.array([[2, 0], [2, 3]])


def dense_gradient(W, v, extra=0.0):
    wanted = np.zeros(W.shape) + extra
    np.add.at(wanted, IDS, v)
    return wanted


@pytest.mark.parametrize("sparse", [False, True])
def test_an_embedding_leaves_the_rows_that_were_read(sparse):
    W, v = table(5, 3), np.random.default_rng(1).standard_normal((2, 2, 3))
    ops.embedding(IDS, W, sparse=sparse).backward(v)
    assert isinstance(W.grad, RowGradient) and W.grad.sparse == sparse
    assert W.grad.rows.tolist() == [2, 0, 3]  # each once, in the order of reading
    np.testing.assert_allclose(W.grad.dense(), dense_gradient(W, v), rtol=1e-14)


def test_gradients_of_two_reads_stay_rows_within_and_across_backwards():
    W, v = table(5, 3), np.random.default_rng(1).standard_normal((2, 2, 3))
    (ops.embedding(IDS, W) + ops.embedding(IDS[::-1], W)).backward(v)
    assert isinstance(W.grad, RowGradient)
    wanted = dense_gradient(W, v + v[::-1])
    np.testing.assert_allclose(W.grad.dense(), wanted, rtol=1e-13)
    ops.embedding(IDS, W).backward(v)
    assert isinstance(W.grad, RowGradient)
    np.testing.assert_allclose(W.grad.dense(), wanted + dense_gradient(W, v), rtol=1e-13)


@pytest.mark.parametrize("rows_first", [False, True])
def test_a_tied_table_gets_the_dense_sum_within_one_backward(rows_first):
    """Weight tying: the same table is read by rows and used as a matrix."""
    W, v = table(5, 3), np.random.default_rng(1).standard_normal((2, 2, 3))
    rows = ops.embedding(IDS, W) if rows_first else None
    total = (W * 2).sum()
    rows = ops.embedding(IDS, W) if rows is None else rows
    (total + (rows * v).sum()).backward()
    assert isinstance(W.grad, Tensor) and W.grad.dtype == np.float64
    np.testing.assert_allclose(W.grad._data, dense_gradient(W, v, 2.0), rtol=1e-14)


@pytest.mark.parametrize("rows_first", [False, True])
def test_a_dense_and_a_row_gradient_add_up_across_backwards(rows_first):
    W, v = table(5, 3), np.random.default_rng(1).standard_normal((2, 2, 3))
    steps = [lambda: ops.embedding(IDS, W).backward(v), lambda: (W * 2).sum().backward()]
    for step in steps if rows_first else steps[::-1]:
        step()
    np.testing.assert_allclose(W.grad._data, dense_gradient(W, v, 2.0), rtol=1e-14)


def test_a_table_that_is_itself_computed_passes_its_gradient_on():
    W, v = table(5, 3), np.random.default_rng(1).standard_normal((2, 2, 3))
    scaled = W * 3
    scaled.retain_grad()
    ops.embedding(IDS, scaled).backward(v)
    np.testing.assert_allclose(W.grad._data, 3 * dense_gradient(W, v), rtol=1e-14)
    np.testing.assert_allclose(scaled.grad._data, dense_gradient(W, v), rtol=1e-14)


def test_grad_answers_with_a_dense_tensor():
    W, v = table(5, 3), np.random.default_rng(1).standard_normal((2, 2, 3))
    dW, = grad(ops.embedding(IDS, W), W, v)
    np.testing.assert_allclose(dW._data, dense_gradient(W, v), rtol=1e-14)


def test_the_padding_row_gets_no_gradient():
    W, v = table(5, 3), np.random.default_rng(1).standard_normal((2, 2, 3))
    wanted = dense_gradient(W, v)
    wanted[2] = 0
    ops.embedding(IDS, W, padding_idx=2).backward(v)
    assert 2 not in W.grad.rows
    np.testing.assert_allclose(W.grad.dense(), wanted, rtol=1e-14)
    dW, = grad(ops.embedding(IDS, W, padding_idx=2), W, Tensor(v), create_graph=True)
    np.testing.assert_allclose(dW._data, wanted, rtol=1e-14)


def test_an_embedding_bag_leaves_each_row_once():
    W, s = table(5, 3), table(2, 2, seed=2)
    v = np.random.default_rng(1).standard_normal((2, 3))
    ops.embedding_bag(IDS, W, per_sample_weights=s, sparse=True, padding_idx=3).backward(v)
    g = W.grad.coalesce()
    assert g.sparse and sorted(g.rows.tolist()) == [0, 2]
    wanted = np.zeros(W.shape)
    for b in range(2):
        for n in range(2):
            if IDS[b, n] != 3:
                wanted[IDS[b, n]] += s._data[b, n] * v[b]
    np.testing.assert_allclose(W.grad.dense(), wanted, rtol=1e-14)
    np.testing.assert_allclose(s.grad._data, (W._data[IDS] @ v[:, :, None])[..., 0] * (IDS != 3), rtol=1e-13)


def test_the_gradient_of_a_float32_table_is_float32():
    W = Tensor(np.ones((5, 3), np.float32), requires_grad=True)
    ops.embedding_bag(IDS, W, per_sample_weights=np.ones((2, 2))).sum().backward()
    assert W.grad.dtype == np.float32
