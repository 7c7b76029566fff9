"""The loss of a softmax over a whole catalogue, row by row of its scores: a row stays in the innermost cache meanwhile."""

import numpy as np

from tinydl.kernels import exp_rows, kernel, shift_rows


def _catalogue_loss_reference(z, b, r, target, smoothing, count, wanted, db, dr):
    (n, items), rows = z.shape, np.arange(len(z))
    z += b
    before = [(a, at := np.flatnonzero(column >= 0), column[at]) for a, column in enumerate(target[:, 1:].T)]
    for a, at, i in before:
        z[at, i] += r[a]
    shift_rows.reference(z, np.full(n, -np.inf, z.dtype))
    of_target, mean = z[rows, target[:, 0]], z.mean(axis=1)
    np.exp(z, out=z)
    s = z.sum(axis=1)
    loss = np.sum(np.log(s) - (1 - smoothing) * of_target - smoothing * mean, dtype=np.float64)
    if wanted:
        z /= (count * s)[:, None]
        z -= z.dtype.type(smoothing / (items * count))
        z[rows, target[:, 0]] -= z.dtype.type((1 - smoothing) / count)
        db += z.sum(axis=0)
        for a, at, i in before:
            dr[a] += z[at, i].sum()
    return float(loss)


@kernel(_catalogue_loss_reference, reorder=True)
def catalogue_loss(z, b, r, target, smoothing, count, wanted, db, dr):
    """z_ni += b_i + sum_a r_a [i = target_n,1+a];   returns -sum_n sum_i q_ni log softmax(z_n)_i

    with q_ni = (1 - smoothing) [i = target_n0] + smoothing / I. If the gradient is wanted, then
    z = (softmax(z) - q) / count,   db += sum_n z_n,   dr_a += sum_n z at target_n,1+a.  z (n, I), b (I,), r (A,),
    target (n, 1 + A), where -1 is nothing
    """
    (n, items), dtype = z.shape, z.dtype
    total, top = 0.0, np.empty(1, dtype)
    for k in range(n):
        row, t, more, s = z[k], target[k, 0], dtype.type(0), dtype.type(0)
        for i in range(items):
            row[i] += b[i]
        for a in range(len(r)):
            if target[k, 1 + a] >= 0:
                row[target[k, 1 + a]] += r[a]
        top[0] = dtype.type(-np.inf)
        shift_rows(z[k:k + 1], top)
        if smoothing > 0:
            for i in range(items):
                more += row[i]
        of_target = row[t]
        exp_rows(z[k:k + 1])
        for i in range(items):
            s += row[i]
        total += np.log(s) - (1 - smoothing) * of_target - smoothing * more / items
        if wanted:
            factor, floor = dtype.type(1 / (count * s)), dtype.type(smoothing / (items * count))
            for i in range(items):
                row[i] = row[i] * factor - floor
            row[t] -= dtype.type((1 - smoothing) / count)
            for i in range(items):
                db[i] += row[i]
            for a in range(len(r)):
                if target[k, 1 + a] >= 0:
                    dr[a] += row[target[k, 1 + a]]
    return total
