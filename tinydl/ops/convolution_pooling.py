"""A convolution, its ReLU and the pooling after it as one operation: LeCun's layer (LeCun et al. 1998), three in a row.

What the images are before the pooling, four times what is left of them for windows of 2 x 2, never exists as a whole: some
images at a time are convolved and pooled, and on the way back their gradient is laid out from the places of the largest
numbers, and both products made of it, while all of it is in the cache.
"""

import math

import numpy as np

from .. import kernels
from ..op import op
from ..tensor import Tensor
from . import convolution_products as products
from .convolution import _correlate, _spread, convolution, relu_gradient
from .pooling import _put, checked_windows


def _images(images, grid, out):
    """Slices of some images: before the pooling they have half as many numbers as a block of rows may have."""
    return products.blocks(images, 2 * math.prod(grid.output) * out)


def _pooled(x, weight, bias, grid, windows):
    """(y, the places of its numbers before the pooling): (B, out, M, N), (B, M, N, out)"""
    B, out, dtype = len(x), len(weight), np.result_type(x, weight)
    x, y = products.channels_last(x), np.empty((B, *windows.output, out), dtype)
    places, convolve = np.empty(y.shape, np.int32), products.convolver(weight, bias, grid, dtype, rectified=True)

    def run(images):
        for some in _images(images, grid, out):
            whole = np.empty((len(y[some]), *grid.output, out), dtype)
            convolve(x[some], whole)
            kernels.max_places(whole, y[some], places[some], *windows.steps)

    products.in_parts(run, B, weight.shape, grid)
    return products.channels_first(y), places


def _gradients(x, weight, dz, places, grid, needs):
    """(dx, dW), or None where needs[i] is false, of dz (B, out, M, N) at the places."""
    (B, C), out, dtype, found = x.shape[:2], len(weight), np.result_type(x, weight), {}
    x, dz = products.channels_last(x), products.channels_last(dz)
    dx, dW = None, None
    if needs[0]:
        dx, spread = np.empty(x.shape, dtype), products.spreader(weight, grid, dtype)
    if needs[1]:
        correlate, weight_of = products.correlator(C, out, grid, dtype)

    def run(images):
        for some in _images(images, grid, out):
            whole = np.empty((len(dz[some]), *grid.output, out), dtype)
            kernels.put_places(products.pixels(dz[some]), products.pixels(places[some]), products.pixels(whole))
            if needs[0]:
                spread(whole, dx[some])
            if needs[1]:
                found[some.start] = correlate(x[some], whole)

    products.in_parts(run, B, weight.shape, grid)
    if needs[0]:
        dx = products.channels_first(dx)
    if needs[1]:
        dW = weight_of(products.total(found)) if found else np.zeros(weight.shape, dtype)
    return dx, dW


@op(joint=True)
def _convolve_relu_pool(x, weight, bias, grid=None, windows=None):
    """y[b, o, m, n] = max(0, the largest of bias + W * x in the window (m, n))

    dz = dy where y > 0, else 0, at the place of the largest, 0 elsewhere;   dx = spread(dz, W),   dW = correlate(x, dz)
    """
    arrays = [a._data if isinstance(a, Tensor) else a for a in (x, weight, bias)]
    y, places = _pooled(*arrays, grid, windows)

    def pullback(dy, needs):
        dz, dbias = relu_gradient(y, dy)
        if any(isinstance(a, Tensor) for a in (x, weight, dz)):
            dz = _put(dz, places=places, size=grid.output)
            return _spread(dz, weight, grid=grid), _correlate(x, dz, grid=grid), dbias
        return *_gradients(x, weight, dz, places, grid, needs), dbias

    return y, pullback


def conv2d_relu_max_pool2d(x, weight, bias, stride=1, padding=0, dilation=1, groups=1, pool=(2,)):
    """max_pool2d(relu(conv2d(x, weight, bias, ...)), *pool) with the same numbers, in less memory and time.

    pool: kernel_size and, as far as given, stride, padding and dilation of the pooling.
    """
    name = "conv2d_relu_max_pool2d"

    def convolve(x, weight, bias, grid):
        return _convolve_relu_pool(x, weight, bias, grid=grid, windows=checked_windows(name, 2, grid.output, *pool))

    return convolution(name, 2, x, weight, bias, stride, padding, dilation, groups, convolve)
