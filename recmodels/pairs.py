"""Pairs of a user and an item in a batch: both repeat, so their towers run once for each that is there.

A batch of 2,048 ratings of MovieLens 1M holds about 1,100 films and 1,500 users. A tower computed for these, and read by
the pairs, gives the same numbers and gradients as one computed for every pair; only dropout draws less, one mask for each
user and film of the batch.
"""

from tinydl import Tensor, ops
from tinydl.op import op, value_of

from . import kernels


def distinct(ids, size):
    """(every id once, in the order of first appearance; where in there each of them is), of ids (B,) in [0, size)

    >>> distinct([7, 3, 7], 10)
    (array([7, 3]), array([0, 1, 0]))
    """
    ids = ops.indexing.checked_ids(ids, size, "distinct")
    return kernels.distinct(ids, size)


def pair_product(a, b, i, j):
    """y_n = a[i_n] * b[j_n]: the element-wise product of a row of one tower and a row of the other.

    a (I, D), b (J, D), i (n,), j (n,) whole numbers -> y (n, D). No (n, D) array of either tower's rows is made.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"pair_product: got a {a.shape} and b {b.shape}, want (I, D) and (J, D): rows of the same length")
    i, j = (ops.indexing.checked_ids(ids, len(x), "pair_product") for ids, x in ((i, a), (j, b)))
    if i.shape != j.shape or i.ndim != 1:
        raise ValueError(f"pair_product: got i {i.shape} and j {j.shape}, want two lists (n,) of the same length")
    return _pair_product(a, b, i=i, j=j)


@op(joint=True)
def _pair_product(a, b, i=None, j=None):
    """y = a[i] * b[j];   da = dy * b[j] added at i,   db = dy * a[i] added at j"""
    def again(a, b):
        return _pair_product(a, b, i=i, j=j)

    def pullback(dy, needs):
        if isinstance(dy, Tensor):
            return (ops.scatter(dy * ops.embedding(j, b), index=i, shape=a.shape),
                    ops.scatter(dy * ops.embedding(i, a), index=j, shape=b.shape))
        return kernels.pair_product_gradient(a, b, i, j, dy)

    return value_of(again, lambda a, b: kernels.pair_product(a, b, i, j), a, b), pullback
