"""Adam: each number moves by its mean gradient over its root mean square. AdamW: with weight decay beside it."""

import math

import numpy as np

from .. import kernels
from .optimizer import Optimizer, flat


class Adam(Optimizer):
    """g = grad + weight_decay p
    m = b1 m + (1 - b1) g                       the mean of the gradient
    v = b2 v + (1 - b2) g^2                     the mean of its square
    p = p - lr m^ / (sqrt(v^) + eps)            m^ = m / (1 - b1^t),  v^ = v / (1 - b2^t)

    p, g, m, v: of the parameter's shape; t counts this parameter's steps from 1; betas = (b1, b2).
    m and v start at zero, so after t steps their weights add up to 1 - b^t only: dividing by it removes that bias.
    A step is about lr whatever the gradient's scale. Kingma & Ba 2015, Algorithm 1.

    An embedding table's gradient, zero on most rows, has the same effect as any other: m and v of all rows decay, and
    rows go on moving along their m. `SparseAdam` is the lazy variant. Not offered: PyTorch's amsgrad, maximize.
    """

    ranges = {"lr": (0, np.inf), "betas": (0, 1), "eps": (0, np.inf), "weight_decay": (0, np.inf)}

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def _new_state(self, p, group):
        return {"step": 0, "exp_avg": np.zeros(p.shape, p.dtype), "exp_avg_sq": np.zeros(p.shape, p.dtype)}

    def _decay(self, group):
        """(l2, shrink): g = grad + l2 p, and p = shrink p before the step."""
        return float(group["weight_decay"]), 1.0

    def _scalars(self, state, group):
        """The scalars of step t as the kernels want them: p = shrink p - size m / (root sqrt(v) + eps)."""
        state["step"] = t = state["step"] + 1
        b1, b2 = map(float, group["betas"])
        size, root = group["lr"] / (1 - b1**t), 1 / math.sqrt(1 - b2**t)
        return float(size), root, b1, b2, float(group["eps"]), *self._decay(group)

    def _update(self, p, g, state, group):
        kernels.adam(*flat(p, g, state["exp_avg"], state["exp_avg_sq"]), *self._scalars(state, group))

    def _update_rows(self, p, rows, g, state, group):
        if p.shape[1] < 8:  # asking each short row whether it was read costs more than adding its zeros
            return self._update(p, kernels.scatter_add(rows, g, len(p)), state, group)
        kernels.adam_table(p, rows, g, state["exp_avg"], state["exp_avg_sq"], *self._scalars(state, group))


class AdamW(Adam):
    """Adam with p = (1 - lr weight_decay) p before each step, and no weight_decay in g.

    Inside g the decay would be divided by sqrt(v): parameters with large gradients would hardly shrink. Beside it, all
    shrink alike. Loshchilov & Hutter 2019, Algorithm 2; as in PyTorch, their schedule factor is lr itself.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)

    def _decay(self, group):
        return 0.0, 1 - float(group["lr"]) * float(group["weight_decay"])
