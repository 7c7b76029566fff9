"""Optimizer steps on an embedding table of a million rows, of which a batch has read 4,096, some more than once."""

import numpy as np

from .common import TINYDL, Row

READ, D, LR = 4096, 64, 1e-3


def problem(quick):
    rng = np.random.default_rng(0)
    V = 50_000 if quick else 1_000_000
    rows = rng.permutation(V)[:READ]
    rows = rng.permutation(np.concatenate([rows, rng.choice(rows, READ // 2)]))
    return {"p": rng.standard_normal((V, D), np.float32), "rows": rows,
            "g": rng.standard_normal((len(rows), D), np.float32)}


class _Side:
    """One parameter whose gradient stands; run() is one step."""

    def __init__(self, p, optimizer):
        self.p, self.optimizer = p, optimizer

    def run(self):
        self.optimizer.step()

    def check(self):
        """The table after two steps (the second has moments to begin with)."""
        self.run()
        self.run()
        return {"the table after two steps": self.p.detach().numpy().copy()}


def _tinydl(optimizer, sparse, dense=False):
    def build(problem):
        from tinydl import RowGradient, Tensor, optim

        p = Tensor(problem["p"], requires_grad=True)
        gradient = RowGradient(problem["rows"], problem["g"], p.shape, sparse)
        p.grad = Tensor(gradient.dense()) if dense else gradient
        return _Side(p, getattr(optim, optimizer)([p], lr=LR))
    return build


def _torch(optimizer, sparse, **options):
    def build(problem):
        import torch

        p = torch.tensor(problem["p"], requires_grad=True)
        gradient = torch.sparse_coo_tensor(torch.from_numpy(problem["rows"][None]), torch.from_numpy(problem["g"]), p.shape,
                                           check_invariants=True)
        p.grad = gradient if sparse else gradient.to_dense()
        return _Side(p, getattr(torch.optim, optimizer)([p], lr=LR, **options))
    return build


def _note(problem):
    return f"{len(problem['p']):,} x {D} table, {len(problem['rows']):,} gradients on {READ:,} rows"


def _row(title, sides, must):
    return Row(title, problem, sides, must, rtol=1e-6, note=_note)


ROWS = {
    "sparse-adam": _row("SparseAdam, one step on a table",
                        {TINYDL: _tinydl("SparseAdam", sparse=True), "SparseAdam": _torch("SparseAdam", sparse=True)}, 1.5),
    "adam-of-rows": _row("exact Adam, one step, gradient of an embedding",
                         {TINYDL: _tinydl("Adam", sparse=False),
                          "fused Adam": _torch("Adam", sparse=False, fused=True)}, 1.0),
    "adam-of-table": _row("exact Adam, one step, dense gradient",
                          {TINYDL: _tinydl("Adam", sparse=False, dense=True),
                           "fused Adam": _torch("Adam", sparse=False, fused=True)}, 1.0),
}
