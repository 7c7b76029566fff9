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


def pixels(x):
    """(B, H, W, C) -> (B, H W, C)"""
    return np.reshape(x, (len(x), x.shape[1] * x.shape[2], x.shape[3]))


def in_parts(run, B, weight, grid):
    """run(images), slices of B, side by side, as many as there is work for."""
    work = B * math.prod(grid.output) * math.prod(weight)
    kernels.side_by_side(run, kernels.cuts(B, min(PARTS, work // LEAST)))


def blocks(images, one):
    """Slices of `images`, a slice or a number, of which each takes `one` number an image and at most BLOCK in all."""
    images = images if isinstance(images, slice) else slice(0, images)
    step = max(1, BLOCK // max(1, one))
    return [slice(start, min(images.stop, start + step)) for start in range(images.start, images.stop, step)]


def _by_group(y, grid):
    """(B, M, N, out) -> (G, B M N, out/G), a view: the rows of each group's product."""
    return np.swapaxes(np.reshape(y, (math.prod(y.shape[:3]), grid.groups, y.shape[3] // grid.groups)), 0, 1)


def _matrix(weight, grid):
    """(out, C/G, K, R) -> (G, K R C/G, out/G)"""
    out, C, K, R = weight.shape
    split = np.reshape(weight, (grid.groups, out // grid.groups, C, K, R))
    return np.reshape(np.transpose(split, (0, 3, 4, 2, 1)), (grid.groups, K * R * C, out // grid.groups))


def _rows(x, grid):
    """The windows of x (B, H, W, C) as (G, B M N, K R C/G)."""
    (B, C), G = (len(x), x.shape[3]), grid.groups
    geometry = *grid.stride, *grid.start, *grid.dilation
    if C == 1:
        columns = np.empty((*grid.cells, B, *grid.output), x.dtype)
        kernels.im2col(x[..., 0], columns, *geometry)
        return np.swapaxes(np.reshape(columns, (1, math.prod(grid.cells), B * math.prod(grid.output))), 1, 2)
    rows = np.empty((G, B, *grid.output, *grid.cells, C // G), x.dtype)
    kernels.im2row(x, rows, *geometry)
    return np.reshape(rows, (G, B * math.prod(grid.output), math.prod(grid.cells) * C // G))


# ------------------------------------------------------------------------------------------------ some images
def _row_length(C, grid):
    """How many numbers the rows of one image have."""
    return math.prod(grid.output) * math.prod(grid.cells) * C


def convolver(weight, bias, grid, dtype, rectified):
    """convolve(x, y): y = W * x + bias, or the ReLU of it, of images with their channels last."""
    out, C = len(weight), weight.shape[1] * grid.groups
    bias = None if bias is None else np.asarray(bias, dtype)
    if winograd.suits(C, out, grid):
        cells, least = winograd.cells(weight, dtype), 0.0 if rectified else -math.inf
        return lambda x, y: winograd.convolve(x, cells, bias, grid.start, least, y)
    matrix, add = _matrix(weight, grid), kernels.add_rows_relu if rectified else kernels.add_rows

    def convolve(x, y):
        for block in blocks(len(x), _row_length(C, grid)):
            part = y[block]
            np.matmul(_rows(x[block], grid), matrix, out=_by_group(part, grid))
            if bias is not None:
                add(np.reshape(part, (math.prod(part.shape[:3]), out)), bias)

    return convolve


def spreader(weight, grid, dtype):
    """spread(y, x): x = W' y of images with their channels last."""
    C = weight.shape[1] * grid.groups
    if winograd.suits(C, len(weight), grid):  # a convolution again, with W turned round
        cells = winograd.cells(np.swapaxes(weight, 0, 1)[:, :, ::-1, ::-1], dtype)
        start = tuple(2 - n for n in grid.start)
        return lambda y, x: winograd.convolve(y, cells, None, start, -math.inf, x)
    matrix = np.swapaxes(_matrix(weight, grid), 1, 2)

    def spread(y, x):
        for block in blocks(len(y), _row_length(C, grid)):
            rows = np.matmul(_by_group(y[block], grid), matrix)
            rows = np.reshape(rows, (grid.groups, len(y[block]), *grid.output, *grid.cells, C // grid.groups))
            kernels.row2im(rows, x[block], *grid.stride, *grid.start, *grid.dilation)

    return spread


def correlator(C, out, grid, dtype):
    """(correlate(x, y) -> what some images add to x ** y, the function from the sum of all that to W)"""
    if winograd.suits(C, out, grid):
        return lambda x, y: winograd.correlate(x, y, grid.start, dtype), winograd.weight
    G = grid.groups

    def correlate(x, y):
        matrix = np.zeros((G, math.prod(grid.cells) * C // G, out // G), dtype)
        for block in blocks(len(x), _row_length(C, grid)):
            matrix += np.matmul(np.swapaxes(_rows(x[block], grid), 1, 2), _by_group(y[block], grid))
        return matrix

    def weight(matrix):
        split = np.reshape(matrix, (G, *grid.cells, C // G, out // G))
        return np.reshape(np.transpose(split, (0, 4, 3, 1, 2)), (out, C // G, *grid.cells))

    return correlate, weight


def total(found):
    """The sum of {first image: what its part found}, in the order of the images."""
    return functools.reduce(np.add, [found[start] for start in sorted(found)])


# ------------------------------------------------------------------------------------------------ the three products
def convolved(x, weight, bias=None, grid=None, rectified=False):
    B, dtype = len(x), np.result_type(x, weight)
    x, y = channels_last(x), np.empty((B, *grid.output, len(weight)), dtype)
    convolve = convolver(weight, bias, grid, dtype, rectified)
    in_parts(lambda images: convolve(x[images], y[images]), B, weight.shape, grid)
    return channels_first(y)


def spreaded(y, weight, grid):
    B, dtype = len(y), np.result_type(y, weight)
    y, x = channels_last(y), np.empty((B, *grid.image, weight.shape[1] * grid.groups), dtype)
    spread = spreader(weight, grid, dtype)
    in_parts(lambda images: spread(y[images], x[images]), B, weight.shape, grid)
    return channels_first(x)


def correlated(x, y, grid):
    (B, C), out, found = x.shape[:2], y.shape[1], {}
    x, y, dtype = channels_last(x), channels_last(y), np.result_type(x, y)
    correlate, weight = correlator(C, out, grid, dtype)

    def run(images):
        found[images.start] = correlate(x[images], y[images])

    in_parts(run, B, (out, C // grid.groups, *grid.cells), grid)
    return weight(total(found))
