"""Matrix products: matmul for vectors, matrices and stacks of them, einsum, and the affine map of a layer."""

import math

import numpy as np

from .. import kernels
from ..op import op, value_of


def _transposed(a):
    return np.swapaxes(a, -1, -2)


@op
def matmul(a, b):
    """y = a @ b;   da = dy @ b^T,   db = a^T @ dy

    Shapes as NumPy's: (n, k) @ (k, m), stacks (..., n, k) @ (..., k, m) that broadcast, and vectors (k,) on either side.
    """
    if 0 in (a.ndim, b.ndim):
        raise ValueError(f"matmul: got shapes {a.shape} and {b.shape}, want vectors or matrices; with a number, use *")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: got shapes {a.shape} and {b.shape}; the last axis of the first must be as long as the "
                         f"{'second last' if b.ndim > 1 else 'only'} axis of the second; transpose one, or swap them")
    rows, columns = a.shape, b.shape

    def lift(dy):  # the product's gradient with the axes that vectors left out
        if len(columns) == 1:
            dy = np.expand_dims(dy, -1)
        return np.expand_dims(dy, -2) if len(rows) == 1 else dy

    def da(dy):
        full = np.matmul(lift(dy), _transposed(np.reshape(b, (-1, 1)) if len(columns) == 1 else b))
        return np.squeeze(full, -2) if len(rows) == 1 else full

    def db(dy):
        full = np.matmul(_transposed(np.reshape(a, (1, -1)) if len(rows) == 1 else a), lift(dy))
        return np.squeeze(full, -1) if len(columns) == 1 else full

    return np.matmul(a, b), da, db


@op
def linear(x, weight, bias=None):
    """y = x W^T + b;   dx = dy W,   dW = dy^T x,   db = sum_batch dy

    x (..., in), W (out, in), b (out,), y (..., out). One node for what every layer does; the leading axes are one batch.
    """
    _check_linear("linear", x, weight)
    y = np.matmul(x, np.transpose(weight))
    if bias is not None:
        y = _plus(y, bias)

    def dx(dy):
        return dy * weight[0] if weight.shape[0] == 1 else np.matmul(dy, weight)

    return (y, dx, lambda dy: _outer(_flat(dy), _flat(x)),
            lambda dy: np.matmul(np.ones(math.prod(dy.shape[:-1]), dy.dtype), _flat(dy)))


@op(joint=True)
def linear_relu(x, weight, bias):
    """y = max(0, x W^T + b);   dz = dy where y > 0, else 0;   dx = dz W,   dW = dz^T x,   db = sum_batch dz

    relu(linear(x, W, b)) with the same numbers, in two passes less over the batch: h = ReLU(W x + b), the layer of most
    networks here.
    """
    _check_linear("linear_relu", x, weight)
    y = value_of(linear_relu, _linear_relu, x, weight, bias)

    def pullback(dy, needs):
        dz, db = kernels.relu_rows_gradient(_flat(y), _flat(dy))
        dx = np.reshape(np.matmul(dz, weight), x.shape) if needs[0] else None
        return dx, _outer(dz, _flat(x)) if needs[1] else None, db

    return y, pullback


def _linear_relu(x, weight, bias):
    y = np.matmul(x, np.transpose(weight))
    if y.dtype != bias.dtype:
        return np.maximum(y + bias, 0)
    kernels.add_rows_relu(_flat(y), bias)
    return y


def _check_linear(name, x, weight):
    if not hasattr(x, "ndim"):
        raise TypeError(f"{name}: got x of type {type(x).__name__}, want a tensor (..., {weight.shape[1]}); make one with "
                        "tinydl.tensor(...)")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"{name}: got x {x.shape} for a weight {weight.shape} (out, in); x's last axis must be "
                         f"{weight.shape[1]} long: reshape x, or make the layer for what x has")


def _flat(a):
    """All leading axes as one: (..., D) -> (B, D)"""
    return a if a.ndim == 2 else np.reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))


def _plus(y, bias):
    """y + b for a y that nobody else holds: arrays are written over."""
    if not isinstance(y, np.ndarray) or y.dtype != bias.dtype:
        return y + bias
    kernels.add_rows(_flat(y), bias)
    return y


def _outer(dy, x):
    """dy^T x: (B, out), (B, in) -> (out, in). For a long batch, BLAS is up to a half faster with the wider factor first."""
    if dy.shape[1] < x.shape[1] < len(x) // 8:
        return np.transpose(np.matmul(np.transpose(x), dy))
    return np.matmul(np.transpose(dy), x)


def einsum(subscripts, *operands):
    """y by Einstein's convention, written out: einsum("bi,oij,bj->bo", x, W, z).

    The output must be given, an index stands at most once in an operand, and an index of one operand only must be
    in the output: then every gradient is an einsum too.
    """
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow or "." in subscripts or len(terms) != len(operands):
        raise ValueError(f"einsum: got {subscripts!r} for {len(operands)} operands; want e.g. 'ij,jk->ik', output included")
    for k, term in enumerate(terms):
        others = "".join(terms[:k] + terms[k + 1:]) + output
        if len(set(term)) != len(term) or any(letter not in others for letter in term):
            raise ValueError(f"einsum: {term!r} in {subscripts!r} has an index that repeats or stands nowhere else; "
                             "sum over it, or take the diagonal, beforehand")
    sizes = {}
    for term, x in zip(terms, operands, strict=True):
        for letter, n in zip(term, np.shape(x), strict=False):
            if sizes.setdefault(letter, n) != n:
                raise ValueError(f"einsum: index {letter!r} of {subscripts!r} is {sizes[letter]} long in one operand and "
                                 f"{n} in another")
    return _einsum(*operands, terms=tuple(terms), output=output)


@op
def _einsum(*operands, terms, output):
    """y = sum over the indices not in the output of the product;   each dx_k = einsum of dy with the other operands"""
    def gradient(k):
        others = [*terms[:k], *terms[k + 1:]]
        subscripts = ",".join([output, *others]) + "->" + terms[k]
        return lambda dy: einsum(subscripts, dy, *operands[:k], *operands[k + 1:])

    if len(operands) == 1:
        y = np.einsum(f"{terms[0]}->{output}", operands[0])
    else:
        y = np.einsum(",".join(terms) + "->" + output, *operands, optimize=True)
    return y, *(gradient(k) for k in range(len(terms)))
