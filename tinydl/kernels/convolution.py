"""The two moves that make a convolution one matrix product: the windows of an image become rows, and rows add up to it.

B images x (B, H, W, C), the channels last, so that what is copied lies together; rows (G, B, M, N, K, R, C/G): what the
cell (k, r) of the weight meets at the place (m, n) of the output, the channels of a group at a time. Strides (s, t),
dilations (d, e); `top` and `left` say how many rows and columns of zeros stand before the image.
"""

import numpy as np

from .registry import kernel


def _padded(x, rows, s, t, top, left, d, e):
    """(the place of x among zeros as far as the windows reach, and for each cell (k, r) what it meets: (G, B, M, N, C/G))"""
    G, B, M, N, K, R, C = rows.shape
    H, W = (M - 1) * s + (K - 1) * d + 1, (N - 1) * t + (R - 1) * e + 1
    around = np.zeros((B, max(H, top + x.shape[1]), max(W, left + x.shape[2]), G, C), rows.dtype)
    windows = [(k, r, np.moveaxis(around[:, k * d:k * d + (M - 1) * s + 1:s, r * e:r * e + (N - 1) * t + 1:t], 3, 0))
               for k in range(K) for r in range(R)]
    return around[:, top:top + x.shape[1], left:left + x.shape[2]], windows


def _im2row_reference(x, rows, s, t, top, left, d, e):
    inside, windows = _padded(x, rows, s, t, top, left, d, e)
    inside[...] = np.reshape(x, inside.shape)
    for k, r, window in windows:
        rows[:, :, :, :, k, r] = window


@kernel(_im2row_reference)
def im2row(x, rows, s, t, top, left, d, e):
    """rows[g, b, m, n, k, r, c] = x[b, m s + k d - top, n t + r e - left, g C/G + c], 0 outside of the image."""
    G, B, M, N, K, R, C = rows.shape
    H, W = x.shape[1], x.shape[2]
    lines, runs = x.reshape(B, H, W * G * C), rows.reshape(G, B, M, N, K, R * C)
    zero, together = rows.dtype.type(0), G == 1 and e == 1

    def copy_image(b):
        for g in range(G):
            for m in range(M):
                for n in range(N):
                    for k in range(K):
                        v, first = m * s + k * d - top, n * t - left
                        if together and 0 <= v < H and 0 <= first and first + R <= W:  # one run of numbers in both
                            run, line = runs[g, b, m, n, k], lines[b, v, first * C:(first + R) * C]
                            for q in range(R * C):
                                run[q] = line[q]
                        else:
                            for r in range(R):
                                w = first + r * e
                                if 0 <= v < H and 0 <= w < W:
                                    for c in range(C):
                                        rows[g, b, m, n, k, r, c] = x[b, v, w, g * C + c]
                                else:
                                    for c in range(C):
                                        rows[g, b, m, n, k, r, c] = zero

    for b in range(B):
        copy_image(b)


def _im2col_reference(x, columns, *geometry):
    rows = np.transpose(columns, (2, 3, 4, 0, 1))[None, ..., None]
    _im2row_reference(x[..., None], rows, *geometry)


@kernel(_im2col_reference)
def im2col(x, columns, s, t, top, left, d, e):
    """columns[k, r, b, m, n] = x[b, m s + k d - top, n t + r e - left], 0 outside of the image: of one channel.

    What one cell meets along a row of the output is a run of the image, longer than any within a window.
    """
    K, R, B, M, N = columns.shape
    H, W = x.shape[1], x.shape[2]
    zero = columns.dtype.type(0)
    for k in range(K):
        for r in range(R):
            first = r * e - left
            start = min(N, max(0, (t - 1 - first) // t))  # from here on n t + first >= 0,
            stop = max(start, min(N, (W - 1 - first) // t + 1))  # and up to here it is < W
            for b in range(B):
                for m in range(M):
                    v, run = m * s + k * d - top, columns[k, r, b, m]
                    if v < 0 or v >= H:
                        run[:] = zero
                        continue
                    line = x[b, v]
                    for n in range(start):
                        run[n] = zero
                    if t == 1:
                        for n in range(start, stop):
                            run[n] = line[n + first]
                    else:
                        for n in range(start, stop):
                            run[n] = line[n * t + first]
                    for n in range(stop, N):
                        run[n] = zero


def _row2im_reference(rows, x, s, t, top, left, d, e):
    inside, windows = _padded(x, rows, s, t, top, left, d, e)
    for k, r, window in windows:
        window += rows[:, :, :, :, k, r]
    x[...] = np.reshape(inside, x.shape)


@kernel(_row2im_reference)
def row2im(rows, x, s, t, top, left, d, e):
    """x = 0;   x[b, m s + k d - top, n t + r e - left, g C/G + c] += rows[g, b, m, n, k, r, c]: the adjoint of im2row."""
    G, B, M, N, K, R, C = rows.shape
    H, W = x.shape[1], x.shape[2]
    lines, runs = x.reshape(B, H, W * G * C), rows.reshape(G, B, M, N, K, R * C)
    together = G == 1 and e == 1

    def add_image(b):
        x[b] = 0
        for g in range(G):
            for m in range(M):
                for n in range(N):
                    for k in range(K):
                        v, first = m * s + k * d - top, n * t - left
                        if v < 0 or v >= H:
                            continue
                        if together and 0 <= first and first + R <= W:
                            run, line = runs[g, b, m, n, k], lines[b, v, first * C:(first + R) * C]
                            for q in range(R * C):
                                line[q] += run[q]
                        else:
                            for r in range(R):
                                w = first + r * e
                                if 0 <= w < W:
                                    for c in range(C):
                                        x[b, v, w, g * C + c] += rows[g, b, m, n, k, r, c]

    for b in range(B):
        add_image(b)
