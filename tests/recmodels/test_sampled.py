"""Products at known places: equal to the dense products, and each other's gradient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels import kernels
from recmodels.sampled import sampled_matmul, sparse_matmul
from tinydl import Tensor, gradcheck, gradgradcheck
from tinydl.kernels import use_numba


def tensor(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


@st.composite
def places(draw):
    """(rows, columns, i (n,), j (n,)): some places of a matrix, in any order, some of them twice."""
    rows, columns, n = draw(st.integers(1, 5)), draw(st.integers(1, 6)), draw(st.integers(0, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    return rows, columns, rng.integers(0, rows, n), rng.integers(0, columns, n)


@settings(deadline=None, max_examples=60)
@given(places(), st.integers(0, 4), st.booleans())
def test_equal_to_dense_products(places, D, compiled):
    rows, columns, i, j = places
    a, b, x = tensor(rows, D).data, tensor(columns, D, seed=1).data, tensor(len(i), seed=2).data
    X = np.zeros((rows, columns))
    for n in range(len(i)):
        X[i[n], j[n]] += x[n]
    with use_numba(compiled):
        np.testing.assert_allclose(sparse_matmul(x, b, i, j, rows), X @ b, atol=1e-12)
        np.testing.assert_allclose(sampled_matmul(a, b, i, j), [(a @ b.T)[place] for place in zip(i, j, strict=True)],
                                   atol=1e-12)


@pytest.mark.parametrize("i, j", [([0, 2, 2, 1, 0], [1, 1, 0, 1, 1]), ([2], [0]), ([], [])])
def test_gradients(i, j):
    i, j = np.array(i, np.int64), np.array(j, np.int64)
    for f, inputs in ((lambda x, b: sparse_matmul(x, b, i, j, 3), [tensor(len(i)), tensor(2, 4)]),
                      (lambda a, b: sampled_matmul(a, b, i, j), [tensor(3, 4), tensor(2, 4)])):
        assert gradcheck(f, inputs)
        assert gradgradcheck(f, inputs)


def test_columns_in_several_tiles_are_the_same_sums():
    """More columns than a tile has: each is summed once."""
    i, j = np.random.default_rng(0).integers(0, 7, (2, 40))
    x, b = tensor(40).data, tensor(7, 600, seed=1).data
    want = kernels.sparse_matmul.reference(x, b, i, j, 7)
    np.testing.assert_allclose(kernels.sparse_matmul.loops(x, b, i, j, 7), want, atol=1e-12)
    np.testing.assert_allclose(sparse_matmul(x, b, i, j, 7), want, atol=1e-12)


@pytest.mark.parametrize("call, error, message", [
    (lambda x, a, b: sparse_matmul(a, b, [0], [0], 2), ValueError, r"got x \(3, 4\) and b \(2, 4\)"),
    (lambda x, a, b: sparse_matmul(x, b, [0, 1], [0, 1], 2), ValueError, r"got x \(5,\) for places \(2,\)"),
    (lambda x, a, b: sparse_matmul(x[:1], b, [2], [0], 2), IndexError, "id 2 at position 0 is out of range"),
    (lambda x, a, b: sparse_matmul(x[:1], b, [1], [2], 2), IndexError, "id 2 at position 0 is out of range"),
    (lambda x, a, b: sparse_matmul(x[:1], np.ones((2, 4), int), [1], [1], 2), TypeError, "got b of int64, want floating"),
    (lambda x, a, b: sampled_matmul(a, b[:, :3], [0], [0]), ValueError, r"got a \(3, 4\) and b \(2, 3\)"),
    (lambda x, a, b: sampled_matmul(a, b, [0, 1], [0]), ValueError, r"got places i \(2,\) and j \(1,\)"),
    (lambda x, a, b: sampled_matmul(a, b, [0.5], [0]), TypeError, "want integers")])
def test_wrong_places(call, error, message):
    with pytest.raises(error, match=message):
        call(tensor(5), tensor(3, 4), tensor(2, 4))
