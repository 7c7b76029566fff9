"""Attention, a tile of scores at a time: what stays in the innermost cache never becomes an array of L x S.

L queries and S keys of E numbers, S values of F; a tile is some queries against up to `COLUMNS` keys. Going through the
keys, a query's mean of the values is corrected whenever a larger score turns up (Milakov & Gimelshein 2018, algorithm 3); of
its weights the logarithm of their sum is kept, and the way back computes them again from it (Rabe & Staats 2021; Dao et al.
2022, "FlashAttention", algorithms 1 and 4). Products are BLAS's, on one core each: the heads share the cores.

The references do the same for all keys at once, a head after the other.
"""

import numpy as np

from .elementwise import drop_from, exp_rows
from .registry import kernel

COLUMNS = 128  # keys of a tile: 64 rows of them are 32 KB
PRODUCT = 1 << 18  # multiplications that OpenBLAS leaves to the core that asks for them


def _scores_reference(q, k, bias, causal, first, start, s):
    s[:] = q @ k.T
    if bias.shape[1] > 0:
        s += (bias[first:first + len(q)] if len(bias) > 1 else bias)[:, start:start + len(k)]
    if causal:
        s[np.arange(start, start + len(k)) > np.arange(first, first + len(q))[:, None]] = -np.inf


@kernel(_scores_reference)
def scores(q, k, bias, causal, first, start, s):
    """s_ij = <q_i, k_j> + bias_ij, and -inf where a causal query would see a later key.  (n, E), (c, E) -> (n, c), in s

    q_0 is query number `first`, k_0 is key number `start`. bias (L, S), (1, S), or without columns: there is none.
    """
    n, c = s.shape
    if q.shape[1] > 0:
        np.dot(q, k.T, s)
    else:
        s[:] = 0
    never = s.dtype.type(-np.inf)
    for i in range(n):
        row = s[i]
        if bias.shape[1] > 0:
            more = bias[first + i if len(bias) > 1 else 0, start:start + c]
            for j in range(c):
                row[j] += more[j]
        if causal:
            for j in range(max(0, first + i + 1 - start), c):
                row[j] = never


def _shift_rows_reference(s, top):
    top[:] = np.maximum(top, np.fmax.reduce(s, axis=1, initial=-np.inf))
    s -= np.where(top == -np.inf, 0, top)[:, None]


@kernel(_shift_rows_reference)
def shift_rows(s, top):
    """top_i = max(top_i, max_j s_ij);   s_ij -= top_i, unless that is -inf.  s (n, c), top (n,)

    nan is passed over by the maximum, and stays where it is. It is sought in eight columns, which are one vector
    instruction: a single running maximum would wait for each comparison.
    """
    n, c = s.shape
    lowest = s.dtype.type(-np.inf)
    most, whole = np.empty(8, s.dtype), c - c % 8
    for i in range(n):
        row = s[i]
        most[:] = lowest
        for start in range(0, whole, 8):
            part = row[start:start + 8]
            for lane in range(8):
                most[lane] = part[lane] if part[lane] > most[lane] else most[lane]
        best = top[i]
        for lane in range(8):
            best = most[lane] if most[lane] > best else best
        for j in range(whole, c):
            best = row[j] if row[j] > best else best
        top[i] = best
        if best > lowest:
            for j in range(c):
                row[j] -= best


def _add_row_reference(y, x, a, b):
    y[:] = b * x + (a * y if a else 0)


@kernel(_add_row_reference)
def add_row(y, x, a, b):
    """y_d = a y_d + b x_d, and what y held counts for nothing, not even nan, where a is 0.  y and x (D,)"""
    if a == 0:
        for d in range(len(y)):
            y[d] = b * x[d]
    else:
        for d in range(len(y)):
            y[d] = a * y[d] + b * x[d]


