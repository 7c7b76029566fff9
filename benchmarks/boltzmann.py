"""A Boltzmann machine's epoch of CD-1, 784 x 500 in batches of 100: five matrix products a step, and what is between them.

Each side draws its own random numbers; the check is on the same ones.
"""

import itertools

import numpy as np

from .common import TINYDL, Row
from .training import compiled

BATCH, V, H = 100, 784, 500
LR, MOMENTUM, DECAY = 0.05, 0.5, 1e-4


def problem(quick):
    from tinydl.kernels.units import uniform

    rng = np.random.default_rng(0)
    x = (rng.random((BATCH * (8 if quick else 64), V)) < 0.3).astype(np.float32)
    W, a, b = (rng.normal(0, 0.1, shape).astype(np.float32) for shape in ((V, H), V, H))
    v = x[:BATCH].astype(float)
    for seed in itertools.count():  # one whose draws are no matter of rounding
        low_high = np.random.default_rng(seed).integers(0, 2**32, 4).reshape(2, 2).tolist()
        u_h, u_v = (uniform(BATCH * n, *halves).reshape(BATCH, n) for n, halves in zip((H, V), low_high, strict=True))
        p_h = 1 / (1 + np.exp(-v @ W - b))
        p_v = 1 / (1 + np.exp((u_h < p_h) @ -W.T - a))
        if min(np.abs(u_h - p_h).min(), np.abs(u_v - p_v).min()) > 1e-6:
            return {"x": x, "W": W, "a": a, "b": b, "seed": np.array(seed), "u_h": u_h.astype(np.float32),
                    "u_v": u_v.astype(np.float32)}


class _Tinydl:
    def __init__(self, problem):
        from tinydl.optim import SGD
        from tinydl.unsupervised import RBM

        self.x, self.seed, self.rbm = problem["x"], int(problem["seed"]), RBM(V, H)
        self.rbm.load_state_dict({name: problem[name] for name in "Wab"})
        self.sgd = SGD([{"params": [self.rbm.W], "weight_decay": DECAY}, {"params": [self.rbm.a, self.rbm.b]}], LR, MOMENTUM)

    def run(self):
        self.rbm.fit(self.x, 1, BATCH, learning_rate=LR, momentum=MOMENTUM, weight_decay=DECAY)

    def check(self):
        """The parameters after two steps from the same draws (the second has momentum)."""
        for _ in range(2):
            self.rbm.contrastive_divergence(self.x[:BATCH], rng=self.seed)
            self.sgd.step()
        return {f"{name} after two steps": array for name, array in self.rbm.state_dict().items()}


class _Torch:
    """step(v, *parameters, *momenta, draw_h, draw_v), in place."""

    def __init__(self, problem, step, compile=False):
        import torch

        torch.manual_seed(0)
        self.problem = {name: torch.from_numpy(array) for name, array in problem.items()}
        self.x = self.problem["x"]
        self.parameters = [self.problem[name] for name in "Wab"]
        self.momenta = [torch.zeros_like(p) for p in self.parameters]
        self.step = compiled(step) if compile else step

    def run(self):
        import torch

        for rows in torch.randperm(len(self.x)).split(BATCH):
            self.step(self.x.index_select(0, rows), *self.parameters, *self.momenta, None, None)

    def check(self):
        for _ in range(2):
            self.step(self.x[:BATCH], *self.parameters, *self.momenta, self.problem["u_h"], self.problem["u_v"])
        return {f"{name} after two steps": p.numpy().copy() for name, p in zip("Wab", self.parameters, strict=True)}


def _drawn(p, u):
    import torch

    return torch.bernoulli(p) if u is None else (u < p).float()


def _compared(p, u):
    import torch

    return ((torch.rand_like(p) if u is None else u) < p).float()


def _plain(v, W, a, b, mW, ma, mb, u_h, u_v):
    """As it is usually written."""
    import torch

    p = torch.sigmoid(v @ W + b)
    v1 = _drawn(torch.sigmoid(_drawn(p, u_h) @ W.T + a), u_v)
    p1 = torch.sigmoid(v1 @ W + b)
    gW = (v1.T @ p1 - v.T @ p) / len(v) + DECAY * W
    for q, m, g in ((W, mW, gW), (a, ma, (v1 - v).mean(0)), (b, mb, (p1 - p).mean(0))):
        m.mul_(MOMENTUM).add_(g)
        q.sub_(LR * m)


def _tuned(v, W, a, b, mW, ma, mb, u_h, u_v):
    """As few passes as we could: biases and momentum inside the products, both statistics in one, comparisons for draws."""
    import torch

    p = torch.addmm(b, v, W).sigmoid_()
    v1 = _compared(torch.addmm(a, _compared(p, u_h), W.T).sigmoid_(), u_v)
    p1 = torch.addmm(b, v1, W).sigmoid_()
    mW.mul_(MOMENTUM).add_(W, alpha=DECAY).addmm_(torch.cat([v1, v]).T, torch.cat([p1, -p]), alpha=1 / len(v))
    ma.mul_(MOMENTUM).add_((v1 - v).mean(0))
    mb.mul_(MOMENTUM).add_((p1 - p).mean(0))
    for q, m in ((W, mW), (a, ma), (b, mb)):
        q.sub_(m, alpha=LR)


ROWS = {"rbm": Row(
    "RBM 784 x 500, CD-1, a step of 100", problem,
    {TINYDL: _Tinydl, "PyTorch": lambda p: _Torch(p, _plain), "tuned": lambda p: _Torch(p, _tuned),
     "compiled": lambda p: _Torch(p, _plain, True), "compiled, tuned": lambda p: _Torch(p, _tuned, True)},
    must=1.0, steps=lambda p: len(p["x"]) // BATCH, flops=lambda p: len(p["x"]) * 5 * 2 * V * H)}
