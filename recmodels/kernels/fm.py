"""Interactions of factorization machines, one feature after the other: e_t += z e_{t-1}, the last t first.

B examples, N candidates in each, F features of a candidate, D numbers a row of the table, z_f = x_f v_f (values times rows).
Run over all features, the recursion gives the elementary symmetric sums of every dimension,

    e_1 = sum_i z_i      e_2 = sum_{i<j} z_i z_j      e_3 = sum_{i<j<k} z_i z_j z_k

in O(F D) (Blondel et al. 2016, "Higher-order factorization machines", algorithm 1). By power sums they would be
e_2 = (p_1^2 - p_2) / 2 and e_3 = (p_1^3 - 3 p_1 p_2 + 2 p_3) / 6, which cancel where one feature is large; here nothing is
subtracted, so float32 is enough. The slide's full form, equal indices included, is a power of the first: e_1^2, e_1^3.

A recursion can go on where another has stopped: the sums of a context are computed once, and each of its candidates
continues from them. So T sums are the whole state: T = the order, or 1 for the full form.
"""

import numpy as np

from tinydl.kernels import kernel


def _rows_read_reference(index, values, size):
    kept = np.nonzero(values != 0)
    unique, first, inverse = np.unique(index[kept], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    place = np.full(index.shape, -1)
    place[kept] = rank[inverse]
    return unique[order], place


@kernel(_rows_read_reference)
def rows_read(index, values, size):
    """Rows that are read with a value that is not 0, each once, and which of them a position reads, or -1.

    index (B, F) in [0, size), values (B, F) -> (m,), in the order of first appearance, and (B, F)
    """
    B, F = index.shape
    slot = np.full(size, -1, np.int64)
    rows, place = np.empty(min(size, B * F), np.int64), np.empty((B, F), np.int64)
    m = 0
    for b in range(B):
        for f in range(F):
            if values[b, f] == 0:
                place[b, f] = -1
                continue
            row = index[b, f]
            if slot[row] < 0:
                slot[row] = m
                rows[m] = row
                m += 1
            place[b, f] = slot[row]
    return rows[:m].copy(), place


def _lower(e):
    """[1, e_1 .. e_{T-1}] beside [e_1 .. e_T]: what a new feature multiplies.  (B, N, T, D) -> (B, N, T, D)"""
    return np.concatenate([np.ones(e[:, :, :1].shape, e.dtype), e[:, :, :-1]], axis=2)


def _states(C, z):
    """The sums before each feature and after the last: F + 1 arrays (B, N, T, D).  C (B or 1, T, D), z (B, N, F, D)"""
    B, N, F, D = z.shape
    e = [np.broadcast_to(np.expand_dims(C, 1), (B, N, C.shape[1], D))]
    for f in range(F):
        e.append(e[f] + np.expand_dims(z[:, :, f], 2) * _lower(e[f]))
    return e


def interaction_gradients(C, z, dy, power):
    """dz (B, N, F, D) and dC of C's shape: the recursion backwards, on arrays or tensors.  dy (B, N, S, D)

    e_t' = e_t + z e_{t-1}:   dz = sum_t de_t' e_{t-1},   de_{t-1} = de_{t-1}' + z de_t'   (Blondel et al. 2016, algorithm 2)
    """
    e, (B, N, F, D) = _states(C, z), z.shape
    T, S = C.shape[1], dy.shape[2]
    if power > 1:
        dy = dy * power * e[F][:, :, T - S:] ** (power - 1)
    de, dz = np.concatenate([np.zeros((B, N, T - S, D), C.dtype), dy], axis=2), []
    for f in reversed(range(F)):
        dz.append(np.sum(de * _lower(e[f]), axis=2))
        upper = np.concatenate([de[:, :, 1:], np.zeros((B, N, 1, D), C.dtype)], axis=2)
        de = de + np.expand_dims(z[:, :, f], 2) * upper
    dC = np.sum(de, axis=1)
    dC = dC if C.shape[0] == B else np.sum(dC, axis=0, keepdims=True)
    return np.stack(dz[::-1], axis=2) if F else z, dC


def _interactions_reference(C, table, index, values, power, low, high, y):
    e = _states(C[:, :, low:high], np.expand_dims(values, -1) * np.take(table[:, low:high], index, axis=0))[-1]
    y[:, :, :, low:high] = e[:, :, e.shape[2] - y.shape[2]:] ** power


@kernel(_interactions_reference)
def fm_interactions(C, table, index, values, power, low, high, y):
    """The last S of the T sums of the context C and the candidate's features, each to the power `power`, in y (B, N, S, D).

    C (B, T, D), or (1, T, D) for all; table (V, D); index, values (B, N, F). Only dimensions low to high - 1: others may be
    at work beside it. T, power <= 3, and a loop for each T: what stays in a register need not be stored. A value of 0: not
    there.
    """
    B, N, F = index.shape
    T, S, D = C.shape[1], y.shape[2], high - low
    e = np.empty((T, D), table.dtype)
    for b in range(B):
        c = b if len(C) > 1 else 0
        for n in range(N):
            for t in range(T):
                C_t, e_t = C[c, t, low:high], e[t]
                for d in range(D):
                    e_t[d] = C_t[d]
            for f in range(F):
                x, v = values[b, n, f], table[index[b, n, f], low:high]
                if x == 0:
                    continue
                if T == 1:
                    for d in range(D):
                        e[0, d] += x * v[d]
                elif T == 2:
                    for d in range(D):
                        z, e_1 = x * v[d], e[0, d]
                        e[0, d] = e_1 + z
                        e[1, d] += z * e_1
                else:
                    for d in range(D):
                        z, e_1, e_2 = x * v[d], e[0, d], e[1, d]
                        e[0, d] = e_1 + z
                        e[1, d] = e_2 + z * e_1
                        e[2, d] += z * e_2
            for s in range(S):
                e_t, y_s = e[T - S + s], y[b, n, s, low:high]
                for d in range(D):
                    y_s[d] = e_t[d] if power == 1 else e_t[d] * e_t[d] if power == 2 else e_t[d] * e_t[d] * e_t[d]


def _gradient_reference(C, table, index, values, place, dy, power, low, high, sums, dvalues, dC):
    v, x = np.take(table[:, low:high], index, axis=0), np.expand_dims(values, -1)
    dz, dC_part = interaction_gradients(C[:, :, low:high], x * v, dy[:, :, :, low:high], power)
    kept = np.nonzero(place >= 0)
    np.add.at(sums[:, low:high], place[kept], (x * dz)[kept])
    dC[:, :, low:high] += dC_part
    if len(dvalues):
        dvalues += np.sum(v * dz, axis=3)


@kernel(_gradient_reference)
def fm_interactions_gradient(C, table, index, values, place, dy, power, low, high, sums, dvalues, dC):
    """The gradients of `fm_interactions` given dy (B, N, S, D), added up: of table, values and C.

    place (B, N, F): which row of sums (m, D) is position's row of the table, -1 where its value is 0 (`rows_read`). dvalues
    (B, N, F), or without rows if nobody wants it; dC of C's shape.
    """
    B, N, F = index.shape
    T, S, D = C.shape[1], dy.shape[2], high - low
    wanted, p, zero = len(dvalues) > 0, table.dtype.type(power), table.dtype.type(0)
    e, de = np.empty((F + 1, T, D), table.dtype), np.empty((T, D), table.dtype)
    dz = np.empty(D, table.dtype)
    for b in range(B if T == 1 else 0):  # every feature has the same dz = p dy e^{p-1}
        c = b if len(C) > 1 else 0
        C_c, dC_c = C[c, 0, low:high], dC[c, 0, low:high]
        for n in range(N):
            dy_n = dy[b, n, 0, low:high]
            for d in range(D):
                dz[d] = C_c[d]
            for f in range(F):
                x, v = values[b, n, f], table[index[b, n, f], low:high]
                for d in range(D):
                    dz[d] += x * v[d]
            for d in range(D):
                e_1 = dz[d]
                dz[d] = p * dy_n[d] * (e_1 if power == 2 else e_1 * e_1 if power == 3 else p)
            for d in range(D):
                dC_c[d] += dz[d]
            for f in range(F):
                if place[b, n, f] >= 0:
                    x, of_row = values[b, n, f], sums[place[b, n, f], low:high]
                    for d in range(D):
                        of_row[d] += x * dz[d]
                if wanted:
                    v = table[index[b, n, f], low:high]
                    for d in range(D):
                        dvalues[b, n, f] += v[d] * dz[d]
    for b in range(B if T > 1 else 0):
        c = b if len(C) > 1 else 0
        for n in range(N):
            for t in range(T):
                C_t, e_t, de_t = C[c, t, low:high], e[0, t], de[t]
                for d in range(D):
                    e_t[d] = C_t[d]
                    de_t[d] = zero
                if t >= T - S:
                    dy_t = dy[b, n, t - T + S, low:high]
                    for d in range(D):
                        de_t[d] = dy_t[d]
            for f in range(F):  # e[f]: the sums that feature f meets
                x, v, now, after = values[b, n, f], table[index[b, n, f], low:high], e[f], e[f + 1]
                if T == 2:
                    for d in range(D):
                        after[0, d] = now[0, d] + x * v[d]
                else:
                    for d in range(D):
                        z, e_1 = x * v[d], now[0, d]
                        after[0, d] = e_1 + z
                        after[1, d] = now[1, d] + z * e_1
            for f in range(F - 1, -1, -1):
                x, v, now = values[b, n, f], table[index[b, n, f], low:high], e[f]
                if T == 2:
                    for d in range(D):
                        de_2 = de[1, d]
                        dz[d] = de[0, d] + de_2 * now[0, d]
                        de[0, d] += x * v[d] * de_2
                else:
                    for d in range(D):
                        z, de_1, de_2, de_3 = x * v[d], de[0, d], de[1, d], de[2, d]
                        dz[d] = de_1 + de_2 * now[0, d] + de_3 * now[1, d]
                        de[0, d] = de_1 + z * de_2
                        de[1, d] = de_2 + z * de_3
                if place[b, n, f] >= 0:
                    of_row = sums[place[b, n, f], low:high]
                    for d in range(D):
                        of_row[d] += x * dz[d]
                if wanted:
                    for d in range(D):
                        dvalues[b, n, f] += v[d] * dz[d]
            for t in range(T):
                dC_t, de_t = dC[c, t, low:high], de[t]
                for d in range(D):
                    dC_t[d] += de_t[d]


def _catalogue_reference(C, K, power):
    T = C.shape[1]
    c, k = np.expand_dims(C, 1), np.expand_dims(K, 0)
    y = c[:, :, T - 1] + k[:, :, T - 1]
    for t in range(T - 1):
        y = y + c[:, :, t] * k[:, :, T - 2 - t]
    return y ** power


@kernel(_catalogue_reference)
def fm_catalogue(C, K, power):
    """What `fm_interactions` gives for every context with every item, from the sums of both: e_T = sum_t c_t k_{T-t}.

    C (B, T, D), K (I, T, D) -> (B, I, D); c_0 = k_0 = 1.
    """
    B, T, D = C.shape
    y = np.empty((B, len(K), D), C.dtype)
    e = np.empty(D, C.dtype)
    for b in range(B):
        for i in range(len(K)):
            for d in range(D):
                e[d] = C[b, T - 1, d] + K[i, T - 1, d]
            for t in range(T - 1):
                for d in range(D):
                    e[d] += C[b, t, d] * K[i, T - 2 - t, d]
            for d in range(D):
                y[b, i, d] = e[d]
            for _ in range(1, power):
                for d in range(D):
                    y[b, i, d] *= e[d]
    return y
