"""Convolutional layers: the same small weights at every place of an image or a sequence."""

import math

from .. import ops
from ..ops.windows import sizes
from . import init
from .module import Module
from .parameter import empty


class _Convolution(Module):
    """What the three layers share: checked sizes, weights, a name for themselves."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dims,
                 transposed, rng):
        who = type(self).__name__
        for what, n in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
            sizes(who, what, n, 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{who}: got in_channels={in_channels} and out_channels={out_channels} for groups={groups}; "
                             "every group needs equally many of both")
        if padding_mode != "zeros":
            raise NotImplementedError(f"{who}: got padding_mode={padding_mode!r}, only 'zeros' is offered")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = sizes(who, "kernel_size", kernel_size, dims)
        self.stride, self.dilation = sizes(who, "stride", stride, dims), sizes(who, "dilation", dilation, dims)
        self.padding = padding if isinstance(padding, str) else sizes(who, "padding", padding, dims, least=0)
        if padding == "same" and self.stride != (1,) * dims:
            raise ValueError(f"{who}: got padding='same' with stride={stride}, but with a stride above 1 the output is "
                             "smaller than the image; give the padding as numbers")
        shape = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        bound = 1 / math.sqrt(shape[1] * math.prod(self.kernel_size))
        self.weight = init.uniform_(empty(*shape, *self.kernel_size), -bound, bound, rng)
        self.register_parameter("bias", init.uniform_(empty(out_channels), -bound, bound, rng) if bias else None)

    def extra_repr(self):
        return (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
                + "".join(f", {name}={value!r}" for name, value, usual in
                          (("padding", self.padding, (0,) * len(self.stride)), ("groups", self.groups, 1),
                           ("dilation", self.dilation, (1,) * len(self.stride))) if value != usual)
                + (", bias=False" if self.bias is None else ""))


class Conv1d(_Convolution):
    """y[b, o, m] = bias[o] + sum_{c, k} W[o, c, k] x[b, c, m stride + k dilation - padding]

    x (B, in, T) or (in, T) -> y (B, out, M) or (out, M); weight (out, in / groups, K), bias (out,), both from
    U(-1/sqrt(n), 1/sqrt(n)) with n = K in / groups, as PyTorch does. padding: a number, "valid" or "same".
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", *, rng=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, 1,
                         False, rng)

    def forward(self, x):
        return ops.conv1d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Conv2d(_Convolution):
    """y[b, o, m, n] = bias[o] + sum_{c, k, r} W[o, c, k, r] x[b, c, m s + k d - p, n t + r e - q]

    x (B, in, H, W) or (in, H, W) -> y (B, out, M, N) or (out, M, N); weight (out, in / groups, K, R), bias (out,), both from
    U(-1/sqrt(n), 1/sqrt(n)) with n = K R in / groups. Sizes are numbers or pairs; padding also "valid" or "same".
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", *, rng=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, 2,
                         False, rng)

    def forward(self, x):
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def rectified(self, x, pool=None):
        """relu(self(x)) as one operation, or pool(relu(self(x))) with a MaxPool2d; of a layer with a bias."""
        given = x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        if pool is None:
            return ops.conv2d_relu(*given)
        return ops.conv2d_relu_max_pool2d(*given, (pool.kernel_size, pool.stride, pool.padding, pool.dilation))


class ConvTranspose2d(_Convolution):
    """y[b, o, m s + k d - p, n t + r e - q] += sum_c W[c, o, k, r] x[b, c, m, n], from bias[o]: it enlarges an image

    x (B, in, M, N) or (in, M, N) -> y (B, out, H, W) or (out, H, W), H = (M - 1) s - 2 p + d (K - 1) + output_padding + 1;
    weight (in, out / groups, K, R), bias (out,), from U(-1/sqrt(n), 1/sqrt(n)), n = K R out / groups, as PyTorch counts it.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
                 dilation=1, padding_mode="zeros", *, rng=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, 2,
                         True, rng)
        self.output_padding = sizes("ConvTranspose2d", "output_padding", output_padding, 2, least=0)

    def forward(self, x):
        return ops.conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
                                    self.dilation)

    def extra_repr(self):
        more = f", output_padding={self.output_padding}" if any(self.output_padding) else ""
        return super().extra_repr() + more
