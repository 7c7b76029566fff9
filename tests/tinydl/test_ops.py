"""Every primitive and every public function of tinydl.ops: its value, its first and second derivative, its dtype.

CASES maps a function's name to cases (call, inputs, expected): `inputs` are makers, `expected` the same value in plain
NumPy. A new function needs an entry here; the first tests say so when one is missing.
"""

import math

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, ops

from .test_attention import plain as attended
from .test_ops_convolution import as_rows, convolved, correlated, transposed
from .test_ops_pooling import adaptive, pooled


# Makers of inputs. All stay away from kinks and poles; random numbers are distinct, so maxima are too.
def signed(*shape):
    return lambda rng: rng.uniform(0.3, 1.7, shape) * rng.choice([-1.0, 1.0], shape)


def positive(*shape):
    return lambda rng: rng.uniform(0.4, 2.0, shape)


def probability(*shape):
    return lambda rng: rng.uniform(0.1, 0.9, shape)


SHAPES = [(), (1,), (5,), (2, 3), (3, 1, 2), (0,), (0, 3)]
PAIRS = [((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((4,), ()), ((), ()), ((0, 3), (1, 3)), ((1,), (0,))]
AXES = [((), None), ((4,), 0), ((2, 3), None), ((2, 3), 1), ((3, 2, 2), -2), ((2, 3, 2), (0, 2)), ((0, 3), 1),
        ((1, 1), None)]


def unary(call, expected, maker=signed):
    return [(call, [maker(*shape)], expected) for shape in SHAPES]


def mixed(i, seed):
    """MurmurHash3's finalizer of the i-th number of Weyl's sequence from `seed` on."""
    z = (i * 0x9E3779B9 + seed) % 2**32
    z = (z ^ z // 2**16) * 0x85EBCA6B % 2**32
    z = (z ^ z // 2**13) * 0xC2B2AE35 % 2**32
    return z ^ z // 2**16


def binary(call, expected, first=signed, second=signed):
    return [(call, [first(*one), second(*other)], expected) for one, other in PAIRS]


def along(call, expected, axes=AXES):
    """call and expected take (x, axis, keepdims)."""
    return [((lambda x, a=axis, k=keep: call(x, a, k)), [signed(*shape)], lambda x, a=axis, k=keep: expected(x, a, k))
            for shape, axis in axes for keep in (False, True)]


def optioned(call, expected, *settings):
    """call and expected take (x, *options); settings are (shape of x, *options)."""
    return [((lambda x, o=options: call(x, *o)), [signed(*shape)], lambda x, o=options: expected(x, *o))
            for shape, *options in settings]


def losses(call, expected, first, second):
    """A loss of two equal shapes under each reduction."""
    def case(how, name, shape):
        return lambda p, t: call(p, t, reduction=name), [first(*shape), second(*shape)], lambda p, t: how(expected(p, t))
    return [case(how, name, shape) for shape in ((), (4,), (3, 2), (0,))
            for name, how in WHOLE.items() if (name, shape) != ("mean", (0,))]


SEEN = np.array([[[True, True, False], [True, False, True]], [[True, True, True], [True, True, False]]])


def in_heads(x, parts, heads):
    """(B, L, parts heads D) -> parts of (B, heads, L, D), cut out column by column"""
    D = x.shape[2] // (parts * heads)
    return [np.stack([x[:, :, (part * heads + h) * D:(part * heads + h + 1) * D] for h in range(heads)], axis=1)
            for part in range(parts)]


def side_by_side(y):
    return np.concatenate(list(np.swapaxes(y, 0, 1)), axis=-1)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def soft(x, axis=-1):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def phi(x):
    return np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))), otypes=[float])(x)


def added(shape, index, y):
    x = np.zeros(shape, y.dtype)
    np.add.at(x, index, y)
    return x


INDICES = [((4, 3), 1), ((4, 3), (slice(None), -1)), ((5,), slice(4, 0, -2)), ((4, 3), [0, 0, 3]),
           ((4, 3), (np.array([[0, 1], [0, 0]]), np.array([2, 2]))), ((4, 3), (Ellipsis, None, 2)),
           ((3, 2), np.eye(3, 2) > 0), ((2, 3, 4), (slice(None), [0, 0, 2], slice(1, 3))),
           ((2, 3), np.zeros(0, int)), ((0, 3), slice(None)), ((), ())]
