"""Attention between its arrays: `kernels.attend` and its gradient on all cores, or for some sequences of a larger task."""

import math

import numpy as np

from .. import kernels

PARTS = 8  # the heads of all sequences in so many parts, which the cores share


class Heads:
    """Attention in heads between its inputs and y: `kernels.attend` and its gradient for some of the sequences, or for all.

    Arguments: as the kernel has them, scale by `scale_of`. What `run` has done, `run_back` needs.
    """

    def __init__(self, q, k, v, step, q_start, k_start, L, S, bias, keep, causal, scale, p, seed):
        (N, _, H, E), F = q.shape, v.shape[3]
        mask = np.zeros((1, 1, 1, 0), q.dtype) if bias is None else four_axes(bias, S)
        for seen in keep:
            hidden = np.where(four_axes(seen, S), q.dtype.type(0), q.dtype.type(-np.inf))
            mask = mask + hidden if mask.shape[3] > 0 else hidden
        rows = kernels.queries_of_a_tile(L, S, E, F)
        self.q, self.bias, self.S, self.heads, self.pieces, self.sequences = q, bias, S, H, -(-L // rows), len(q_start) - 1
        mask = np.ascontiguousarray(mask, q.dtype)
        self.given = q, k, v, step, q_start, k_start, L, S, mask, causal, scale_of(scale, E), float(p), seed, rows
        self.y, self.logs = np.empty((N, 1, H, F), q.dtype), np.empty((N, H), q.dtype)

    @classmethod
    def of_one_array(cls, qkv, heads, lengths, bias, keep, causal, p, seed):
        """As of `self_attention`'s arguments."""
        longest = qkv.shape[1] if lengths is None else int(np.max(lengths, initial=0))
        start = longest * np.arange(len(qkv) + 1) if lengths is None else np.concatenate([[0], np.cumsum(lengths)])
        parts = np.reshape(np.ascontiguousarray(qkv), (-1, 3, heads, qkv.shape[-1] // (3 * heads)))
        return cls(parts, parts, parts, 1, start, start, longest, longest, bias, keep, causal, None, p, seed)

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
        parts = PARTS if gradients[-1].shape[3] == 0 else 1  # heads may share a bias
        heads = kernels.cuts(self.sequences * self.heads, parts)
        kernels.side_by_side(lambda part: self._heads_back(part, gradients), heads)

    def _heads_back(self, heads, gradients):
        kernels.attend_gradient(*self.given, heads.start, heads.stop, self.y, self.logs, *gradients)

    def bias_gradient(self, wanted):
        """Zeros for the bias's gradient to be added to, or without columns if nobody wants it."""
        return np.zeros(four_axes(self.bias, self.S).shape if wanted else (1, 1, 1, 0), self.q.dtype)

    def of_bias(self, dbias):
        """dbias in the bias's shape, or None."""
        if dbias.shape[3] == 0:
            return None
        shape = np.shape(self.bias)
        return np.reshape(dbias if shape[-1:] == dbias.shape[3:] else np.sum(dbias, axis=3), shape)


def scale_of(scale, E):
    """What scores are multiplied by: 1 / sqrt(E) by default."""
    return 1 / math.sqrt(max(1, E)) if scale is None else scale


def four_axes(mask, S):
    """(..., L or 1, S or 1) -> (B or 1, H or 1, L or 1, S), by copying the last axis if it has to be"""
    mask = np.reshape(mask, (*(1,) * (4 - np.ndim(mask)), *np.shape(mask)))
    return np.broadcast_to(mask, (*mask.shape[:3], S))
