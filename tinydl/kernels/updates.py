"""Optimizer updates in one pass over memory, in place: p the parameter, g its gradient, the rest is state.

Flat arrays for dense parameters; for tables (V, D) with a gradient on some rows (m,) and (m, D), every row at most once.
All scalars are turned into the arrays' dtype first: one float64 among float32 halves the speed of a loop. What was just
stored is kept in a local name: read back from memory, where arrays might overlap, it doubles the time of a loop.
"""

import numpy as np

from .registry import kernel, prange

FEW = 1 << 20  # below so many numbers, waking the other cores costs about what they save, and on a busy machine far more


def _sgd_reference(p, g, buffer, lr, momentum, keep, nesterov, decay):
    g = g + decay * p
    if momentum:
        buffer *= momentum
        buffer += keep * g
        g = g + momentum * buffer if nesterov else buffer
    p -= lr * g


@kernel(_sgd_reference)
def sgd(p, g, buffer, lr, momentum, keep, nesterov, decay):
    """b = momentum b + keep g,   p -= lr b   (Nesterov: p -= lr (g + momentum b));   g includes decay * p.  All (n,).

    keep = 1 - dampening. Without momentum the buffer is not looked at and may be empty.
    """
    cast = p.dtype.type
    lr, momentum, keep, decay = cast(lr), cast(momentum), cast(keep), cast(decay)
    if momentum == 0:
        for i in range(len(p)):
            p[i] -= lr * (g[i] + decay * p[i])
    elif nesterov:
        for i in range(len(p)):
            d = g[i] + decay * p[i]
            buffer[i] = b = momentum * buffer[i] + keep * d
            p[i] -= lr * (d + momentum * b)
    else:
        for i in range(len(p)):
            buffer[i] = b = momentum * buffer[i] + keep * (g[i] + decay * p[i])
            p[i] -= lr * b


def _sgd_rows_reference(p, rows, g, lr):
    p[rows] -= lr * g


@kernel(_sgd_rows_reference)
def sgd_rows(p, rows, g, lr):
    """p[rows] -= lr g"""
    lr = p.dtype.type(lr)
    for n in range(len(rows)):
        row = rows[n]
        for d in range(p.shape[1]):
            p[row, d] -= lr * g[n, d]


def _adagrad_reference(p, g, total, lr, eps, decay):
    g = g + decay * p
    total += g * g
    p -= lr * g / (np.sqrt(total) + eps)


@kernel(_adagrad_reference)
def adagrad(p, g, total, lr, eps, decay):
    """s += g^2,   p -= lr g / (sqrt(s) + eps)   (Duchi et al. 2011)"""
    cast = p.dtype.type
    lr, eps, decay = cast(lr), cast(eps), cast(decay)
    for i in range(len(p)):
        d = g[i] + decay * p[i]
        total[i] = s = total[i] + d * d
        p[i] -= lr * d / (np.sqrt(s) + eps)


def _adagrad_rows_reference(p, rows, g, total, lr, eps):
    total[rows] += g * g
    p[rows] -= lr * g / (np.sqrt(total[rows]) + eps)


@kernel(_adagrad_rows_reference)
def adagrad_rows(p, rows, g, total, lr, eps):
    """The same on some rows: exact, since a zero gradient changes nothing."""
    cast = p.dtype.type
    lr, eps = cast(lr), cast(eps)
    for n in range(len(rows)):
        row = rows[n]
        for d in range(p.shape[1]):
            e = g[n, d]
            total[row, d] = s = total[row, d] + e * e
            p[row, d] -= lr * e / (np.sqrt(s) + eps)


def _rmsprop_reference(p, g, square, buffer, lr, alpha, eps, momentum, decay):
    g = g + decay * p
    square *= alpha
    square += (1 - alpha) * g * g
    step = g / (np.sqrt(square) + eps)
    if momentum:
        buffer *= momentum
        buffer += step
        step = buffer
    p -= lr * step


@kernel(_rmsprop_reference)
def rmsprop(p, g, square, buffer, lr, alpha, eps, momentum, decay):
    """s = alpha s + (1 - alpha) g^2,   b = momentum b + g / (sqrt(s) + eps),   p -= lr b   (Tieleman & Hinton 2012)"""
    cast = p.dtype.type
    lr, alpha, eps, momentum, decay, rest = cast(lr), cast(alpha), cast(eps), cast(momentum), cast(decay), cast(1 - alpha)
    if momentum == 0:
        for i in range(len(p)):
            d = g[i] + decay * p[i]
            square[i] = s = alpha * square[i] + rest * d * d
            p[i] -= lr * (d / (np.sqrt(s) + eps))
    else:
        for i in range(len(p)):
            d = g[i] + decay * p[i]
            square[i] = s = alpha * square[i] + rest * d * d
            buffer[i] = b = momentum * buffer[i] + d / (np.sqrt(s) + eps)
            p[i] -= lr * b