SOFT = [((4,), -1), ((2, 3), 0), ((2, 3), 1), ((2, 3, 2), -2), ((0, 3), 1), ((1,), 0)]
TOKENS = [np.array([2, 0, 2]), np.array([[1, 1], [3, 1]]), np.array(3), np.zeros((0, 2), np.int64)]
BAGS = np.array([[0, 2, 2], [4, 4, 4], [1, 4, 0]])
WHOLE = {"mean": np.mean, "sum": np.sum, "none": np.asarray}
CLASSES = np.array([2, 0, 2, 1])
PRODUCTS = [((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 2, 3), (2, 3, 1)), ((2, 3), (4, 3, 2)),
            ((2, 1, 2, 3), (4, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
            ((3,), (0, 3, 2)), ((0,), (0,))]
EINSUMS = [("ij,jk->ik", (2, 3), (3, 2)), ("ij->ji", (2, 3)), ("bi,oij,bj->bo", (3, 2), (2, 2, 4), (3, 4)),
           ("i,j->ji", (2,), (3,)), ("bij,bij->b", (2, 3, 2), (2, 3, 2)), ("ij,jk->ik", (0, 3), (3, 2)),
           ("i,i->", (3,), (3,))]
PLACES = [((2, 2, 4, 3), (3, 2, 3, 2)), ((2, 4, 3, 4), (2, 2, 2, 2), (2, 1), (1, 2), (1, 2), 2),
          ((1, 1, 5, 5), (2, 1, 3, 3), 2, 1), ((0, 1, 3, 3), (2, 1, 2, 2)), ((2, 2, 2, 2), (2, 1, 1, 1), 1, 0, 1, 2)]
GRID = ops.convolution_products.Grid((4, 3), (3, 2), (2, 2), (2, 1), (1, 0), (1, 1), 2)
SPOTS = np.array([[[[5, 3], [0, 3]]]], np.int32)  # (B, M, N, C)
MEANS = (np.array([0]), np.array([1]), np.array([0, 1]), np.array([2, 3]), np.array([[0.5, 0.25]]))
JOINS = [(0, (2, 3), (1, 3), (0, 3)), (-1, (2, 1), (2, 3)), (0, (4,))]


def bag(mode, padding_idx=None):
    def call(weight):
        return ops.embedding_bag(BAGS, weight, mode=mode, padding_idx=padding_idx)

    def expected(weight):
        y = np.zeros((len(BAGS), weight.shape[1]), weight.dtype)
        for b, ids in enumerate(BAGS):
            ids = [i for i in ids if i != padding_idx]
            for i in ids:
                y[b] += weight[i] / (len(ids) if mode == "mean" else 1)
        return y
    return call, [signed(5, 2)], expected


def cross(p, t):
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def picked(logp, target, ignore=-100):
    return np.array([-row[t] if t != ignore else 0 for row, t in zip(logp, target, strict=True)], logp.dtype)


def recurrent(sequence, cell, gates, states):
    """Cases of a recurrence: one cell with and without biases, then sequences of odd lengths in both directions."""
    def inputs(N, B, biases=True):
        return [signed(N, 1), *[signed(B, 2)] * states, signed(gates * 2, 1), signed(gates * 2, 2),
                *[signed(gates * 2)] * (2 * biases)]

    def stepped(x, *args, sizes, reverse):
        state, weights, ends = [s.copy() for s in args[:states]], args[states:], np.cumsum(sizes)
        h = np.zeros((len(x), 2), x.dtype)
        for end, n in list(zip(ends, sizes, strict=True))[::-1 if reverse else 1]:
            for s, new in zip(state, PLAIN_CELLS[cell](x[end - n:end], *[s[:n] for s in state], *weights), strict=True):
                s[:n] = new
            h[end - n:end] = state[0][:n]
        return np.concatenate([h, *state])

    def joined(*args):
        new = getattr(ops, cell)(*args)
        return ops.concatenate(new) if states == 2 else new

    return {cell: [(joined, inputs(2, 2, biases=biases), lambda *args: np.concatenate(PLAIN_CELLS[cell](*args)))
                   for biases in (True, False)],
            sequence: [(lambda *args, o=options: getattr(ops, sequence)(*args, **o), inputs(N, B, biases=biases),
                        lambda *args, z=sizes, r=reverse: stepped(*args, sizes=z, reverse=r))
                       for N, B, options, sizes, reverse, biases in [
                           (4, 2, {}, (2, 2), False, True), (3, 2, {"batch_sizes": (2, 1)}, (2, 1), False, False),
                           (4, 2, {"batch_sizes": (2, 1, 1), "reverse": True}, (2, 1, 1), True, True),
                           (0, 0, {"batch_sizes": (0, 0)}, (0, 0), False, True)]]}


def plain_rnn(x, h, w_ih, w_hh, b_ih=0, b_hh=0):
    return (np.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh),)


def plain_lstm(x, h, c, w_ih, w_hh, b_ih=0, b_hh=0):
    i, f, g, o = np.split(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=1)
    c = logistic(f) * c + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c), c


