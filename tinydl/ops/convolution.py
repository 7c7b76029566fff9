"""Convolution: one small weight looks at every place of an image. Three products of it, each the others' gradient.

    convolve    y = W * x     every place of y: the sum over W's cells of what they meet in x
    spread      x = W' y      every place of y adds W, scaled, to x: the transposed map, so dx of the first (and the
                              "transposed convolution", which enlarges an image)
    correlate   W = x ** y    every cell of W: the sum over places of what it met, times y: dW of the other two

<x, spread(y, W)> = <convolve(x, W), y> = <correlate(x, y), W>, so the gradients of each are the other two, to any order.

How they are computed is `convolution_products.py`.
"""

import functools
import math

import numpy as np

from .. import kernels
from ..op import op, value_of
from ..tensor import Tensor
from .convolution_products import Grid, channels_first, channels_last, convolved, correlated, spreaded
from .shape import reshape
from .windows import as_images, lifted, output_lengths, paddings, sizes


def _channel_totals(y):
    """The sum of each channel, (B, out, M, N) -> (out,); of arrays, by a product with ones: BLAS is best at adding rows."""
    if isinstance(y, Tensor):
        return np.sum(y, axis=(0, 2, 3))
    rows = np.reshape(channels_last(y), (y.size // max(1, y.shape[1]), y.shape[1]))
    return np.matmul(np.ones(len(rows), y.dtype), rows)


@op
def _convolve(x, weight, bias=None, grid=None):
    """y[b, o, m, n] = bias[o] + sum_{c, k, r} W[o, c, k, r] x[b, c, m s + k d - top, n t + r e - left]

    dx = spread(dy, W),   dW = correlate(x, dy),   dbias = sum of dy over b, m, n
    """
    y = value_of(functools.partial(_convolve, grid=grid), functools.partial(convolved, grid=grid),
                 *((x, weight) if bias is None else (x, weight, bias)))
    return (y, lambda dy: _spread(dy, weight, grid=grid), lambda dy: _correlate(x, dy, grid=grid), _channel_totals)


def relu_gradient(y, dy):
    """(dz, dbias) of images y = max(0, z + bias): dz = dy where y > 0, else 0, and the sum of each of its channels."""
    rows = math.prod(y.shape) // max(1, y.shape[1]), y.shape[1]
    dz, dbias = kernels.relu_rows_gradient(*(np.reshape(np.transpose(a, (0, 2, 3, 1)), rows) for a in (y, dy)))
    return channels_first(np.reshape(dz, (y.shape[0], *y.shape[2:], y.shape[1]))), dbias


@op(joint=True)
def _convolve_relu(x, weight, bias, grid=None):
    """y = max(0, bias + W * x);   dz = dy where y > 0, else 0;   dx = spread(dz, W),   dW = correlate(x, dz)

    relu(_convolve(x, W, bias)) with the same numbers, in three passes less over the images.
    """
    y = value_of(functools.partial(_convolve_relu, grid=grid), functools.partial(convolved, grid=grid, rectified=True),
                 x, weight, bias)

    def pullback(dy, needs):
        dz, dbias = relu_gradient(y, dy)
        return (_spread(dz, weight, grid=grid) if needs[0] else None, _correlate(x, dz, grid=grid) if needs[1] else None,
                dbias)

    return y, pullback


@op
def _spread(y, weight, grid=None):
    """x[b, c, m s + k d - top, n t + r e - left] += sum_o W[o, c, k, r] y[b, o, m, n], from 0

    dy = convolve(dx, W),   dW = correlate(dx, y)
    """
    x = value_of(functools.partial(_spread, grid=grid), functools.partial(spreaded, grid=grid), y, weight)
    return x, lambda dx: _convolve(dx, weight, grid=grid), lambda dx: _correlate(dx, y, grid=grid)


@op
def _correlate(x, y, grid=None):
    """W[o, c, k, r] = sum_{b, m, n} x[b, c, m s + k d - top, n t + r e - left] y[b, o, m, n]

    dx = spread(y, dW),   dy = convolve(x, dW)
    """
    W = value_of(functools.partial(_correlate, grid=grid), functools.partial(correlated, grid=grid), x, y)
    return W, lambda dW: _spread(y, dW, grid=grid), lambda dW: _convolve(x, dW, grid=grid)


@op(linear=True)
def _laid(x):
    """y = x with its channels last in memory;   dx = dy, laid so too: once, for all the products that read it"""
    return channels_first(channels_last(x)), _laid


def _check_weight(name, weight, bias, dims, groups, outputs):
    """Ranks and counts that hold for every convolution; `outputs` is the number of channels that the bias must have."""
    cells = {1: "K", 2: "K, R"}[dims]
    if weight.ndim != dims + 2 or 0 in weight.shape[2:]:
        raise ValueError(f"{name}: got a weight of shape {weight.shape}, want {dims + 2} axes, the last {dims} not empty: "
                         f"(channels, channels / groups, {cells})")
    if len(weight) % groups:
        raise ValueError(f"{name}: got {len(weight)} channels in the weight's first axis for groups={groups}; every group "
                         "needs equally many")
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f"{name}: got a bias of shape {bias.shape}, want ({outputs},), a number for each channel of the "
                         "result")


def convolution(name, dims, x, weight, bias, stride, padding, dilation, groups, convolve=_convolve):
    groups, = sizes(name, "groups", groups, 1)
    stride, dilation = sizes(name, "stride", stride, dims), sizes(name, "dilation", dilation, dims)
    _check_weight(name, weight, bias, dims, groups, len(weight))
    images, back = as_images(name, x, dims)
    if images.shape[1] != weight.shape[1] * groups:
        raise ValueError(f"{name}: got x {x.shape} with {images.shape[1]} channels for a weight {weight.shape} and groups="
                         f"{groups}, which want {weight.shape[1] * groups}")
    padding = paddings(name, padding, weight.shape[2:], stride, dilation, dims)
    image, cells = images.shape[2:], lifted(weight.shape[2:], dims, 1)
    stride, dilation, padding = lifted(stride, dims, 1), lifted(dilation, dims, 1), lifted(padding, dims, (0, 0))
    output = output_lengths(name, image, cells, stride, padding, dilation)
    grid = Grid(image, cells, output, stride, tuple(before for before, _ in padding), dilation, groups)
    if dims == 1:
        weight = reshape(weight, shape=(*weight.shape[:2], *cells))
    images = _laid(images)
    return back(_laid(convolve(images, weight, *([] if bias is None else [bias]), grid=grid)))


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """y[b, o, m] = bias[o] + sum_{c, k} W[o, c, k] x[b, c, m stride + k dilation - padding]

    x (B, C, T) or (C, T), W (out, C/groups, K), bias (out,), y (B, out, M) or (out, M) with
    M = floor((T + 2 padding - dilation (K - 1) - 1) / stride) + 1. padding: a number of zeros at both ends, "valid" (none)
    or "same" (M = T).
    """
    return convolution("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """y[b, o, m, n] = bias[o] + sum_{c, k, r} W[o, c, k, r] x[b, c, m s + k d - p, n t + r e - q]

    x (B, C, H, W) or (C, H, W), W (out, C/groups, K, R), bias (out,), y (B, out, M, N) or (out, M, N). stride (s, t),
    padding (p, q) and dilation (d, e) are numbers or pairs; padding also "valid" (none) or "same" (M = H, N = W). As
    everywhere in deep learning this is mathematics' correlation: the weight is not turned round (LeCun et al. 1998).
    """
    return convolution("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def conv2d_relu(x, weight, bias, stride=1, padding=0, dilation=1, groups=1):
    """max(0, conv2d(...)) with the same numbers, in three passes less over the images."""
    return convolution("conv2d_relu", 2, x, weight, bias, stride, padding, dilation, groups, _convolve_relu)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """y[b, o, m s + k d - p, n t + r e - q] += sum_c W[c, o, k, r] x[b, c, m, n], from bias[o]: the adjoint of conv2d

    x (B, C, M, N) or (C, M, N), W (C, out/groups, K, R), bias (out,), y (B, out, H, W) or (out, H, W) with
    H = (M - 1) s - 2 p + d (K - 1) + output_padding + 1; output_padding, less than the stride or the dilation, chooses among
    the sizes that conv2d maps to the same one.
    """
    name = "conv_transpose2d"
    groups, = sizes(name, "groups", groups, 1)
    stride, dilation = sizes(name, "stride", stride, 2), sizes(name, "dilation", dilation, 2)
    padding, extra = sizes(name, "padding", padding, 2, 0), sizes(name, "output_padding", output_padding, 2, 0)
    _check_weight(name, weight, bias, 2, groups, weight.shape[1] * groups if weight.ndim == 4 else 0)
    places, back = as_images(name, x, 2)
    if places.shape[1] != len(weight):
        raise ValueError(f"{name}: got x {x.shape} with {places.shape[1]} channels for a weight {weight.shape}, which wants "
                         f"{len(weight)}")
    if any(n >= max(s, d) for n, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{name}: got output_padding={output_padding} with stride={stride} and dilation={dilation}; it "
                         "must be smaller than one of the two")
    image = tuple((n - 1) * s - 2 * p + d * (k - 1) + more + 1 for n, s, p, d, k, more in
                  zip(places.shape[2:], stride, padding, dilation, weight.shape[2:], extra, strict=True))
    if min(image) < 1:
        raise ValueError(f"{name}: got x {x.shape} and padding={padding}, which leave an image of size {image}; take less "
                         "padding")
    grid = Grid(image, weight.shape[2:], places.shape[2:], stride, padding, dilation, groups)
    y = _laid(_spread(_laid(places), weight, grid=grid))
    return back(y if bias is None else y + reshape(bias, shape=(-1, 1, 1)))
