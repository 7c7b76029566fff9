"""Attention: each query takes a mean of the values, weighted by how well their keys answer it.

    S = scale Q K^T + bias,   P = softmax(S) over the keys that may be seen,   Y = P V     (Vaswani et al. 2017, eq. 1)

Leading axes (...) are independent problems, such as sequences and heads; L queries and S keys of E numbers, S values of F.
`attention` never holds P: its kernel goes through it in tiles, keeps of each query the logarithm of its row's sum, and
computes P again on the way back, so that memory grows with L + S and not with L S (Rabe & Staats 2021; Dao et al. 2022).
A query that may see no key gets weights and a value of zeros, where PyTorch has nan.
"""

import math

import numpy as np

from ..op import op
from ..tensor import Tensor
from .activation import dropout, softmax
from .arithmetic import where
from .attention_heads import Heads, scale_of
from .linear_algebra import matmul
from .shape import swapaxes
from .through_time import any_tensor, in_full


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
    s = matmul(q * scale_of(scale, q.shape[-1]), swapaxes(k))
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
        return in_full(lambda *inputs: formula(*inputs, keep, causal, scale, p, seed), (q, k, v, bias))

    def heads(a):  # (..., n, D) -> (B n, 1, heads, D)
        a = a if a.shape[:-2] == lead else np.broadcast_to(a, (*lead, *a.shape[-2:]))
        a = np.swapaxes(np.reshape(a, (*(1,) * (2 - len(lead)), *a.shape)), 1, 2)
        return np.reshape(np.ascontiguousarray(a), (math.prod(a.shape[:2]), 1, *a.shape[2:]))

    def plain(a, n):
        B, H, D = math.prod(lead[:-1]), lead[-1] if lead else 1, a.shape[3]
        return np.reshape(np.swapaxes(np.reshape(a, (B, n, H, D)), 1, 2), (*lead, n, D))

    given = [heads(a) for a in (q, k, v)]
    L, S, B = q.shape[-2], k.shape[-2], math.prod(lead[:-1])
    starts = L * np.arange(B + 1), S * np.arange(B + 1)
    inside = Heads(*given, 0, *starts, L, S, bias, keep, causal, scale, p, seed)
    inside.run_all()

    def pullback(dy, needs):
        gradients = [np.zeros(a.shape, a.dtype) for a in given]
        dbias = inside.bias_gradient(needs[3:] == [True])
        inside.run_all_back(heads(dy), *gradients, dbias)
        return *map(plain, gradients, (L, S, S)), inside.of_bias(dbias)

    return plain(inside.y, L), pullback


def formula(q, k, v, bias, keep, causal, scale, p, seed):
    """Attention as its formula, with all of P at once."""
    weights = attention_weights(q, k, bias, keep, causal, scale)
    if p > 0:
        weights = dropout(weights, p=p, seed=seed)
    return matmul(weights, v)


# ------------------------------------------------------------------------------------------------ checks
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
    check_masks((*lead, shapes[0][-2], shapes[1][-2]), bias, keep)
    return lead


def check_masks(full, bias, keep):
    for mask in keep if bias is None else (bias, *keep):
        shape = np.shape(mask)
        if len(shape) > len(full) or any(m not in (1, n) for m, n in zip(shape[::-1], full[::-1], strict=False)):
            raise ValueError(f"attention: got a mask of shape {shape}, want one that broadcasts to {full}: leading axes, "
                             "queries, keys; give a mask of one number a key an axis for the queries, mask[:, None, :]")
        if mask is not bias and np.asarray(mask).dtype != bool:
            raise TypeError(f"attention: got a mask of {np.asarray(mask).dtype} in keep, want booleans, True for what may "
                            "be seen; numbers to add are the bias")
