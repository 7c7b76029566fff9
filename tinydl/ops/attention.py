"""Attention: each query takes a mean of the values, weighted by how well their keys answer it.

    S = scale Q K^T + bias,   P = softmax(S) over the keys that may be seen,   Y = P V     (Vaswani et al. 2017, eq. 1)

Leading axes (...) are independent problems, such as sequences and heads; L queries and S keys of E numbers, S values of F.
`attention` never holds all of P where there are many keys: it goes through blocks of queries, keeps of each query the
logarithm of its row's sum, and computes P again on the way back, so that memory grows with L + S and not with L S (Rabe &
Staats 2021; Dao et al. 2022).
A query that may see no key gets weights and a value of zeros, where PyTorch has nan.
"""

import math

import numpy as np

from .. import kernels
from ..op import op
from ..tensor import Tensor
from .activation import softmax
from .arithmetic import where
from .linear_algebra import matmul
from .shape import swapaxes
from .through_time import any_tensor, gradient_with_graph, own_names

BLOCK = 1 << 17  # scores that are held at a time: half a megabyte, to stay in the cache
FEW = 128  # up to so many keys, the weights are kept for the way back


def masked_softmax(scores, keep=None, axis=-1):
    """p_i = e^{s_i} / sum of e^{s_j} over the j that are kept, 0 for the others; all 0 where nothing is kept

    keep: booleans that broadcast to the scores, True for what takes part; None: everything does.
    """
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
        keep = *keep, _causal(slice(0, q.shape[-2]), k.shape[-2])
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
    Q, K, V = (_four_axes(a, lead) for a in (q, k, v))
    y = np.empty((*lead, q.shape[-2], v.shape[-1]), q.dtype)
    back = _forward(Q, K, V, bias, keep, causal, _scale(scale, q), p, seed, _four_axes(y))

    def pullback(dy, needs):
        gradients = [np.zeros((*lead, *a.shape[-2:]), q.dtype) for a in (q, k, v)]
        dbias = back(_four_axes(dy), *map(_four_axes, gradients), needs[3:] == [True])
        return *gradients, dbias

    return y, pullback


