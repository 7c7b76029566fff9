"""Adagrad: each number has a learning rate of its own, which falls with every gradient it has seen."""

import numpy as np

from .. import kernels
from .optimizer import Optimizer, flat


class Adagrad(Optimizer):
    """g = grad + weight_decay p
    s = s + g^2                                 (s = initial_accumulator_value before the first step)
    p = p - lr_t g / (sqrt(s) + eps),           lr_t = lr / (1 + (t - 1) lr_decay)

    p, g, s: of the parameter's shape; t counts this parameter's steps from 1.
    What is seldom seen, as the row of a rare item, keeps large steps. s never falls: long training comes to a halt.
    Duchi, Hazan & Singer 2011, section 1.1 (the diagonal form); lr_decay is PyTorch's addition.

    Without weight_decay a row without gradient stays as it is, so only the others of an embedding table are visited.
    """

    ranges = {"lr": (0, np.inf), "lr_decay": (0, np.inf), "weight_decay": (0, np.inf),
              "initial_accumulator_value": (0, np.inf), "eps": (0, np.inf)}
    takes_sparse = True

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10):
        super().__init__(params, dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                                      initial_accumulator_value=initial_accumulator_value, eps=eps))

    def _new_state(self, p, group):
        return {"step": 0, "sum": np.full(p.shape, group["initial_accumulator_value"], p.dtype)}

    def _lr(self, state, group):
        """lr_t, and count the step."""
        state["step"] += 1
        return float(group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"]))

    def _update(self, p, g, state, group):
        kernels.adagrad(*flat(p, g, state["sum"]), self._lr(state, group), float(group["eps"]), float(group["weight_decay"]))

    def _update_rows(self, p, rows, g, state, group):
        if group["weight_decay"] == 0 and group["eps"] > 0:  # with eps = 0 a number that saw no gradient is 0 / 0
            kernels.adagrad_rows(p, rows, g, state["sum"], self._lr(state, group), float(group["eps"]))
        else:
            super()._update_rows(p, rows, g, state, group)
