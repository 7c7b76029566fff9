"""SGD: a step against the gradient, with the memory of earlier steps."""

import numpy as np

from .. import kernels
from .optimizer import Optimizer, flat


class SGD(Optimizer):
    """g = grad + weight_decay p
    b = momentum b + (1 - dampening) g          (b = g at the first step)
    p = p - lr b                                (nesterov: p = p - lr (g + momentum b))

    p, g, b: of the parameter's shape. Without momentum b is g, and nothing is kept.
    Momentum averages the zig-zag across a valley away and adds up the way along it; Nesterov's looks one step ahead.
    Robbins & Monro 1951; momentum: Polyak 1964; Sutskever et al. 2013, sections 2 and 3, from which this differs, as
    PyTorch does, in that lr multiplies b and is not inside it.

    Rows of an embedding table without gradient stay when momentum = weight_decay = 0: then only the others are visited.
    """

    ranges = {"lr": (0, np.inf), "momentum": (0, np.inf), "dampening": (-np.inf, np.inf), "weight_decay": (0, np.inf)}
    takes_sparse = True

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                                      nesterov=nesterov))

    def _check_options(self, group):
        super()._check_options(group)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(f"SGD: got nesterov=True with momentum={group['momentum']}, dampening={group['dampening']}; "
                             "want momentum > 0 and dampening=0")

    def _new_state(self, p, group):
        return {"momentum_buffer": None}

    def _update(self, p, g, state, group):
        lr, momentum, decay = float(group["lr"]), float(group["momentum"]), float(group["weight_decay"])
        keep, b = 1 - float(group["dampening"]), np.empty(0, p.dtype)
        if momentum:
            if state["momentum_buffer"] is None:
                state["momentum_buffer"], keep = np.zeros(p.shape, p.dtype), 1.0
            b = state["momentum_buffer"]
        kernels.sgd(*flat(p, g, b), lr, momentum, keep, bool(group["nesterov"]), decay)

    def _update_rows(self, p, rows, g, state, group):
        if group["momentum"] == 0 and group["weight_decay"] == 0:
            kernels.sgd_rows(p, rows, g, float(group["lr"]))
        else:
            super()._update_rows(p, rows, g, state, group)
