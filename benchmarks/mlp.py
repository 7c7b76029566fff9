"""A network of dense layers, 784-512-256-10: nearly all of its time is matrix products, which both libraries buy."""

import numpy as np

from .common import TINYDL, Row
from .training import TinydlTraining, TorchTraining, dense_flops

BATCH, WIDTHS, LR = 128, (784, 512, 256, 10), 1e-3


def problem(quick):
    rng = np.random.default_rng(0)
    n = BATCH * (8 if quick else 64)
    arrays = {"x": rng.random((n, WIDTHS[0]), np.float32), "t": rng.integers(0, WIDTHS[-1], n)}
    for k, (n, m) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False)):
        bound = n**-0.5
        arrays[f"{2 * k}.weight"] = rng.uniform(-bound, bound, (m, n)).astype(np.float32)
        arrays[f"{2 * k}.bias"] = rng.uniform(-bound, bound, m).astype(np.float32)
    return arrays


def _layers(nn):
    """Both libraries spell it the same way."""
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def _weights(problem):
    return {name: array for name, array in problem.items() if "." in name}


def _tinydl(optimizer):
    def build(problem):
        from tinydl import nn, optim

        model = _layers(nn)
        model.load_state_dict(_weights(problem))
        return TinydlTraining(model, nn.functional.cross_entropy, getattr(optim, optimizer)(model.parameters(), lr=LR),
                              [problem["x"], problem["t"]], BATCH)
    return build


def _torch(optimizer, compiled=False):
    def build(problem):
        import torch
        from torch import nn

        model = _layers(nn)
        model.load_state_dict({name: torch.from_numpy(array) for name, array in _weights(problem).items()})
        optimizers = [getattr(torch.optim, optimizer)(model.parameters(), lr=LR, fused=True)]
        return TorchTraining(model, nn.functional.cross_entropy, optimizers, [problem["x"], problem["t"]], BATCH, compiled)
    return build


def _row(optimizer, must):
    sides = {TINYDL: _tinydl(optimizer), f"fused {optimizer}": _torch(optimizer),
             f"compiled, fused {optimizer}": _torch(optimizer, compiled=True)}
    layers = [(n, m, 3 if k else 2) for k, (n, m) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False))]
    return Row(f"MLP 784-512-256-10, {optimizer}, a step", problem, sides, must, steps=lambda p: len(p["x"]) // BATCH,
               flops=lambda p: len(p["x"]) // BATCH * dense_flops(BATCH, layers))


ROWS = {"mlp-adam": _row("Adam", 1.0), "mlp-sgd": _row("SGD", None)}
