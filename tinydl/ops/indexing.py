"""Reading places of an array, and the adjoint of reading: adding into places. Repeated places add up."""

import numpy as np

from .. import kernels
from ..op import op
from ..row_gradient import RowGradient
from ..tensor import Tensor


def _plain(index):
    """An index with tensors in it as one with arrays (copied: the caller may write to his own)."""
    if isinstance(index, tuple):
        return tuple(_plain(i) for i in index)
    if isinstance(index, Tensor):
        return index._data.copy()
    if isinstance(index, list) and not index:
        return np.empty(0, np.int64)
    return np.array(index) if isinstance(index, (list, np.ndarray)) else index


def getitem(x, index):
    """x[index] with NumPy's basic and advanced indexing; the gradient of a place read twice is the sum."""
    return _getitem(x, index=_plain(index))


@op(linear=True)
def _getitem(x, index=None):
    """y = x[index];   dx = zeros with dy added at index"""
    shape = x.shape
    return x[index], lambda dy: scatter(dy, index=index, shape=shape)


@op(linear=True)
def scatter(y, index=None, shape=None):
    """x = zeros(shape) with y added at index;   dy = dx[index]. The adjoint of x[index]."""
    x, index = np.zeros(shape, y.dtype), _plain(index)
    if _is_basic(index):
        x[index] = y
    else:
        np.add.at(x, index, y)
    return x, lambda dx: dx[index]


def _is_basic(index):
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice)) for part in parts)


@op(linear=True)
def take(x, indices=None, axis=0):
    """y = x's slices at `indices` along axis;   dx = the slices of dy added back"""
    indices, shape = _plain(indices), x.shape
    index = (slice(None),) * (axis % x.ndim) + (indices,)
    return np.take(x, indices, axis=axis), lambda dy: scatter(dy, index=index, shape=shape)


def gather(x, axis, index):
    """y[i, j] = x[index[i, j], j] for axis 0, x[i, index[i, j]] for axis 1: PyTorch's gather, np.take_along_axis."""
    index = _plain(index)
    if not -index.ndim <= axis < index.ndim:
        raise IndexError(f"gather: got axis {axis} for an index of shape {index.shape}, want it at least {-index.ndim} and "
                         f"below {index.ndim}")
    grid = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[axis] = index
    return getitem(x, tuple(grid))


@op(linear=True)
def _embedding(weight, index=None, sparse=False, padding_idx=None):
    """y[...] = W[index[...]];   dW = dy's rows at the rows that were read (a RowGradient)"""
    shape = weight.shape
    rows = np.reshape(index, -1)
    y = np.reshape(kernels.gather(weight, rows), index.shape + shape[1:])

    def dweight(dy):
        if isinstance(dy, Tensor):
            dy = dy if padding_idx is None else dy * np.expand_dims(index != padding_idx, -1).astype(dy.dtype)
            return scatter(dy, index=index, shape=shape)
        values = np.reshape(dy, (-1, *shape[1:]))
        if padding_idx is None:
            return RowGradient(rows, values, shape, sparse)
        kept = np.flatnonzero(rows != padding_idx)
        return RowGradient(rows[kept], values[kept], shape, sparse)

    return y, dweight


def embedding(index, weight, padding_idx=None, sparse=False):
    """Rows of a table: y = W[index].

    index: integers of any shape, 0 <= index < V; weight (V, D); y (*index.shape, D). The gradient of W is a
    `RowGradient` of the rows read; `padding_idx` names a row that gets none. sparse=True asks optimizers for lazy updates.
    """
    _check_table("embedding", weight)
    index = checked_ids(index, weight.shape[0], "embedding")
    return _embedding(weight, index=index, sparse=sparse, padding_idx=padding_idx)


def _check_table(name, weight):
    if weight.ndim != 2:
        raise ValueError(f"{name}: got a table of shape {weight.shape}, want (V, D): one row of D numbers an id")


def checked_ids(index, size, what):
    """`index` as an array of int64 in [0, size), its own copy; IndexError names the first that is not."""
    index = index._data if isinstance(index, Tensor) else np.asarray(index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"{what}: got ids of dtype {index.dtype}, want integers; call .astype(np.int64) if they are whole")
    index = np.array(index, np.int64, order="C")
    kernels.check_ids(np.reshape(index, -1), size, what)
    return index


@op(joint=True)
def _embedding_bag(weight, per_sample_weights, index=None, sparse=False, padding_idx=None):
    """y_b = sum_l s_bl W[index_bl];   dW[index_bl] += s_bl dy_b,   ds_bl = <W[index_bl], dy_b>"""
    s = per_sample_weights
    y = value_of_bag(weight, s, index)

    def pullback(dy, needs):
        if isinstance(dy, Tensor):  # the definition, whose gradients are known
            spread = np.expand_dims(s, -1) * np.expand_dims(dy, -2)
            read = _embedding(weight, index=index) if needs[1] else None
            return (scatter(spread, index=index, shape=weight.shape) if needs[0] else None,
                    np.sum(read * np.expand_dims(dy, -2), axis=-1) if needs[1] else None)
        dweight = None
        if needs[0]:
            padding = -1 if padding_idx is None else padding_idx
            rows, values = kernels.embedding_bag_gradient(index, s, dy, len(weight), padding)
            dweight = RowGradient(rows, values, weight.shape, sparse, unique=True)
        return dweight, kernels.embedding_bag_weight_gradient(weight, index, dy) if needs[1] else None

    return y, pullback


def value_of_bag(weight, s, index):
    """The bag's value: compiled on arrays, the primitive itself on tensors."""
    if isinstance(weight, Tensor) or isinstance(s, Tensor):
        return _embedding_bag(weight, s, index=index)
    return kernels.embedding_bag(weight, index, s)


def embedding_bag(index, weight, mode="sum", per_sample_weights=None, padding_idx=None, sparse=False):
    """Sum or mean of the rows of each bag, without the (B, L, D) array between.

    index (B, L) integers; weight (V, D); per_sample_weights (B, L), for mode "sum" only; y (B, D). Positions that hold
    `padding_idx` count for nothing, in the sum and in the mean; an empty bag gives zeros.
    """
    _check_table("embedding_bag", weight)
    index = checked_ids(index, weight.shape[0], "embedding_bag")
    if index.ndim != 2:
        raise ValueError(f"embedding_bag: got index of shape {index.shape}, want (B, L): one row of ids a bag")
    if mode not in ("sum", "mean"):
        raise ValueError(f"embedding_bag: got mode {mode!r}, want 'sum' or 'mean'")
    present = np.ones(index.shape, weight.dtype) if padding_idx is None else (index != padding_idx).astype(weight.dtype)
    if per_sample_weights is None:
        s = present
        if mode == "mean":
            s = present / np.maximum(np.sum(present, axis=1, keepdims=True), 1)
        s.flags.writeable = False  # nobody will change it, so the graph needs no copy
    elif mode != "sum":
        raise ValueError("embedding_bag: per_sample_weights work with mode='sum' only, as in PyTorch")
    elif per_sample_weights.shape != index.shape:
        raise ValueError(f"embedding_bag: got per_sample_weights {per_sample_weights.shape} for index {index.shape}")
    else:
        s = per_sample_weights if isinstance(per_sample_weights, Tensor) else np.asarray(per_sample_weights, weight.dtype)
        s = s if padding_idx is None else s * present
    return _embedding_bag(weight, s, index=index, sparse=sparse, padding_idx=padding_idx)
