"""Attention: each query takes a mean of the values, weighted by how well their keys answer it.

    S = scale Q K^T + bias,   P = softmax(S) over the keys that may be seen,   Y = P V     (Vaswani et al. 2017, eq. 1)

Leading axes (...) are independent problems, such as sequences and heads; L queries and S keys of E numbers, S values of F.
`attention` never holds P: its kernel goes through it in tiles, keeps of each query the logarithm of its row's sum, and
computes P again on the way back, so that memory grows with L + S and not with L S (Rabe & Staats 2021; Dao et al. 2022).
A query that may see no key gets weights and a value of zeros, where PyTorch has nan.
"""

import math

import numpy as np

from .. import kernels
from ..op import op
from ..tensor import Tensor
from .activation import dropout, softmax
from .arithmetic import where
from .linear_algebra import linear, matmul
from .shape import swapaxes
from .through_time import any_tensor, gradient_with_graph, own_names


PARTS = 8  # the heads of all sequences in so many parts, which the cores share


def masked_softmax(scores, keep=None, axis=-1):
    """p_i = e^{s_i} / sum of e^{s_j} over the j that are kept, 0 for the others; all 0 where nothing is kept

    keep: booleans that broadcast to the scores, True for what takes part; None: everything does.
    """
    if scores.shape[axis] == 0:  # nothing to sum over
        return scores
    if keep is None:
        return softmax(scores, axis=axis)
    keep = np.asarray(keep)
    if keep.dtype != bool:
        raise TypeError(f"masked_softmax: got a mask of {keep.dtype}, want booleans, True for what takes part")
    keep = np.broadcast_to(keep, scores.shape)
    p = softmax(where(keep, scores, np.finfo(scores.dtype).min / 2), axis=axis)
    return p * np.any(keep, axis=axis, keepdims=True).astype(p.dtype)


def attention_weights(q, k, bias=None, keep=(), causal=False, scale=None):
    """P = softmax(scale Q K^T + bias), in full.  q (..., L, E), k (..., S, E) -> (..., L, S)

    bias and each of `keep` broadcast to the result. scale: 1 / sqrt(E) by default. causal: query i sees keys up to i.
    """
    _check_shapes(q, k, k, bias, keep)
    s = matmul(q * _scale(scale, q), swapaxes(k))
    if causal:
        keep = *keep, np.tri(q.shape[-2], k.shape[-2], dtype=bool)
    if bias is not None:
        keep = *keep, (bias._data if isinstance(bias, Tensor) else bias) > -np.inf
        s = s + where(keep[-1], bias, 0)
    seen = np.array(True) if keep else None
    for mask in keep:
        seen = seen & mask
    return masked_softmax(s, seen)


@op(joint=True)
def attention(q, k, v, bias=None, *, keep=(), causal=False, scale=None, p=0.0, seed=0):
    """Y = dropout(P) V, P = softmax(scale Q K^T + bias);   dS = P (dP - sum_j dP P),   dQ = scale dS K,   dK = scale dS^T Q,
    dV = P^T dY,   dbias = dS

    q (..., L, E), k (..., S, E), v (..., S, F) -> (..., L, F). bias: numbers that broadcast to (..., L, S); -inf for a pair
    that may not be. keep: a tuple of booleans that broadcast there, True for what may be seen. causal: query i sees keys up
    to i. scale: 1 / sqrt(E) by default. p, seed: dropout of P, as `dropout` has it.
    """
    lead = _check_shapes(q, k, v, bias, keep)
    if any_tensor((q, k, v, bias)):
        return _in_full(lambda *inputs: _formula(*inputs, keep, causal, scale, p, seed), (q, k, v, bias))

    def heads(a):  # (..., n, D) -> (B n, 1, heads, D)
        a = np.broadcast_to(a, (*lead, *a.shape[-2:]))
        a = np.swapaxes(np.reshape(a, (*(1,) * (2 - len(lead)), *a.shape)), 1, 2)
        return np.reshape(np.ascontiguousarray(a), (math.prod(a.shape[:2]), 1, *a.shape[2:]))

    def plain(a, n):
        B, H, D = math.prod(lead[:-1]), lead[-1] if lead else 1, a.shape[3]
        return np.reshape(np.swapaxes(np.reshape(a, (B, n, H, D)), 1, 2), (*lead, n, D))

    given = [heads(a) for a in (q, k, v)]
    L, S, B = q.shape[-2], k.shape[-2], math.prod(lead[:-1])
    inside = _Heads(*given, 0, L * np.arange(B + 1), S * np.arange(B + 1), L, S, bias, keep, causal, _scale(scale, q), p, seed)
    inside.run_all()

    def pullback(dy, needs):
        gradients = [np.zeros(a.shape, a.dtype) for a in given]
        dbias = inside.no_bias(needs[3:] == [True])
        inside.run_all_back(heads(dy), *gradients, dbias)
        return *map(plain, gradients, (L, S, S)), inside.of_bias(dbias)

    return plain(inside.y, L), pullback


