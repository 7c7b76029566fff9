"""Reading rows: ids are checked, repeated ones add up, padding counts for nothing, and the user's index stays his."""

import numpy as np
import pytest

import tinydl
from tinydl import RowGradient, Tensor, ops


@pytest.fixture
def W(rng):
    return Tensor(rng.standard_normal((4, 3)), requires_grad=True)


@pytest.mark.parametrize("read", [lambda i, w: ops.embedding(i, w), lambda i, w: ops.embedding_bag(i[None], w)])
def test_ids_are_checked(read, W):
    name = "embedding(_bag)?"
    for ids, message in (([0, 4], rf"{name}: id 4 at position 1 is out of range, want 0 <= id < 4"),
                         ([-1, 9], "id -1 at position 0")):
        with pytest.raises(IndexError, match=message):
            read(np.array(ids), W)
    with pytest.raises(TypeError, match=rf"{name}: got ids of dtype float64, want integers; call .astype\(np.int64\)"):
        read(np.array([1.0]), W)
    with pytest.raises(ValueError, match=rf"{name}: got a table of shape \(3,\), want \(V, D\)"):
        read(np.array([0]), W[0])
    for dtype in (np.int32, np.uint8, np.int64):
        assert read(np.array([3], dtype), W).shape == (1, 3)
    assert read(Tensor([2]), W).tolist() == [W.tolist()[2]]


def test_the_graph_keeps_its_own_copy_of_the_ids(W):
    ids, bags = np.array([1]), np.array([[2]])
    y = ops.embedding(ids, W).sum() + ops.embedding_bag(bags, W).sum()
    ids[0] = bags[0, 0] = 0
    y.backward()
    assert sorted(W.grad.rows.tolist()) == [1, 2]


def test_a_bag_refuses_what_it_cannot_do(W):
    index = np.array([[0, 1]])
    for call, message in [
            (lambda: ops.embedding_bag(np.array([0, 1]), W), r"got index of shape \(2,\), want \(B, L\)"),
            (lambda: ops.embedding_bag(index, W, mode="max"), "got mode 'max', want 'sum' or 'mean'"),
            (lambda: ops.embedding_bag(index, W, "mean", per_sample_weights=np.ones((1, 2))), "work with mode='sum' only"),
            (lambda: ops.embedding_bag(index, W, per_sample_weights=np.ones((2, 2))), r"\(2, 2\) for index \(1, 2\)")]:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_bag_of_padding_only_gives_zeros_and_no_gradient(W):
    index = np.array([[3, 3], [0, 3]])
    for mode in ("sum", "mean"):
        W.grad = None
        y = ops.embedding_bag(index, W, mode=mode, padding_idx=3)
        assert y.tolist() == [[0.0] * 3, W.tolist()[0]]
        y.backward(np.ones((2, 3)))
        assert W.grad.dense().tolist() == [[1.0] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3]


def test_a_bag_equals_the_sum_of_embeddings_in_value_and_gradient(W, rng):
    index, v = rng.integers(0, 4, (5, 6)), rng.standard_normal((5, 3))
    one, = tinydl.grad(ops.embedding_bag(index, W), W, v)
    other, = tinydl.grad(ops.embedding(index, W).sum(dim=1), W, v)
    np.testing.assert_allclose(one._data, other._data, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ops.embedding_bag(index, W)._data, W._data[index].sum(1), rtol=1e-12, atol=1e-14)


def test_an_empty_batch_reads_nothing(W):
    ops.embedding(np.zeros((0, 2), np.int64), W).backward(np.zeros((0, 2, 3)))
    assert isinstance(W.grad, RowGradient) and W.grad.rows.shape == (0,) and not W.grad.dense().any()
    assert ops.embedding_bag(np.zeros((0, 2), np.int64), W).shape == (0, 3)
    assert ops.embedding_bag(np.zeros((2, 0), np.int64), W, mode="mean").tolist() == [[0.0] * 3] * 2


def test_gather_is_pytorchs_and_take_along_axis_numpys():
    x = Tensor(np.arange(6.0).reshape(2, 3))
    first_row_only = np.array([[2, 0]])
    assert x.gather(1, first_row_only).tolist() == [[2.0, 0.0]]
    assert np.take_along_axis(x, first_row_only, 1).tolist() == [[2.0, 0.0], [5.0, 3.0]]


def test_an_index_out_of_range_is_refused_when_reading(W):
    for read in (lambda: W[4], lambda: W[[0, 4]], lambda: ops.take(W, indices=[7], axis=1),
                 lambda: W.gather(0, np.array([[9]]))):
        with pytest.raises(IndexError, match="out of bounds"):
            read()
