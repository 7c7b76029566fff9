"""Neural FM of contexts with their candidates as one operation, a tile of pairs at a time.

    z_n = C_b + K_j (+ R x_n)      h_4 = m ReLU([z_1, z_2^2, z_3^3])      y_n = w_5' tanh(W_4 h_4 + b_4) + b_5 (+ z_1)

Of 512 check-ins with 40 venues each, h_4 has 2.7 million numbers. Written out, joined, multiplied and read again on the way
back they cost several times what the products cost; a tile of them stays in a core's cache from the sums to the score, and
on the way back they are computed again. Parts of the batch share the cores.

C and K are sums of rows, of contexts and of candidates, each computed once however many pairs it is in: `bag_sums` of V, U
and w side by side. A venue that is a candidate a dozen times in a batch is one row of K (`distinct_candidates`).
"""

import numpy as np

from tinydl import RowGradient, Tensor, kernels, ops
from tinydl.nn import functional as F
from tinydl.op import is_grad_enabled, op
from tinydl.ops.through_time import any_tensor, in_full

from .kernels import neural_fm as pairs
from .kernels.fm import rows_read

PARTS = 4        # of a batch, which the cores share; each has gradients of the layers of its own
LEAST = 1 << 22  # additions of rows that are worth waking the other cores


@op(joint=True)
def bag_sums(values, *tables, index, sparse=False):
    """y_b = sum_f values_bf [T_1[index_bf], T_2[index_bf], ..]:   the bags of several tables side by side

    index, values (B, F), tables (V, D_t) -> (B, sum D_t). A value of 0: not there. Gradients of tables are `RowGradient`s.
    """
    if any_tensor((values, *tables)):
        return in_full(lambda values, *tables: ops.concatenate(
            [ops.embedding_bag(index, table, "sum", values) for table in tables], axis=-1), (values, *tables))
    starts = np.cumsum([0, *(table.shape[1] for table in tables)]).tolist()
    y = np.empty((len(index), starts[-1]), tables[0].dtype)
    _share(lambda t: pairs.sum_rows(tables[t], index, values, y, starts[t]), range(len(tables)), y.size * index.shape[1])

    def pullback(dy, needs):
        dy, dvalues = np.ascontiguousarray(dy), None
        rows, place = rows_read(index, values, len(tables[0]))
        sums = [np.zeros((len(rows), table.shape[1]), dy.dtype) for table in tables]
        _share(lambda t: pairs.add_to_rows(place, values, dy, starts[t], sums[t]), range(len(tables)),
               y.size * index.shape[1])
        if needs[0]:
            dvalues = sum(kernels.embedding_bag_weight_gradient(table, index, np.ascontiguousarray(dy[:, low:high]))
                          for table, low, high in zip(tables, starts, starts[1:], strict=False))
        return dvalues, *(RowGradient(rows, of_table, table.shape, sparse, unique=True)
                          for of_table, table in zip(sums, tables, strict=True))

    return y, pullback


def _share(run, tasks, work):
    """run(task) of each, on all cores if the work, in additions, is worth waking them."""
    if work >= LEAST:
        kernels.side_by_side(run, tasks)
    else:
        for task in tasks:
            run(task)


def distinct_candidates(index, values):
    """(features (m, F) and values (m, F) of candidates that differ, which of them each is (B, N)).   index, values (B, N, F)

    Values that are a tensor may want a gradient each: then all candidates stand for themselves.
    """
    B, N, n_features = index.shape
    index = np.reshape(index, (B * N, n_features))
    if isinstance(values, Tensor):
        return index, np.reshape(values, index.shape), np.reshape(np.arange(B * N), (B, N))
    values = np.reshape(values, index.shape)
    first, place = pairs.distinct_candidates(index, values, int(index[:, :1].max(initial=-1)) + 1)
    return index[first], values[first], np.reshape(place, (B, N))


