"""RMSprop: the gradient divided by its own root mean square, so that only its sign and steadiness count."""

import numpy as np

from .. import kernels
from .optimizer import Optimizer, flat


class RMSprop(Optimizer):
    """g = grad + weight_decay p
    s = alpha s + (1 - alpha) g^2
    b = momentum b + g / (sqrt(s) + eps)
    p = p - lr b

    p, g, s, b: of the parameter's shape; s and b start at zero. Without momentum b is kept nowhere.
    Adagrad whose sum forgets: the steps do not die out. Tieleman & Hinton 2012, lecture 6e of the course "Neural Networks
    for Machine Learning"; as in PyTorch, eps stands outside the root, and s is not corrected for its start at zero, so
    that the first steps are larger than lr by up to 1 / sqrt(1 - alpha). Not offered: PyTorch's centered, maximize.
    """

    ranges = {"lr": (0, np.inf), "alpha": (0, 1), "eps": (0, np.inf), "weight_decay": (0, np.inf), "momentum": (0, np.inf)}

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0):
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum))

    def _new_state(self, p, group):
        return {"step": 0, "square_avg": np.zeros(p.shape, p.dtype), "momentum_buffer": None}

    def _update(self, p, g, state, group):
        state["step"] += 1
        b = np.empty(0, p.dtype)
        if group["momentum"]:
            if state["momentum_buffer"] is None:
                state["momentum_buffer"] = np.zeros(p.shape, p.dtype)
            b = state["momentum_buffer"]
        lr, alpha, eps, decay, momentum = (float(group[k]) for k in ("lr", "alpha", "eps", "weight_decay", "momentum"))
        kernels.rmsprop(*flat(p, g, state["square_avg"], b), lr, alpha, eps, momentum, decay)