def plain_gru(x, h, w_ih, w_hh, b_ih=0, b_hh=0):
    (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(x @ w_ih.T + b_ih, 3, axis=1), np.split(h @ w_hh.T + b_hh, 3, axis=1)
    z = logistic(x_z + h_z)
    return ((1 - z) * np.tanh(x_n + logistic(x_r + h_r) * h_n) + z * h,)


PLAIN_CELLS = {"rnn_cell": plain_rnn, "lstm_cell": plain_lstm, "gru_cell": plain_gru}

def channel_normed(x, w, b, eps):
    axes, lengths = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    z = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    return z * w.reshape(lengths) + b.reshape(lengths)


CASES = {
    # arithmetic
    "add": binary(ops.add, np.add),
    "subtract": binary(ops.subtract, np.subtract),
    "multiply": binary(ops.multiply, np.multiply),
    "divide": binary(ops.divide, np.divide),
    "negative": unary(ops.negative, np.negative),
    "power": [*binary(ops.power, np.power, positive), *unary(lambda a: ops.power(a, 3), lambda a: a * a * a),
              *unary(lambda a: ops.power(a, 2), lambda a: a * a), *unary(lambda a: ops.power(a, 1), lambda a: 1 * a),
              *unary(lambda a: ops.power(a, 0), lambda a: 0 * a + 1), *unary(lambda a: ops.power(a, -1), lambda a: 1 / a),
              *unary(lambda a: ops.power(a, 0.5), np.sqrt, positive), *unary(lambda b: ops.power(2, b), np.exp2),
              (lambda a: ops.power(a, np.array([2, 0, 3])), [signed(3)], lambda a: np.stack([a[0]**2, a[0]**0, a[2]**3]))],
    "square": unary(ops.square, np.square),
    "exp": unary(ops.exp, np.exp),
    "expm1": unary(ops.expm1, np.expm1),
    "log": unary(ops.log, np.log, positive),
    "log1p": unary(ops.log1p, np.log1p, positive),
    "sqrt": unary(ops.sqrt, np.sqrt, positive),
    "sin": unary(ops.sin, np.sin),
    "cos": unary(ops.cos, np.cos),
    "absolute": unary(ops.absolute, np.absolute),
    "maximum": binary(ops.maximum, np.maximum),
    "minimum": binary(ops.minimum, np.minimum),
    "where": [*binary(lambda a, b: ops.where(a > 0, a, b), lambda a, b: np.where(a > 0, a, b)),
              (lambda a: ops.where(np.array([[True], [False]]), a, 2.0), [signed(3)], lambda a: np.stack([a, 0 * a + 2])),
              (lambda b: ops.where(Tensor([True, False]) if isinstance(b, Tensor) else np.array([True, False]), 2.0, b),
               [signed(2)], lambda b: np.array([2, b[1]], b.dtype))],
    "clip": [*unary(lambda a: ops.clip(a, -1.0, 0.1), lambda a: np.clip(a, -1, 0.1)),
             *unary(lambda a: ops.clip(a, low=0.1), lambda a: np.maximum(a, 0.1)),
             *unary(lambda a: ops.clip(a, high=np.array([0.1])), lambda a: np.minimum(a, np.array([0.1], a.dtype)))],
    "erf": unary(ops.erf, lambda a: np.vectorize(math.erf, otypes=[float])(a)),
    "astype": unary(lambda a: ops.astype(a, dtype=np.float64), lambda a: a.astype(np.float64)),
    # activation
    "sigmoid": unary(ops.sigmoid, logistic),
    "tanh": unary(ops.tanh, np.tanh),
    "relu": unary(ops.relu, lambda x: np.where(x > 0, x, 0)),
    "dropout": unary(lambda x: ops.dropout(x, p=0.4, seed=7),
                     lambda x: x * np.reshape([mixed(i, 7) >= 0.4 * 2**32 for i in range(x.size)], x.shape) / 0.6),
    "leaky_relu": unary(lambda x: ops.leaky_relu(x, negative_slope=0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "elu": unary(lambda x: ops.elu(x, alpha=1.5), lambda x: np.where(x > 0, x, 1.5 * (np.exp(x) - 1))),
    "softplus": unary(ops.softplus, lambda x: np.log(1 + np.exp(x))),
    "silu": unary(ops.silu, lambda x: x * logistic(x)),
    "gelu": [*unary(ops.gelu, lambda x: x * phi(x)),
             *unary(lambda x: ops.gelu(x, approximate="tanh"),
                    lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))],
    "logsigmoid": unary(ops.logsigmoid, lambda x: np.log(logistic(x))),
    "softmax": optioned(lambda x, a: ops.softmax(x, axis=a), soft, *SOFT),
    "log_softmax": optioned(lambda x, a: ops.log_softmax(x, axis=a), lambda x, a: np.log(soft(x, a)), *SOFT),
    # reduction
    "sum": along(lambda x, a, k: ops.sum(x, axis=a, keepdims=k), lambda x, a, k: np.sum(x, axis=a, keepdims=k),
                 [*AXES, ((0, 3), 0), ((0,), None)]),
    "mean": along(lambda x, a, k: ops.mean(x, axis=a, keepdims=k), lambda x, a, k: np.mean(x, axis=a, keepdims=k)),
    "var": [*along(lambda x, a, k: ops.var(x, axis=a, keepdims=k), lambda x, a, k: np.var(x, axis=a, keepdims=k)),
            (lambda x: ops.var(x, axis=1, correction=1), [signed(2, 4)], lambda x: np.var(x, axis=1, ddof=1))],
    "norm": optioned(ops.norm, lambda x: np.sqrt(np.sum(x**2)), [()], [(5,)], [(2, 3)]),
    "max": along(lambda x, a, k: ops.max(x, axis=a, keepdims=k), lambda x, a, k: np.max(x, axis=a, keepdims=k)),
    "min": along(lambda x, a, k: ops.min(x, axis=a, keepdims=k), lambda x, a, k: np.min(x, axis=a, keepdims=k)),
    "logsumexp": along(lambda x, a, k: ops.logsumexp(x, axis=a, keepdims=k),
                       lambda x, a, k: np.log(np.sum(np.exp(x), axis=a, keepdims=k))),
    "cumsum": optioned(lambda x, a: ops.cumsum(x, axis=a), np.cumsum, ((4,), 0), ((2, 3), 1), ((2, 3), -2), ((0, 2), 0)),
    # linear_algebra
    "matmul": [(ops.matmul, [signed(*one), signed(*other)], np.matmul) for one, other in PRODUCTS],
    "linear": [(ops.linear, [signed(*x), signed(*w), signed(w[0])], lambda x, w, b: np.einsum("...i,oi->...o", x, w) + b)
               for x, w in [((2, 3), (4, 3)), ((3,), (2, 3)), ((2, 2, 3), (1, 3)), ((0, 3), (2, 3)), ((2, 0), (3, 0)),
                            ((2, 3), (0, 3))]]
              + [(ops.linear, [signed(2, 3), signed(4, 3)], lambda x, w: x @ w.T)],
    "linear_relu": [(ops.linear_relu, [signed(*x), signed(*w), signed(w[0])],
                     lambda x, w, b: np.maximum(np.einsum("...i,oi->...o", x, w) + b, 0))
                    for x, w in [((5, 3), (4, 3)), ((3,), (2, 3)), ((2, 2, 3), (1, 3)), ((0, 3), (2, 3))]],
    "einsum": [(lambda *xs, s=subscripts: ops.einsum(s, *xs), [signed(*shape) for shape in shapes],
                lambda *xs, s=subscripts: np.einsum(s, *xs)) for subscripts, *shapes in EINSUMS],
    # shape
    "reshape": optioned(lambda x, s: ops.reshape(x, shape=s), np.reshape, ((2, 3), (3, 2)), ((2, 3), (-1,)), ((), (1, 1)),
                        ((0, 3), (3, 0)), ((4,), (2, -1))),
    "transpose": optioned(lambda x, a: ops.transpose(x, axes=a), np.transpose, ((2, 3), None), ((2, 3, 4), (1, 2, 0)),
                          ((2, 3, 4), (-1, 0, 1)), ((), None), ((0, 2), (1, 0))),
    "swapaxes": [(ops.swapaxes, [signed(2, 3)], np.transpose),
                 *optioned(lambda x, a, b: ops.swapaxes(x, axis1=a, axis2=b), np.swapaxes, ((2, 1, 3), 0, 2))],
    "expand_dims": optioned(lambda x, a: ops.expand_dims(x, axis=a), np.expand_dims, ((), 0), ((2, 3), 1), ((2, 3), -1),
                            ((0,), (0, 2))),
    "squeeze": optioned(lambda x, a: ops.squeeze(x, axis=a), np.squeeze, ((1, 2, 1), None), ((1, 2, 1), -1),
                        ((1, 1), (0, 1)), ((1, 0), 0)),
    "broadcast_to": optioned(lambda x, s: ops.broadcast_to(x, shape=s), np.broadcast_to, ((), (2, 2)), ((3,), (2, 3)),
                             ((2, 1), (4, 2, 3)), ((1,), (0,)), ((2,), (2,))),
    "flip": optioned(lambda x, a: ops.flip(x, axis=a), np.flip, ((4,), 0), ((2, 3), None), ((2, 3), (0, 1)), ((2, 3), -1),
                     ((0, 2), 0)),
    "pad": optioned(lambda x, w: ops.pad(x, pad_width=w, value=0.5), lambda x, w: np.pad(x, w, constant_values=0.5),
                    ((3,), ((1, 2),)), ((2, 3), ((0, 0), (2, 0))), ((0,), ((1, 1),)), ((2,), ((0, 0),))),
    "concatenate": [(lambda *xs, a=axis: ops.concatenate(xs, axis=a), [signed(*shape) for shape in shapes],
                     lambda *xs, a=axis: np.concatenate(xs, axis=a)) for axis, *shapes in JOINS],
    "stack": [(lambda *xs, a=axis: ops.stack(xs, axis=a), [signed(*shape)] * 3, lambda *xs, a=axis: np.stack(xs, axis=a))
              for axis, shape in [(0, ()), (1, (2, 3)), (-1, (2,)), (0, (0, 2))]],
    "split": optioned(lambda x, a, s, _: ops.concatenate(ops.split(x, s, axis=a)[::-1], axis=a),
                      lambda x, a, _, ends: np.concatenate(np.split(x, ends, axis=a)[::-1], axis=a),
                      ((4, 5), 0, 2, [2]), ((4, 5), -1, 2, [2, 4]), ((4, 5), 1, [1, 0, 4], [1, 1]), ((4, 5), 0, 7, [])),
    "flatten": [(ops.flatten, [signed(*shape)], np.ravel) for shape in [(), (3,), (2, 3), (2, 0, 3)]]
               + [(lambda x: ops.flatten(x, 1, -2), [signed(2, 3, 2, 2)], lambda x: np.reshape(x, (2, 6, 2)))],
    # indexing
    "getitem": optioned(ops.getitem, lambda x, i: x[i], *INDICES),
    "scatter": optioned(lambda y, i, s: ops.scatter(y, index=i, shape=s), lambda y, i, s: added(s, i, y),
                        *((np.zeros(shape)[index].shape, index, shape) for shape, index in INDICES)),
    "take": optioned(lambda x, i, a: ops.take(x, indices=i, axis=a), np.take, ((4, 3), [0, 0, 3], 0),
                     ((4, 3), [[2, 2], [0, 1]], -1), ((4, 3), 1, 1), ((4, 3), np.zeros(0, int), 0)),
    "gather": optioned(lambda x, i, a: ops.gather(x, a, i), np.take_along_axis, ((4,), np.array([3, 3, 0]), 0),
                       ((2, 3), np.array([[0, 0], [2, 1]]), 1), ((3, 2), np.array([[2, 2]]), 0),
                       ((2, 2, 3), np.array([[[1], [1]], [[0], [2]]]), -1)),
    "embedding": [(lambda w, i=index: ops.embedding(i, w), [signed(4, 3)], lambda w, i=index: w[i]) for index in TOKENS]
                 + [(lambda w: ops.embedding(TOKENS[0], w, sparse=True), [signed(4, 3)], lambda w: w[TOKENS[0]])],
    "embedding_bag": [bag("sum"), bag("mean"), bag("sum", padding_idx=4), bag("mean", padding_idx=4),
                      (lambda w, s: ops.embedding_bag(BAGS, w, per_sample_weights=s), [signed(5, 2), signed(3, 3)],
                       lambda w, s: np.einsum("bl,bld->bd", s, w[BAGS])),
                      (lambda w, s: ops.embedding_bag(BAGS, w, per_sample_weights=s, padding_idx=4),
                       [signed(5, 2), signed(3, 3)], lambda w, s: np.einsum("bl,bld->bd", s * (BAGS != 4), w[BAGS])),
                      (lambda w: ops.embedding_bag(BAGS[:0], w), [signed(5, 2)], lambda w: np.zeros((0, 2)))],
    # convolution, pooling
    "batch_norm": [(lambda x, w, b, eps=eps: ops.batch_norm(x, w, b, eps),
                    [signed(*shape), signed(shape[1]), signed(shape[1])],
                    lambda x, w, b, eps=eps: channel_normed(x, w, b, eps))
                   for shape, eps in (((4, 3), 1e-5), ((2, 2, 3), 0.1), ((2, 3, 2, 3), 1e-5))],
    "conv1d": [(lambda x, w, b: ops.conv1d(x, w, b, 2, 1), [signed(2, 2, 5), signed(3, 2, 3), signed(3)],
                lambda x, w, b: convolved(as_rows(x), as_rows(w), b, (1, 2), (0, 1))[:, :, 0]),
               (lambda x, w: ops.conv1d(x, w, groups=2), [signed(2, 4), signed(4, 1, 2)],
                lambda x, w: convolved(as_rows(x)[None], as_rows(w), groups=2)[0, :, 0])],
    "conv2d": [(lambda x, w, b, o=options: ops.conv2d(x, w, b, *o), [signed(*x), signed(*w), signed(w[0])],
                lambda x, w, b, o=options: convolved(x, w, b, *o)) for x, w, *options in PLACES]
              + [(lambda x, w: ops.conv2d(x, w), [signed(2, 3, 3), signed(1, 2, 2, 3)],
                  lambda x, w: convolved(x[None], w)[0]),
                 (lambda x, y: ops.convolution._correlate(x, y, grid=GRID), [signed(2, 2, 4, 3), signed(2, 4, 2, 2)],
                  lambda x, y: correlated(x, y, GRID))],
    "conv2d_relu": [(lambda x, w, b, o=options: ops.conv2d_relu(x, w, b, *o), [signed(*x), signed(*w), signed(w[0])],
                     lambda x, w, b, o=options: np.maximum(convolved(x, w, b, *o), 0)) for x, w, *options in PLACES],
    "conv2d_relu_max_pool2d": [
        (lambda x, w, b, o=options, p=pool: ops.conv2d_relu_max_pool2d(x, w, b, *o, pool=p),
         [signed(*x), signed(*w), signed(w[0])],
         lambda x, w, b, o=options, p=pool: pooled(max, np.maximum(convolved(x, w, b, *o), 0), *p))
        for x, w, options, pool in (((2, 2, 5, 5), (3, 2, 2, 2), (), (2,)),
                                    ((1, 4, 3, 4), (2, 2, 2, 2), (1, 1, 1, 2), (3, 2, 1)),
                                    ((2, 1, 4, 5), (2, 1, 3, 3), (1, 1), ((2, 3), 1, (0, 1), (1, 2))),
                                    ((0, 1, 3, 3), (2, 1, 2, 2), (), (2,)))],
    "conv_transpose2d": [(lambda x, w, b: ops.conv_transpose2d(x, w, b, 2, 1, 1),
                          [signed(1, 2, 2, 3), signed(2, 1, 3, 2), signed(1)],
                          lambda x, w, b: transposed(x, w, b, 2, 1, 1)),
                         (lambda x, w: ops.conv_transpose2d(x, w, groups=2, dilation=2),
                          [signed(2, 2, 1), signed(2, 2, 1, 2)],
                          lambda x, w: transposed(x[None], w, groups=2, dilation=2)[0])],
    "max_pool1d": optioned(ops.max_pool1d, lambda x, k, s, p: pooled(max, as_rows(x), (1, k), (1, s), (0, p))[:, :, 0],
                           ((2, 1, 6), 3, 2, 1)),
    "max_pool2d": optioned(ops.max_pool2d, lambda x, *o: pooled(max, x, *o), ((2, 2, 4, 5), 2),
                           ((1, 2, 4, 5), (2, 3), 1, (1, 0)), ((1, 1, 5, 4), 2, 1, 0, 2), ((0, 2, 4, 4), 2))
                  + [(lambda y: ops.pooling._put(y, places=SPOTS, size=(2, 3)), [signed(1, 2, 1, 2)],
                      lambda y: np.array([[[[y[0, 0, 0, 1], 0, 0], [0, 0, y[0, 0, 0, 0]]],
                                           [[0, 0, 0], [y[0, 1, 0, 0] + y[0, 1, 0, 1], 0, 0]]]], y.dtype))],
    "avg_pool1d": optioned(ops.avg_pool1d, lambda x, k, s, p: pooled(np.mean, as_rows(x), (1, k), (1, s), (0, p))[:, :, 0],
                           ((2, 1, 6), 3, 2, 1)),
    "avg_pool2d": optioned(ops.avg_pool2d, lambda x, k, s, p, c: pooled(np.mean, x, k, s, p, 1, c),
                           ((2, 2, 4, 5), 2, None, 0, True), ((1, 2, 4, 5), (2, 3), 1, (1, 0), True),
                           ((1, 1, 5, 4), 3, 2, 1, False))
                  + [(lambda y: ops.pooling._spread_means(y, windows=MEANS, size=(1, 3)), [signed(1, 1, 1, 2)],
                      lambda y: np.array([[[[y[0, 0, 0, 0] / 2, y[0, 0, 0, 0] / 2 + y[0, 0, 0, 1] / 4, y[0, 0, 0, 1] / 4]]]],
                                         y.dtype))],
    "adaptive_avg_pool1d": optioned(ops.adaptive_avg_pool1d, lambda x, n: adaptive(as_rows(x), (1, n))[:, :, 0],
                                    ((2, 2, 5), 3)),
    "adaptive_avg_pool2d": optioned(ops.adaptive_avg_pool2d, adaptive, ((2, 2, 3, 5), (2, 3)), ((1, 2, 3, 2), (1, 1)),
                                    ((1, 1, 2, 2), (3, 5))),
    # attention
    "masked_softmax": [(lambda s: ops.masked_softmax(s, SEEN), [signed(2, 2, 3)],
                        lambda s: np.exp(s) * SEEN / np.sum(np.exp(s) * SEEN, axis=-1, keepdims=True)),
                       (lambda s: ops.masked_softmax(s, axis=0), [signed(2, 3)], lambda s: soft(s.T).T)],
    "attention_weights": [(lambda q, k, b: ops.attention_weights(q, k, b, (SEEN,), scale=0.7),
                           [signed(2, 2, 4), signed(3, 4), signed(1, 3)],
                           lambda q, k, b: attended(q, k, k, b, (SEEN,), scale=0.7)[0])],
    "attention": [(lambda q, k, v, b: ops.attention(q, k, v, b, keep=(SEEN,), causal=True),
                   [signed(2, 2, 4), signed(2, 3, 4), signed(2, 3, 1), signed(2, 1, 1)],
                   lambda q, k, v, b: attended(q, k, v, b, (SEEN,), causal=True)[1]),
                  (ops.attention, [signed(2, 1), signed(3, 1), signed(3, 2)], lambda *x: attended(*x)[1])],
    "self_attention": [(lambda x, b: ops.self_attention(x, b, heads=2, keep=(SEEN[:, :1, None],)),
                        [signed(2, 3, 12), signed(2, 3, 1)],
                        lambda x, b: side_by_side(attended(*in_heads(x, 3, 2), b, (SEEN[:, :1, None],))[1]))],
    "multihead_self_attention": [
        (lambda x, w, b, u, c: ops.multihead_self_attention(x, w, b, u, c, heads=2, keep=(SEEN[:, :1, None],)),
         [signed(2, 3, 4), signed(12, 4), signed(12), signed(4, 4), signed(4)],
         lambda x, w, b, u, c: c + side_by_side(attended(*in_heads(x @ w.T + b, 3, 2),
                                                         keep=(SEEN[:, :1, None],))[1]) @ u.T)],
    # loss
    "mse_loss": losses(ops.mse_loss, lambda p, t: (p - t) ** 2, signed, positive),
    "l1_loss": losses(ops.l1_loss, lambda p, t: np.maximum(p - t, t - p), signed, positive),
    "huber_loss": losses(lambda p, t, reduction: ops.huber_loss(p, t, reduction, delta=0.7),
                         lambda p, t: np.vectorize(lambda d: d * d / 2 if d <= 0.7 else 0.7 * (d - 0.35),
                                                   otypes=[float])(np.abs(p - t)), signed, positive),
    "binary_cross_entropy": losses(ops.binary_cross_entropy, cross, probability, probability),
    "binary_cross_entropy_with_logits": [
        *losses(ops.binary_cross_entropy_with_logits, lambda x, t: cross(logistic(x), t), signed, probability),
        (lambda x, t, w: ops.binary_cross_entropy_with_logits(x, t, pos_weight=w),
         [signed(3, 2), probability(3, 2), positive(2)],
         lambda x, t, w: np.mean(-w * t * np.log(logistic(x)) - (1 - t) * np.log(logistic(-x))))],
    "nll_loss": [*optioned(lambda x, how, ignore: ops.nll_loss(x, CLASSES, how, ignore),
                           lambda x, how, ignore: WHOLE[how](picked(x, CLASSES, ignore)), ((4, 3), "mean", -100),
                           ((4, 3), "sum", 2), ((4, 3), "none", -100), ((4, 3), "none", 0)),
                 (lambda x: ops.nll_loss(x, CLASSES, ignore_index=2), [signed(4, 3)], lambda x: (-x[1, 0] - x[3, 1]) / 2),
                 (lambda x: ops.nll_loss(x, 1), [signed(3)], lambda x: -x[1]),
                 (lambda x: ops.nll_loss(x, CLASSES.reshape(2, 2)), [signed(2, 3, 2)],
                  lambda x: np.mean(picked(np.moveaxis(x, 1, 2).reshape(4, 3), CLASSES)))],
    "cross_entropy": [*optioned(lambda x, how, ignore: ops.cross_entropy(x, CLASSES, how, ignore),
                                lambda x, how, ignore: WHOLE[how](picked(np.log(soft(x)), CLASSES, ignore)),
                                ((4, 3), "mean", -100), ((4, 3), "sum", 2), ((4, 3), "none", 0)),
                      (lambda x: ops.cross_entropy(x, 2), [signed(3)], lambda x: -np.log(soft(x))[2]),
                      (ops.cross_entropy, [signed(4, 3), probability(4, 3)], lambda x, t: -np.sum(t * np.log(soft(x))) / 4),
                      (ops.cross_entropy, [signed(3), probability(3)], lambda x, t: -np.sum(t * np.log(soft(x))))],
    "kl_div": [*losses(ops.kl_div, lambda x, t: t * (np.log(t) - x), signed, probability),
               (lambda x, t: ops.kl_div(x, t, log_target=True), [signed(2, 3), signed(2, 3)],
                lambda x, t: np.mean(np.exp(t) * (t - x))),
               (lambda x, t: ops.kl_div(x, t, "batchmean"), [signed(2, 3), probability(2, 3)],
                lambda x, t: np.sum(t * (np.log(t) - x)) / 2)],
    # recurrence
    **recurrent("rnn", "rnn_cell", 1, 1),
    **recurrent("lstm", "lstm_cell", 4, 2),
    **recurrent("gru", "gru_cell", 3, 1),
    "bpr_loss": losses(ops.bpr_loss, lambda p, n: -np.log(logistic(p - n)), signed, signed),
}
ALL = [pytest.param(*case, id=f"{name}-{k}") for name, cases in CASES.items() for k, case in enumerate(cases)]


def made(inputs, requires_grad=True, dtype=np.float64):
    rng = np.random.default_rng(1)
    return [Tensor(make(rng), requires_grad, dtype) for make in inputs]


def graph_of(y):
    nodes, stack = {}, [y._node]
    while stack:
        node = stack.pop()
        if node is not None and node not in nodes:
            nodes[node] = None
            stack.extend(x._node for x in node.inputs if isinstance(x, Tensor))
    return nodes


def primitives():
    """{rule: its name} for everything that @op made in the modules of tinydl.ops."""
    modules = [m for m in vars(ops).values() if getattr(m, "__package__", None) == "tinydl.ops"]
    return {f.rule: f.__name__ for m in modules for f in vars(m).values() if hasattr(f, "rule")}


def test_every_public_function_has_a_case():
    public = {name for name, f in vars(ops).items() if callable(f) and not name.startswith("_")}
    assert len(public) > 50
    assert public == set(CASES), "give CASES an entry for each function of tinydl.ops, and none else"


def test_every_primitive_is_recorded_by_some_case():
    recorded = set()
    for cases in CASES.values():
        for call, inputs, _ in cases:
            recorded.update(node.rule for node in graph_of(call(*made(inputs))))
    missing = [name for rule, name in primitives().items() if rule not in recorded]
    assert len(primitives()) > 40 and not missing, f"no case records {missing}"


@pytest.mark.parametrize("call, inputs, expected", ALL)
def test_its_value_equals_numpys(call, inputs, expected):
    tensors = made(inputs)
    wanted = expected(*(x._data for x in tensors))
    y = call(*tensors)
    assert y.shape == np.shape(wanted)
    np.testing.assert_allclose(y._data, wanted, rtol=1e-12, atol=1e-14)
    assert not isinstance(call(*(x._data for x in tensors)), Tensor), "arrays in, array out"


@pytest.mark.parametrize("call, inputs, expected", ALL)
def test_its_gradient_equals_finite_differences(call, inputs, expected):
    assert tinydl.gradcheck(call, made(inputs))
    for k in range(len(inputs) if len(inputs) > 1 else 0):  # one input alone: only its pullback runs
        tensors = made(inputs, requires_grad=False)
        tensors[k].requires_grad_()
        assert tinydl.gradcheck(call, tensors)


@pytest.mark.parametrize("call, inputs, expected", ALL)
def test_its_second_derivative_equals_finite_differences(call, inputs, expected):
    assert tinydl.gradgradcheck(call, made(inputs))
    for k in range(len(inputs) if len(inputs) > 1 else 0):
        tensors = made(inputs, requires_grad=False)
        tensors[k].requires_grad_()
        assert tinydl.gradgradcheck(call, tensors)


@pytest.mark.parametrize("call, inputs, expected", ALL)
def test_the_gradient_with_a_graph_has_the_same_values(call, inputs, expected):
    tensors = made(inputs)
    y = call(*tensors)
    v = Tensor(np.random.default_rng(2).standard_normal(y.shape))
    plain = tinydl.grad(y, tensors, v, retain_graph=True)
    recorded = tinydl.grad(y, tensors, v, create_graph=True)
    for x, one, other in zip(tensors, plain, recorded, strict=True):
        assert one.shape == other.shape == x.shape
        np.testing.assert_allclose(one._data, other._data, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("call, inputs, expected", [p for p in ALL if not p.id.startswith("astype")])
def test_float32_stays_float32_in_values_and_gradients(call, inputs, expected):
    tensors = made(inputs, dtype=np.float32)
    y = call(*tensors)
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape))
    assert all(x.grad.dtype == np.float32 for x in tensors)
    for create_graph in (False, True):
        y = call(*tensors)
        assert all(g.dtype == np.float32 for g in tinydl.grad(y, tensors, np.ones(y.shape), create_graph=create_graph))
    exact = expected(*(x._data.astype(np.float64) for x in tensors))
    np.testing.assert_allclose(y._data, exact, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("call, inputs, expected", [p for p in ALL if len(p.values[1]) > 1])
def test_tensors_of_two_floating_dtypes_do_not_mix(call, inputs, expected):
    tensors = made(inputs)
    tensors[-1] = Tensor(tensors[-1]._data, requires_grad=True, dtype=np.float32)
    with pytest.raises(TypeError, match=r"float(32|64) and float(32|64); nothing is converted behind your back"):
        call(*tensors)


@pytest.mark.parametrize("call, inputs, expected", [p for p in ALL if len(p.values[1]) > 1])
def test_a_float64_array_beside_a_float32_tensor_changes_no_dtype(call, inputs, expected):
    first, *rest = made(inputs)
    x = Tensor(first._data, requires_grad=True, dtype=np.float32)
    y = call(x, *(other._data for other in rest))
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape))
    assert x.grad.dtype == np.float32


def test_linear_relu_of_arrays_of_two_dtypes_is_of_the_wider(rng):
    x, w, b = rng.standard_normal((5, 3)).astype(np.float32), rng.standard_normal((2, 3)).astype(np.float32), (
        rng.standard_normal(2))
    y = ops.linear_relu(x, w, b)
    assert y.dtype == np.float64 and (y == 0).any()
    np.testing.assert_array_equal(y, np.maximum(x @ w.T + b, 0))
