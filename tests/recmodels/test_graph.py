"""Graphs: sums over neighbours against dense matrices, softmax over a node's edges, gradients, neighbourhoods."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.graph import Graph, attend, bipartite, neighbourhood, propagate, segment_softmax
from tinydl import Tensor, gradcheck, gradgradcheck
from tinydl.kernels import use_numba


def tensor(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def random_graph(rows, columns, n, seed):
    """A graph of about n edges; some rows and columns have none."""
    rng = np.random.default_rng(seed)
    entries = rng.standard_normal(n), (rng.integers(0, rows, n), rng.integers(0, columns, n))
    return Graph(scipy.sparse.csr_array(entries, (rows, columns)))


graphs = st.builds(random_graph, st.integers(1, 6), st.integers(1, 7), st.integers(0, 15), st.integers(0, 10**6))


@settings(deadline=None, max_examples=30)
@given(graphs, st.integers(0, 4), st.booleans())
def test_sums_over_neighbours_are_their_definition(graph, D, compiled):
    x, alpha = tensor(graph.shape[1], D).data, tensor(len(graph), seed=1).data
    A = graph.matrix.toarray()
    want, want_attended = np.zeros((graph.shape[0], D)), np.zeros((graph.shape[0], D))
    for n in range(len(graph)):
        i, j = graph.rows[n], graph.columns[n]
        assert A[i, j] == graph.weight(np.dtype(np.float64))[n]
        want[i] += A[i, j] * x[j]
        want_attended[i] += alpha[n] * x[j]
    with use_numba(compiled):
        np.testing.assert_allclose(propagate(x, graph), want, atol=1e-12)
        np.testing.assert_allclose(attend(alpha, x, graph), want_attended, atol=1e-12)
        np.testing.assert_allclose(propagate(want, graph.T), A.T @ want, atol=1e-12)
    assert np.bincount(graph.rows, minlength=graph.shape[0]).tolist() == graph.degree.tolist()
    np.testing.assert_array_equal(graph.columns[graph.order], graph.T.rows)
    np.testing.assert_array_equal(graph.rows[graph.order], graph.T.columns)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 4), max_size=6), st.booleans(), st.sampled_from([1.0, 300.0]))
def test_softmax_of_segments(lengths, compiled, scale):
    """Each segment alone, of large numbers too; a segment that is empty has nothing to sum to."""
    start = np.append(0, np.cumsum(lengths)).astype(np.int64)
    e = scale * tensor(start[-1], seed=3).data
    with use_numba(compiled):
        y = segment_softmax(e, start)
    for first, end in zip(start, start[1:], strict=False):
        part = np.exp(e[first:end] - e[first:end].max(initial=-np.inf))
        np.testing.assert_allclose(y[first:end], part / part.sum() if len(part) else part, atol=1e-12)


@pytest.mark.parametrize("n, seed", [(9, 0), (14, 1), (0, 2)])
@pytest.mark.parametrize("compiled", [True, False])
def test_gradients(n, seed, compiled):
    graph = random_graph(4, 5, n, seed)
    with use_numba(compiled):
        for f, inputs in ((lambda x: propagate(x, graph), [tensor(5, 3)]),
                          (lambda alpha, x: attend(alpha, x, graph), [tensor(len(graph)), tensor(5, 3, seed=1)]),
                          (lambda e: segment_softmax(e, graph.start), [tensor(len(graph))]),
                          (lambda e, x: attend(segment_softmax(e, graph.start), x, graph),
                           [tensor(len(graph)), tensor(5, 3, seed=1)])):
            assert gradcheck(f, inputs)
            assert gradgradcheck(f, inputs)


def test_bipartite_is_its_definition():
    graph = bipartite([0, 0, 2, 0, 2], [1, 3, 1, 1, 0], n_users=4, n_items=5)
    A = np.zeros((9, 9))
    for u, i in {(0, 1), (0, 3), (2, 1), (2, 0)}:
        n_u, n_i = {0: 2, 2: 2}[u], {1: 2, 3: 1, 0: 1}[i]
        A[u, 4 + i] = A[4 + i, u] = 1 / np.sqrt(n_u * n_i)
    np.testing.assert_allclose(graph.matrix.toarray(), A, atol=1e-12)
    y = propagate(np.ones((9, 2)), graph)
    assert (y[[1, 3, 4 + 2, 4 + 4]] == 0).all() and np.isfinite(y).all()  # without neighbours


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 14), st.integers(0, 10**6), st.integers(0, 3))
def test_a_neighbourhood_gives_the_values_of_the_whole(n_users, n_items, n, seed, layers):
    rng = np.random.default_rng(seed)
    graph = bipartite(rng.integers(0, n_users, n), rng.integers(0, n_items, n), n_users, n_items)
    nodes = rng.permutation(n_users + n_items)[:rng.integers(1, n_users + n_items + 1)]
    found, small = neighbourhood(graph, nodes, layers, neighbours=[None, 100][seed % 2], rng=0)
    assert (found[:len(nodes)] == nodes).all() and len(set(found.tolist())) == len(found)
    x = rng.standard_normal((n_users + n_items, 2))
    whole, part = x, x[found]
    for _ in range(layers):
        whole, part = propagate(whole, graph), propagate(part, small)
    np.testing.assert_allclose(part[:len(nodes)], whole[nodes], atol=1e-12)


def test_a_sample_of_neighbours_is_right_on_average():
    graph = bipartite(np.repeat(np.arange(3), 8), np.tile(np.arange(8), 3), 3, 8)
    x, total, rng = np.random.default_rng(1).random((11, 1)), 0, np.random.default_rng(0)
    for _ in range(400):
        found, small = neighbourhood(graph, [0, 2], 1, neighbours=3, rng=rng)
        assert small.degree[:2].tolist() == [3, 3] and set(found[2:]) <= set(range(3, 11))
        total = total + propagate(x[found], small)[:2]
    np.testing.assert_allclose(total / 400, propagate(x, graph)[[0, 2]], rtol=0.05)


@pytest.mark.parametrize("call, error, message", [
    (lambda: bipartite(np.zeros(0, int), np.zeros(0, int), 3, 3), ValueError, "got no pair"),
    (lambda: bipartite([3], [0], 3, 3), IndexError, "users: id 3 at position 0 is out of range"),
    (lambda: bipartite([0], [-1], 3, 3), IndexError, "items: id -1 at position 0"),
    (lambda: bipartite([0, 1], [0], 3, 3), ValueError, r"got users \(2,\) and items \(1,\)"),
    (lambda: Graph(np.eye(2)), TypeError, "got a ndarray, want a sparse matrix"),
    (lambda: Graph(scipy.sparse.csr_array([[np.inf]])), ValueError, "a weight is nan or inf"),
    (lambda: propagate(np.ones((2, 3)), random_graph(2, 3, 4, 0)), ValueError, r"got x of shape \(2, 3\), want \(3, D\)"),
    (lambda: propagate(np.ones((3, 2), int), random_graph(2, 3, 4, 0)), TypeError, "got numbers of int64, want floating"),
    (lambda: segment_softmax(np.ones(3, int), [0, 3]), TypeError, "got numbers of int64, want floating"),
    (lambda: attend(np.ones(1), np.ones((3, 2)), random_graph(2, 3, 9, 0)), ValueError, r"got \(1,\) numbers for"),
    (lambda: segment_softmax(np.ones(3), [0, 2]), ValueError, r"got \(3,\) numbers for 2 edges"),
    (lambda: segment_softmax(np.ones(3), [1, 3]), ValueError, "rise from 0"),
    (lambda: neighbourhood(random_graph(3, 3, 5, 0), [0, 0], 1), ValueError, "named twice"),
    (lambda: neighbourhood(random_graph(2, 3, 5, 0), [0], 1), ValueError, "want a square one"),
    (lambda: neighbourhood(random_graph(3, 3, 5, 0), [3], 1), IndexError, "id 3 at position 0"),
    (lambda: neighbourhood(random_graph(3, 3, 5, 0), [0], 1, neighbours=0), ValueError, "got neighbours=0")])
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
