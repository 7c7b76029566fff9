"""Pairs of a context and a candidate in Neural FM, some at a time: what stays in the cache never becomes an array of all.

Pair n of B N is context b = n // N with its candidate n % N, which is item j = of[b, n % N]; `of` (1, N) is of all contexts.
z has W = 1 + k (order - 1) columns: x'w, the k of x'V and, for order 3, the k of x'U.
"""

import numpy as np

from tinydl.kernels import drop_from, kernel, tanh_rows

TILE = 512  # pairs that a core works on at a time: some hundred kilobytes


def _sum_rows_reference(table, index, values, y, start):
    y[:, start:start + table.shape[1]] = np.sum(np.expand_dims(values, -1) * np.take(table, index, axis=0), axis=1)


@kernel(_sum_rows_reference)
def sum_rows(table, index, values, y, start):
    """y[b, start + d] = sum_f values_bf table[index_bf, d], in place.  (V, D), (B, F), (B, F), (B, W)"""
    D = table.shape[1]
    for b in range(len(index)):
        y_b = y[b, start:start + D]
        y_b[:] = 0
        for f in range(index.shape[1]):
            x, row = values[b, f], table[index[b, f]]
            for d in range(D):
                y_b[d] += x * row[d]


def _add_to_rows_reference(place, values, dy, start, sums):
    kept = np.nonzero(place >= 0)
    np.add.at(sums, place[kept], values[kept][:, None] * dy[kept[0], start:start + sums.shape[1]])


@kernel(_add_to_rows_reference)
def add_to_rows(place, values, dy, start, sums):
    """sums[place_bf] += values_bf dy[b, start + d] where place is not -1, in place.  (B, F), (B, F), (B, W), (m, D)"""
    D = sums.shape[1]
    for b in range(len(place)):
        dy_b = dy[b, start:start + D]
        for f in range(place.shape[1]):
            if place[b, f] >= 0:
                x, of_row = values[b, f], sums[place[b, f]]
                for d in range(D):
                    of_row[d] += x * dy_b[d]


def _items(of, B):
    """(B N,) which item each pair has."""
    return np.reshape(np.broadcast_to(of, (B, of.shape[1])), -1)


def _derivative(z, k):
    """Of [z_1, z_2^2, z_3^3], cut at zero."""
    z_1, z_2, z_3 = z[:, :1], z[:, 1:1 + k], z[:, 1 + k:]
    return np.concatenate([z_1 > 0, 2 * z_2, np.where(z_3 > 0, 3 * z_3 * z_3, 0)], axis=1)