@op(joint=True)
def self_attention(qkv, bias=None, *, heads=1, lengths=None, keep=(), causal=False, p=0.0, seed=0):
    """`attention` of a sequence to itself in several heads, each on its own D = E / heads columns, scale 1 / sqrt(D)

    qkv (B, L, 3E): queries, keys and values side by side, as one affine map makes them -> (B, L, E), the heads side by side.
    bias and keep broadcast to (B, heads, L, L). What lies in one array is not taken apart, and neither is its gradient.
    lengths (B,): sequences of different lengths, one after the other in qkv (N, 3E) -> (N, E), L is the longest; nothing is
    padded.
    """
    _check_heads(qkv, heads, lengths, bias, keep)
    if any_tensor((qkv, bias)):
        return _in_full(lambda qkv, bias: _self_formula(qkv, bias, heads, lengths, keep, causal, p, seed), (qkv, bias))
    inside = _Heads.of_one_array(qkv, heads, lengths, bias, keep, causal, p, seed)
    inside.run_all()

    def pullback(dy, needs):
        gradient, dbias = np.zeros(inside.q.shape, qkv.dtype), inside.no_bias(needs[1:] == [True])
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
        def formula(x, in_weight, in_bias, out_weight, out_bias, bias):
            a = _self_formula(linear(x, in_weight, in_bias), bias, heads, None, keep, causal, p, seed)
            return linear(a, out_weight, out_bias)
        return _in_full(formula, inputs)
    (B, L, E), x = x.shape, np.ascontiguousarray(x)
    qkv, y = np.empty((B, L, 3 * E), x.dtype), np.empty((B, L, E), x.dtype)
    _check_heads(qkv, heads, None, bias, keep)
    inside = _Heads.of_one_array(qkv, heads, None, bias, keep, causal, p, seed)
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
        dy, dx, da = np.ascontiguousarray(dy), np.empty((B, L, E), x.dtype), np.empty((B, L, E), x.dtype)
        dqkv, dbias = np.empty((B, L, 3 * E), x.dtype), inside.no_bias(needs[5:] == [True])
        gradients = np.reshape(dqkv, inside.q.shape)
        alone = parts is None or dbias.shape[3] > 0  # sequences may share a bias
        sums = [None if weight is None else np.zeros((1 if alone else PARTS, *weight.shape), x.dtype)
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
            affine_back(number, part, x, in_weight, dqkv, dx if needs[0] else None, *sums[:2])

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


class _Heads:
    """Attention in heads between its inputs and y: `kernels.attend` and its gradient for some of the sequences, or for all.

    Arguments: as the kernel has them. What `run` has done, `run_back` needs.
    """

    def __init__(self, q, k, v, step, q_start, k_start, L, S, bias, keep, causal, scale, p, seed):
        (N, _, H, E), F = q.shape, v.shape[3]
        mask = np.zeros((1, 1, 1, 0), q.dtype) if bias is None else _four_axes(bias, S)
        for seen in keep:
            hidden = np.where(_four_axes(seen, S), q.dtype.type(0), q.dtype.type(-np.inf))
            mask = mask + hidden if mask.shape[3] > 0 else hidden
        rows = kernels.queries_of_a_tile(L, S, E, F)
        self.q, self.bias, self.S, self.heads, self.pieces, self.sequences = q, bias, S, H, -(-L // rows), len(q_start) - 1
        self.given = (q, k, v, step, q_start, k_start, L, S, np.ascontiguousarray(mask, q.dtype), causal, scale, float(p), seed,
                      rows)
        self.y, self.logs = np.empty((N, 1, H, F), q.dtype), np.empty((N, H), q.dtype)

    @classmethod
    def of_one_array(cls, qkv, heads, lengths, *masks_and_options):
        """As of `self_attention`'s arguments."""
        lengths = np.full(len(qkv), qkv.shape[1]) if lengths is None else lengths
        start, longest = np.concatenate([[0], np.cumsum(lengths)]), int(np.max(lengths, initial=0))
        parts = np.reshape(np.ascontiguousarray(qkv), (-1, 3, heads, qkv.shape[-1] // (3 * heads)))
        (bias, keep, causal, p, seed), scale = masks_and_options, _scale(None, parts)
        return cls(parts, parts, parts, 1, start, start, longest, longest, bias, keep, causal, scale, p, seed)

    def run(self, part):
        """Values y of these sequences, a slice."""
        self._tasks(slice(part.start * self.heads * self.pieces, part.stop * self.heads * self.pieces))

    def run_all(self):
        kernels.side_by_side(self._tasks, kernels.cuts(self.sequences * self.heads * self.pieces, PARTS))

    def _tasks(self, tasks):
        kernels.attend(*self.given, tasks.start, tasks.stop, self.y, self.logs)

    def run_back(self, part, *gradients):
        """Add to dq, dk, dv and dbias of these sequences, which follow dy."""
        self._heads_back(slice(part.start * self.heads, part.stop * self.heads), gradients)

    def run_all_back(self, *gradients):
        heads = kernels.cuts(self.sequences * self.heads, PARTS if gradients[-1].shape[3] == 0 else 1)  # heads may share a bias
        kernels.side_by_side(lambda part: self._heads_back(part, gradients), heads)

    def _heads_back(self, heads, gradients):
        kernels.attend_gradient(*self.given, heads.start, heads.stop, self.y, self.logs, *gradients)

    def no_bias(self, wanted):
        """Zeros for the bias's gradient to be added to, or without columns if nobody wants it."""
        return np.zeros(_four_axes(self.bias, self.S).shape if wanted else (1, 1, 1, 0), self.q.dtype)

    def of_bias(self, dbias):
        """dbias in the bias's shape, or None."""
        if dbias.shape[3] == 0:
            return None
        shape = np.shape(self.bias)
        return np.reshape(dbias if shape[-1:] == dbias.shape[3:] else np.sum(dbias, axis=3), shape)


def _four_axes(mask, S):
    """(..., L or 1, S or 1) -> (B or 1, H or 1, L or 1, S), by copying the last axis if it has to be"""
    mask = np.reshape(mask, (*(1,) * (4 - np.ndim(mask)), *np.shape(mask)))
    return np.broadcast_to(mask, (*mask.shape[:3], S))


def _formula(q, k, v, bias, keep, causal, scale, p, seed):
    """Attention as its formula, with all of P at once."""
    weights = attention_weights(q, k, bias, keep, causal, scale)
    if p > 0:
        weights = dropout(weights, p=p, seed=seed)
    return matmul(weights, v)


def _self_formula(qkv, bias, heads, lengths, keep, causal, p, seed):
    """self_attention as its formula; sequences of different lengths are filled up first."""
    if lengths is None:
        y = _formula(*_apart(qkv, heads), bias, keep, causal, None, p, seed)
        return np.reshape(np.swapaxes(y, 1, 2), (*qkv.shape[:2], qkv.shape[2] // 3))
    there = np.arange(np.max(lengths, initial=0)) < lengths[:, None]
    place = np.where(there, np.cumsum(np.reshape(there, -1)).reshape(there.shape) - 1, 0)
    y = _self_formula(qkv[place], bias, heads, None, (*keep, there[:, None, None]), causal, p, seed)
    return y[np.nonzero(there)]


def _apart(qkv, heads):
    """(B, L, 3E) -> queries, keys and values (B, heads, L, D)"""
    a = np.reshape(qkv, (*qkv.shape[:2], 3, heads, qkv.shape[2] // (3 * heads)))
    return [np.swapaxes(a[:, :, part], 1, 2) for part in range(3)]


def _in_full(formula, inputs):
    """(value, pullback) of a rule on tensors, to be differentiated again: the formula, and its gradient with a graph."""
    inputs = own_names(inputs)
    return (y := formula(*inputs)), gradient_with_graph(y, inputs)


# ------------------------------------------------------------------------------------------------ checks
def _scale(scale, q):
    return 1 / math.sqrt(max(1, q.shape[-1])) if scale is None else scale


def _check_heads(qkv, heads, lengths, bias, keep):
    shape = qkv.shape
    if len(shape) != (3 if lengths is None else 2) or heads < 1 or shape[-1] % (3 * heads):
        raise ValueError(f"self_attention: got {shape} and {heads} heads, want (B, L, 3E), or (N, 3E) with lengths, and heads "
                         "that divide E")
    if lengths is not None:
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or np.min(lengths, initial=0) < 0 or np.sum(lengths) != shape[0]:
            raise ValueError(f"self_attention: got {lengths.dtype} lengths {lengths.shape}, {np.sum(lengths)} in all, for "
                             f"{shape[0]} rows, want whole numbers (B,) that add up to the rows")
        shape = len(lengths), int(np.max(lengths, initial=0)), shape[1]
    _check_masks((shape[0], heads, shape[1], shape[1]), bias, keep)
    if qkv.dtype.kind != "f":
        raise TypeError(f"self_attention: got {qkv.dtype}, want floating numbers; call .float()")


def _check_shapes(q, k, v, bias, keep):
    """The leading axes that q, k and v share, after a look at what was given."""
    shapes = [a.shape for a in (q, k, v)]
    fits = all(2 <= len(s) <= 4 for s in shapes) and shapes[0][-1] == shapes[1][-1] and shapes[1][-2] == shapes[2][-2]
    try:
        lead = np.broadcast_shapes(*(s[:-2] for s in shapes))
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"attention: got q {shapes[0]}, k {shapes[1]} and v {shapes[2]}, want (..., L, E), (..., S, E) and "
                         "(..., S, F) with at most two leading axes, which broadcast; reshape more into these")
    if any(a.dtype.kind != "f" for a in (q, k, v)):
        raise TypeError(f"attention: got q, k and v of {q.dtype}, {k.dtype} and {v.dtype}, want floating numbers; "
                        "call .float()")
    _check_masks((*lead, shapes[0][-2], shapes[1][-2]), bias, keep)
    return lead


def _check_masks(full, bias, keep):
    for mask in keep if bias is None else (bias, *keep):
        shape = np.shape(mask)
        if len(shape) > len(full) or any(m not in (1, n) for m, n in zip(shape[::-1], full[::-1], strict=False)):
            raise ValueError(f"attention: got a mask of shape {shape}, want one that broadcasts to {full}: leading axes, "
                             "queries, keys; give a mask of one number a key an axis for the queries, mask[:, None, :]")
        if mask is not bias and np.asarray(mask).dtype != bool:
            raise TypeError(f"attention: got a mask of {np.asarray(mask).dtype} in keep, want booleans, True for what may "
                            "be seen; numbers to add are the bias")