def queries_of_a_tile(L, S, E, F):
    """How many queries a task of `attend` has: at most 64 and what keeps its products small enough for one core, but 16."""
    return max(16, min(L, 64, PRODUCT // max(1, min(S, COLUMNS) * max(E, F))))


def _drop_reference(s, S, p, seed, place):
    if p > 0:
        for i, row in enumerate(s):
            drop_from.reference(row, place + i * S, p, seed)


def _of_head(bias, b, h):
    return bias[min(b, len(bias) - 1), min(h, bias.shape[1] - 1)]


def _heads_reference(tasks, pieces, rows, q_start, k_start, H):
    """(head, sequence, number of the head in it, first query, rows of queries, rows of keys) of every task."""
    for head, piece in (divmod(task, pieces) for task in tasks):
        b, first = head // H, piece * rows
        i = slice(q_start[b] + first, min(q_start[b] + first + rows, q_start[b + 1]))
        if i.start < i.stop:
            yield head, b, head % H, first, i, slice(k_start[b], k_start[b + 1])


def _attend_reference(q, k, v, step, q_start, k_start, L, S, bias, causal, scale, p, seed, rows, low, high, y, logs):
    for head, b, h, first, i, j in _heads_reference(range(low, high), -(-L // rows), rows, q_start, k_start, q.shape[2]):
        s, top = np.empty((i.stop - i.start, j.stop - j.start), q.dtype), np.full(i.stop - i.start, -np.inf, q.dtype)
        _scores_reference(q[i, 0, h] * q.dtype.type(scale), k[j, step, h], _of_head(bias, b, h), causal, first, 0, s)
        _shift_rows_reference(s, top)
        np.exp(s, out=s)
        total = s.sum(axis=1)
        total[total == 0] = 1
        logs[i, h] = np.where(top == -np.inf, 0, top) + np.log(total)
        s /= total[:, None]
        _drop_reference(s, S, p, seed, (head * L + first) * S)
        y[i, 0, h] = s @ v[j, 2 * step, h]


@kernel(_attend_reference, reorder=True)
def attend(q, k, v, step, q_start, k_start, L, S, bias, causal, scale, p, seed, rows, low, high, y, logs):
    """y_i = sum_j dropout(P)_ij v_j,   P = softmax(scale q k^T + bias),   log_i = log sum_j e^score_ij, 0 if there is no key

    q (N, parts, H, E), k (M, parts, H, E), v (M, parts, H, F) -> y (N, 1, H, F), logs (N, H). Queries are part 0, keys part
    `step`, values part 2 step: with 1, all three are one array. Sequence b of B has queries q_start[b] to
    q_start[b + 1] - 1, L at most, and keys by k_start, S at most. bias (B or 1, H or 1, L or 1, S or 0). Weight (b, h, i, j)
    is dropped as number ((b H + h) L + i) S + j. Tasks low to high - 1 of those of all B H heads: one each `rows` queries.
    """
    _, _, H, E = q.shape
    F, dtype = v.shape[3], q.dtype
    zero, one, factor, lowest = dtype.type(0), dtype.type(1), dtype.type(scale), dtype.type(-np.inf)
    scaled, keys, values = np.empty((rows, E), dtype), np.empty((COLUMNS, E), dtype), np.empty((COLUMNS, F), dtype)
    tile, parts, means = np.empty(rows * COLUMNS, dtype), np.empty((rows, F), dtype), np.empty((rows, F), dtype)
    tops, totals, worths = np.empty(rows, dtype), np.empty(rows, dtype), np.empty((1, rows), dtype)
    pieces = -(-L // rows)
    for task in range(low, high):
        head, first = task // pieces, task % pieces * rows
        b, h = head // H, head % H
        row_q, row_k, n = q_start[b] + first, k_start[b], min(rows, q_start[b + 1] - q_start[b] - first)
        end, mask = k_start[b + 1] - row_k, bias[min(b, len(bias) - 1), min(h, bias.shape[1] - 1)]
        if n <= 0:  # this sequence is shorter
            continue
        if causal:
            end = min(end, first + n)
        top, total, worth, part = tops[:n], totals[:n], worths[:, :n], parts[:n]
        top[:], total[:], means[:] = lowest, zero, zero
        for i in range(n):
            add_row(scaled[i], q[row_q + i, 0, h], zero, factor)
        for start in range(0, end, COLUMNS):
            c = min(COLUMNS, end - start)
            for j in range(c):
                add_row(keys[j], k[row_k + start + j, step, h], zero, one)
                add_row(values[j], v[row_k + start + j, 2 * step, h], zero, one)
            s = tile[:n * c].reshape((n, c))
            scores(scaled[:n], keys[:c], mask, causal, first, start, s)
            worth[0] = top
            shift_rows(s, top)
            exp_rows(s)
            for i in range(n):
                worth[0, i] = worth[0, i] - top[i] if worth[0, i] < top[i] else zero
            exp_rows(worth)  # what the sums so far are worth beside the new maximum
            for i in range(n):
                row, more = s[i], zero
                for j in range(c):
                    more += row[j]
                total[i] = total[i] * worth[0, i] + more
                if p > 0:
                    drop_from(row, (head * L + first + i) * S + start, p, seed)
            if F > 0:
                np.dot(s, values[:c], part)
            for i in range(n):
                add_row(means[i], part[i], worth[0, i], one)
        for i in range(n):
            whole = total[i] if total[i] != 0 else one
            logs[row_q + i, h] = (top[i] if top[i] > lowest else zero) + np.log(whole)
            add_row(y[row_q + i, 0, h], means[i], zero, one / whole)


def _attend_gradient_reference(q, k, v, step, q_start, k_start, L, S, bias, causal, scale, p, seed, rows, low, high, y, logs,
                               dy, dq, dk, dv, dbias):
    pieces = -(-L // rows)
    for head, b, h, first, i, j in _heads_reference(range(low * pieces, high * pieces), pieces, rows, q_start, k_start,
                                                    q.shape[2]):
        keys, values, d_mask = k[j, step, h], v[j, 2 * step, h], _of_head(dbias, b, h)
        scaled, s = q[i, 0, h] * q.dtype.type(scale), np.empty((i.stop - i.start, j.stop - j.start), q.dtype)
        _scores_reference(scaled, keys, _of_head(bias, b, h), causal, first, 0, s)
        weights, factors, dy_i = np.exp(np.subtract(s, logs[i, h, None], out=s), out=s), np.ones_like(s), dy[i, 0, h]
        _drop_reference(factors, S, p, seed, (head * L + first) * S)
        ds = weights * (factors * (dy_i @ values.T) - np.sum(dy_i * y[i, 0, h], axis=1)[:, None])
        dq[i, 0, h] += q.dtype.type(scale) * (ds @ keys)
        dk[j, step, h] += ds.T @ scaled
        dv[j, 2 * step, h] += (factors * weights).T @ dy_i
        if d_mask.shape[1] > 0:
            d_mask[slice(first, first + len(ds)) if len(d_mask) > 1 else slice(1), :len(keys)] += (
                ds if len(d_mask) > 1 else ds.sum(axis=0))


@kernel(_attend_gradient_reference, reorder=True)
def attend_gradient(q, k, v, step, q_start, k_start, L, S, bias, causal, scale, p, seed, rows, low, high, y, logs, dy, dq,
                    dk, dv, dbias):
    """dP = m (dy v^T),   ds = P (dP - <dy, y>),   dq += scale ds k,   dk += scale ds^T q,   dv += (m P)^T dy,   dbias += ds

    Heads low to high - 1 of B H, of shapes as `attend` has them; m is dropout's mask. With it, too, sum_j P_ij dP_ij is
    <dy_i, y_i>. dbias (B or 1, H or 1, L or 1, S or 0): without columns nobody wants it; heads may share a row of it.
    """
    _, _, H, E = q.shape
    F, dtype = v.shape[3], q.dtype
    zero, one, factor = dtype.type(0), dtype.type(1), dtype.type(scale)
    keys, part_keys = np.empty((COLUMNS, E), dtype), np.empty((COLUMNS, E), dtype)
    values, part_values = np.empty((COLUMNS, F), dtype), np.empty((COLUMNS, F), dtype)
    tile, kept, d_tile = (np.empty(rows * COLUMNS, dtype), np.empty(rows * COLUMNS, dtype), np.empty(rows * COLUMNS, dtype))
    scaled, outer, part = np.empty((L, E), dtype), np.empty((L, F), dtype), np.empty((rows, E), dtype)
    dots = np.empty(L, dtype)
    for head in range(low, high):
        b, h = head // H, head % H
        row_q, row_k, queries, end = q_start[b], k_start[b], q_start[b + 1] - q_start[b], k_start[b + 1] - k_start[b]
        mask, d_mask = (bias[min(b, len(bias) - 1), min(h, bias.shape[1] - 1)],
                        dbias[min(b, len(dbias) - 1), min(h, dbias.shape[1] - 1)])
        for i in range(queries):
            dy_i, y_i, dot = dy[row_q + i, 0, h], y[row_q + i, 0, h], zero
            for f in range(F):
                dot += dy_i[f] * y_i[f]
            dots[i] = dot
            add_row(scaled[i], q[row_q + i, 0, h], zero, factor)
            add_row(outer[i], dy_i, zero, one)
        for start in range(0, end, COLUMNS):
            c = min(COLUMNS, end - start)
            for j in range(c):
                add_row(keys[j], k[row_k + start + j, step, h], zero, one)
                add_row(values[j], v[row_k + start + j, 2 * step, h], zero, one)
            for first in range(start if causal else 0, queries, rows):  # earlier ones do not see these keys
                n = min(rows, queries - first)
                s, ds, place = tile[:n * c].reshape((n, c)), d_tile[:n * c].reshape((n, c)), (head * L + first) * S + start
                scores(scaled[first:first + n], keys[:c], mask, causal, first, start, s)
                for i in range(n):
                    row, log = s[i], logs[row_q + first + i, h]
                    for j in range(c):
                        row[j] -= log
                exp_rows(s)
                if F > 0:
                    np.dot(outer[first:first + n], values[:c].T, ds)
                    dropped = s
                    if p > 0:
                        dropped = kept[:n * c].reshape((n, c))
                        dropped[:] = s
                        for i in range(n):
                            drop_from(dropped[i], place + i * S, p, seed)
                            drop_from(ds[i], place + i * S, p, seed)
                    np.dot(dropped.T, outer[first:first + n], part_values[:c])
                else:
                    ds[:] = zero
                for i in range(n):
                    weight, row, dot = s[i], ds[i], dots[first + i]
                    for j in range(c):
                        row[j] = weight[j] * (row[j] - dot)
                if E > 0:
                    np.dot(ds.T, scaled[first:first + n], part_keys[:c])
                    np.dot(ds, keys[:c], part[:n])
                for i in range(n):
                    add_row(dq[row_q + first + i, 0, h], part[i], one, factor)
                for j in range(c):
                    add_row(dk[row_k + start + j, step, h], part_keys[j], one, one)
                    add_row(dv[row_k + start + j, 2 * step, h], part_values[j], one, one)
                if d_mask.shape[1] > 0:
                    for i in range(n):
                        add_row(d_mask[first + i if len(d_mask) > 1 else 0, start:start + c], ds[i], one, one)
