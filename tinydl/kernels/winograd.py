"""The three transforms of Winograd's convolution: the 4 x 4 numbers around 2 x 2 places as one tile.

    A' = [1  1  1  0]      B' = [1  0 -1  0]
         [0  1 -1 -1]           [0  1  1  0]
                                [0 -1  1  0]      (`tinydl/ops/winograd.py` says what they are for)
                                [0  1  0 -1]

Images x (B, H, W, C), results y (B, M, N, out), the channels last; tiles (4, 4, B, R, S, C or out), tile (i, j) about the
places 2 i, 2 i + 1 and 2 j, 2 j + 1. All is additions, over runs of channels.
"""

import numpy as np

from .registry import kernel

_A = np.array([[1, 0], [1, 1], [1, -1], [0, -1]])
_B = np.array([[1, 0, 0, 0], [0, 1, -1, 1], [-1, 1, 1, 0], [0, 0, 0, -1]])


def _image_tiles_reference(x, tiles, top, left):
    B, R, S, C = tiles.shape[2:]
    v, w = np.arange(2 * R + 2) - top, np.arange(2 * S + 2) - left
    rows, columns = np.flatnonzero((v >= 0) & (v < x.shape[1]))[:, None], np.flatnonzero((w >= 0) & (w < x.shape[2]))
    around = np.zeros((B, 2 * R + 2, 2 * S + 2, C), tiles.dtype)
    around[:, rows, columns] = x[:, v[rows], w[columns]]
    cut = np.stack([[around[:, a:a + 2 * R:2, b:b + 2 * S:2] for b in range(4)] for a in range(4)])
    tiles[...] = np.einsum("au,bv,abnijc->uvnijc", _B.astype(tiles.dtype), _B.astype(tiles.dtype), cut, optimize=True)


@kernel(_image_tiles_reference)
def image_tiles(x, tiles, top, left):
    """tiles[:, :, b, i, j, c] = B' d B,   d[a, e] = x[b, 2 i + a - top, 2 j + e - left, c], 0 outside of the image."""
    B, R, S, C = tiles.shape[2:]
    H, W, run = x.shape[1], x.shape[2], S * C
    flat = tiles.reshape(4, 4, B, R, run)

    def transform(one, two, three, four, first, second, third, fourth):  # four numbers times B
        for q in range(run):
            first[q] = one[q] - three[q]
        for q in range(run):
            second[q] = two[q] + three[q]
        for q in range(run):
            third[q] = three[q] - two[q]
        for q in range(run):
            fourth[q] = two[q] - four[q]

    def cut_image(b):
        line, lines = np.zeros((2, run + C), tiles.dtype), np.empty((2 * R + 2, 4, run), tiles.dtype)
        even, odd, next_even, next_odd = line[0], line[1], line[0, C:], line[1, C:]  # every other place of one row of x
        for h in range(2 * R + 2):  # d B, for one row of places
            v = h - top
            if v < 0 or v >= H:
                lines[h] = 0
                continue
            for w in range(max(0, left), min(2 * S + 2, W + left)):  # what is left and right of them stays 0
                at, place = (w >> 1) * C, x[b, v, w - left]
                half = line[w & 1, at:at + C]
                for c in range(C):
                    half[c] = place[c]
            transform(even, odd, next_even, next_odd, lines[h, 0], lines[h, 1], lines[h, 2], lines[h, 3])
        for i in range(R):
            for u in range(4):
                transform(lines[2 * i, u], lines[2 * i + 1, u], lines[2 * i + 2, u], lines[2 * i + 3, u],
                          flat[0, u, b, i], flat[1, u, b, i], flat[2, u, b, i], flat[3, u, b, i])

    for b in range(B):
        cut_image(b)


def _tile_results_reference(tiles, bias, least, y):
    B, R, S, out = tiles.shape[2:]
    A = _A.astype(tiles.dtype)
    whole = np.reshape(np.einsum("up,vq,uvnijo->nipjqo", A, A, tiles, optimize=True), (B, 2 * R, 2 * S, out))
    y[...] = np.maximum(whole[:, :y.shape[1], :y.shape[2]] + bias, y.dtype.type(least))


@kernel(_tile_results_reference)
def tile_results(tiles, bias, least, y):
    """y[b, 2 i + p, 2 j + q, o] = max(least, bias[o] + (A' tiles[:, :, b, i, j, o] A)[p, q]), where that is inside of y.

    least: 0, which makes it a ReLU, or -inf, which changes nothing; nan stays nan.
    """
    floor = y.dtype.type(least)
    B, R, S, out = tiles.shape[2:]
    M, N = y.shape[1], y.shape[2]

    def add_image(b):
        right = np.empty((4, 2, out), tiles.dtype)  # tile A
        for i in range(R):
            for j in range(S):
                for u in range(4):
                    for o in range(out):
                        first, second = tiles[u, 1, b, i, j, o], tiles[u, 2, b, i, j, o]
                        right[u, 0, o] = tiles[u, 0, b, i, j, o] + first + second
                        right[u, 1, o] = first - second - tiles[u, 3, b, i, j, o]
                for q in range(min(2, N - 2 * j)):
                    for o in range(out):
                        upper = right[0, q, o] + right[1, q, o] + right[2, q, o] + bias[o]
                        y[b, 2 * i, 2 * j + q, o] = floor if upper <= floor else upper
                    if 2 * i + 1 < M:
                        for o in range(out):
                            lower = right[1, q, o] - right[2, q, o] - right[3, q, o] + bias[o]
                            y[b, 2 * i + 1, 2 * j + q, o] = floor if lower <= floor else lower

    for b in range(B):
        add_image(b)


def _result_tiles_reference(y, tiles):
    B, R, S, out = tiles.shape[2:]
    whole = np.zeros((B, 2 * R, 2 * S, out), tiles.dtype)
    whole[:, :y.shape[1], :y.shape[2]] = y
    A = _A.astype(tiles.dtype)
    tiles[...] = np.einsum("up,vq,nipjqo->uvnijo", A, A, np.reshape(whole, (B, R, 2, S, 2, out)), optimize=True)


@kernel(_result_tiles_reference)
def result_tiles(y, tiles):
    """tiles[:, :, b, i, j, o] = A z A',   z[p, q] = y[b, 2 i + p, 2 j + q, o], 0 outside of y: tile_results' adjoint."""
    B, R, S, out = tiles.shape[2:]
    M, N = y.shape[1], y.shape[2]

    def spread_image(b):
        down = np.zeros((4, 2, out), tiles.dtype)  # A z
        for i in range(R):
            for j in range(S):
                for q in range(2):
                    if 2 * j + q >= N:
                        down[:, q] = 0
                    elif 2 * i + 1 >= M:
                        for o in range(out):
                            down[0, q, o] = down[1, q, o] = down[2, q, o] = y[b, 2 * i, 2 * j + q, o]
                            down[3, q, o] = 0
                    else:
                        for o in range(out):
                            first, second = y[b, 2 * i, 2 * j + q, o], y[b, 2 * i + 1, 2 * j + q, o]
                            down[0, q, o] = first
                            down[1, q, o] = first + second
                            down[2, q, o] = first - second
                            down[3, q, o] = -second
                for u in range(4):
                    for o in range(out):
                        first, second = down[u, 0, o], down[u, 1, o]
                        tiles[u, 0, b, i, j, o] = first
                        tiles[u, 1, b, i, j, o] = first + second
                        tiles[u, 2, b, i, j, o] = first - second
                        tiles[u, 3, b, i, j, o] = -second

    for b in range(B):
        spread_image(b)
