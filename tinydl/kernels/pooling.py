"""Windows of an image reduced to one number: the place of the largest, or the mean. Channels last, (B, H, W, C).

A place is the number v W + w of the row v and the column w in its channel.
"""

import numpy as np

from .registry import kernel, prange

FEW = 1 << 15  # results; below, waking the other cores costs what they save


def _max_places_reference(x, y, places, K, R, s, t, top, left, d, e):
    (B, H, W, C), (M, N) = x.shape, y.shape[1:3]
    around = np.full((B, max((M - 1) * s + (K - 1) * d + 1, top + H), max((N - 1) * t + (R - 1) * e + 1, left + W), C),
                     -np.inf, x.dtype)
    around[:, top:top + H, left:left + W] = x
    y[...], places[...] = -np.inf, -1
    for k in range(K):
        for r in range(R):
            window = around[:, k * d:k * d + (M - 1) * s + 1:s, r * e:r * e + (N - 1) * t + 1:t]
            v, w = np.arange(M) * s + k * d - top, np.arange(N) * t + r * e - left
            inside = ((v >= 0) & (v < H))[:, None] & ((w >= 0) & (w < W))
            larger = ((places < 0) | (window > y) | np.isnan(window)) & inside[:, :, None]
            y[...] = np.where(larger, window, y)
            places[...] = np.where(larger, (v[:, None] * W + w)[:, :, None], places)


@kernel(_max_places_reference)
def max_places(x, y, places, K, R, s, t, top, left, d, e):
    """y[b, m, n, c] = the largest x[b, v, w, c], v = m s + k d - top, w = n t + r e - left; places: of the first such

    Over the cells (k, r), k < K, r < R, that are inside the image; nan counts as largest.  x (B, H, W, C), the others
    (B, M, N, C).
    """
    B, H, W, C = x.shape
    M, N = y.shape[1], y.shape[2]

    def search_four(b, v, w, largest, place):  # windows of 2 x 2 inside of the image: no number is written twice
        one, two, three, four = x[b, v, w], x[b, v, w + 1], x[b, v + 1, w], x[b, v + 1, w + 1]
        here = np.int32(v * W + w)
        for c in range(C):
            best, at = one[c], here
            larger = (two[c] > best) | (two[c] != two[c])
            best, at = two[c] if larger else best, here + np.int32(1) if larger else at
            larger = (three[c] > best) | (three[c] != three[c])
            best, at = three[c] if larger else best, here + np.int32(W) if larger else at
            larger = (four[c] > best) | (four[c] != four[c])
            largest[c] = four[c] if larger else best
            place[c] = here + np.int32(W + 1) if larger else at

    def search_image(b):
        for m in range(M):
            for n in range(N):
                largest, place = y[b, m, n], places[b, m, n]
                v, w = m * s - top, n * t - left
                if K == R == 2 and d == e == 1 and 0 <= v < H - 1 and 0 <= w < W - 1:
                    search_four(b, v, w, largest, place)
                    continue
                for c in range(C):
                    place[c] = -1
                for k in range(K):
                    for r in range(R):
                        v, w = m * s + k * d - top, n * t + r * e - left
                        if 0 <= v < H and 0 <= w < W:
                            candidate, here = x[b, v, w], np.int32(v * W + w)
                            for c in range(C):
                                value = candidate[c]
                                larger = (place[c] < 0) | (value > largest[c]) | (value != value)
                                largest[c] = value if larger else largest[c]
                                place[c] = here if larger else place[c]

    for b in range(B):
        search_image(b)


def _pick_places_reference(x, places):
    return np.take_along_axis(x, places, axis=1)


@kernel(_pick_places_reference, parallel=True)
def pick_places(x, places):
    """y[b, p, c] = x[b, places[b, p, c], c].  (B, V, C), (B, P, C) -> (B, P, C)"""
    B, P, C = places.shape
    y = np.empty(places.shape, x.dtype)

    def pick_image(b):
        for p in range(P):
            for c in range(C):
                y[b, p, c] = x[b, places[b, p, c], c]

    if places.size < FEW:
        for b in range(B):
            pick_image(b)
    else:
        for b in prange(B):
            pick_image(b)
    return y


def _put_places_reference(y, places, x):
    x[...] = 0
    np.add.at(x, (np.arange(len(x))[:, None, None], places, np.arange(x.shape[2])), y)


@kernel(_put_places_reference)
def put_places(y, places, x):
    """x = 0;   x[b, places[b, p, c], c] += y[b, p, c]: the adjoint of pick_places.  y (B, P, C), x (B, V, C)"""
    B, P, C = places.shape
    for b in range(B):
        x[b] = 0
        for p in range(P):
            for c in range(C):
                x[b, places[b, p, c], c] += y[b, p, c]


def _covers(start, stop, length):
    """(windows, length): 1 where a window covers a place."""
    places = np.arange(length)
    return (start[:, None] <= places) & (places < stop[:, None])


def _window_means_reference(x, up, down, left, right, scale):
    rows, columns = _covers(up, down, x.shape[1]).astype(x.dtype), _covers(left, right, x.shape[2]).astype(x.dtype)
    return np.einsum("iv,bvwc,jw->bijc", rows, x, columns, optimize=True) * scale[:, :, None]


@kernel(_window_means_reference, parallel=True)
def window_means(x, up, down, left, right, scale):
    """y[b, m, n, c] = scale[m, n] sum of x[b, v, w, c] over up[m] <= v < down[m], left[n] <= w < right[n]"""
    B, C = x.shape[0], x.shape[3]
    M, N = scale.shape
    y = np.empty((B, M, N, C), x.dtype)

    def reduce_image(b):
        for m in range(M):
            for n in range(N):
                y[b, m, n] = 0
                for v in range(up[m], down[m]):
                    for w in range(left[n], right[n]):
                        for c in range(C):
                            y[b, m, n, c] += x[b, v, w, c]
                for c in range(C):
                    y[b, m, n, c] *= scale[m, n]

    if x.size < FEW:
        for b in range(B):
            reduce_image(b)
    else:
        for b in prange(B):
            reduce_image(b)
    return y


def _spread_means_reference(y, up, down, left, right, scale, H, W):
    rows, columns = _covers(up, down, H).astype(y.dtype), _covers(left, right, W).astype(y.dtype)
    return np.einsum("iv,bijc,jw->bvwc", rows, y * scale[:, :, None], columns, optimize=True)


@kernel(_spread_means_reference, parallel=True)
def spread_means(y, up, down, left, right, scale, H, W):
    """x = 0;   x[b, v, w, c] += scale[m, n] y[b, m, n, c] for up[m] <= v < down[m], left[n] <= w < right[n]: the adjoint."""
    B, M, N, C = y.shape
    x = np.empty((B, H, W, C), y.dtype)

    def spread_image(b):
        x[b] = 0
        for m in range(M):
            for n in range(N):
                for v in range(up[m], down[m]):
                    for w in range(left[n], right[n]):
                        for c in range(C):
                            x[b, v, w, c] += scale[m, n] * y[b, m, n, c]

    if x.size < FEW:
        for b in range(B):
            spread_image(b)
    else:
        for b in prange(B):
            spread_image(b)
    return x
