"""The layers as functions, by PyTorch's names: `F.relu(x)`, `F.linear(x, W, b)`, `F.mse_loss(y, t)`.

What is not defined here is a primitive or a loss of `tinydl.ops` under the same name.
"""

import math

import numpy as np

from .. import naming, ops
from ..ops import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    avg_pool1d,
    avg_pool2d,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    bpr_loss,
    conv1d,
    conv2d,
    conv2d_relu,
    conv2d_relu_max_pool2d,
    conv_transpose2d,
    cross_entropy,
    gelu,
    huber_loss,
    kl_div,
    l1_loss,
    linear,
    linear_relu,
    logsigmoid,
    max_pool1d,
    max_pool2d,
    mse_loss,
    nll_loss,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from ..random import generator
from ..tensor import Tensor


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


def embedding(index, weight, padding_idx=None, *, sparse=False):
    """y = W[index]: rows of a table"""
    return ops.embedding(index, weight, padding_idx, sparse)


def embedding_bag(index, weight, *, mode="mean", sparse=False, per_sample_weights=None, padding_idx=None):
    """y_b = sum or mean of s_bl W[index_bl] over l"""
    return ops.embedding_bag(index, weight, mode, per_sample_weights, padding_idx, sparse)


def check_probability(who, p):
    if not 0 <= p <= 1:
        raise ValueError(f"{who}: got p={p}, want a probability in [0, 1]")


def dropout(x, p=0.5, training=True, *, rng=None):
    """y = x * m / (1 - p) with each m_i zero with probability p; y = x when not training. `rng` draws the mask's seed."""
    check_probability("dropout", p)
    if not training or p == 0:
        return x
    return x * 0 if p == 1 else ops.dropout(x, p=float(p), seed=mask_seed(rng))


def mask_seed(rng=None):
    """The seed of a mask of `ops.dropout`, drawn from `rng`."""
    return int(generator(rng).integers(2**32))


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, *, rng=None):
    """Y = dropout(softmax(scale Q K^T + mask)) V, without ever holding all of the L x S weights: see `ops.attention`

    query (..., L, E), key (..., S, E), value (..., S, F) -> (..., L, F). attn_mask broadcasts to (..., L, S): booleans, True
    for what may be seen, or numbers that are added to the scores. (In `MultiheadAttention` True is what may not be seen, in
    PyTorch as here.) is_causal: query i sees keys up to i. A query that may see no key gets zeros, where PyTorch has nan.
    """
    check_probability("scaled_dot_product_attention", dropout_p)
    if dropout_p == 1:
        return scaled_dot_product_attention(query, key, value, attn_mask, 0.0, is_causal, scale) * 0
    boolean = attn_mask is not None and np.dtype(attn_mask.dtype) == bool
    keep = (np.array(attn_mask.data if isinstance(attn_mask, Tensor) else attn_mask),) if boolean else ()
    seed = mask_seed(rng) if dropout_p > 0 else 0
    return ops.attention(query, key, value, None if boolean else attn_mask, keep=keep, causal=is_causal, scale=scale,
                         p=float(dropout_p), seed=seed)


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


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel (axis 1)

    In training the mean and the (biased) variance are the batch's, and the running ones, arrays (C,) or None, move in
    place: running = (1 - momentum) running + momentum batch, with the unbiased variance. Otherwise they are used.
    """
    if x.ndim < 2:
        raise ValueError(f"batch_norm: got shape {x.shape}, want (B, C) or (B, C, ...)")
    C, n = x.shape[1], math.prod(x.shape) // max(x.shape[1], 1)
    weight = np.ones(C, x.dtype) if weight is None else weight
    bias = np.zeros(C, x.dtype) if bias is None else bias
    if training:
        if n < 2:
            raise ValueError(f"batch_norm: got shape {x.shape} in training; the variance needs at least 2 values a channel "
                             "(drop the last short batch, or call .eval())")
        mean, var = ops.normalization.moments(x)
        for running, batch, factor in ((running_mean, mean, 1.0), (running_var, var, n / (n - 1))):
            if running is not None:
                running += momentum * (batch * factor - running)
        return ops.batch_norm(x, weight, bias, eps, (mean, var))
    scale = weight / (running_var + eps) ** 0.5
    lengths = (-1,) + (1,) * (x.ndim - 2)
    return x * ops.reshape(scale, shape=lengths) + ops.reshape(bias - running_mean * scale, shape=lengths)


__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "batch_norm", "binary_cross_entropy",
           "binary_cross_entropy_with_logits", "bpr_loss", "conv1d", "conv2d", "conv2d_relu", "conv2d_relu_max_pool2d",
           "conv_transpose2d", "cross_entropy", "dropout", "elu", "embedding", "embedding_bag", "gelu", "huber_loss",
           "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "linear_relu", "log_softmax", "logsigmoid",
           "max_pool1d", "max_pool2d", "mse_loss", "nll_loss", "relu", "scaled_dot_product_attention", "sigmoid", "silu",
           "softmax", "softplus", "tanh"]


def __getattr__(name):
    raise naming.missing(__name__, name, ops)