@op(joint=True)
def self_attention(qkv, bias=None, *, heads=1, keep=(), causal=False, p=0.0, seed=0):
    """`attention` of a sequence to itself in several heads, each on its own D = E / heads columns, scale 1 / sqrt(D)

    qkv (B, L, 3E): queries, keys and values side by side, as one affine map makes them -> (B, L, E), the heads side by side.
    bias and keep broadcast to (B, heads, L, L). What lies in one array is not taken apart, and neither is its gradient.
    """
    if len(qkv.shape) != 3 or qkv.shape[2] % (3 * heads):
        raise ValueError(f"self_attention: got {qkv.shape} and {heads} heads, want (B, L, 3E), and heads that divide E")
    B, L, E = *qkv.shape[:2], qkv.shape[2] // 3

    def apart(a, parts=1):  # (B, L, parts E) -> parts of (B, heads, L, D)
        a = np.reshape(a, (B, L, parts, heads, E // heads))
        return [np.swapaxes(a[:, :, part], 1, 2) for part in range(parts)]

    if any_tensor((qkv, bias)):
        return _in_full(lambda qkv, bias: np.reshape(np.swapaxes(_formula(*apart(qkv, 3), bias, keep, causal, None, p, seed),
                                                                 1, 2), (B, L, E)), (qkv, bias))
    Q, K, V = apart(qkv, 3)
    _check_shapes(Q, K, V, bias, keep)
    y = np.empty((B, L, E), qkv.dtype)
    back = _forward(Q, K, V, bias, keep, causal, _scale(None, Q), p, seed, *apart(y))

    def pullback(dy, needs):
        gradient = np.zeros((B, L, 3 * E), qkv.dtype)
        return gradient, back(*apart(dy), *apart(gradient, 3), needs[1:] == [True])

    return y, pullback


def _forward(Q, K, V, bias, keep, causal, scale, p, seed, y):
    """Write attention's value to y and return the way back; all (B, H, L or S, ...), in any order in memory."""
    Q, shape = Q * Q.dtype.type(scale), np.shape(bias)
    masks = [None if a is None else _four_axes(a) for a in (bias, *keep)]
    blocks, logs = list(_blocks(*Q.shape[:3], K.shape[2], causal)), np.empty(Q.shape[:3], Q.dtype)

    weights = {}  # of blocks where they are few beside q, k and v: not computed again

    def scores(b, i, keys):
        s = np.matmul(Q[b, :, i], _turned(K[b, :, :keys]))
        if masks[0] is not None:
            s += _piece(masks[0], b, i, keys)
        for mask in masks[1:]:
            np.copyto(s, -np.inf, where=~_piece(mask, b, i, keys))
        if causal:
            np.copyto(s, -np.inf, where=~_causal(i, keys))
        return s

    for number, (b, i, keys) in enumerate(blocks):
        P = scores(b, i, keys)
        rows, top = np.reshape(P, (math.prod(P.shape[:3]), keys)), np.empty(math.prod(P.shape[:3]), P.dtype)
        kernels.shift_rows(rows, top)
        np.exp(P, out=P)
        kernels.normalize_rows(rows, top)
        logs[b, :, i] = np.reshape(top, P.shape[:3])
        np.matmul(_dropped(P, p, seed, number), V[b, :, :keys], out=y[b, :, i])
        if K.shape[2] <= FEW:
            weights[number] = P

    def back(dy, dQ, dK, dV, wants_bias):
        """Add to dQ, dK and dV, which come as zeros; -> dbias, or None."""
        dots = np.einsum("bhif,bhif->bhi", dy, y)
        dbias = np.zeros(masks[0].shape, Q.dtype) if wants_bias else None
        for number, (b, i, keys) in enumerate(blocks):
            P, dy_i = weights.get(number), dy[b, :, i]
            if P is None:
                P = scores(b, i, keys)
                P -= logs[b, :, i, None]
                np.exp(P, out=P)
            _add(dV[b, :, :keys], np.swapaxes(_dropped(P, p, seed, number), 2, 3), dy_i, i)
            dP = _dropped(np.matmul(dy_i, _turned(V[b, :, :keys])), p, seed, number)
            rows = math.prod(P.shape[:3]), keys
            kernels.softmax_rows_gradient(np.reshape(P, rows), np.reshape(dP, rows), np.reshape(dots[b, :, i], -1))
            dQ_i = np.matmul(dP, K[b, :, :keys], out=dQ[b, :, i])
            dQ_i *= scale
            _add(dK[b, :, :keys], np.swapaxes(dP, 2, 3), Q[b, :, i], i)
            if wants_bias:
                piece = _piece(dbias, b, i, keys)
                shared = tuple(axis for axis in range(4) if piece.shape[axis] != dP.shape[axis])
                piece += np.sum(dP, axis=shared, keepdims=True)
        return None if dbias is None else np.reshape(dbias, shape)

    return back


def _turned(a):
    """(..., n, m) -> (..., m, n) in that order in memory, where a product of many small matrices is twice as fast."""
    return np.ascontiguousarray(np.swapaxes(a, -1, -2))


def _add(total, a, b, i):
    """total += a b; the first block of queries finds zeros there."""
    if i.start == 0:
        np.matmul(a, b, out=total)
    else:
        total += np.matmul(a, b)


def _formula(q, k, v, bias, keep, causal, scale, p, seed):
    """Attention as its formula, with all of P at once."""
    weights = attention_weights(q, k, bias, keep, causal, scale)
    if p > 0:
        weights = weights * np.reshape(_factors(weights, p, seed, causal), weights.shape)
    return matmul(weights, v)


def _in_full(formula, inputs):
    """(value, pullback) of a rule on tensors, to be differentiated again: the formula, and its gradient with a graph."""
    inputs = own_names(inputs)
    return (y := formula(*inputs)), gradient_with_graph(y, inputs)


# ------------------------------------------------------------------------------------------------ blocks
def _blocks(B, H, L, S, causal):
    """(problems, queries, number of keys) of each block: whole problems where they are small, else rows of one.

    Causal queries up to i see keys up to i only, so the others are left out.
    """
    rows = max(1, L if H * L * S <= BLOCK else BLOCK // (H * S))
    several = max(1, BLOCK // max(1, H * L * S))
    for b in range(0, B, several):
        for i in range(0, L, rows):
            end = min(i + rows, L)
            yield slice(b, b + several), slice(i, end), min(end, S) if causal else S


def _dropped(P, p, seed, number):
    """dropout(P) of one block; each has a seed of its own."""
    if p == 0:
        return P
    return np.reshape(kernels.dropout(np.reshape(P, -1), float(p), _seed(seed, number)), P.shape)


def _seed(seed, number):
    return (seed + 0xC2B2AE35 * number) % 2**32


def _factors(weights, p, seed, causal):
    """What dropout multiplies all of P by, (B, H, L, S), as `attention` does block by block."""
    S = weights.shape[-1]
    ones = _four_axes(np.ones(weights.shape, weights.dtype))
    for number, (b, i, keys) in enumerate(_blocks(*ones.shape[:3], S, causal)):
        ones[b, :, i, :keys] = _dropped(ones[b, :, i, :keys], p, seed, number)
    return ones


def _causal(i, keys):
    """Which of the first keys the queries i may see.  (queries, keys)"""
    return np.arange(keys) <= np.arange(i.start, i.stop)[:, None]


def _four_axes(a, lead=None):
    """(..., n, m) -> (B, H, n, m), the leading axes broadcast to `lead` first. No copy, but for what is scaled."""
    if lead is not None:
        a = np.broadcast_to(a, (*lead, *a.shape[-2:]))
    return np.reshape(a, (*(1,) * (4 - np.ndim(a)), *np.shape(a)))


def _piece(mask, b, i, keys):
    """A mask's part for a block; an axis of length 1 stays."""
    return mask[b if mask.shape[0] > 1 else slice(None), :, i if mask.shape[2] > 1 else slice(None), :keys]


# ------------------------------------------------------------------------------------------------ checks
def _scale(scale, q):
    return 1 / math.sqrt(max(1, q.shape[-1])) if scale is None else scale


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
    full = (*lead, shapes[0][-2], shapes[1][-2])
    for mask in keep if bias is None else (bias, *keep):
        shape = np.shape(mask)
        if len(shape) > len(full) or any(m not in (1, n) for m, n in zip(shape[::-1], full[::-1], strict=False)):
            raise ValueError(f"attention: got a mask of shape {shape}, want one that broadcasts to {full}: leading axes, "
                             "queries, keys; give a mask of one number a key an axis for the queries, mask[:, None, :]")
        if mask is not bias and np.asarray(mask).dtype != bool:
            raise TypeError(f"attention: got a mask of {np.asarray(mask).dtype} in keep, want booleans, True for what may "
                            "be seen; numbers to add are the bias")
    return lead