def _adam_reference(p, g, m, v, step, root, b1, b2, eps, l2, shrink):
    g = g + l2 * p
    m *= b1
    m += (1 - b1) * g
    v *= b2
    v += (1 - b2) * g * g
    p *= shrink
    p -= step * m / (np.sqrt(v) * root + eps)


@kernel(_adam_reference, parallel=True)
def adam(p, g, m, v, step, root, b1, b2, eps, l2, shrink):
    """m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   p = shrink p - step m / (root sqrt(v) + eps)

    step = lr / (1 - b1^t), root = 1 / sqrt(1 - b2^t); g includes l2 * p (Adam), shrink = 1 - lr * decay (AdamW).
    """
    cast = p.dtype.type
    step, root, eps, l2, shrink = cast(step), cast(root), cast(eps), cast(l2), cast(shrink)
    c1, c2, b1, b2 = cast(1 - b1), cast(1 - b2), cast(b1), cast(b2)

    def move(i):
        e = g[i] + l2 * p[i]
        mean, square = b1 * m[i] + c1 * e, b2 * v[i] + c2 * e * e
        m[i], v[i], p[i] = mean, square, shrink * p[i] - step * mean / (np.sqrt(square) * root + eps)

    if p.size < FEW:
        for i in range(len(p)):
            move(i)
    else:
        for i in prange(len(p)):
            move(i)


def _adam_table_reference(p, rows, g, m, v, step, root, b1, b2, eps, l2, shrink):
    dense = np.zeros_like(p)
    dense[rows] = g
    _adam_reference(p, dense, m, v, step, root, b1, b2, eps, l2, shrink)


@kernel(_adam_table_reference, parallel=True)
def adam_table(p, rows, g, m, v, step, root, b1, b2, eps, l2, shrink):
    """Dense Adam, exactly, for a gradient that is zero but on some rows: one pass, without building the zeros."""
    V, D = p.shape
    cast = p.dtype.type
    step, root, eps, l2, shrink, zero = cast(step), cast(root), cast(eps), cast(l2), cast(shrink), cast(0)
    c1, c2, b1, b2 = cast(1 - b1), cast(1 - b2), cast(b1), cast(b2)
    slot = np.full(V, -1, np.int32)
    for n in range(len(rows)):
        slot[rows[n]] = n

    def move(row, d, e):
        e = e + l2 * p[row, d]
        mean, square = b1 * m[row, d] + c1 * e, b2 * v[row, d] + c2 * e * e
        m[row, d], v[row, d] = mean, square
        p[row, d] = shrink * p[row, d] - step * mean / (np.sqrt(square) * root + eps)

    def move_row(row):
        n = slot[row]
        if n >= 0:
            for d in range(D):
                move(row, d, g[n, d])
        else:
            for d in range(D):
                move(row, d, zero)

    if p.size < FEW:
        for row in range(V):
            move_row(row)
    else:
        for row in prange(V):
            move_row(row)


def _adam_rows_reference(p, rows, g, m, v, step, root, b1, b2, eps):
    m[rows] = b1 * m[rows] + (1 - b1) * g
    v[rows] = b2 * v[rows] + (1 - b2) * g * g
    p[rows] -= step * m[rows] / (np.sqrt(v[rows]) * root + eps)


@kernel(_adam_rows_reference, parallel=True)
def adam_rows(p, rows, g, m, v, step, root, b1, b2, eps):
    """Lazy Adam: moments and parameters of the touched rows only (PyTorch's SparseAdam)."""
    cast = p.dtype.type
    step, root, eps = cast(step), cast(root), cast(eps)
    c1, c2, b1, b2 = cast(1 - b1), cast(1 - b2), cast(b1), cast(b2)

    def move_row(n):
        row = rows[n]
        for d in range(p.shape[1]):
            e = g[n, d]
            mean, square = b1 * m[row, d] + c1 * e, b2 * v[row, d] + c2 * e * e
            m[row, d], v[row, d] = mean, square
            p[row, d] -= step * mean / (np.sqrt(square) * root + eps)

    if g.size < FEW:
        for n in range(len(rows)):
            move_row(n)
    else:
        for n in prange(len(rows)):
            move_row(n)
