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

from ..op import op
from ..tensor import Tensor
from .activation import softmax
from .arithmetic import where
from .attention_blocks import causal_block, factors, forward, four_axes
from .linear_algebra import matmul
from .shape import swapaxes
from .through_time import any_tensor, gradient_with_graph, own_names


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
        keep = *keep, causal_block(slice(0, q.shape[-2]), k.shape[-2])
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
    Q, K, V = (four_axes(a, lead) for a in (q, k, v))
    y = np.empty((*lead, q.shape[-2], v.shape[-1]), q.dtype)
    back = forward(Q, K, V, bias, keep, causal, _scale(scale, q), p, seed, four_axes(y))

    def pullback(dy, needs):
        gradients = [np.zeros((*lead, *a.shape[-2:]), q.dtype) for a in (q, k, v)]
        dbias = back(four_axes(dy), *map(four_axes, gradients), needs[3:] == [True])
        return *gradients, dbias

    return y, pullback


@op(joint=True)
def self_attention(qkv, bias=None, *, heads=1, keep=(), causal=False, p=0.0, seed=0):
    """`attention` of a sequence to itself in several heads, each on its own D = E / heads columns, scale 1 / sqrt(D)

    qkv (B, L, 3E): queries, keys and values side by side, as one affine map makes them -> (B, L, E), the heads side by side.
    bias and keep broadcast to (B, heads, L, L). What lies in one array is not taken apart, and neither is its gradient.
    """
    if len(qkv.shape) != 3 or heads < 1 or qkv.shape[2] % (3 * heads):
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
    back = forward(Q, K, V, bias, keep, causal, _scale(None, Q), p, seed, *apart(y))

    def pullback(dy, needs):
        gradient = np.zeros((B, L, 3 * E), qkv.dtype)
        return gradient, back(*apart(dy), *apart(gradient, 3), needs[1:] == [True])

    return y, pullback


def _formula(q, k, v, bias, keep, causal, scale, p, seed):
    """Attention as its formula, with all of P at once."""
    weights = attention_weights(q, k, bias, keep, causal, scale)
    if p > 0:
        weights = weights * np.reshape(factors(weights, p, seed, causal), weights.shape)
    return matmul(weights, v)


def _in_full(formula, inputs):
    """(value, pullback) of a rule on tensors, to be differentiated again: the formula, and its gradient with a graph."""
    inputs = own_names(inputs)
    return (y := formula(*inputs)), gradient_with_graph(y, inputs)


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
    if any(a.dtype.kind != "f" for a in (q, k, v)):
        raise TypeError(f"attention: got q, k and v of {q.dtype}, {k.dtype} and {v.dtype}, want floating numbers; "
                        "call .float()")
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
