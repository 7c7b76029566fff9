"""Parts of a layer's input, side by side: concatenation and ReLU, or dropout, in one pass each way."""

import numpy as np

from tinydl.kernels import drop_from, dropout, kernel


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


def _mask(shape, first, width, p, seed, dtype):
    """Columns first .. first + width - 1 of the mask (n, W) that `tinydl.kernels.dropout` has for the seed."""
    ones = np.ones(shape[0] * shape[1], dtype)
    return dropout.reference(ones, p, seed).reshape(shape)[:, first:first + width]


def _join_dropout_reference(y, part, start, p, seed):
    y[:, start:start + part.shape[1]] = part * _mask(y.shape, start, part.shape[1], p, seed, y.dtype)


@kernel(_join_dropout_reference)
def join_dropout(y, part, start, p, seed):
    """y[n, start + d] = m part[n, d], in place, with the mask m of `tinydl.kernels.dropout` on all of y.  (B, W), (B, D)"""
    for n in range(part.shape[0]):
        mine, part_n = y[n, start:start + part.shape[1]], part[n]
        for d in range(part.shape[1]):
            mine[d] = part_n[d]
        drop_from(mine, n * y.shape[1] + start, p, seed)


def _part_dropout_gradient_reference(dy, start, width, p, seed):
    return dy[:, start:start + width] * _mask(dy.shape, start, width, p, seed, dy.dtype)


@kernel(_part_dropout_gradient_reference)
def part_dropout_gradient(dy, start, width, p, seed):
    """dpart[n, d] = m dy[n, start + d], with the same mask.  (B, W) -> (B, width)"""
    dx = np.empty((dy.shape[0], width), dy.dtype)
    for n in range(dy.shape[0]):
        dx_n, dy_n = dx[n], dy[n, start:start + width]
        for d in range(width):
            dx_n[d] = dy_n[d]
        drop_from(dx_n, n * dy.shape[1] + start, p, seed)
    return dx
