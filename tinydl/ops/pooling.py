"""Sub-sampling: a window of each channel becomes one number, its largest or its mean. Images as in `convolution.py`."""

from typing import NamedTuple

import numpy as np

from .. import kernels
from ..op import op
from ..tensor import Tensor
from .convolution_products import PARTS, channels_first, channels_last, pixels
from .windows import as_images, lifted, output_lengths, sizes

LEAST = 1 << 16  # results of each part of a batch, at least


class Windows(NamedTuple):
    """Where windows stand on an image."""
    output: tuple  # (M, N): how many there are
    steps: tuple   # K, R, s, t, top, left, d, e: their cells, strides, rows and columns before the image, dilations


def _in_parts(run, results):
    """run(images), slices of a batch, side by side, as many as there is work for."""
    kernels.side_by_side(run, kernels.cuts(len(results), min(PARTS, results.size // LEAST)))


@op(linear=True)
def _pick(x, places=None, found=None):
    """y[b, c, m, n] = x[b, c, places[b, m, n, c]];   dx = dy put at the places, from 0

    found: the numbers at the places (B, M, N, C), from who has read them already.
    """
    size = x.shape[2:]
    y = kernels.pick_places(pixels(channels_last(x)), pixels(places)) if found is None else found
    return channels_first(np.reshape(y, places.shape)), lambda dy: _put(dy, places=places, size=size)


@op(linear=True)
def _put(y, places=None, size=None):
    """x = 0;   x[b, c, places[b, m, n, c]] += y[b, c, m, n];   dy = dx's numbers at the places"""
    y, places = channels_last(y), np.asarray(places)
    x = np.empty((len(y), *size, y.shape[3]), y.dtype)
    _in_parts(lambda some: kernels.put_places(pixels(y[some]), pixels(places[some]), pixels(x[some])), y)
    return channels_first(x), lambda dx: _pick(dx, places=places)


@op(linear=True)
def _window_means(x, windows=None):
    """y[b, c, m, n] = scale[m, n] sum of x in window (m, n);   dx = scale dy, added up over the windows"""
    size = x.shape[2:]
    *bounds, scale = windows
    y = kernels.window_means(channels_last(x), *bounds, scale.astype(x.dtype))
    return channels_first(y), lambda dy: _spread_means(dy, windows=windows, size=size)


@op(linear=True)
def _spread_means(y, windows=None, size=None):
    """x[b, c, v, w] = sum of scale[m, n] y[b, c, m, n] over the windows with (v, w);   dy = the scaled sums of dx"""
    *bounds, scale = windows
    x = kernels.spread_means(channels_last(y), *bounds, scale.astype(y.dtype), *size)
    return channels_first(x), lambda dx: _window_means(dx, windows=windows)


# ------------------------------------------------------------------------------------------------ maxima
def _steps(name, dims, kernel_size, stride, padding, dilation):
    """The checked sizes of a pooling layer, for images: (cells, stride, padding, dilation)."""
    cells = sizes(name, "kernel_size", kernel_size, dims)
    stride = cells if stride is None else sizes(name, "stride", stride, dims)
    padding, dilation = sizes(name, "padding", padding, dims, 0), sizes(name, "dilation", dilation, dims)
    if any(p > k // 2 for p, k in zip(padding, cells, strict=True)):
        raise ValueError(f"{name}: got padding={padding} for kernel_size={cells}; want at most half of the kernel, or there "
                         "are windows outside of the image")
    return lifted(cells, dims, 1), lifted(stride, dims, 1), lifted(padding, dims, 0), lifted(dilation, dims, 1)


def checked_windows(name, dims, image, kernel_size, stride=None, padding=0, dilation=1):
    """The windows of a max pooling on images of size (H, W), whose sizes are as the user gave them."""
    cells, stride, padding, dilation = _steps(name, dims, kernel_size, stride, padding, dilation)
    output = output_lengths(name, image, cells, stride, tuple((p, p) for p in padding), dilation)
    for n, k, s, p, d, length in zip(image, cells, stride, padding, dilation, output, strict=True):
        met = np.arange(length)[:, None] * s - p + np.arange(k) * d
        if d > 1 and p > 0 and not np.all(np.any((met >= 0) & (met < n), axis=1)):
            raise ValueError(f"{name}: with kernel {k}, padding {p} and dilation {d} there are windows without a single "
                             f"cell inside of the image (length {n}), which have no maximum; take less padding or dilation")
    return Windows(output, (*cells, *stride, *padding, *dilation))


def _max_pool(name, dims, x, *options):
    images, back = as_images(name, x, dims)
    windows = checked_windows(name, dims, images.shape[2:], *options)
    values = channels_last(images._data if isinstance(images, Tensor) else images)
    largest = np.empty((len(values), *windows.output, values.shape[3]), values.dtype)
    places = np.empty(largest.shape, np.int32)
    _in_parts(lambda some: kernels.max_places(values[some], largest[some], places[some], *windows.steps), largest)
    return back(_pick(images, places=places, found=largest))


def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1):
    """y[b, c, m] = max_k x[b, c, m stride + k dilation - padding]; the gradient goes to the first of equal maxima

    x (B, C, T) or (C, T); stride: the kernel's size unless given. Padding never is a maximum.
    """
    return _max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1):
    """y[b, c, m, n] = max_{k, r} x[b, c, m s + k d - p, n t + r e - q]; the gradient goes to the first of equal maxima

    x (B, C, H, W) or (C, H, W); all sizes are numbers or pairs; stride: the kernel's size unless given.
    """
    return _max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation)


# ------------------------------------------------------------------------------------------------ means
def _avg_pool(name, dims, x, kernel_size, stride, padding, count_include_pad):
    images, back = as_images(name, x, dims)
    cells, stride, padding, dilation = _steps(name, dims, kernel_size, stride, padding, 1)
    output = output_lengths(name, images.shape[2:], cells, stride, tuple((p, p) for p in padding), dilation)
    bounds, counts = [], []
    for n, k, s, p, length in zip(images.shape[2:], cells, stride, padding, output, strict=True):
        start = np.arange(length) * s - p
        inside = np.maximum(start, 0), np.minimum(start + k, n)
        bounds += inside
        counts.append(np.full(length, k) if count_include_pad else inside[1] - inside[0])
    return back(_window_means(images, windows=(*bounds, 1 / np.multiply.outer(*counts))))


def avg_pool1d(x, kernel_size, stride=None, padding=0, count_include_pad=True):
    """y[b, c, m] = mean_k x[b, c, m stride + k - padding], zeros of the padding included unless count_include_pad=False"""
    return _avg_pool("avg_pool1d", 1, x, kernel_size, stride, padding, count_include_pad)


def avg_pool2d(x, kernel_size, stride=None, padding=0, count_include_pad=True):
    """y[b, c, m, n] = mean_{k, r} x[b, c, m s + k - p, n t + r - q], zeros of the padding included unless told otherwise

    x (B, C, H, W) or (C, H, W); stride: the kernel's size unless given.
    """
    return _avg_pool("avg_pool2d", 2, x, kernel_size, stride, padding, count_include_pad)


def _adaptive_avg_pool(name, dims, x, output_size):
    images, back = as_images(name, x, dims)
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * dims
    if len(wanted) == dims:
        wanted = [length if n is None else n for n, length in zip(wanted, images.shape[4 - dims:], strict=True)]
    bounds, counts = [], []
    for length, count in zip(images.shape[2:], lifted(sizes(name, "output_size", wanted, dims), dims, 1), strict=True):
        m = np.arange(count)
        start, stop = m * length // count, -(-(m + 1) * length // count)
        bounds += start, stop
        counts.append(stop - start)
    return back(_window_means(images, windows=(*bounds, 1 / np.multiply.outer(*counts))))


def adaptive_avg_pool1d(x, output_size):
    """y[b, c, m] = mean of x[b, c, v] over floor(m T / M) <= v < ceil((m + 1) T / M), for M = output_size"""
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, x, output_size)


def adaptive_avg_pool2d(x, output_size):
    """y[b, c, m, n] = mean of x over floor(m H / M) <= v < ceil((m + 1) H / M) and the same of n; (M, N) = output_size

    output_size: a number, a pair, None in it for the image's own length; 1 is the mean of each channel.
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, x, output_size)
