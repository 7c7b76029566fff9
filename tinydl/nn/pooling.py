"""Pooling layers: sub-sampling by the largest number of each window, or by its mean."""

from .. import ops
from .module import Module


class _MaxPool(Module):
    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        if return_indices or ceil_mode:
            raise NotImplementedError(f"{type(self).__name__}: return_indices and ceil_mode are not offered; with padding= "
                                      "the last windows can reach beyond the image")
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}"


class MaxPool1d(_MaxPool):
    """y[b, c, m] = max_k x[b, c, m stride + k dilation - padding]: (B, C, T) or (C, T); stride: the kernel's unless given"""

    def forward(self, x):
        return ops.max_pool1d(x, self.kernel_size, self.stride, self.padding, self.dilation)


class MaxPool2d(_MaxPool):
    """y[b, c, m, n] = max_{k, r} x[b, c, m s + k d - p, n t + r e - q]: (B, C, H, W) or (C, H, W)"""

    def forward(self, x):
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation)


class _AvgPool(Module):
    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        if ceil_mode:
            raise NotImplementedError(f"{type(self).__name__}: ceil_mode is not offered; with padding= the last windows "
                                      "can reach beyond the image")
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.count_include_pad = padding, count_include_pad

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """y[b, c, m] = mean_k x[b, c, m stride + k - padding]: (B, C, T) or (C, T)"""

    def forward(self, x):
        return ops.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.count_include_pad)


class AvgPool2d(_AvgPool):
    """y[b, c, m, n] = mean_{k, r} x[b, c, m s + k - p, n t + r - q]: (B, C, H, W) or (C, H, W)"""

    def forward(self, x):
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.count_include_pad)


class _AdaptiveAvgPool(Module):
    def __init__(self, output_size):
        self.output_size = output_size

    def extra_repr(self):
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """y[b, c, m] = mean of x[b, c, v] over floor(m T / M) <= v < ceil((m + 1) T / M), M = output_size"""

    def forward(self, x):
        return ops.adaptive_avg_pool1d(x, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """y = means of x over M N windows that cover the image, (M, N) = output_size; 1 is the mean of each channel"""

    def forward(self, x):
        return ops.adaptive_avg_pool2d(x, self.output_size)
