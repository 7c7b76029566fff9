"""The three products of a convolution on arrays: `convolution.py` says what they are, and makes primitives of them.

Images are (B, C, H, W), as in PyTorch; in memory the results' channels come last, since what a window covers then lies
together. A convolution is `im2row` and one matrix product (Chellapilla et al. 2006), some images at a time, so that the rows
stay in the cache and never exist as a whole. Where 3 x 3 cells step over many channels, `winograd.py` needs fewer products.
Parts of a batch run side by side.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from .. import kernels
from . import winograd

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


def convolved(x, weight, bias=None, grid=None, rectified=False):
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


def spreaded(y, weight, grid):
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


def correlated(x, y, grid):
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
