"""Normalization: bring activations to mean 0 and variance 1, then let the layer choose its own scale and shift."""

import numbers

import numpy as np

from . import functional as F
from . import init
from .module import Module
from .parameter import empty


class LayerNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, over the last axes of each example   (Ba et al. 2016)

    normalized_shape: the lengths of those axes. weight and bias have that shape.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        shape = (normalized_shape,) if isinstance(normalized_shape, numbers.Integral) else tuple(normalized_shape)
        if not shape:
            raise ValueError("LayerNorm: got no axes in normalized_shape, want the lengths of one or more")
        self.normalized_shape, self.eps = shape, eps
        self.register_parameter("weight", init.ones_(empty(*shape)) if elementwise_affine else None)
        self.register_parameter("bias", init.zeros_(empty(*shape)) if elementwise_affine and bias else None)

    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}"


class _BatchNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel over the batch   (Ioffe and Szegedy 2015)

    In training the mean and (biased) variance are the batch's, and running averages are kept:
    running = (1 - momentum) running + momentum batch (unbiased variance there, as in PyTorch); evaluation uses those.
    momentum=None averages over all batches seen. `axes`: what may follow (B, C), by name.
    """

    axes = ()

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True):
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.register_parameter("weight", init.ones_(empty(num_features)) if affine else None)
        self.register_parameter("bias", init.zeros_(empty(num_features)) if affine else None)
        dtype = empty(0).dtype
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if track_running_stats else None)

    def forward(self, x):
        C = self.num_features
        wanted = [(f"B, {C}", *more) for more in self.axes]
        if x.ndim - 2 not in map(len, self.axes) or x.shape[1] != C:
            raise ValueError(f"{type(self).__name__}: got shape {x.shape}, want "
                             + " or ".join(f"({', '.join(names)})" for names in wanted))
        use_batch = self.training or self.running_mean is None
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        momentum = 1 / max(1, int(self.num_batches_tracked or 0)) if self.momentum is None else self.momentum
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, use_batch, momentum, self.eps)

    def extra_repr(self):
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel over the batch; x (B, C) or (B, C, T)"""

    axes = (), ("T",)


class BatchNorm2d(_BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel over batch and places; x (B, C, H, W)"""

    axes = (("H", "W"),)
