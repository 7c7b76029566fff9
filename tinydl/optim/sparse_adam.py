"""SparseAdam: Adam that leaves the rows of an embedding table alone until they are read."""

import math

import numpy as np

from .. import kernels
from ..row_gradient import RowGradient
from .optimizer import Optimizer


class SparseAdam(Optimizer):
    """For the rows i that the batch has read:
    m_i = b1 m_i + (1 - b1) g_i
    v_i = b2 v_i + (1 - b2) g_i^2
    p_i = p_i - lr m^_i / (sqrt(v_i) + eps) sqrt(1 - b2^t),     m^_i = m_i / (1 - b1^t)

    p, m, v (V, D); rows i (m,), gradient (m, D); t counts the steps of the whole table, not of a row; betas = (b1, b2).
    A step costs what the batch costs, not what the table costs. It is not Adam: between two readings of a row, its
    moments do not decay and it does not move on. As in PyTorch, eps stands beside sqrt(v), not beside sqrt(v^) as in
    Adam. The name and the rule are PyTorch's; TensorFlow calls it LazyAdam. It wants Embedding(sparse=True).
    """

    ranges = {"lr": (0, np.inf), "betas": (0, 1), "eps": (0, np.inf)}
    takes_sparse = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    def _check_gradient(self, p, group):
        if not (isinstance(p.grad, RowGradient) and p.grad.sparse):
            self._refuse(p, "has a dense gradient, want one of Embedding(sparse=True); give dense parameters to an Adam of "
                            "their own", RuntimeError)
        super()._check_gradient(p, group)

    def _new_state(self, p, group):
        return {"step": 0, "exp_avg": np.zeros(p.shape, p.dtype), "exp_avg_sq": np.zeros(p.shape, p.dtype)}

    def _update_rows(self, p, rows, g, state, group):
        state["step"] = t = state["step"] + 1
        b1, b2 = map(float, group["betas"])
        size = float(group["lr"]) * math.sqrt(1 - b2**t) / (1 - b1**t)
        kernels.adam_rows(p, rows, g, state["exp_avg"], state["exp_avg_sq"], size, 1.0, b1, b2, float(group["eps"]))
