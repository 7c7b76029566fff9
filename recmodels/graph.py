"""Graphs of users and items: sums over neighbours, attention to neighbours, a few of many neighbours.

    bipartite            who likes what, as a graph with the weights of LightGCN
    propagate            y_i = sum_j a_ij x_j             each node takes in its neighbours: A x, A of the graph's weights
    attend               y_i = sum_j alpha_ij x_j         the same with weights that are learned: attention
    segment_softmax      alpha_ij = softmax_j e_ij        over each node's neighbours (Velickovic et al. 2018, equation 3)
    neighbourhood        what some nodes' values after L layers depend on: all of it, or a sample

A graph is a sparse matrix A (R, C) in SciPy's CSR form: row i takes in its edges' columns, and edge n is an entry of A.
"""

import functools

import numpy as np

from tinydl import Tensor, ops
from tinydl.op import op, value_of
from tinydl.random import generator

from . import kernels
from .ragged import places, row_of
from .sampled import sampled_matmul


class Graph:
    """A sparse matrix A and its edges, in the order of rows; within a row, of columns.

        matrix      scipy.sparse.csr_array (R, C) of the weights a_ij
        start       (R + 1,) row i's edges are start[i] .. start[i + 1] - 1
        rows        (n,) each edge's row i          columns   (n,) and its column j
        degree      (R,) how many edges each row has
        T           the graph of A', whose edge m is this graph's edge order[m]

    >>> import scipy.sparse
    >>> Graph(scipy.sparse.csr_array([[0.5, 0.0, 2.0], [0.0, 0.0, 0.0]]))
    Graph of 2 edges, 2 x 3 nodes, 1 of them without neighbours
    """

    def __init__(self, matrix):
        import scipy.sparse

        if not scipy.sparse.issparse(matrix) or matrix.ndim != 2:
            raise TypeError(f"Graph: got a {type(matrix).__name__}, want a sparse matrix, as scipy.sparse.csr_array(a)")
        matrix = scipy.sparse.csr_array(matrix, copy=True)
        matrix.sum_duplicates()
        if not np.isfinite(matrix.data).all():
            raise ValueError("Graph: a weight is nan or inf, want finite ones: who has no neighbours has no edges")
        self.matrix, self.shape = matrix, matrix.shape
        self.start, self.columns = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
        self._weights = {}

    def __len__(self):
        return len(self.columns)

    def weight(self, dtype):
        """(n,) the edges' weights, read-only."""
        if dtype not in self._weights:
            self._weights[dtype] = self.matrix.data.astype(dtype)
            self._weights[dtype].flags.writeable = False
        return self._weights[dtype]

    @functools.cached_property
    def degree(self):
        return np.diff(self.start)

    @functools.cached_property
    def rows(self):
        return row_of(self.start)

    @functools.cached_property
    def order(self):
        return np.lexsort((self.rows, self.columns))

    @functools.cached_property
    def T(self):
        return Graph(self.matrix.T)

    def edges_of(self, nodes):
        """(start (Q + 1,), edges): the edge numbers of each of these rows."""
        return places(self.start, nodes)

    def __repr__(self):
        alone = np.sum(self.degree == 0)
        return (f"Graph of {len(self):,} edges, {self.shape[0]:,} x {self.shape[1]:,} nodes, {alone:,} of them without "
                "neighbours")


def bipartite(users, items, n_users, n_items):
    """The graph of who likes what, both ways: a_ui = a_iu = 1 / sqrt(n_u n_i)   (He et al. 2020, equation 3)

    users, items (n,): the pairs; a pair counts once. Nodes 0 .. U - 1 are users, U .. U + I - 1 items; n_u items of
    user u, n_i users of item i. Nodes without neighbours have no edges: propagation gives them 0.

    >>> bipartite([0, 0, 1], [0, 1, 1], n_users=3, n_items=2).matrix.toarray()[:3, 3:].round(2).tolist()
    [[0.71, 0.5], [0.0, 0.71], [0.0, 0.0]]
    """
    import scipy.sparse

    users, items = ops.indexing.checked_ids(users, n_users, "bipartite: users"), ops.indexing.checked_ids(
        items, n_items, "bipartite: items")
    if users.shape != items.shape or users.ndim != 1:
        raise ValueError(f"bipartite: got users {users.shape} and items {items.shape}, want two lists (n,) of pairs")
    if len(users) == 0:
        raise ValueError("bipartite: got no pair of a user and an item, want at least one; did a filter leave nothing?")
    pair = np.unique(users * n_items + items)
    users, items = pair // n_items, pair % n_items
    weight = 1 / np.sqrt(np.bincount(users, minlength=n_users)[users] * np.bincount(items, minlength=n_items)[items])
    rows, columns = np.append(users, n_users + items), np.append(n_users + items, users)
    return Graph(scipy.sparse.csr_array((np.tile(weight, 2), (rows, columns)), (n_users + n_items,) * 2))


# ---------------------------------------------------------------- sums over neighbours
def propagate(x, graph):
    """y_i = sum_j a_ij x_j:   x (C, D) -> y (R, D). Rows without neighbours are 0."""
    _check_nodes("propagate", x, graph)
    return _propagate(x, graph=graph)


