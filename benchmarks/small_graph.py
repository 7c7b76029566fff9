"""Twenty operations on 4 x 8 arrays, forward and backward: what recording and walking the graph costs by itself."""

import numpy as np

from .common import TINYDL, Row
from .training import compiled

REPEATS = 100  # graphs a unit


def problem(quick):
    rng = np.random.default_rng(0)  # small enough that tanh does not saturate: 1 - y^2 would lose its digits
    return {name: rng.uniform(-0.5, 0.5, shape).astype(np.float32)
            for name, shape in (("x", (4, 8)), ("w", (8, 8)), ("b", (8,)))}


def graph(x, w, b):
    """The same twenty operations in either library."""
    h = (x @ w + b).tanh()           # 3
    g = (x @ w - b).sigmoid()        # 6
    y = h * g + x * (1 - g)          # 10
    z = (y * y + 1).log() + y.exp()  # 15
    r = (z - h).relu() / (g + 1)     # 19
    return r.mean()                  # 20


class _Side:
    def __init__(self, leaves, loss):
        self.leaves, self.loss = leaves, loss

    def step(self):
        for leaf in self.leaves.values():
            leaf.grad = None
        loss = self.loss(**self.leaves)
        loss.backward()
        return loss

    def run(self):
        for _ in range(REPEATS):
            self.step()

    def check(self):
        loss = self.step()
        return {"loss": np.array(loss.item(), np.float32),
                **{name: leaf.grad.numpy().copy() for name, leaf in self.leaves.items()}}


def _tinydl(problem):
    import tinydl

    return _Side({name: tinydl.tensor(array, requires_grad=True) for name, array in problem.items()}, graph)


def _torch(compile):
    def build(problem):
        import torch

        return _Side({name: torch.tensor(array, requires_grad=True) for name, array in problem.items()},
                     compiled(graph) if compile else graph)
    return build


# A compiled graph records no operations, which is what this row measures: shown beside it.
ROWS = {"small-graph": Row("20 operations on 4 x 8, forward and backward", problem,
                           {TINYDL: _tinydl, "eager": _torch(False), "compiled": _torch(True)}, 1.0, rtol=1e-5,
                           beside=("compiled",), steps=lambda problem: REPEATS)}
