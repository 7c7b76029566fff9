"""Each kernel's three forms agree: the NumPy reference, the loops run as plain Python, the loops compiled.

CASES maps a kernel's name to a function (rng, dtype, n) -> arguments, for a size n from nothing to some dozens. A new
kernel of tinydl or recmodels needs one entry here; a test says so when it is missing.
"""

import importlib
import importlib.util
import os
import pkgutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from tinydl import kernels
from tinydl.kernels.registry import Kernel, cache_folder, numba_enabled, registry, use_numba

machinery = sys.modules["tinydl.kernels.registry"]  # the package offers its dict under the module's name

for _package in ("tinydl.kernels", "recmodels.kernels"):  # every file of them, so that every kernel is in the registry
    if importlib.util.find_spec(_package.split(".")[0]) and importlib.util.find_spec(_package):
        for _module in pkgutil.iter_modules(importlib.import_module(_package).__path__):
            importlib.import_module(f"{_package}.{_module.name}")

SIZES = [0, 1, 7, 33]
V, D, L = 11, 3, 4  # rows of a table, numbers a row, ids a bag


def normal(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def positive(rng, dtype, *shape):
    return rng.random(shape).astype(dtype)


def repeated(rng, *shape):
    return rng.integers(0, V, shape)


def rows_once(rng, n):
    return rng.permutation(V)[:n]


def vectors(count, state, scalars):
    """`count` vectors, then vectors of non-negative state, then scalars: the arguments of a dense update."""
    return lambda rng, dtype, n: (*(normal(rng, dtype, n) for _ in range(count)),
                                  *(positive(rng, dtype, n) for _ in range(state)), *scalars)


def tables(signed, state, scalars):
    """The same for a table of which n rows, each once, have a gradient."""
    def make(rng, dtype, n):
        rows = rows_once(rng, n)
        return (normal(rng, dtype, V, D), rows, normal(rng, dtype, len(rows), D),
                *(normal(rng, dtype, V, D) for _ in range(signed)),
                *(positive(rng, dtype, V, D) for _ in range(state)), *scalars)
    return make


def bags(*parts):
    """(B, L) ids and what belongs to them, named by their shapes."""
    make = {"table": lambda rng, dtype, n: normal(rng, dtype, V, D), "index": lambda rng, dtype, n: repeated(rng, n, L),
            "weights": lambda rng, dtype, n: normal(rng, dtype, n, L) * (rng.random((n, L)) < 0.8).astype(dtype),
            "dy": lambda rng, dtype, n: normal(rng, dtype, n, D)}
    return lambda rng, dtype, n: tuple(make[part](rng, dtype, n) if part in make else part for part in parts)


def some(rng, dtype, *shape):
    """Values of which a fifth are 0."""
    return normal(rng, dtype, *shape) * (rng.random(shape) < 0.8).astype(dtype)


def interactions(T, S, power, N=2, contexts=None, gradient=None, columns=(0, None)):
    """Contexts, a table, candidates with ids and values, some 0: of fm_interactions, or of its gradient. columns: which."""
    def make(rng, dtype, n):
        index, low, high = rng.integers(0, V, (n, N, L)), columns[0], columns[1] or D
        C, table = normal(rng, dtype, n if contexts is None else contexts, T, D), normal(rng, dtype, V, D)
        third = dtype(0.3)  # sums of cubes that cancel are of the size of 1, where rounding is the tolerance's
        C, table, x, y = third * C, third * table, some(rng, dtype, n, N, L), normal(rng, dtype, n, N, S, D)
        if gradient is None:
            return C, table, index, x, power, low, high, y
        rows, place = registry["rows_read"].reference(index.reshape(n * N, L), x.reshape(n * N, L), V)
        return (C, table, index, x, place.reshape(index.shape), y, power, low, high, np.zeros((len(rows), D), dtype),
                np.zeros(index.shape if gradient else (0, N, L), dtype), np.zeros(C.shape, dtype))
    return make


def neural_fm_pairs(what, triples=True, numbers=0, each=True, shortcut=True, p=0.0, wanted=True):
    """n contexts with 40 candidates each, pairs from the third on: of one of the kernels of Neural FM."""
    k, H, N = 3, 4, 40
    W = 1 + k * (2 if triples else 1)

    def make(rng, dtype, n):
        half = dtype(0.5)
        C, K, R, x = (half * normal(rng, dtype, *shape) for shape in ((n, W), (V, W), (W, numbers), (n * N, numbers)))
        W_4, b_4, w_5, b_5 = (half * normal(rng, dtype, *shape) for shape in ((H, W), (H,), (H,), (1,)))
        of, low, high = rng.integers(0, V, (n if each else 1, N)), min(3, n), n
        first, m = min(3, n * N), max(n * N - 3, 0)
        h, g, y, dy = (half * normal(rng, dtype, *shape) for shape in ((m, W), (m if wanted else 0, W), (n * N,), (n * N,)))
        a, h_5, da = (rng.uniform(-1, 1, shape).astype(dtype) for shape in ((m, H), (n * N if wanted else 0, H), (m, H)))
        if what == "layer":
            return C, K, of, first, k, numbers > 0, p, 12345, h, g, y[first:].copy()
        if what == "scores":
            return a, b_4, w_5, b_5, y[first:].copy()
        if what == "scores gradient":
            return a, w_5, dy[first:].copy(), da, b_4, w_5.copy()
        if what == "layer gradient":
            return h, g, dy[first:].copy(), shortcut, first, N, C
        if what == "candidates":
            return normal(rng, dtype, n * N, W), of, 1, W - 1, K
        if what == "all":
            return C, K, of, W_4, b_4, w_5, b_5, R, x, k, shortcut, p, 12345, first, n * N, y, h_5
        of_layers = (np.zeros(a.shape, dtype) for a in (W_4, b_4, w_5, R))
        return (C, K, of, W_4, w_5, R, x, k, shortcut, p, 12345, low, high, rng.uniform(-1, 1, (n * N, H)).astype(dtype),
                dtype(0.05) * dy,  # sums of a thousand pairs are of the size of 1, too
                                np.zeros((n * N, W), dtype), np.zeros((n, W), dtype), *of_layers,
                np.zeros((n * N if wanted else 0, numbers), dtype))
    return make


def masked(rng, dtype, n, S):
    """n rows of S scores of which a third may not be seen; every fifth row sees nothing."""
    s = normal(rng, dtype, n, S)
    s[rng.random((n, S)) < 0.3] = s[::5] = -np.inf
    return s


def attention(gradient, together, H, bias, causal, p, rows, more):
    """Two sequences of n and n // 3 queries, or none, and their keys, `more` than queries, in one array or in three.

    bias: which of (B, H, L) it has for itself; None: there is none. gradient: what is behind `attend_gradient`, too.
    """
    E, F = 3, 3 if together else 2

    def make(rng, dtype, n):
        def part(count, parts, width):
            return dtype(0.5) * normal(rng, dtype, count, parts, H, width)

        queries, keys = np.array([n, n // 3]), np.maximum(np.array([n, n // 3]) + more, 0)
        q_start, k_start, (L, S) = np.append(0, np.cumsum(queries)), np.append(0, np.cumsum(keys)), (n, keys[0])
        parts = 3 if together else 1
        q = part(q_start[-1], parts, E)
        k, v = (q, q) if together else (part(k_start[-1], 1, E), part(k_start[-1], 1, F))
        mask = np.zeros((1, 1, 1, 0), dtype)
        if bias is not None:
            mask = normal(rng, dtype, *(size if own else 1 for size, own in zip((2, H, L), bias, strict=True)), S)
        pieces = 1 if gradient else -(-L // rows)
        given = (q, k, v, int(together), q_start, k_start, L, S, mask, causal, 0.7, p, 12345, rows, pieces, 2 * H * pieces,
                 part(len(q), 1, F), 4 + positive(rng, dtype, len(q), H))
        return (*given, part(len(q), 1, F), *map(np.ones_like, (q, k, v)), mask + 1) if gradient else given
    return make


HEADS = [(True, 2, None, True, 0.0, 16, 0), (True, 2, (0, 0, 1), False, 0.4, 4, 0),
         (False, 2, (1, 1, 1), False, 0.0, 5, 130), (False, 2, (1, 1, 0), True, 0.0, 5, 2),
         (False, 1, (1, 0, 1), True, 0.3, 40, 3), (False, 3, None, False, 0.4, 3, -7)]


def visits(weight, decay):
    """n queries of 5 users, two of them without visits; times tie, and some visits are later than the query."""
    def make(rng, dtype, n):
        user, start = rng.integers(0, 5, n), np.array([0, 0, 9, 13, 13, 20])
        time = np.concatenate([np.sort(rng.integers(0, 30, size)) for size in np.diff(start)])
        return (user, rng.integers(0, 3, n), rng.integers(0, 40, n), start, rng.integers(0, 6, 20), rng.integers(0, 3, 20),
                time, weight, decay, 6)
    return make


def pasts(decays, units):
    """The same users' events in 6 groups, and 4 candidates of each query."""
    def make(rng, dtype, n):
        user, weekend, asof, start, group, event_weekend, time = visits(0.0, 0.0)(rng, dtype, n)[:7]
        return (user, asof * 43200, rng.integers(0, 96, n), weekend % 2, start, group, time * 43200, rng.integers(0, 96, 20),
                event_weekend % 2, rng.random(96), np.array(decays), np.array(units), rng.integers(0, 6, (n, 4)), 6)
    return make


def pairs(gradient):
    """n pairs of a row of V and a row of 5, repeated ones among them."""
    return lambda rng, dtype, n: (normal(rng, dtype, V, D), normal(rng, dtype, 5, D), repeated(rng, n),
                                  rng.integers(0, 5, n), *([normal(rng, dtype, n, D)] if gradient else []))


def ragged(rng, n, most):
    """n lists of different numbers below V, as (start, items)."""
    lists = [rng.permutation(V)[:rng.integers(0, most + 1)] for _ in range(n)]
    return np.append(0, np.cumsum([len(one) for one in lists])).astype(np.int64), np.concatenate([rows_once(rng, 0), *lists])


def few_scores(rng, dtype, n):
    """(n, V) of four different values, so that most of them tie."""
    return rng.integers(0, 4, (n, V)).astype(dtype)


def tied_items(by_hits, k):
    """Relevant items of n queries as (#greater, #equal, start), every kind of tie group, k discounts."""
    def make(rng, dtype, n):
        start, items = ragged(rng, n, 6)
        nothing = np.zeros(n + 1, np.int64), rows_once(rng, 0)
        return (*registry["rank_counts"].reference(few_scores(rng, dtype, n), start, items, *nothing), start,
                1 / np.log2(np.arange(2, k + 2)), by_hits)
    return make


def negatives(rng, dtype, n):
    """n rows, 6 draws each, of 5 users who know nothing, some, all but two items that no column holds, all, and all that
    has a weight."""
    known = [[], [1, 4, 5, 9], [*range(V - 2)], [*range(V)], [*range(1, V)]]
    start, items = np.append(0, np.cumsum([len(k) for k in known])), np.array([i for k in known for i in k])
    p, threshold = np.append(0.0, rng.random(V - 1)), rng.integers(0, 2**32, V)
    threshold[[0, -2, -1]] = 0
    return (rng.integers(0, 5, n), rng.integers(-1, V - 1, n), start, items, p / p.sum(), threshold,
            rng.integers(1, V - 2, V), *rng.integers(0, 2**32, 2).tolist(), 6)


def windows(forward, geometry):
    """n images (5, 4) of 4 channels and their rows, either way; geometry: (G, M, N, K, R), strides, start, dilations."""
    (G, *lengths), moves = geometry[:5], geometry[5:]

    def make(rng, dtype, n):
        x, rows = normal(rng, dtype, n, 5, 4, 4), normal(rng, dtype, G, n, *lengths, 4 // G)
        return (x, rows, *moves) if forward else (rows, x, *moves)
    return make


def one_channel(M, N, K, R, *moves):
    """n images (5, 4) of one channel and their columns."""
    return lambda rng, dtype, n: (normal(rng, dtype, n, 5, 4), normal(rng, dtype, K, R, n, M, N), *moves)


WINDOWS = [(1, 5, 4, 3, 3, 1, 1, 1, 1, 1, 1), (2, 2, 2, 2, 3, 2, 1, 0, 0, 1, 1), (4, 3, 1, 1, 2, 2, 3, 0, 1, 1, 4),
           (1, 3, 6, 3, 2, 1, 1, 0, 2, 1, 3)]


def few_values(rng, dtype, n):
    """n images (5, 4) of 3 channels whose largest numbers often tie; a nan now and then."""
    x = rng.integers(0, 4, (n, 5, 4, 3)).astype(dtype)
    x[rng.random(x.shape) < 0.01] = np.nan
    return x


def pooled(M, N, *steps):
    """Such images, and what their largest numbers and the places of these overwrite."""
    return lambda rng, dtype, n: (few_values(rng, dtype, n), normal(rng, dtype, n, M, N, 3),
                                  np.full((n, M, N, 3), 7, np.int32), *steps)


def tiled(kernel, R, S, *places, least=-np.inf):
    """n images (5, 4), or results of a size, of 3 channels and their R x S tiles, either of which is overwritten."""
    def make(rng, dtype, n):
        third = dtype(0.3)  # nine numbers are added: their rounding is the tolerance's
        tiles = third * normal(rng, dtype, 4, 4, n, R, S, 3)
        if kernel == "image_tiles":
            return third * normal(rng, dtype, n, 5, 4, 3), tiles, *places
        y = third * normal(rng, dtype, n, *places, 3)
        return (y, tiles) if kernel == "result_tiles" else (tiles, normal(rng, dtype, 3), least, y)
    return make


def means(size, *bounds):
    """A map of images (5, 4), or back from their windows' means: which rows and columns each window covers, its scale."""
    up, down, left, right = (np.array(b) for b in bounds)
    return lambda rng, dtype, n: (
        normal(rng, dtype, n, *((5, 4) if size is None else (len(up), len(left))), 3), up, down, left, right,
        positive(rng, dtype, len(up), len(left)), *(size or ()))


BOUNDS = [([0, 1, 3], [2, 5, 3], [0, 2], [4, 4]), ([0], [5], [0], [4])]
def gates(*parts):
    """n sequences at the gates of H = 5 hidden units: (n, k H) of numbers in (-1, 1) for each k, or a vector (H,)."""
    return lambda rng, dtype, n: tuple(rng.uniform(-1, 1, (n, 5 * k) if k else 5).astype(dtype) for k in parts)


ADAM = (0.01, 1.7, 0.9, 0.99, 1e-8)
def segments(rng, n, count=6):
    """(count + 1,) where each of some segments of n numbers starts; some are empty."""
    return np.concatenate([[0], np.sort(rng.integers(0, n + 1, count - 1)), [n]])


CASES = {
    "first_outside": [lambda rng, dtype, n: (repeated(rng, n), V - n % 2), lambda rng, dtype, n: (repeated(rng, n) - 1, V)],
    "gather": lambda rng, dtype, n: (normal(rng, dtype, V, D), repeated(rng, n)),
    "scatter_add": lambda rng, dtype, n: (repeated(rng, n), normal(rng, dtype, n, D), V),
    "coalesce": [lambda rng, dtype, n: (repeated(rng, n), normal(rng, dtype, n, D), V),
                 lambda rng, dtype, n: ((rows := rows_once(rng, n)), normal(rng, dtype, len(rows), D), V)],
    "embedding_bag": bags("table", "index", "weights"),
    "embedding_bag_weight_gradient": bags("table", "index", "dy"),
    "embedding_bag_gradient": [bags("index", "weights", "dy", V, -1), bags("index", "weights", "dy", V, 4)],
    "add_rows": lambda rng, dtype, n: (normal(rng, dtype, n, D), normal(rng, dtype, D)),
    "relu": vectors(1, 0, ()),
    "tanh_rows": [lambda rng, dtype, n, s=scale: (s * normal(rng, dtype, n, D),) for scale in (1, 5, 1000)],
    "tanh_gradient": vectors(2, 0, ()),
    "relu_gradient": vectors(2, 0, ()),
    "add_rows_relu": lambda rng, dtype, n: (normal(rng, dtype, n, D), normal(rng, dtype, D)),
    "relu_rows_gradient": lambda rng, dtype, n: (normal(rng, dtype, 9 * n, D), normal(rng, dtype, 9 * n, D)),
    "join_relu": lambda rng, dtype, n: (normal(rng, dtype, n, D + 4), normal(rng, dtype, n, D), 3),
    "join_dropout": lambda rng, dtype, n: (normal(rng, dtype, n, D + 4), normal(rng, dtype, n, D), 3, 0.3, 12345),
    "part_dropout_gradient": lambda rng, dtype, n: (normal(rng, dtype, n, D + 4), 3, D, 0.3, 12345),
    "part_relu_gradient": lambda rng, dtype, n: (normal(rng, dtype, n, D + 4), normal(rng, dtype, n, D + 4), 3, D),
    "distinct": lambda rng, dtype, n: (repeated(rng, n), V),
    "pair_product": pairs(False),
    "pair_product_gradient": pairs(True),
    "sparse_matmul": lambda rng, dtype, n: (normal(rng, dtype, n), normal(rng, dtype, V, D), repeated(rng, n),
                                            repeated(rng, n), V),
    "sampled_matmul": lambda rng, dtype, n: (normal(rng, dtype, 5, D), normal(rng, dtype, V, D), rng.integers(0, 5, n),
                                             repeated(rng, n)),
    "neighbour_sum": lambda rng, dtype, n: (segments(rng, n, 6 + n // 4), repeated(rng, n), normal(rng, dtype, n),
                                            normal(rng, dtype, V, D)),
    "segment_softmax": lambda rng, dtype, n: (normal(rng, dtype, n), segments(rng, n)),
    "segment_softmax_gradient": lambda rng, dtype, n: (normal(rng, dtype, n), normal(rng, dtype, n), segments(rng, n)),
    "cross_codes": lambda rng, dtype, n: (rng.integers(0, 7, (n, 3)), rng.integers(0, 5, (n, 4)), 9, 5),
    "rows_read": lambda rng, dtype, n: (rng.integers(0, V, (n, L)), some(rng, dtype, n, L), V),
    "fm_interactions": [interactions(3, 1, 1), interactions(3, 3, 1, contexts=1), interactions(1, 1, 3),
                        interactions(2, 1, 1, columns=(1, 2)), interactions(1, 1, 2)],
    "fm_interactions_gradient": [
        interactions(3, 1, 1, gradient=True), interactions(3, 3, 1, contexts=1, gradient=False),
        interactions(1, 1, 3, contexts=1, gradient=True), interactions(2, 1, 1, N=1, gradient=True),
        interactions(2, 1, 1, gradient=False, columns=(1, 2)), interactions(1, 1, 2, gradient=False, columns=(1, 2))],
    "sum_rows": lambda rng, dtype, n: (
        normal(rng, dtype, V, D), rng.integers(0, V, (n, L)), some(rng, dtype, n, L), normal(rng, dtype, n, D + 4), 3),
    "add_to_rows": lambda rng, dtype, n: (
        rng.integers(-1, 5, (n, L)), normal(rng, dtype, n, L), normal(rng, dtype, n, D + 4), 3, normal(rng, dtype, 5, D)),
    "distinct_candidates": [
        lambda rng, dtype, n: (rng.integers(0, 3, (n, 2)), rng.integers(0, 2, (n, 2)).astype(dtype), 3),
        lambda rng, dtype, n: (np.zeros((n, 0), np.int64), np.zeros((n, 0), dtype), 0)],
    "pair_layer": [neural_fm_pairs("layer"), neural_fm_pairs("layer", numbers=2, triples=False, wanted=False),
                   neural_fm_pairs("layer", each=False, p=0.3)],
    "pair_scores": neural_fm_pairs("scores"),
    "pair_scores_gradient": neural_fm_pairs("scores gradient"),
    "pair_layer_gradient": [neural_fm_pairs("layer gradient"), neural_fm_pairs("layer gradient", shortcut=False)],
    "add_pairs": [neural_fm_pairs("candidates"), neural_fm_pairs("candidates", each=False)],
    "neural_fm": [neural_fm_pairs("all"), neural_fm_pairs("all", numbers=2, wanted=False, shortcut=False),
                  neural_fm_pairs("all", triples=False, each=False, p=0.3)],
    "neural_fm_gradient": [neural_fm_pairs("gradient"), neural_fm_pairs("gradient", numbers=2, shortcut=False),
                           neural_fm_pairs("gradient", numbers=2, wanted=False, triples=False, each=False, p=0.3)],
    "fm_catalogue": [lambda rng, dtype, n, T=T, p=p: (normal(rng, dtype, n, T, D), normal(rng, dtype, 5, T, D), p)
                     for T, p in ((3, 1), (2, 1), (1, 2), (1, 3))],
    "visit_counts": [visits(0.0, np.inf), visits(6.0, 20.0)],
    "past_sums": [pasts([np.inf], [0.1]), pasts([0.1, 5.0, np.inf], [1.0, 0.01])],
    "draw_negatives": negatives,
    "first_bad": [lambda rng, dtype, n: (*ragged(rng, n, 5), V - n % 2),
                  lambda rng, dtype, n: (np.array([0, n // 3, n]), repeated(rng, n), V)],
    "rank_counts": lambda rng, dtype, n: (few_scores(rng, dtype, n), *ragged(rng, n, 5), *ragged(rng, n, 3)),
    "top_k": [lambda rng, dtype, n, k=k: (few_scores(rng, dtype, n), k, *ragged(rng, n, 3)) for k in (1, 4, 11)],
    "list_places": lambda rng, dtype, n: (few_scores(rng, np.int64, n)[:, :n % 5], *ragged(rng, n, 5)),
    "expected_metrics": [tied_items(by_hits, k) for by_hits in (False, True) for k in (1, 5, 20)],
    "dropout": [vectors(1, 0, (0.3, 12345)), vectors(1, 0, (0.999, 2**32 - 1)),
                lambda rng, dtype, n: (normal(rng, dtype, 40 * n), 0.3, 12345)],  # more than are dropped at a time
    "bernoulli": vectors(0, 1, (12345, 2**32 - 1)),
    "lstm_step": gates(4, 4, 1, 1, 1),
    "lstm_gradient": gates(4, 1, 1, 1, 1, 1, 4),
    "gru_step": gates(3, 3, 0, 1, 1, 1),
    "gru_gradient": gates(3, 1, 1, 1, 1, 3, 3),
    "exp_rows": [lambda rng, dtype, n: (-50 * positive(rng, dtype, n, D),),
                 lambda rng, dtype, n: (masked(rng, dtype, n, 5),)],
    "drop_from": vectors(1, 0, (2**33 + 5, 0.3, 12345)),
    "add_row": [vectors(2, 0, (0.7, 1.3)),
                lambda rng, dtype, n: (np.full(n, np.nan, dtype), normal(rng, dtype, n), 0.0, 1.3)],
    "scores": [lambda rng, dtype, n, E=E, bias=bias, causal=causal: (
        normal(rng, dtype, n, E), normal(rng, dtype, 9, E), normal(rng, dtype, *bias), causal, 4, 6, np.zeros((n, 9), dtype))
        for E, bias, causal in ((3, (1, 0), True), (0, (1, 0), False), (3, (37, 15), False), (2, (1, 15), True))],
    "shift_rows": [lambda rng, dtype, n, S=S: (masked(rng, dtype, n, S), masked(rng, dtype, n, 1)[:, 0])
                   for S in (0, 1, 7, 8, 21)],
    "attend": [attention(False, *case) for case in HEADS],
    "attend_gradient": [attention(True, *case) for case in HEADS],
    "catalogue_loss": [lambda rng, dtype, n, smoothing=smoothing, wanted=wanted: (
        normal(rng, dtype, n, 13), normal(rng, dtype, 13), normal(rng, dtype, 2),
        np.column_stack([rng.integers(0, 13, n), rng.integers(-1, 13, (n, 2))]), smoothing, 2 * n + 1, wanted,
        normal(rng, dtype, 13), normal(rng, dtype, 2)) for smoothing, wanted in ((0.0, True), (0.3, True), (0.3, False))],
    "sgd": [vectors(3, 0, (0.1, 0.0, 1.0, False, 0.01)), vectors(3, 0, (0.1, 0.9, 0.7, False, 0.01)),
            vectors(3, 0, (0.1, 0.9, 0.7, True, 0.01))],
    "sgd_rows": tables(0, 0, (0.1,)),
    "adagrad": vectors(2, 1, (0.1, 1e-8, 0.01)),
    "adagrad_rows": tables(0, 1, (0.1, 1e-8)),
    "rmsprop": [vectors(2, 2, (0.01, 0.9, 1e-8, momentum, 0.01)) for momentum in (0.0, 0.9)],
    "adam": vectors(3, 1, (*ADAM, 0.01, 0.99)),
    "adam_table": tables(1, 1, (*ADAM, 0.01, 0.99)),
    "adam_rows": tables(1, 1, ADAM),
    "channel_moments": lambda rng, dtype, n: (normal(rng, dtype, 9 * n + 1, D) + dtype(2),),
    "channel_sums": lambda rng, dtype, n: (positive(rng, dtype, 9 * n, D), positive(rng, dtype, 9 * n, D),
                                           -positive(rng, dtype, D)),
    "channel_map": lambda rng, dtype, n: (normal(rng, dtype, 9 * n, D), normal(rng, dtype, 9 * n, D),
                                          *(normal(rng, dtype, D) for _ in range(4))),
    "im2row": [windows(True, geometry) for geometry in WINDOWS],
    "im2col": [one_channel(*geometry) for geometry in ((5, 4, 3, 3, 1, 1, 1, 1, 1, 1), (2, 3, 2, 3, 2, 2, 0, 1, 1, 1),
                                                       (3, 9, 1, 2, 2, 1, 0, 3, 1, 2), (3, 2, 2, 1, 1, 3, 1, 1, 2, 1))],
    "row2im": [windows(False, geometry) for geometry in WINDOWS],
    "image_tiles": [tiled("image_tiles", *places) for places in ((3, 2, 1, 1), (2, 1, 0, 0), (2, 2, -2, 1), (4, 3, 3, -1))],
    "tile_results": [tiled("tile_results", 2, 3, *size, least=least) for size in ((4, 6), (3, 5), (4, 5), (3, 6))
                     for least in (-np.inf, 0.0)],
    "result_tiles": [tiled("result_tiles", 2, 3, *size) for size in ((4, 6), (3, 5), (4, 5), (3, 6))],
    "max_places": [pooled(*geometry) for geometry in ((2, 2, 2, 2, 2, 2, 0, 0, 1, 1), (3, 3, 2, 2, 2, 2, 0, 1, 1, 1),
                                                      (3, 4, 3, 3, 2, 1, 1, 1, 1, 1), (1, 3, 1, 2, 1, 1, 0, 1, 1, 2))],
    "pick_places": lambda rng, dtype, n: (normal(rng, dtype, n, 20, 3), rng.integers(0, 20, (n, 6, 3), np.int32)),
    "put_places": lambda rng, dtype, n: (normal(rng, dtype, n, 6, 3), rng.integers(0, 20, (n, 6, 3), np.int32),
                                           normal(rng, dtype, n, 20, 3)),
    "window_means": [means(None, *bounds) for bounds in BOUNDS],
    "spread_means": [means((5, 4), *bounds) for bounds in BOUNDS],
}
ALL = [pytest.param(name, make, id=f"{name}-{k}") for name, makes in CASES.items()
       for k, make in enumerate(makes if isinstance(makes, list) else [makes])]


def own(args):
    return [x.copy() if isinstance(x, np.ndarray) else x for x in args]


def outcome(run, args):
    """What a form of a kernel gives: its results, then its array arguments, which it may have changed."""
    args = own(args)
    results = run(*args)
    results = results if isinstance(results, tuple) else (results,)
    return [x for x in (*results, *args) if x is not None]


def assert_same(one, other, dtype, exactly=False):
    tolerance = 0 if exactly else 3e-6 if dtype == np.float32 else 1e-13
    assert len(one) == len(other)
    for x, y in zip(one, other, strict=True):
        assert np.shape(x) == np.shape(y)
        assert not isinstance(x, np.ndarray) or x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def test_every_kernel_has_a_case():
    assert set(registry) == set(CASES), "give CASES an entry for each registered kernel, and none else"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, make", ALL)
def test_reference_plain_loops_and_compiled_loops_agree(name, make, dtype):
    for n in SIZES:
        args = make(np.random.default_rng(n), dtype, n)
        reference = outcome(registry[name].reference, args)
        assert_same(outcome(registry[name].loops, args), reference, dtype)
        if numba_enabled():
            assert_same(outcome(registry[name].compiled, args), reference, dtype)


@pytest.mark.skipif(not numba_enabled(), reason="TINYDL_NUMBA=0: nothing runs compiled")
@pytest.mark.parametrize("name", [name for name in registry if registry[name].parallel])
def test_a_parallel_kernel_gives_the_same_bits_with_one_and_two_threads(name, monkeypatch):
    import numba
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one core")
    # The loops share the cores on large inputs only: these are.
    few, updates = kernels.updates.FEW, name.startswith("adam")
    n = few + 3 if name == "adam" else few // 64 + 100 if updates else 2500
    monkeypatch.setitem(globals(), "V", 2 * few // 64 + 1 if updates else 3001)
    monkeypatch.setitem(globals(), "D", 64)
    before = numba.get_num_threads()
    try:
        for k, (_, make) in enumerate(p.values for p in ALL if p.values[0] == name):
            args = make(np.random.default_rng(k), np.float32, n)
            assert not updates or all(x.size > few for x in args[:3] if np.ndim(x) == args[0].ndim)
            with_threads = []
            for threads in (1, 2):
                numba.set_num_threads(threads)
                with_threads.append(outcome(registry[name].compiled, args))
            assert_same(*with_threads, np.float32, exactly=True)
            assert_same(with_threads[0], outcome(registry[name].reference, args), np.float32)
    finally:
        numba.set_num_threads(before)


# ------------------------------------------------------------------------------------------------ definitions
def each_way(run):
    """What run() gives on the references and, where kernels are compiled, compiled."""
    with use_numba(False):
        results = [run()]
    return [*results, run()]


def test_gather_and_scatter_add_are_their_definitions(rng):
    table, rows = normal(rng, np.float64, V, D), np.array([3, 0, 3, 10])
    values = normal(rng, np.float64, 4, D)
    for read in each_way(lambda: kernels.gather(table, rows)):
        assert all(read[n, d] == table[rows[n], d] for n in range(4) for d in range(D))
    for made in each_way(lambda: kernels.scatter_add(rows, values, V)):
        for v in range(V):
            np.testing.assert_allclose(made[v], sum((values[n] for n in range(4) if rows[n] == v), np.zeros(D)), rtol=1e-15)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-7), (np.float64, 1e-15)])
def test_the_exponential_keeps_its_digits_and_ends_in_zero(dtype, tolerance):
    x = np.append(np.linspace(-87.2, 20, 997), [0, -0.0]).astype(dtype)
    last = np.array([[-87.4, -1000, -np.inf, np.nan]], dtype)
    forms = [registry["exp_rows"].loops, *([registry["exp_rows"].compiled] if numba_enabled() else [])]
    for form in forms:
        y, end = x[None].copy(), last.copy()
        form(y)
        form(end)
        np.testing.assert_allclose(y[0].astype(float), np.exp(x.astype(float)), rtol=tolerance)
        assert end[0, 0] < 1.2e-38 and end[0, 1] == end[0, 2] == 0 and np.isnan(end[0, 3])
        assert dtype == np.float64 or end[0, 0] == 0


def test_gather_reads_tables_that_are_not_contiguous(rng):
    wide = normal(rng, np.float64, V, 2 * D)
    for read in each_way(lambda: kernels.gather(wide[:, ::2], np.array([2, 2]))):
        np.testing.assert_array_equal(read, wide[[2, 2], ::2])


def test_coalesce_keeps_the_order_of_first_appearance_and_adds_repeats():
    values = np.array([[1.0], [2.0], [4.0], [8.0], [16.0]])
    for rows, sums in each_way(lambda: kernels.coalesce(np.array([7, 2, 7, 0, 2]), values, 9)):
        assert rows.tolist() == [7, 2, 0]
        assert sums.tolist() == [[5.0], [18.0], [8.0]]


def test_a_bag_is_the_weighted_sum_of_its_rows(rng):
    table, index, weights = normal(rng, np.float64, V, D), np.array([[1, 1], [0, 5]]), np.array([[0.5, 2.0], [0.0, -1.0]])
    dy = normal(rng, np.float64, 2, D)
    for y in each_way(lambda: kernels.embedding_bag(table, index, weights)):
        np.testing.assert_allclose(y, [2.5 * table[1], -table[5]], rtol=1e-14)
    for ds in each_way(lambda: kernels.embedding_bag_weight_gradient(table, index, dy)):
        np.testing.assert_allclose(ds, [[table[1] @ dy[0]] * 2, [table[0] @ dy[1], table[5] @ dy[1]]], rtol=1e-13)
    for rows, sums in each_way(lambda: kernels.embedding_bag_gradient(index, weights, dy, V, 0)):
        assert rows.tolist() == [1, 5]
        np.testing.assert_allclose(sums, [2.5 * dy[0], -dy[1]], rtol=1e-14)


@pytest.mark.parametrize("rows, n", [([0, 3, 1], -1), ([0, 4, 9], 1), ([0, 1, -1], 2), ([], -1)])
def test_the_first_id_out_of_range_is_named(rows, n):
    rows = np.array(rows, np.int64)
    assert each_way(lambda: kernels.first_outside(rows, 4)) == [n, n]
    if n >= 0:
        with pytest.raises(IndexError, match=rf"^films: id {rows[n]} at position {n} is out of range, want 0 <= id < 4"):
            kernels.check_ids(rows, 4, "films")
    else:
        kernels.check_ids(rows, 4, "films")


def test_a_dropout_mask_has_the_right_share_of_zeros_and_keeps_the_mean():
    for p in (0.1, 0.5, 0.8):
        mask, other = (kernels.dropout(np.ones(100_000), p, seed) for seed in (7, 8))
        assert set(mask) == {0.0, 1 / (1 - p)}
        sigma = (p * (1 - p) / mask.size) ** 0.5
        assert abs(np.mean(mask == 0) - p) < 4 * sigma
        both = np.mean((mask == 0) & (other == 0))  # seeds are independent, and so are neighbours
        assert abs(both - p * p) < 4 * sigma
        assert abs(np.mean((mask[1:] == 0) & (mask[:-1] == 0)) - p * p) < 4 * sigma


# ------------------------------------------------------------------------------------------------ the registry
def told_apart():
    """A kernel whose forms can be told apart: the reference says 1, the loops 2."""
    def saying(x):
        return 2
    return Kernel(saying, lambda x: 1)


def test_use_numba_chooses_the_form_and_puts_it_back_after_an_exception():
    before, k = numba_enabled(), told_apart()
    k._compiled = k.loops
    with use_numba(True):
        assert k(1.0) == 2
        with pytest.raises(KeyError), use_numba(False):
            assert k(1.0) == 1
            raise KeyError
        assert k(1.0) == 2
    assert numba_enabled() == before


def test_use_numba_concerns_its_own_thread_only():
    seen = []
    with use_numba(not numba_enabled()):
        thread = threading.Thread(target=lambda: seen.append(numba_enabled()))
        thread.start()
        thread.join()
        assert seen == [not numba_enabled()]


def test_arguments_that_are_no_plain_arrays_get_the_reference():
    import tinydl
    k = told_apart()
    k._compiled = k.loops
    with use_numba(True):
        assert k(np.ones(2)) == k(np.float32(1)) == k(True) == k(None) == 2
        assert k(tinydl.ones(2)) == k([1.0]) == k(np.ma.ones(2)) == 1


def test_a_broken_numba_is_a_warning_and_the_reference(monkeypatch):
    k = told_apart()
    monkeypatch.setitem(machinery._state, "enabled", True)
    monkeypatch.setitem(sys.modules, "numba", None)  # importing it fails
    with pytest.warns(UserWarning, match="numba cannot be imported .* kernels run on NumPy"):
        assert k(1.0) == 1
    assert not machinery._state["enabled"]


def test_the_cache_folder_changes_with_every_kernel_source(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDL_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "kernels" / "one.py"
    source.parent.mkdir()
    source.write_text("a = 1")
    first = cache_folder(source)
    assert first.is_dir() and first.is_relative_to(tmp_path / "cache")
    (source.parent / "two.py").write_text("b = 1")
    machinery._fingerprint.cache_clear()
    assert cache_folder(source) != first
    assert machinery._fingerprint(source.parent) in cache_folder(source).name


def test_without_a_writable_place_there_is_no_cache_folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("TINYDL_CACHE", str(tmp_path / "file"))
    assert cache_folder(kernels.rows.__file__) is None


PROGRAM = """
import sys, numpy as np, tinydl
heavy = {"numba", "pandas", "scipy", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
print(tinydl.kernels.first_outside(np.array([0, 5]), 3), "numba" in sys.modules)
"""


def program(**environment):
    run = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True,
                         env={**os.environ, **environment})
    assert run.returncode == 0, run.stderr
    return run.stdout.strip(), run.stderr


def test_importing_tinydl_costs_numpy_only_and_numba_can_be_switched_off():
    assert program(TINYDL_NUMBA="0") == ("1 False", "")


@pytest.mark.skipif(not numba_enabled(), reason="TINYDL_NUMBA=0: nothing is compiled")
def test_the_first_compilation_is_announced_and_the_second_run_reads_it_from_the_cache(tmp_path):
    said, announced = program(TINYDL_NUMBA="1", TINYDL_CACHE=str(tmp_path))
    assert said == "1 True" and announced.startswith("tinydl: compiling its kernels") and announced.count("\n") == 1
    compiled = sorted(tmp_path.rglob("*.nb[ic]"))
    assert compiled
    assert program(TINYDL_NUMBA="1", TINYDL_CACHE=str(tmp_path)) == ("1 True", "")
    assert sorted(tmp_path.rglob("*.nb[ic]")) == compiled


@pytest.mark.skipif(not numba_enabled(), reason="TINYDL_NUMBA=0: nothing is compiled")
def test_without_a_writable_cache_kernels_compile_all_the_same(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    said, announced = program(TINYDL_NUMBA="1", TINYDL_CACHE=str(tmp_path / "file"))
    assert said == "1 True" and announced.startswith("tinydl: compiling")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_several_threads_may_call_the_same_kernels():
    """numba's simplest threading layer ends the process when it is entered twice: parallel kernels take turns."""
    rng = np.random.default_rng(0)
    args = [(normal(rng, np.float32, 200_000), normal(rng, np.float32, 200_000), normal(rng, np.float32, 200_000),
             positive(rng, np.float32, 200_000), *ADAM, 0.0, 1.0) for _ in range(4)]
    wanted = [outcome(kernels.adam, one) for one in args]
    results = [[] for _ in args]

    def work(k):
        for _ in range(5):
            results[k].append(outcome(kernels.adam, args[k]))
            results[k].append(outcome(kernels.gather, (args[k][0].reshape(-1, 4), np.arange(5))))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, found in enumerate(results):
        assert len(found) == 10
        for one in found[::2]:
            assert_same(one, wanted[k], np.float32, exactly=True)
        assert_same(found[1][:1], [args[k][0].reshape(-1, 4)[:5]], np.float32, exactly=True)
