"""LSTM and GRU over a batch of sequences, forward and backward to parameters and inputs."""

import numpy as np

from .common import TINYDL, Row
from .training import CovectorGradients

STEPS, BATCH, INPUTS, HIDDEN = 50, 128, 64, 128
GATES = {"LSTM": 4, "GRU": 3}


def _problem(kind):
    def problem(quick):
        rng = np.random.default_rng(0)
        T, rows, bound = 10 if quick else STEPS, GATES[kind] * HIDDEN, HIDDEN**-0.5
        shapes = {"weight_ih_l0": (rows, INPUTS), "weight_hh_l0": (rows, HIDDEN), "bias_ih_l0": rows, "bias_hh_l0": rows}
        return {"x": rng.standard_normal((T, BATCH, INPUTS), np.float32),
                "v": rng.standard_normal((T, BATCH, HIDDEN), np.float32),
                **{name: rng.uniform(-bound, bound, shape).astype(np.float32) for name, shape in shapes.items()}}
    return problem


def _weights(problem):
    return {name: array for name, array in problem.items() if name not in ("x", "v")}


def _tinydl(kind):
    def build(problem):
        import tinydl

        module = getattr(tinydl.nn, kind)(INPUTS, HIDDEN)
        module.load_state_dict(_weights(problem))
        return CovectorGradients(module, tinydl.tensor(problem["x"], requires_grad=True), tinydl.tensor(problem["v"]))
    return build


def _torch(kind):
    def build(problem):
        import torch

        module = getattr(torch.nn, kind)(INPUTS, HIDDEN)
        module.load_state_dict({name: torch.from_numpy(array) for name, array in _weights(problem).items()})
        return CovectorGradients(module, torch.tensor(problem["x"], requires_grad=True), torch.from_numpy(problem["v"]))
    return build


def _flops(kind):
    """x W_ih' and h W_hh', and two products as large for each of them backwards."""
    return lambda problem: 3 * 2 * problem["x"].shape[0] * BATCH * GATES[kind] * HIDDEN * (INPUTS + HIDDEN)


ROWS = {kind.lower(): Row(f"{kind} {INPUTS} -> {HIDDEN}, {STEPS} steps, forward and backward", _problem(kind),
                          {TINYDL: _tinydl(kind), "eager": _torch(kind)}, must, flops=_flops(kind))
        for kind, must in (("LSTM", 1.3), ("GRU", None))}
