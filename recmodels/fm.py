"""Factorization-machine interactions as primitives: what every pair, or triple, of features has in common, by dimension.

    x'V * x'V          form="full", order=2: the slide's, sum_ij v_i v_j x_i x_j, equal indices included
    x'U * x'U * x'U    form="full", order=3
    sum_{i<j}          form="distinct", order=2   (Rendle 2010)
    sum_{i<j<k}        form="distinct", order=3   (Rendle 2010; Blondel et al. 2016)

The result keeps the dimension d, which Neural FM goes on with; a factorization machine's score is its sum. x is sparse:
index (B, F) names the features that are not zero, values (B, F) are what they are (1 where none are given); bags of
categories are features with weights. Positions are the features: a row that is named at two positions is two of them.
The cost is O(F D), and no (B, F, D) array is made.
"""

import math

import numpy as np

from tinydl import RowGradient, Tensor, ops
from tinydl.kernels import cuts, side_by_side
from tinydl.op import is_grad_enabled, op, value_of

from . import kernels
from .kernels.fm import interaction_gradients

PART, LEAST = 32, 1 << 20  # dimensions that are worth a core of their own, where all features have so many numbers

@op(joint=True)
def _interactions(C, table, values, index=None, S=1, power=1, sparse=False):
    """y = the last S sums of C and the features z = x V[index], to the power;   dV[index] += x dz,   dx = <V[index], dz>"""
    (B, N, F), D = index.shape, table.shape[1]

    def in_parts(run):
        """run(low, high) for all dimensions, which have nothing to do with each other: on all cores, if it is worth it."""
        parts = D // PART if B * N * F * D >= LEAST else 1
        side_by_side(lambda part: run(part.start, part.stop), cuts(D, parts))

    def compute(C, table, values):
        C, table, values = _plain(C), _plain(table), _plain(values)
        y = np.empty((B, N, S, D), table.dtype)
        in_parts(lambda low, high: kernels.fm_interactions(C, table, index, values, power, low, high, y))
        return y

    def again(C, table, values):
        return _interactions(C, table, values, index=index, S=S, power=power, sparse=sparse)

    def pullback(dy, needs):
        if isinstance(dy, Tensor):  # the definition, whose gradients are known
            v, x = ops.embedding(index, table), np.expand_dims(values, -1)
            dz, dC = interaction_gradients(C, x * v, dy, power)
            return dC, ops.scatter(x * dz, index=index, shape=table.shape), np.sum(v * dz, axis=-1)
        rows, place = kernels.rows_read(np.reshape(index, (B * N, F)), np.reshape(_plain(values), (B * N, F)), len(table))
        given = _plain(C), _plain(table), index, _plain(values), np.reshape(place, index.shape), _plain(dy), power
        sums, dC = np.empty((len(rows), D), table.dtype), np.zeros(C.shape, table.dtype)
        dvalues = np.zeros(index.shape if needs[2] else (0, N, F), table.dtype)

        def run(low, high):
            sums[:, low:high] = 0
            kernels.fm_interactions_gradient(*given, low, high, sums, dvalues, dC)

        if needs[2]:  # sums over all dimensions
            run(0, D)
        else:
            in_parts(run)
        return dC, RowGradient(rows, sums, table.shape, sparse, unique=True), dvalues if needs[2] else None

    return value_of(again, compute, C, table, values), pullback


def _plain(array):
    """An array as compiled loops know it: one type of memory, so one compilation."""
    return array if array.flags.c_contiguous and array.flags.writeable else array.copy()


def checked_features(name, index, table, values, padding_idx, ndim):
    """(index, values), checked; values are 0 at positions that hold padding_idx."""
    if table.ndim != 2:
        raise ValueError(f"{name}: got a table of shape {table.shape}, want (V, D): one row of D numbers a feature")
    index = _plain(ops.indexing.checked_ids(index, table.shape[0], name))
    if index.ndim != ndim:
        raise ValueError(f"{name}: got index of shape {index.shape}, want {'(B, F)' if ndim == 2 else '(B, N, F)'}: the "
                         "features of an example" + ("" if ndim == 2 else "'s candidate") + " in the last axis")
    if values is None:
        values = np.ones(index.shape, table.dtype)
    elif not isinstance(values, Tensor):
        values = np.asarray(values, table.dtype)
    if values.shape != index.shape:
        raise ValueError(f"{name}: got values of shape {values.shape} for index {index.shape}, want one value a position")
    return index, values if padding_idx is None else values * (index != padding_idx).astype(table.dtype)


def _settings(name, order, form):
    """(T, power): the T sums that the recursion keeps, and the power of the last of them."""
    if order not in (2, 3):
        raise ValueError(f"{name}: got order={order!r}, want 2 (pairs) or 3 (triples)")
    if form not in ("full", "distinct"):
        raise ValueError(f"{name}: got form={form!r}, want 'full' (the slide's, equal indices too) or 'distinct' (i<j<k)")
    return (1, order) if form == "full" else (order, 1)


def _nothing(T, table):
    return np.zeros((1, T, table.shape[1]), table.dtype)