def attend(alpha, x, graph):
    """y_i = sum_n alpha_n x_j   over the edges n = (i, j) of row i:   alpha (n,), x (C, D) -> y (R, D)"""
    _check_nodes("attend", x, graph)
    _check_edges("attend", alpha, len(graph))
    return _attend(alpha, x, graph=graph)


def segment_softmax(e, start):
    """y_n = exp(e_n) / sum_m exp(e_m)   over the m of n's segment start[i] .. start[i + 1] - 1:   (n,) -> (n,)

    Each segment that is not empty sums to 1.
    """
    start = np.asarray(start, np.int64)
    if start.ndim != 1 or len(start) < 1 or start[0] != 0 or (np.diff(start) < 0).any():
        raise ValueError(f"segment_softmax: got start of shape {start.shape}, want (R + 1,) numbers that rise from 0")
    _check_edges("segment_softmax", e, start[-1])
    return _segment_softmax(e, start=start)


def _check_nodes(name, x, graph):
    if x.ndim != 2 or len(x) != graph.shape[1]:
        raise ValueError(f"{name}: got x of shape {x.shape}, want ({graph.shape[1]}, D): a row for each column of the graph")
    _check_floats(name, x)


def _check_edges(name, values, n):
    if values.shape != (n,):
        raise ValueError(f"{name}: got {values.shape} numbers for {n} edges, want one for each")
    _check_floats(name, values)


def _check_floats(name, values):
    if values.dtype.kind != "f":
        raise TypeError(f"{name}: got numbers of {values.dtype}, want floating ones, as float32: call .astype(np.float32)")


@op(linear=True)
def _propagate(x, graph=None):
    """y = A x;   dx = A' dy"""
    def compute(x):
        return kernels.neighbour_sum(graph.start, graph.columns, graph.weight(x.dtype), x)

    return value_of(lambda x: _propagate(x, graph=graph), compute, x), lambda dy: _propagate(dy, graph=graph.T)


@op
def _attend(alpha, x, graph=None):
    """y = A x with alpha for A's entries;   dalpha_n = <dy_i, x_j>,   dx = A' dy"""
    def again(alpha, x):
        return _attend(alpha, x, graph=graph)

    return (value_of(again, lambda alpha, x: kernels.neighbour_sum(graph.start, graph.columns, alpha, x), alpha, x),
            lambda dy: sampled_matmul(dy, x, graph.rows, graph.columns),
            lambda dy: _attend(alpha[graph.order], dy, graph=graph.T))


@op
def _segment_softmax(e, start=None):
    """y = softmax of e in each segment;   de_n = y_n (dy_n - sum_m y_m dy_m)"""
    y = value_of(lambda e: _segment_softmax(e, start=start), lambda e: kernels.segment_softmax(e, start), e)

    def de(dy):
        if isinstance(y, Tensor) or isinstance(dy, Tensor):  # the formula, whose gradients are known
            row = row_of(start)
            return y * (dy - ops.scatter(y * dy, index=row, shape=(len(start) - 1,))[row])
        return kernels.segment_softmax_gradient(y, dy, start)

    return y, de


# ---------------------------------------------------------------- large graphs: a part at a time
def neighbourhood(graph, nodes, layers, neighbours=None, rng=None):
    """(nodes (M,), Graph (M, M)): what the values of these nodes after so many propagations depend on.

    nodes: different numbers of a square graph; they come first in what is returned. With neighbours=None, propagating
    `layers` times in the small graph gives these nodes the very values of the whole. With a number n, each node takes
    in n of its d neighbours, drawn without return, with d / n times their weight, so the sum is right on average
    (Hamilton et al. 2017).
    """
    import scipy.sparse

    nodes = ops.indexing.checked_ids(nodes, graph.shape[0], "neighbourhood")
    if graph.shape[0] != graph.shape[1]:
        raise ValueError(f"neighbourhood: got a graph of {graph.shape[0]} x {graph.shape[1]} nodes, want a square one")
    if neighbours is not None and neighbours < 1:
        raise ValueError(f"neighbourhood: got neighbours={neighbours!r}, want a number of at least 1, or None for all")
    place = np.full(graph.shape[0], -1)
    place[nodes] = np.arange(len(nodes))
    if (place[nodes] != np.arange(len(nodes))).any():
        raise ValueError("neighbourhood: a node is named twice, want each once: np.unique makes them so")
    weight, rng = graph.weight(graph.matrix.dtype), generator(rng)
    parts, found, frontier = [], [nodes], nodes
    for _ in range(layers):
        start, edges = graph.edges_of(frontier)
        row = row_of(start)
        scale = np.ones(len(edges))
        if neighbours is not None:
            order = np.lexsort((rng.random(len(edges)), row))
            kept = np.sort(order[np.arange(len(edges)) - start[row] < neighbours])
            edges, row, degree = edges[kept], row[kept], np.diff(start)[row[kept]]
            scale = degree / np.minimum(degree, neighbours)
        parts.append((frontier[row], graph.columns[edges], weight[edges] * scale))
        new = np.unique(graph.columns[edges])
        frontier = new[place[new] < 0]
        place[frontier] = sum(map(len, found)) + np.arange(len(frontier))
        found.append(frontier)
    found = np.concatenate(found)
    rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True)) if parts else np.zeros((3, 0), int)
    entries = values.astype(graph.matrix.dtype), (place[rows], place[columns])
    return found, Graph(scipy.sparse.csr_array(entries, (len(found),) * 2))
