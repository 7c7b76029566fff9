"""Linear: the dense layer. Bilinear: one product of two inputs for each output."""

import math

from .. import ops
from . import init
from .module import Module
from .parameter import empty


class Linear(Module):
    """y = x W^T + b

    x (..., in_features) -> y (..., out_features); weight (out, in), bias (out,), both drawn from
    U(-1/sqrt(in), 1/sqrt(in)), as PyTorch does.
    """

    def __init__(self, in_features, out_features, bias=True, *, rng=None):
        self.in_features, self.out_features = in_features, out_features
        weight = empty(out_features, in_features)
        bound = 1 / math.sqrt(max(1, in_features))
        self.weight = init.uniform_(weight, -bound, bound, rng)
        self.register_parameter("bias", init.uniform_(empty(out_features), -bound, bound, rng) if bias else None)

    def forward(self, x):
        return ops.linear(x, self.weight) if self.bias is None else ops.linear(x, self.weight, self.bias)

    def rectified(self, x):
        """relu(self(x)) as one operation, of a layer with a bias."""
        return ops.linear_relu(x, self.weight, self.bias)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}" + (", bias=False" if self.bias is None else "")


class Bilinear(Module):
    """y_o = x1' W_o x2 + b_o

    x1 (..., in1), x2 (..., in2) -> y (..., out); weight (out, in1, in2), bias (out,), from U(-1/sqrt(in1), 1/sqrt(in1)).
    """

    def __init__(self, in1_features, in2_features, out_features, bias=True, *, rng=None):
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        weight = empty(out_features, in1_features, in2_features)
        bound = 1 / math.sqrt(max(1, in1_features))
        self.weight = init.uniform_(weight, -bound, bound, rng)
        self.register_parameter("bias", init.uniform_(empty(out_features), -bound, bound, rng) if bias else None)

    def forward(self, x1, x2):
        if x1.shape[:-1] != x2.shape[:-1] or (x1.shape[-1], x2.shape[-1]) != self.weight.shape[1:]:
            raise ValueError(f"Bilinear: got inputs {x1.shape} and {x2.shape}, want equal shapes but for the last axes, "
                             f"{self.in1_features} and {self.in2_features}")
        lead = x1.shape[:-1]
        y = ops.einsum("bi,oij,bj->bo", ops.reshape(x1, shape=(-1, self.in1_features)), self.weight,
                       ops.reshape(x2, shape=(-1, self.in2_features)))
        y = ops.reshape(y, shape=(*lead, self.out_features))
        return y if self.bias is None else y + self.bias

    def extra_repr(self):
        return f"{self.in1_features}, {self.in2_features}, {self.out_features}"


class Identity(Module):
    """y = x"""

    def forward(self, x):
        return x


class Flatten(Module):
    """y = x with the axes from start_dim to end_dim made one"""

    def __init__(self, start_dim=1, end_dim=-1):
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x):
        return ops.flatten(x, self.start_dim, self.end_dim)