def fm_interaction(index, table, values=None, order=2, form="full", padding_idx=None, sparse=False):
    """y_bd = sum_ij z_id z_jd, or the like, of z_f = values_bf table[index_bf]: see the four forms above.

    index (B, F); table (V, D); values (B, F); y (B, D). The gradient of the table is a `RowGradient`; padding_idx names a
    row that counts for nothing, and so does a value of 0; sparse=True asks optimizers for lazy updates.

    >>> V = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> fm_interaction(np.array([[0, 1]]), V, form="distinct")
    tensor([[3., 8.]])
    >>> fm_interaction(np.array([[0, 1]]), V)
    tensor([[16., 36.]])
    """
    T, power = _settings("fm_interaction", order, form)
    index, values = checked_features("fm_interaction", index, table, values, padding_idx, 2)
    (B, F), D = index.shape, table.shape[1]
    y = _interactions(_nothing(T, table), table, np.reshape(values, (B, 1, F)), index=np.reshape(index, (B, 1, F)),
                      power=power, sparse=sparse)
    return np.reshape(y, (B, D))


def fm_sums(index, table, values=None, order=2, form="full", padding_idx=None, sparse=False):
    """The sums from which `fm_catalogue` and candidates continue: e_1, or e_1 .. e_order for the distinct form.

    index, values (B, F); table (V, D) -> (B, T, D), T = 1 for form="full", T = order for form="distinct".
    """
    T, _ = _settings("fm_sums", order, form)
    index, values = checked_features("fm_sums", index, table, values, padding_idx, 2)
    (B, F), D = index.shape, table.shape[1]
    y = _interactions(_nothing(T, table), table, np.reshape(values, (B, 1, F)), index=np.reshape(index, (B, 1, F)),
                      S=T, sparse=sparse)
    return np.reshape(y, (B, T, D))


def fm_context_candidates(context_index, candidate_index, table, context_values=None, candidate_values=None, order=2,
                          form="full", padding_idx=None, sparse=False):
    """y_bn = fm_interaction of the features of context b and of its candidate n together; the context's part once.

    context_index, context_values (B, F_c); candidate_index, candidate_values (B, N, F_i); table (V, D); y (B, N, D).
    """
    T, power = _settings("fm_context_candidates", order, form)
    index, values = checked_features("fm_context_candidates", candidate_index, table, candidate_values, padding_idx, 3)
    C = fm_sums(context_index, table, context_values, order, form, padding_idx, sparse)
    if C.shape[0] != index.shape[0]:
        raise ValueError(f"fm_context_candidates: got {C.shape[0]} contexts and candidates of shape {index.shape} "
                         "(B, N, F), want the same B")
    y = _interactions(C, table, values, index=index, power=power, sparse=sparse)
    return np.reshape(y, (*index.shape[:2], table.shape[1]))


def fm_catalogue(context_sums, item_sums, order=2, form="full"):
    """y_bi = fm_interaction of the features of context b and of item i together, from the `fm_sums` of both.

    context_sums (B, T, D), item_sums (I, T, D) -> (B, I, D): a block of contexts against the whole catalogue.
    """
    power = _of_sums("fm_catalogue", context_sums, item_sums, order, form)
    if is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in (context_sums, item_sums)):
        return kernels.fm_catalogue(context_sums, item_sums, power)  # on tensors: the NumPy twin, which leaves a graph
    C, K = (_plain(x._data if isinstance(x, Tensor) else x) for x in (context_sums, item_sums))
    return Tensor._of(kernels.fm_catalogue(C, K, power))


def fm_catalogue_scores(context_sums, item_sums, order=2, form="full"):
    """sum_d of `fm_catalogue`, (B, I), as matrix products.

    distinct: e_T = sum_t c_t k_{T-t};   full: (c + k)^p = sum_s binom(p, s) c^{p-s} k^s;   c_0 = k_0 = 1
    """
    C, K, power = context_sums, item_sums, _of_sums("fm_catalogue_scores", context_sums, item_sums, order, form)
    if form == "full":
        left = [C[:, 0] ** (power - s) * math.comb(power, s) for s in range(power)]
        right = [K[:, 0] ** s for s in range(1, power + 1)]
    else:
        left, right = ([X[:, t] for t in t_of] for X, t_of in ((C, range(order - 1, -1, -1)), (K, range(order))))
    y = np.expand_dims(np.sum(left[0], axis=1), 1) + np.sum(right[-1], axis=1)
    return y + sum(np.matmul(c, np.transpose(k)) for c, k in zip(left[1:], right[:-1], strict=True))


def _of_sums(name, C, K, order, form):
    T, power = _settings(name, order, form)
    if C.ndim != 3 or K.ndim != 3 or C.shape[1:] != K.shape[1:] or C.shape[1] != T:
        raise ValueError(f"{name}: got sums {C.shape} and {K.shape}, want (B, T, D) and (I, T, D) with T = {T} for "
                         f"order={order}, form={form!r}: make both by fm_sums with this order and form")
    return power
