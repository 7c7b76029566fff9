"""Clipping: a bound on the gradient, so that one steep batch cannot throw the parameters away.

PyTorch has these two functions in `nn.utils`. Call them between backward() and step().
"""

import numpy as np

from ..row_gradient import RowGradient
from ..tensor import Tensor


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """g = g min(1, max_norm / (|g| + 1e-6)), where |g| is the norm of all gradients as one long vector. Returns |g|.

    norm_type: the p of the p-norm, np.inf for the largest absolute value. The direction stays. A norm of nan or inf makes
    the gradients useless (nan and 0), as in PyTorch, or with error_if_nonfinite=True an error that leaves them as they
    are. Pascanu, Mikolov & Bengio 2013, section 3.2, Algorithm 1.

    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = Tensor([3.0, 4.0])
    >>> clip_grad_norm_([w], max_norm=1.0), w.grad
    (5.0, tensor([0.6, 0.8]))
    """
    _check(max_norm=max_norm, norm_type=norm_type)
    if norm_type == 0:
        raise ValueError("clip_grad_norm_: got norm_type=0, want a number > 0 or np.inf")
    parameters = _with_gradient(parameters)
    norms = [_norm(p.grad, norm_type) for p in parameters]
    total = float(np.linalg.norm(np.array(norms, np.float64), norm_type)) if norms else 0.0
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(f"clip_grad_norm_: the gradients' norm of order {norm_type} is {total}, there is nothing to "
                           "clip them to; error_if_nonfinite=False goes on all the same")
    factor = max_norm / (total + 1e-6)
    if not factor >= 1:
        with np.errstate(invalid="ignore"):  # inf * 0
            for p in parameters:
                if isinstance(p.grad, RowGradient):
                    p.grad = p.grad * factor
                else:
                    array = p.grad._writable("clip_grad_norm_")
                    array *= array.dtype.type(factor)
    return total


def clip_grad_value_(parameters, clip_value):
    """g = min(max(g, -clip_value), clip_value), number by number. The direction changes."""
    _check(clip_value=clip_value)
    for p in _with_gradient(parameters):
        if isinstance(p.grad, RowGradient):
            g = p.grad.coalesce()  # rows that repeat add up first: the bound is on their sum
            p.grad = RowGradient(g.rows, np.clip(g.values, -clip_value, clip_value), g.shape, g.sparse)
        else:
            array = p.grad._writable("clip_grad_value_")
            np.clip(array, -clip_value, clip_value, out=array)


def _with_gradient(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p for p in parameters if p.grad is not None]


def _norm(g, order):
    """The norm of all numbers of one gradient; those outside a RowGradient's rows are zero and add nothing."""
    array = g.coalesce().values if isinstance(g, RowGradient) else g._data
    return float(np.linalg.norm(array.reshape(-1), order)) if array.size else 0.0


def _check(**options):
    for name, value in options.items():
        if not value >= 0:
            raise ValueError(f"clipping: got {name}={value}, want a number >= 0")
