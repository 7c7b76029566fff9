"""Winograd's convolution: 3 x 3 cells with 16 products for each 4 places instead of 36   (Lavin & Gray 2016, F(2x2, 3x3))

    y = A' [(G W G') * (B' d B)] A      of one channel: d, 4 x 4, is what 2 x 2 places of y meet, * number by number

    A' = [1  1  1  0]     B' = [1  0 -1  0]     G = [1    0    0 ]
         [0  1 -1 -1]          [0  1  1  0]         [1/2  1/2 1/2]
                               [0 -1  1  0]         [1/2 -1/2 1/2]
                               [0  1  0 -1]         [0    0    1 ]

Over the channels the products are 16 matrix products, one for each number of a tile. The maps to and from the tiles are
additions, in `tinydl/kernels/winograd.py`. The gradient of W is the adjoint of the same three maps. Results equal those of
the definition to rounding.

`convolution.py` comes here for stride 1 and channels enough. The channels are last: x (B, H, W, C), y (B, M, N, out).
"""

import numpy as np

from .. import kernels

BLOCK = 1 << 20  # numbers in the tiles of one block of images, before and after the products: they stay in the cache
LEAST = 32       # channels; with 16, the maps cost what they save
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def suits(C, out, grid):
    """Whether a convolution of C channels to out over `grid` is one that is faster this way."""
    return (grid.cells == (3, 3) and grid.stride == grid.dilation == (1, 1) and grid.groups == 1
            and min(C, out) >= LEAST)


def _blocks(B, output, C, out, dtype):
    """Of every block: its images as a slice, memory for their tiles (4, 4, b, R, S, C), then (4, 4, b, R, S, out), and both
    again as matrices (16, b R S, .)."""
    R, S = -(-output[0] // 2), -(-output[1] // 2)
    step, memory = max(1, BLOCK // (16 * R * S * (C + out))), ()
    for start in range(0, B, step):
        b = min(step, B - start)
        if not memory or b < step:  # else the memory of the block before, which is in the cache
            tiles = [np.empty((4, 4, b, R, S, n), dtype) for n in (C, out)]
            memory = *tiles, *(np.reshape(t, (16, b * R * S, t.shape[5])) for t in tiles)
        yield slice(start, start + b), *memory


def cells(weight, dtype):
    """G W G' of every pair of channels.  (out, C, 3, 3) -> (16, C, out)"""
    out, C = weight.shape[:2]
    return np.reshape(np.einsum("uk,vr,ockr->uvco", G, G, weight, optimize=True).astype(dtype), (16, C, out))


def weight(cells):
    """The adjoint of `cells`: the gradient of W from that of G W G'.  (16, C, out) -> (out, C, 3, 3)"""
    split = np.reshape(cells, (4, 4, *cells.shape[1:]))
    return np.einsum("uk,vr,uvco->ockr", G, G, split, optimize=True).astype(cells.dtype)


def convolve(x, cells, bias, start, least, y):
    """y = max(least, bias + W * x), where the place (m, n) meets x from (m, n) - start on.  x (B, H, W, C), y (B, M, N, out)
    """
    (C, out), dtype = cells.shape[1:], y.dtype
    bias = np.zeros(out, dtype) if bias is None else bias
    for images, before, after, factor, product in _blocks(len(x), y.shape[1:3], C, out, dtype):
        kernels.image_tiles(x[images], before, *start)
        np.matmul(factor, cells, out=product)
        kernels.tile_results(after, bias, least, y[images])


def correlate(x, y, start, dtype):
    """The gradient of G W G', (16, C, out): each cell the sum over tiles of what it met in x, times y."""
    C, out = x.shape[3], y.shape[3]
    total = np.zeros((16, C, out), dtype)
    for images, before, after, met, came in _blocks(len(x), y.shape[1:3], C, out, dtype):
        kernels.image_tiles(x[images], before, *start)
        kernels.result_tiles(y[images], after)
        total += np.matmul(np.swapaxes(met, 1, 2), came)
    return total
