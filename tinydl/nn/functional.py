"""The layers as functions, by PyTorch's names: `F.relu(x)`, `F.linear(x, W, b)`, `F.mse_loss(y, t)`.

What is not defined here is a primitive or a loss of `tinydl.ops` under the same name.
"""

import math

import numpy as np

from .. import kernels, ops
from ..ops import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    bpr_loss,
    cross_entropy,
    embedding,
    embedding_bag,
    gelu,
    huber_loss,
    kl_div,
    l1_loss,
    linear,
    logsigmoid,
    mse_loss,
    nll_loss,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from ..random import generator


def leaky_relu(x, negative_slope=0.01):
    """y = x where x > 0, else negative_slope * x"""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def elu(x, alpha=1.0):
    """y = x where x > 0, else alpha (e^x - 1)"""
    return ops.elu(x, alpha=alpha)


def softmax(x, dim):
    """y_i = e^{x_i} / sum_j e^{x_j} along dim"""
    return ops.softmax(x, axis=dim)


def log_softmax(x, dim):
    """y = log softmax(x) along dim"""
    return ops.log_softmax(x, axis=dim)


def dropout(x, p=0.5, training=True, rng=None):
    """y = x * m / (1 - p) with each m_i zero with probability p; y = x when not training. `rng` draws the mask's seed."""
    if not training or p == 0:
        return x
    mask = np.zeros(math.prod(x.shape), x.dtype)
    if p < 1:
        kernels.dropout_mask(mask, float(p), int(generator(rng).integers(2**32)))
    mask.flags.writeable = False
    return x * np.reshape(mask, x.shape)


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """y = (x - mean) / sqrt(var + eps) * weight + bias over the last axes, whose lengths are normalized_shape"""
    shape = tuple(normalized_shape)
    if x.shape[x.ndim - len(shape):] != shape:
        raise ValueError(f"layer_norm: got x {x.shape}, want its last axes to be {shape}")
    axes = tuple(range(-len(shape), 0))
    y = (x - ops.mean(x, axis=axes, keepdims=True)) / ops.sqrt(ops.var(x, axis=axes, keepdims=True) + eps)
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, eps=1e-5):
    """(y, mean, var): y = (x - mean) / sqrt(var + eps) * weight + bias, per channel (axis 1).

    mean and var (C,) are the batch's in training, the running ones otherwise; they come back as arrays, and whoever
    keeps running averages (BatchNorm1d) updates them with these.
    """
    axes, lengths = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    if training:
        if x.numel() // x.shape[1] < 2:
            raise ValueError(f"batch_norm: got shape {x.shape} in training; the variance needs at least 2 values a channel "
                             "(drop the last short batch, or call .eval())")
        mean, var = ops.mean(x, axis=axes, keepdims=True), ops.var(x, axis=axes, keepdims=True)
        stats = np.reshape(mean._data, -1), np.reshape(var._data, -1)
    else:
        stats = running_mean, running_var
        mean, var = np.reshape(running_mean, lengths), np.reshape(running_var, lengths)
    y = (x - mean) / (var + eps) ** 0.5
    if weight is not None:
        y = y * ops.reshape(weight, shape=lengths)
    if bias is not None:
        y = y + ops.reshape(bias, shape=lengths)
    return y, *stats


__all__ = ["batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "bpr_loss", "cross_entropy", "dropout",
           "elu", "embedding", "embedding_bag", "gelu", "huber_loss", "kl_div", "l1_loss", "layer_norm", "leaky_relu",
           "linear", "log_softmax", "logsigmoid", "mse_loss", "nll_loss", "relu", "sigmoid", "silu", "softmax", "softplus",
           "tanh"]
