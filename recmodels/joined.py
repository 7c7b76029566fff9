"""Parts of a layer's input, side by side: concatenation in one pass with what is done next, the same numbers as apart."""

import itertools
import math

import numpy as np

from tinydl import Tensor, ops
from tinydl.nn import functional as F
from tinydl.op import op, value_of

from . import kernels


@op(joint=True)
def joined_relu(*h):
    """y = ReLU(concat(h_1, h_2, ..)) along the last axis;   dh_n = its part of dy, where y > 0

    h_n (..., D_n), equal but for the last axis -> (..., sum D_n): what Neural FM's layers are given.
    """
    y = value_of(joined_relu, lambda *h: _join(h, kernels.join_relu), *_fitting("joined_relu", h))

    def pullback(dy, needs):
        y_rows = _rows(y)
        return _parts(h, dy, needs, lambda dy, start, width: kernels.part_relu_gradient(y_rows, dy, start, width))

    return y, pullback


def joined_dropout(h, dropout):
    """y = dropout(concat(h)) along the last axis, with a layer `nn.Dropout`: the same numbers, in half the passes.

    h: tensors (..., D_n), equal but for the last axis -> (..., sum D_n).
    """
    if not dropout.training or dropout.p in (0, 1):
        return dropout(ops.concatenate(h, axis=-1))
    return _joined_dropout(*h, p=float(dropout.p), seed=F.mask_seed(dropout.rng))


@op(joint=True)
def _joined_dropout(*h, p, seed):
    """y = m * concat(h_1, h_2, ..) of the mask m that `ops.dropout` has for the seed;   dh_n = its part of m * dy"""
    def again(*h):
        return _joined_dropout(*h, p=p, seed=seed)

    def compute(*h):
        return _join(h, lambda y, part, start: kernels.join_dropout(y, part, start, p, seed))

    def pullback(dy, needs):
        if isinstance(dy, Tensor):
            ends = list(itertools.accumulate(x.shape[-1] for x in h))
            dy = ops.dropout(dy, p=p, seed=seed)
            return [dy[..., end - x.shape[-1]:end] for x, end in zip(h, ends, strict=True)]
        return _parts(h, dy, needs, lambda dy, start, width: kernels.part_dropout_gradient(dy, start, width, p, seed))

    return value_of(again, compute, *_fitting("joined_dropout", h)), pullback


def _fitting(name, h):
    if len({x.shape[:-1] for x in h}) != 1:
        raise ValueError(f"{name}: got shapes {', '.join(str(x.shape) for x in h)}, want them equal but for the last axis")
    return h


def _rows(a):
    return np.reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))


def _join(h, join):
    """(..., sum D_n), each part put at its place by join(y, part, start)."""
    y = np.empty((math.prod(h[0].shape[:-1]), sum(x.shape[-1] for x in h)), h[0].dtype)
    start = 0
    for x in h:
        join(y, _rows(x), start)
        start += x.shape[-1]
    return np.reshape(y, (*h[0].shape[:-1], y.shape[1]))


def _parts(h, dy, needs, part):
    """part(dy, start, width) of every h that needs one, in its shape."""
    ends, rows = itertools.accumulate(x.shape[-1] for x in h), _rows(dy)
    return [np.reshape(part(rows, end - x.shape[-1], x.shape[-1]), x.shape) if need else None
            for x, end, need in zip(h, ends, needs, strict=True)]