def _pair_layer_reference(C, K, of, first, k, started, p, seed, h, g, linear):
    n = first + np.arange(len(h))
    z = C[n // of.shape[1]] + K[_items(of, len(C))[n]] + (h if started else 0)
    linear[:len(h)] = z[:, 0]
    h[:] = np.maximum(np.concatenate([z[:, :1], z[:, 1:1 + k] ** 2, z[:, 1 + k:] ** 3], axis=1), 0)
    if len(g):
        g[:] = _derivative(z, k)
    if p > 0:
        for i, (h_n, at) in enumerate(zip(h, n * h.shape[1], strict=True)):
            drop_from.reference(h_n, at, p, seed)
            if len(g):
                drop_from.reference(g[i], at, p, seed)


@kernel(_pair_layer_reference)
def pair_layer(C, K, of, first, k, started, p, seed, h, g, linear):
    """h_n = m ReLU([z_1, z_2^2, z_3^3]),   z_n = C_b + K_j,   of the pairs n = first, first + 1, .. that h has rows for

    C (B, W), K (m, W), h (n, W). started: what h holds is a part of z. m is dropout's mask on all (B N, W), for p > 0.
    linear (n,) becomes z_1. g (n, W), or (0, W) if nobody wants it, becomes dh / dz, which is the sum's too.
    """
    W, N, zero = h.shape[1], of.shape[1], h.dtype.type(0)
    two, three = h.dtype.type(2), h.dtype.type(3)
    for r in range(len(h)):
        b, n = (first + r) // N, (first + r) % N
        c, row, h_r = C[b], K[of[b if len(of) > 1 else 0, n]], h[r]
        if started:
            for d in range(W):
                h_r[d] += c[d] + row[d]
        else:
            for d in range(W):
                h_r[d] = c[d] + row[d]
        z = h_r[0]
        linear[r] = z
        pairs, triples = h_r[1:1 + k], h_r[1 + k:]
        if len(g) > 0:
            g_r = g[r]
            g_pairs, g_triples = g_r[1:1 + k], g_r[1 + k:]
            g_r[0] = z > zero
            for d in range(len(pairs)):
                g_pairs[d] = two * pairs[d]
            for d in range(len(triples)):
                z_d = triples[d]
                slope = three * z_d * z_d
                g_triples[d] = slope if z_d > zero else zero
        h_r[0] = zero if z <= zero else z
        for d in range(len(pairs)):
            pairs[d] = pairs[d] * pairs[d]
        for d in range(len(triples)):
            cube = triples[d] * triples[d] * triples[d]
            triples[d] = zero if cube <= zero else cube
        if p > 0:
            drop_from(h_r, (first + r) * W, p, seed)
            if len(g) > 0:
                drop_from(g[r], (first + r) * W, p, seed)


def _pair_scores_reference(a, b_4, w_5, b_5, y):
    a += b_4
    np.tanh(a, out=a)
    y += a @ w_5 + b_5


@kernel(_pair_scores_reference, reorder=True)
def pair_scores(a, b_4, w_5, b_5, y):
    """a_n = tanh(a_n + b_4), in place;   y_n += <w_5, a_n> + b_5.  (n, H), (H,), (H,), (1,), (n,)"""
    for n in range(len(a)):
        row = a[n]
        for d in range(len(row)):
            row[d] += b_4[d]
    tanh_rows(a)
    for n in range(len(a)):
        row, s = a[n], b_5[0]
        for d in range(len(row)):
            s += w_5[d] * row[d]
        y[n] += s


def _pair_scores_gradient_reference(h_5, w_5, dy, da, db_4, dw_5):
    da[:] = dy[:, None] * w_5 * (1 - h_5 * h_5)
    db_4 += np.sum(da, axis=0)
    dw_5 += dy @ h_5


@kernel(_pair_scores_gradient_reference)
def pair_scores_gradient(h_5, w_5, dy, da, db_4, dw_5):
    """da_n = dy_n w_5 (1 - h_5^2);   db_4 += sum_n da_n,   dw_5 += sum_n dy_n h_5n.  (n, H), (H,), (n,), (n, H), 2 x (H,)"""
    one = h_5.dtype.type(1)
    sums = np.zeros((2, len(w_5)), h_5.dtype)  # of these pairs: one sum over a long batch would lose digits in float32
    of_a, of_w = sums[0], sums[1]
    for n in range(len(h_5)):
        h_n, da_n, dy_n = h_5[n], da[n], dy[n]
        for d in range(len(w_5)):
            slope = dy_n * w_5[d] * (one - h_n[d] * h_n[d])
            da_n[d] = slope
            of_a[d] += slope
            of_w[d] += dy_n * h_n[d]
    for d in range(len(w_5)):
        db_4[d] += of_a[d]
        dw_5[d] += of_w[d]


def _pair_layer_gradient_reference(dz, g, dy, shortcut, first, N, dC):
    dz *= g
    if shortcut:
        dz[:, 0] += dy
    np.add.at(dC, (first + np.arange(len(dz))) // N, dz)


@kernel(_pair_layer_gradient_reference)
def pair_layer_gradient(dz, g, dy, shortcut, first, N, dC):
    """dz_n = g_n dz_n, in place, and dy_n more in its first column with the shortcut;   dC_b += sum of its pairs' dz_n

    The pairs n = first, first + 1, .. of B N.  dz, g (n, W), dy (n,), dC (B, W)
    """
    W = dz.shape[1]
    for r in range(len(dz)):
        dz_r, g_r, dC_b = dz[r], g[r], dC[(first + r) // N]
        for d in range(W):
            dz_r[d] *= g_r[d]
        if shortcut:
            dz_r[0] += dy[r]
        for d in range(W):
            dC_b[d] += dz_r[d]


def _neural_fm_reference(C, K, of, W_4, b_4, w_5, b_5, R, x, k, shortcut, p, seed, low, high, y, h_5):
    h, nothing = x[low:high] @ R.T, np.empty((0, len(R)), C.dtype)
    _pair_layer_reference(C, K, of, low, k, True, p, seed, h, nothing, y[low:high])
    y[low:high] *= shortcut
    a = h @ W_4.T
    _pair_scores_reference(a, b_4, w_5, b_5, y[low:high])
    if len(h_5):
        h_5[low:high] = a


@kernel(_neural_fm_reference)
def neural_fm(C, K, of, W_4, b_4, w_5, b_5, R, x, k, shortcut, p, seed, low, high, y, h_5):
    """y_n = <w_5, tanh(W_4 h_n + b_4)> + b_5, and z_1 more with the shortcut, of pairs low to high - 1; h_n: `pair_layer`.

    C (B, W), K (m, W), of (B or 1, N), W_4 (H, W), b_4 and w_5 (H,), b_5 (1,); R (W, P), x (B N, P): R x_n is a part of z_n,
    P may be 0. y (B N,) and h_5 (B N, H), the tanh, are written; h_5 without rows: nobody wants it.
    """
    H, W = W_4.shape
    h, nothing, tile = np.empty((TILE, W), C.dtype), np.empty((0, W), C.dtype), np.empty((TILE, H), C.dtype)
    for first in range(low, high, TILE):
        end = min(first + TILE, high)
        layer, y_n = h[:end - first], y[first:end]
        a = h_5[first:end] if len(h_5) > 0 else tile[:end - first]
        if x.shape[1] > 0:
            np.dot(x[first:end], R.T, layer)
        pair_layer(C, K, of, first, k, x.shape[1] > 0, p, seed, layer, nothing, y_n)
        if not shortcut:
            y_n[:] = 0
        np.dot(layer, W_4.T, a)
        pair_scores(a, b_4, w_5, b_5, y_n)


def _neural_fm_gradient_reference(C, K, of, W_4, w_5, R, x, k, shortcut, p, seed, low, high, h_5, dy, dz, dC, dW_4, db_4,
                                  dw_5, dR, dx):
    N = of.shape[1]
    n = slice(low * N, high * N)
    h, da = x[n] @ R.T, np.empty((n.stop - n.start, len(w_5)), C.dtype)
    g, linear = np.empty_like(h), np.empty(len(h), C.dtype)
    _pair_layer_reference(C, K, of, n.start, k, True, p, seed, h, g, linear)
    _pair_scores_gradient_reference(h_5[n], w_5, dy[n], da, db_4, dw_5)
    dW_4 += da.T @ h
    dz[n] = da @ W_4
    _pair_layer_gradient_reference(dz[n], g, dy[n], shortcut, n.start, N, dC)
    dR += dz[n].T @ x[n]
    if len(dx):
        dx[n] = dz[n] @ R


@kernel(_neural_fm_gradient_reference)
def neural_fm_gradient(C, K, of, W_4, w_5, R, x, k, shortcut, p, seed, low, high, h_5, dy, dz, dC, dW_4, db_4, dw_5, dR, dx):
    """The gradients of `neural_fm` given dy (B N,), of the pairs of contexts low to high - 1: dz (B N, W) and dx (B N, P) of
    each pair, the rows of dC (B, W), and what they add to dW_4, db_4, dw_5 and dR. dx without rows: nobody wants it.
    """
    (H, W), N = W_4.shape, of.shape[1]
    layer, slope, tile = np.empty((TILE, W), C.dtype), np.empty((TILE, W), C.dtype), np.empty((TILE, H), C.dtype)
    linear, more_W, more_R = np.empty(TILE, C.dtype), np.empty(W_4.shape, C.dtype), np.empty(R.shape, C.dtype)
    for first in range(low * N, high * N, TILE):
        end = min(first + TILE, high * N)
        h, g, da, dz_n, dy_n = layer[:end - first], slope[:end - first], tile[:end - first], dz[first:end], dy[first:end]
        if x.shape[1] > 0:
            np.dot(x[first:end], R.T, h)
        pair_layer(C, K, of, first, k, x.shape[1] > 0, p, seed, h, g, linear)
        pair_scores_gradient(h_5[first:end], w_5, dy_n, da, db_4, dw_5)
        np.dot(da.T, h, more_W)
        for i in range(H):
            for d in range(W):
                dW_4[i, d] += more_W[i, d]
        np.dot(da, W_4, dz_n)
        pair_layer_gradient(dz_n, g, dy_n, shortcut, first, N, dC)
        if x.shape[1] > 0:
            np.dot(dz_n.T, x[first:end], more_R)
            dR += more_R
            if len(dx) > 0:
                np.dot(dz_n, R, dx[first:end])


def _add_pairs_reference(dz, of, low, high, dK):
    np.add.at(dK[:, low:high], _items(of, len(dz) // max(1, of.shape[1])), dz[:, low:high])


@kernel(_add_pairs_reference)
def add_pairs(dz, of, low, high, dK):
    """dK[of_n, d] += dz[n, d] for low <= d < high, in the order of n: other columns may be added beside it.

    dz (B N, W), of (B or 1, N), dK (m, W)
    """
    N = of.shape[1]
    for n in range(len(dz)):
        more, of_item = dz[n, low:high], dK[of[n // N if len(of) > 1 else 0, n % N], low:high]
        for d in range(high - low):
            of_item[d] += more[d]


def _distinct_candidates_reference(index, values, size):
    first, place, seen = [], np.empty(len(index), np.int64), {}
    for n, (ids, x) in enumerate(zip(index.tolist(), values.tolist(), strict=True)):
        one = seen.setdefault(ids[0] if ids else -1, n)
        same = one < n and ids == index[one].tolist() and x == values[one].tolist()
        place[n] = place[one] if same else len(first)
        if not same:
            first.append(n)
    return np.array(first, np.int64), place


@kernel(_distinct_candidates_reference)
def distinct_candidates(index, values, size):
    """Which candidates are not as one before, and for each candidate, which of these it is.  (n, F), (n, F) -> (m,), (n,)

    One is compared with the first that has its first feature, of `size` there are: an item's other features mostly follow
    from its number. What differs from that one stands for itself, though it may be as another.
    """
    n_rows, F = index.shape
    slot = np.full(size + 1, -1, np.int64)
    first, place = np.empty(n_rows, np.int64), np.empty(n_rows, np.int64)
    m = 0
    for n in range(n_rows):
        own = index[n, 0] if F > 0 else 0
        one = slot[own]
        same = one >= 0
        if one < 0:
            slot[own] = n
        else:
            for f in range(F):
                if index[n, f] != index[one, f] or values[n, f] != values[one, f]:
                    same = False
        if same:
            place[n] = place[one]
        else:
            place[n] = m
            first[m] = n
            m += 1
    return first[:m].copy(), place
