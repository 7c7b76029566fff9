"""Convolution: one small weight looks at every place of an image. Three products of it, each the others' gradient.

    convolve    y = W * x     every place of y: the sum over W's cells of what they meet in x
    spread      x = W' y      every place of y adds W, scaled, to x: the transposed map, so dx of the first (and the
                              "transposed convolution", which enlarges an image)
    correlate   W = x ** y    every cell of W: the sum over places of what it met, times y: dW of the other two

<x, spread(y, W)> = <convolve(x, W), y> = <correlate(x, y), W>, so the gradients of each are the other two, to any order.

Images are (B, C, H, W), as in PyTorch; in memory the results' channels come last, since what a window covers then lies
together. A convolution is `im2row` and one matrix product (Chellapilla et al. 2006), some images at a time, so that the rows
stay in the cache and never exist as a whole. Where 3 x 3 cells step over many channels, `winograd.py` needs fewer products.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from .. import kernels
from ..op import op, value_of
from ..tensor import Tensor
from . import winograd
from .shape import reshape
from .windows import as_images, lifted, output_lengths, paddings, sizes

BLOCK = 1 << 20  # numbers in the rows of one matrix product: four megabytes of float32
PARTS = 4        # of a batch, side by side, at most,
LEAST = 1 << 22  # each of so many products of numbers at least


class Grid(NamedTuple):
    """Which cell meets which place: output (m, n), cell (k, r) and image (m s + k d - top, n t + r e - left)."""
    image: tuple     # (H, W)
    cells: tuple     # (K, R)
    output: tuple    # (M, N)
    stride: tuple    # (s, t)
    start: tuple     # (top, left)
    dilation: tuple  # (d, e)
    groups: int      # G; group g of the channels of x meets group g of those of y only


def channels_last(x):
    """(B, C, H, W) as one block of memory (B, H, W, C); without a copy where it lies so already."""
    return np.ascontiguousarray(np.transpose(x, (0, 2, 3, 1)))


def channels_first(x):
    """The view (B, C, H, W) of (B, H, W, C)."""
    return np.transpose(x, (0, 3, 1, 2))


def _in_parts(run, B, weight, grid):
    """run(images), slices of B, side by side, as many as there is work for."""
    work = B * math.prod(grid.output) * math.prod(weight)
    kernels.side_by_side(run, kernels.cuts(B, max(1, min(B, PARTS, work // LEAST))))


def _blocks(images, C, grid):
    """(some of the images as a slice, memory for their rows' shape) of every block."""
    one = math.prod(grid.output) * math.prod(grid.cells) * C
    step = max(1, BLOCK // max(1, one))
    for start in range(images.start, images.stop, step):
        end = min(images.stop, start + step)
        yield slice(start, end), (grid.groups, end - start, *grid.output, *grid.cells, C // grid.groups)


def _by_group(y, grid):
    """(B, M, N, out) -> (G, B M N, out/G), a view: the rows of each group's product."""
    return np.swapaxes(np.reshape(y, (math.prod(y.shape[:3]), grid.groups, y.shape[3] // grid.groups)), 0, 1)


def _matrix(weight, grid):
    """(out, C/G, K, R) -> (G, K R C/G, out/G)"""
    out, C, K, R = weight.shape
    split = np.reshape(weight, (grid.groups, out // grid.groups, C, K, R))
    return np.reshape(np.transpose(split, (0, 3, 4, 2, 1)), (grid.groups, K * R * C, out // grid.groups))


def _rows(x, shape, grid):
    """The windows of x (B, H, W, C) as (G, B M N, K R C/G)."""
    rows = np.empty(shape, x.dtype)
    kernels.im2row(x, rows, *grid.stride, *grid.start, *grid.dilation)
    return _flat(rows)


def _flat(rows):
    return np.reshape(rows, (len(rows), math.prod(rows.shape[1:4]), math.prod(rows.shape[4:])))


def _convolved(x, weight, bias=None, grid=None, rectified=False):
    (B, C), out = x.shape[:2], len(weight)
    x, y = channels_last(x), np.empty((B, *grid.output, out), np.result_type(x, weight))
    bias = None if bias is None else np.asarray(bias, y.dtype)
    if winograd.suits(C, out, grid):
        cells = winograd.cells(weight, y.dtype)
        more = bias, grid.start, 0.0 if rectified else -math.inf
        _in_parts(lambda images: winograd.convolve(x[images], cells, *more, y[images]), B, weight.shape, grid)
        return channels_first(y)
    matrix, add = _matrix(weight, grid), kernels.add_rows_relu if rectified else kernels.add_rows

    def convolve(images):
        for block, shape in _blocks(images, C, grid):
            part = y[block]
            np.matmul(_rows(x[block], shape, grid), matrix, out=_by_group(part, grid))
            if bias is not None:
                add(np.reshape(part, (math.prod(part.shape[:3]), out)), bias)

    _in_parts(convolve, B, weight.shape, grid)
    return channels_first(y)


def _spreaded(y, weight, grid):
    B, C = len(y), weight.shape[1] * grid.groups
    y, x = channels_last(y), np.empty((B, *grid.image, C), np.result_type(y, weight))
    if winograd.suits(C, len(weight), grid):  # a convolution again, with W turned round
        cells = winograd.cells(np.swapaxes(weight, 0, 1)[:, :, ::-1, ::-1], x.dtype)
        more = None, tuple(2 - n for n in grid.start), -math.inf
        _in_parts(lambda images: winograd.convolve(y[images], cells, *more, x[images]), B, weight.shape, grid)
        return channels_first(x)
    matrix = np.swapaxes(_matrix(weight, grid), 1, 2)

    def spread(images):
        for block, shape in _blocks(images, C, grid):
            rows = np.reshape(np.matmul(_by_group(y[block], grid), matrix), shape)
            kernels.row2im(rows, x[block], *grid.stride, *grid.start, *grid.dilation)

    _in_parts(spread, B, weight.shape, grid)
    return channels_first(x)


def _correlated(x, y, grid):
    (B, C), out, G = x.shape[:2], y.shape[1], grid.groups
    weight, dtype, found = (out, C // G, *grid.cells), np.result_type(x, y), {}
    x, y = channels_last(x), channels_last(y)
    if winograd.suits(C, out, grid):
        def correlate(images):
            found[images.start] = winograd.correlate(x[images], y[images], grid.start, dtype)

        _in_parts(correlate, B, weight, grid)
        return winograd.weight(_total(found))

    def correlate_rows(images):
        matrix = np.zeros((G, math.prod(grid.cells) * C // G, out // G), dtype)
        for block, shape in _blocks(images, C, grid):
            matrix += np.matmul(np.swapaxes(_rows(x[block], shape, grid), 1, 2), _by_group(y[block], grid))
        found[images.start] = matrix

    _in_parts(correlate_rows, B, weight, grid)
    split = np.reshape(_total(found), (G, *grid.cells, C // G, out // G))
    return np.reshape(np.transpose(split, (0, 4, 3, 1, 2)), weight)


def _total(found):
    """The sum of {first image: what its part found}, in the order of the images."""
    return functools.reduce(np.add, [found[start] for start in sorted(found)])


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
    y = value_of(functools.partial(_convolve, grid=grid), functools.partial(_convolved, grid=grid),
                 *((x, weight) if bias is None else (x, weight, bias)))
    return (y, lambda dy: _spread(dy, weight, grid=grid), lambda dy: _correlate(x, dy, grid=grid), _channel_totals)


@op(joint=True)
def _convolve_relu(x, weight, bias, grid=None):
    """y = max(0, bias + W * x);   dz = dy where y > 0, else 0;   dx = spread(dz, W),   dW = correlate(x, dz)

    relu(_convolve(x, W, bias)) with the same numbers, in three passes less over the images.
    """
    y = value_of(functools.partial(_convolve_relu, grid=grid), functools.partial(_convolved, grid=grid, rectified=True),
                 x, weight, bias)

    def pullback(dy, needs):
        rows = math.prod(y.shape) // max(1, y.shape[1]), y.shape[1]
        dz, dbias = kernels.relu_rows_gradient(*(np.reshape(np.transpose(a, (0, 2, 3, 1)), rows) for a in (y, dy)))
        dz = np.transpose(np.reshape(dz, (y.shape[0], *y.shape[2:], y.shape[1])), (0, 3, 1, 2))
        return (_spread(dz, weight, grid=grid) if needs[0] else None, _correlate(x, dz, grid=grid) if needs[1] else None,
                dbias)

    return y, pullback


@op
def _spread(y, weight, grid=None):
    """x[b, c, m s + k d - top, n t + r e - left] += sum_o W[o, c, k, r] y[b, o, m, n], from 0

    dy = convolve(dx, W),   dW = correlate(dx, y)
    """
    x = value_of(functools.partial(_spread, grid=grid), functools.partial(_spreaded, grid=grid), y, weight)
    return x, lambda dx: _convolve(dx, weight, grid=grid), lambda dx: _correlate(dx, y, grid=grid)


@op
def _correlate(x, y, grid=None):
    """W[o, c, k, r] = sum_{b, m, n} x[b, c, m s + k d - top, n t + r e - left] y[b, o, m, n]

    dx = spread(y, dW),   dy = convolve(x, dW)
    """
    W = value_of(functools.partial(_correlate, grid=grid), functools.partial(_correlated, grid=grid), x, y)
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


def _convolution(name, dims, x, weight, bias, stride, padding, dilation, groups, convolve=_convolve):
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
    return _convolution("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """y[b, o, m, n] = bias[o] + sum_{c, k, r} W[o, c, k, r] x[b, c, m s + k d - p, n t + r e - q]

    x (B, C, H, W) or (C, H, W), W (out, C/groups, K, R), bias (out,), y (B, out, M, N) or (out, M, N). stride (s, t),
    padding (p, q) and dilation (d, e) are numbers or pairs; padding also "valid" (none) or "same" (M = H, N = W). As
    everywhere in deep learning this is mathematics' correlation: the weight is not turned round (LeCun et al. 1998).
    """
    return _convolution("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def conv2d_relu(x, weight, bias, stride=1, padding=0, dilation=1, groups=1):
    """max(0, conv2d(...)) with the same numbers, in three passes less over the images."""
    return _convolution("conv2d_relu", 2, x, weight, bias, stride, padding, dilation, groups, _convolve_relu)


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
