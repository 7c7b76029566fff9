"""Attention block by block: what is held of the weights is one block, however long the sequences are.

Q (B, H, L, E), K (B, H, S, E), V (B, H, S, F) in any order in memory; a block is some problems b with all their queries, or
some queries i of one problem, and the first `keys` keys. `attention.py` has the formulas.
"""

import math

import numpy as np

from .. import kernels

BLOCK = 1 << 16  # scores that are held at a time: a quarter of a megabyte, to stay in the cache
QUERIES = 64  # of one problem, at least: each block copies its keys once, which few queries would not repay
FEW = 128  # up to so many keys, the weights are kept for the way back
SMALL = 1 << 18  # multiplications of a product that BLAS leaves to one core


def forward(Q, K, V, bias, keep, causal, scale, p, seed, y):
    """Write attention's value to y and return the way back; all (B, H, L or S, ...), in any order in memory."""
    Q, shape = Q * Q.dtype.type(scale), np.shape(bias)
    masks = [None if a is None else four_axes(a) for a in (bias, *keep)]
    blocks, logs = _blocks(*Q.shape[:3], K.shape[2], causal), np.empty(Q.shape[:3], Q.dtype)
    small, weights = Q.shape[2] * K.shape[2] * max(Q.shape[3], V.shape[3]) <= SMALL, {}

    def scores(b, i, keys):
        s = np.matmul(Q[b, :, i], _turned(K[b, :, :keys]))
        if masks[0] is not None:
            s += _piece(masks[0], b, i, keys)
        for mask in masks[1:]:
            np.copyto(s, -np.inf, where=~_piece(mask, b, i, keys))
        if causal:
            np.copyto(s, -np.inf, where=~causal_block(i, keys))
        return s

    def block_forward(block):
        number, b, i, keys = block
        P = scores(b, i, keys)
        rows, top = np.reshape(P, (math.prod(P.shape[:3]), keys)), np.empty(math.prod(P.shape[:3]), P.dtype)
        kernels.shift_rows(rows, top)
        np.exp(P, out=P)
        kernels.normalize_rows(rows, top)
        logs[b, :, i] = np.reshape(top, P.shape[:3])
        np.matmul(_dropped(P, p, seed, number), V[b, :, :keys], out=y[b, :, i])
        if K.shape[2] <= FEW:
            weights[number] = P  # not computed again

    _run(block_forward, blocks, small)

    def back(dy, dQ, dK, dV, wants_bias):
        """Add to dQ, dK and dV, which come as zeros; -> dbias, or None."""
        dots = np.einsum("bhif,bhif->bhi", dy, y)
        dbias = np.zeros(masks[0].shape, Q.dtype) if wants_bias else None

        def block_back(block):
            number, b, i, keys = block
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

        _run(block_back, blocks, small and not wants_bias)  # blocks may share a bias
        return None if dbias is None else np.reshape(dbias, shape)

    return back


def _run(run, blocks, small):
    """run(block) for all, side by side where they are of different problems and their products too small for BLAS to share
    out. (Blocks of one problem add to the same gradients.)"""
    if small and len({b.start for _, b, _, _ in blocks}) == len(blocks):
        kernels.side_by_side(run, blocks)
    else:
        for block in blocks:
            run(block)


def _turned(a):
    """(..., n, m) -> (..., m, n) in that order in memory, where a product of many small matrices is twice as fast."""
    return np.ascontiguousarray(np.swapaxes(a, -1, -2))


def _add(total, a, b, i):
    """total += a b; the first block of queries finds zeros there."""
    if i.start == 0:
        np.matmul(a, b, out=total)
    else:
        total += np.matmul(a, b)


def _blocks(B, H, L, S, causal):
    """[(number, problems, queries, number of keys)] of blocks: whole problems where they are small, else rows of one.

    Causal queries up to i see keys up to i only, so the others are left out.
    """
    rows = max(1, L if H * L * S <= BLOCK else max(QUERIES, BLOCK // (H * S)))
    several = max(1, BLOCK // max(1, H * L * S))
    pieces = [(slice(b, b + several), slice(i, min(i + rows, L))) for b in range(0, B, several) for i in range(0, L, rows)]
    return [(number, b, i, min(i.stop, S) if causal else S) for number, (b, i) in enumerate(pieces)]


def _dropped(P, p, seed, number):
    """dropout(P) of one block; each has a seed of its own."""
    if p == 0:
        return P
    return np.reshape(kernels.dropout(np.reshape(P, -1), float(p), _seed(seed, number)), P.shape)


def _seed(seed, number):
    return (seed + 0xC2B2AE35 * number) % 2**32


def factors(weights, p, seed, causal):
    """What dropout multiplies all of P by, (B, H, L, S), as `attention` does block by block."""
    S = weights.shape[-1]
    ones = four_axes(np.ones(weights.shape, weights.dtype))
    for number, b, i, keys in _blocks(*ones.shape[:3], S, causal):
        ones[b, :, i, :keys] = _dropped(ones[b, :, i, :keys], p, seed, number)
    return ones


def causal_block(i, keys):
    """Which of the first keys the queries i may see.  (queries, keys)"""
    return np.arange(keys) <= np.arange(i.start, i.stop)[:, None]


def four_axes(a, lead=None):
    """(..., n, m) -> (B, H, n, m), the leading axes broadcast to `lead` first; a view"""
    if lead is not None:
        a = np.broadcast_to(a, (*lead, *a.shape[-2:]))
    return np.reshape(a, (*(1,) * (4 - np.ndim(a)), *np.shape(a)))


def _piece(mask, b, i, keys):
    """A mask's part for a block; an axis of length 1 stays."""
    return mask[b if mask.shape[0] > 1 else slice(None), :, i if mask.shape[2] > 1 else slice(None), :keys]
