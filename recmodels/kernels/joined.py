"""Parts of a layer's input, side by side and above zero: concatenation and ReLU in one pass each way."""

import numpy as np

from tinydl.kernels import kernel


def _join_relu_reference(y, part, start):
    y[:, start:start + part.shape[1]] = np.maximum(part, 0)


@kernel(_join_relu_reference)
def join_relu(y, part, start):
    """y[n, start + d] = max(0, part[n, d]), in place; nan stays nan.  (B, W), (B, D)"""
    zero, stop = y.dtype.type(0), start + part.shape[1]
    for n in range(part.shape[0]):
        mine = y[n, start:stop]  # a name of its own: a sum as an index would be checked for its sign, number by number
        for d in range(part.shape[1]):
            x = part[n, d]
            mine[d] = zero if x <= 0 else x


def _part_relu_gradient_reference(y, dy, start, width):
    mine = slice(start, start + width)
    return np.where(y[:, mine] > 0, dy[:, mine], 0)


@kernel(_part_relu_gradient_reference)
def part_relu_gradient(y, dy, start, width):
    """dpart[n, d] = dy[n, start + d] where y is above 0 there, else 0.  (B, W), (B, W) -> (B, width)"""
    dx, zero = np.empty((y.shape[0], width), dy.dtype), dy.dtype.type(0)
    for n in range(y.shape[0]):
        y_n, dy_n = y[n, start:start + width], dy[n, start:start + width]
        for d in range(width):
            g = dy_n[d]
            dx[n, d] = g if y_n[d] > 0 else zero
    return dx