def neural_fm_scores(C, K, of, W_4, b_4, w_5, b_5, R=None, x=None, *, k, shortcut=False, dropout=None):
    """y (B, N), the formula above, of context b and its candidates j = of[b, n].

    C (B, W), K (m, W) with W = 1 + k or 1 + 2k; of (B, N), or (1, N) for all contexts; W_4 (H, W), b_4 (H,), w_5 (1, H) and
    b_5 (1,); x (B, N, P) with R (W, P), or None both. dropout: an `nn.Dropout`, whose mask m is on h_4 as a whole.
    """
    p = dropout.p if dropout is not None and dropout.training else 0.0
    seed = F.mask_seed(dropout.rng) if p > 0 else 0
    given = [C, K, W_4, b_4, w_5, b_5, *([] if R is None else [R, x])]
    wanted = is_grad_enabled() and any(isinstance(a, Tensor) and a.requires_grad for a in given)
    return _neural_fm_scores(*given, of=of, k=k, shortcut=shortcut, p=float(p), seed=seed, wanted=wanted)


@op(joint=True)
def _neural_fm_scores(C, K, W_4, b_4, w_5, b_5, R=None, x=None, *, of, k, shortcut, p, seed, wanted):
    if any_tensor((C, K, W_4, b_4, w_5, b_5, R, x)):
        return in_full(lambda *inputs: _formula(*inputs, of=of, k=k, shortcut=shortcut, p=p, seed=seed),
                       [a for a in (C, K, W_4, b_4, w_5, b_5, R, x) if a is not None])
    (B, W), N, H, dtype = C.shape, of.shape[1], len(W_4), C.dtype
    C, K, of, W_4, w_5 = (np.ascontiguousarray(a) for a in (C, K, of, W_4, w_5[0]))
    R, x = (np.zeros((W, 0), dtype), np.zeros((B * N, 0), dtype)) if x is None else (np.ascontiguousarray(a) for a in (R, x))
    x = np.reshape(x, (B * N, R.shape[1]))
    y, h_5 = np.empty(B * N, dtype), np.empty((B * N if wanted else 0, H), dtype)
    settings = k, shortcut, p, seed

    def forward(part):
        pairs.neural_fm(C, K, of, W_4, b_4, w_5, b_5, R, x, *settings, part.start, part.stop, y, h_5)

    kernels.side_by_side(forward, kernels.cuts(B * N, PARTS))

    def pullback(dy, needs):
        dy, contexts = np.reshape(np.ascontiguousarray(dy), -1), list(enumerate(kernels.cuts(B, PARTS)))
        dz, dC, dK = np.empty((B * N, W), dtype), np.zeros((B, W), dtype), np.zeros(K.shape, dtype)
        dx = np.empty((B * N if needs[7:] == [True] else 0, x.shape[1]), dtype)
        sums = [np.zeros((len(contexts), *a.shape), dtype) for a in (W_4, b_4, w_5, R)]

        def backward(task):
            number, part = task
            pairs.neural_fm_gradient(C, K, of, W_4, w_5, R, x, *settings, part.start, part.stop, h_5, dy, dz, dC,
                                     *(of_part[number] for of_part in sums), dx)

        kernels.side_by_side(backward, contexts)
        kernels.side_by_side(lambda columns: pairs.add_pairs(dz, of, columns.start, columns.stop, dK), kernels.cuts(W, 2))
        dW_4, db_4, dw_5, dR = (np.sum(of_part, axis=0) for of_part in sums)
        dx = np.reshape(dx, (B, N, -1)) if len(dx) else None
        return [dC, dK, dW_4, db_4, dw_5[None], np.sum(dy)[None], dR, dx][:len(needs)]

    return np.reshape(y, (B, N)), pullback


def _formula(C, K, W_4, b_4, w_5, b_5, R=None, x=None, *, of, k, shortcut, p, seed):
    z = np.expand_dims(C, 1) + K[np.broadcast_to(of, (len(C), of.shape[1]))]
    if x is not None:
        z = z + x @ R.T
    h_4 = ops.relu(ops.concatenate([z[..., :1], z[..., 1:1 + k] ** 2, z[..., 1 + k:] ** 3], axis=-1))
    h_4 = ops.dropout(h_4, p=p, seed=seed) if p > 0 else h_4
    y = (ops.tanh(h_4 @ W_4.T + b_4) @ w_5.T + b_5)[..., 0]
    return y + z[..., 0] if shortcut else y
