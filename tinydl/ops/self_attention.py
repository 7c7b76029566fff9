"""Attention of a sequence to itself: what queries, keys and values are made of is one array, and so is its gradient."""

import numpy as np

from .. import kernels
from ..op import op
from .attention import check_masks, formula
from .attention_heads import PARTS, Heads
from .linear_algebra import linear
from .through_time import any_tensor, in_full


@op(joint=True)
def self_attention(qkv, bias=None, *, heads=1, lengths=None, keep=(), causal=False, p=0.0, seed=0):
    """`attention` of a sequence to itself in several heads, each on its own D = E / heads columns, scale 1 / sqrt(D)

    qkv (B, L, 3E): queries, keys and values side by side, as one affine map makes them -> (B, L, E), the heads side by side.
    bias and keep broadcast to (B, heads, L, L). What lies in one array is not taken apart, and neither is its gradient.
    lengths (B,): sequences of different lengths, one after the other in qkv (N, 3E) -> (N, E), L is the longest; nothing is
    padded.
    """
    lengths = None if lengths is None else np.asarray(lengths)
    _check_heads(qkv, heads, lengths, bias, keep)
    if any_tensor((qkv, bias)):
        return in_full(lambda qkv, bias: _self_formula(qkv, bias, heads, lengths, keep, causal, p, seed), (qkv, bias))
    inside = Heads.of_one_array(qkv, heads, lengths, bias, keep, causal, p, seed)
    inside.run_all()

    def pullback(dy, needs):
        gradient, dbias = np.zeros(inside.q.shape, qkv.dtype), inside.bias_gradient(needs[1:] == [True])
        inside.run_all_back(np.reshape(np.ascontiguousarray(dy), inside.y.shape), *[gradient] * 3, dbias)
        return np.reshape(gradient, qkv.shape), inside.of_bias(dbias)

    return np.reshape(inside.y, (*qkv.shape[:-1], qkv.shape[-1] // 3)), pullback


@op(joint=True)
def multihead_self_attention(x, in_weight, in_bias, out_weight, out_bias, bias=None, *, heads=1, keep=(), causal=False,
                             p=0.0, seed=0):
    """y = self_attention(x W_in^T + b_in) W_out^T + b_out:   what `nn.MultiheadAttention` does where nobody sees the weights

    x (B, L, E), in_weight (3E, E), out_weight (E, E), in_bias (3E,) and out_bias (E,), or None both -> (B, L, E). Some
    sequences go through all of it while they are in the cache, and others beside them on the other cores.
    """
    inputs = x, in_weight, in_bias, out_weight, out_bias, bias
    if any_tensor(inputs):
        def whole(x, in_weight, in_bias, out_weight, out_bias, bias):
            a = _self_formula(linear(x, in_weight, in_bias), bias, heads, None, keep, causal, p, seed)
            return linear(a, out_weight, out_bias)
        return in_full(whole, inputs)
    (B, L, E), x = x.shape, np.ascontiguousarray(x)
    qkv, y = np.empty((B, L, 3 * E), x.dtype), np.empty((B, L, E), x.dtype)
    _check_heads(qkv, heads, None, bias, keep)
    inside = Heads.of_one_array(qkv, heads, None, bias, keep, causal, p, seed)
    a = np.reshape(inside.y, (B, L, E))

    def affine(part, x, weight, bias, y):
        y = _rows(y[part])
        np.matmul(_rows(x[part]), weight.T, out=y)
        if bias is not None:
            kernels.add_rows(y, bias)

    def run(part):
        affine(part, x, in_weight, in_bias, qkv)
        inside.run(part)
        affine(part, a, out_weight, out_bias, y)

    parts = kernels.cuts(B, PARTS) if B >= PARTS else None
    if parts is not None:
        kernels.side_by_side(run, parts)
    else:
        affine(slice(B), x, in_weight, in_bias, qkv)
        inside.run_all()
        affine(slice(B), a, out_weight, out_bias, y)

    def pullback(dy, needs):
        dy, da = np.ascontiguousarray(dy), np.empty((B, L, E), x.dtype)
        dx = np.empty((B, L, E), x.dtype) if needs[0] else None
        dqkv, dbias = np.empty((B, L, 3 * E), x.dtype), inside.bias_gradient(needs[5:] == [True])
        gradients = np.reshape(dqkv, inside.q.shape)
        alone = parts is None or dbias.shape[3] > 0  # sequences may share a bias
        sums = [None if weight is None else np.empty((1 if alone else PARTS, *weight.shape), x.dtype)
                for weight in (in_weight, in_bias, out_weight, out_bias)]

        def affine_back(number, part, x, weight, dy, dx, dweight, dbias):
            dy = _rows(dy[part])
            np.matmul(dy.T, _rows(x[part]), out=dweight[number])
            if dbias is not None:
                np.matmul(np.ones(len(dy), dy.dtype), dy, out=dbias[number])
            if dx is not None:
                np.matmul(dy, weight, out=_rows(dx[part]))

        def before(number, part):
            dqkv[part] = 0
            affine_back(number, part, a, out_weight, dy, da, *sums[2:])

        def after(number, part):
            affine_back(number, part, x, in_weight, dqkv, dx, *sums[:2])

        def run_back(task):
            before(*task)
            inside.run_back(task[1], np.reshape(da, inside.y.shape), *[gradients] * 3, dbias)
            after(*task)

        if alone:
            before(0, slice(B))
            inside.run_all_back(np.reshape(da, inside.y.shape), *[gradients] * 3, dbias)
            after(0, slice(B))
        else:
            kernels.side_by_side(run_back, list(enumerate(parts)))
        return dx, *(None if total is None else np.sum(total, axis=0) for total in sums), inside.of_bias(dbias)

    return y, pullback


def _rows(a):
    return np.reshape(a, (-1, a.shape[2]))


# ------------------------------------------------------------------------------------------------ formula, checks
def _self_formula(qkv, bias, heads, lengths, keep, causal, p, seed):
    """self_attention as its formula; sequences of different lengths are filled up first."""
    if lengths is None:
        y = formula(*_apart(qkv, heads), bias, keep, causal, None, p, seed)
        return np.reshape(np.swapaxes(y, 1, 2), (*qkv.shape[:2], qkv.shape[2] // 3))
    there = np.arange(np.max(lengths, initial=0)) < lengths[:, None]
    place = np.where(there, np.cumsum(np.reshape(there, -1)).reshape(there.shape) - 1, 0)
    y = _self_formula(qkv[place], bias, heads, None, (*keep, there[:, None, None]), causal, p, seed)
    return y[np.nonzero(there)]


def _apart(qkv, heads):
    """(B, L, 3E) -> queries, keys and values (B, heads, L, D)"""
    a = np.reshape(qkv, (*qkv.shape[:2], 3, heads, qkv.shape[2] // (3 * heads)))
    return [np.swapaxes(a[:, :, part], 1, 2) for part in range(3)]


def _check_heads(qkv, heads, lengths, bias, keep):
    shape = qkv.shape
    if len(shape) != (3 if lengths is None else 2) or heads < 1 or shape[-1] % (3 * heads):
        raise ValueError(f"self_attention: got {shape} and {heads} heads, want (B, L, 3E), or (N, 3E) with lengths, and "
                         "heads that divide E")
    if lengths is not None:
        whole = lengths.ndim == 1 and lengths.dtype.kind in "iu" and np.min(lengths, initial=0) == 0
        if not whole or np.sum(lengths) != shape[0]:
            raise ValueError(f"self_attention: got {lengths.dtype} lengths {lengths.shape}, {np.sum(lengths)} in all, for "
                             f"{shape[0]} rows, want whole numbers (B,) that add up to the rows")
        shape = len(lengths), int(np.max(lengths, initial=0)), shape[1]
    check_masks((shape[0], heads, shape[1], shape[1]), bias, keep)
    if qkv.dtype.kind != "f":
        raise TypeError(f"self_attention: got {qkv.dtype}, want floating numbers; call .float()")
