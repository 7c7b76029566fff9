"""A small convolutional network trained, 1 - 32 - 64 channels on images of 28 x 28; and a convolution of sequences."""

import numpy as np

from .common import TINYDL, Row
from .training import CovectorGradients, TinydlTraining, TorchTraining, dense_flops

BATCH, CHANNELS, UNITS, CLASSES, LR = 128, (1, 32, 64), 128, 10, 1e-3


def _layers(nn):
    """Both libraries spell it the same way."""
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(64 * 7 * 7, UNITS), nn.ReLU(), nn.Linear(UNITS, CLASSES))


def _uniform(rng, shapes):
    """What both libraries draw: each weight and bias from U(-1/sqrt(n), 1/sqrt(n)), n the inputs of a unit."""
    arrays = {}
    for name, shape in shapes.items():
        bound = np.prod(shape[1:]) ** -0.5
        arrays[f"{name}weight"] = rng.uniform(-bound, bound, shape).astype(np.float32)
        arrays[f"{name}bias"] = rng.uniform(-bound, bound, shape[0]).astype(np.float32)
    return arrays


def _problem(quick):
    rng = np.random.default_rng(0)
    n = BATCH * (2 if quick else 8)
    return {"x": rng.random((n, 1, 28, 28), np.float32), "t": rng.integers(0, CLASSES, n),
            **_uniform(rng, {"0.": (32, 1, 3, 3), "3.": (64, 32, 3, 3), "7.": (UNITS, 64 * 7 * 7), "9.": (CLASSES, UNITS)})}


def _weights(problem):
    return {name: array for name, array in problem.items() if name not in ("x", "t", "v")}


def _tinydl(problem):
    from tinydl import nn, optim

    model = _layers(nn)
    model.load_state_dict(_weights(problem))
    return TinydlTraining(model, nn.functional.cross_entropy, optim.Adam(model.parameters(), lr=LR),
                          [problem["x"], problem["t"]], BATCH)


def _torch(channels_last=False, compiled=False):
    def build(problem):
        import torch
        from torch import nn

        model = _layers(nn)
        model.load_state_dict({name: torch.from_numpy(array) for name, array in _weights(problem).items()})
        if channels_last:
            model = model.to(memory_format=torch.channels_last)
        optimizers = [torch.optim.Adam(model.parameters(), lr=LR, fused=True)]
        return TorchTraining(model, nn.functional.cross_entropy, optimizers, [problem["x"], problem["t"]], BATCH, compiled)
    return build


def _flops(problem):
    """Each convolution is a product (places, window) (window, channels); the first one's input needs no gradient.

    By the definition: Winograd's convolution does with 4/9 of it, so the share of the limit can pass 100 %.
    """
    convolutions = 2 * BATCH * (28 * 28 * 9 * 32 * 2 + 14 * 14 * 9 * 32 * 64 * 3)
    return len(problem["x"]) // BATCH * (convolutions + dense_flops(BATCH, [(3136, UNITS, 3), (UNITS, CLASSES, 3)]))


# ---------------------------------------------------------------- a convolution of sequences
SEQUENCES, STEPS, INPUTS, OUTPUTS, WINDOW = 64, 200, 64, 128, 5


def _sequences(quick):
    rng = np.random.default_rng(0)
    n = 4 if quick else SEQUENCES
    return {"x": rng.standard_normal((n, INPUTS, STEPS), np.float32),
            "v": rng.standard_normal((n, OUTPUTS, STEPS), np.float32),
            **_uniform(rng, {"": (OUTPUTS, INPUTS, WINDOW)})}


def _tinydl_1d(problem):
    import tinydl

    module = tinydl.nn.Conv1d(INPUTS, OUTPUTS, WINDOW, padding="same")
    module.load_state_dict(_weights(problem))
    return CovectorGradients(module, tinydl.tensor(problem["x"], requires_grad=True), tinydl.tensor(problem["v"]))


def _torch_1d(problem):
    import torch

    module = torch.nn.Conv1d(INPUTS, OUTPUTS, WINDOW, padding="same")
    module.load_state_dict({name: torch.from_numpy(array) for name, array in _weights(problem).items()})
    return CovectorGradients(module, torch.tensor(problem["x"], requires_grad=True), torch.from_numpy(problem["v"]))


ROWS = {
    "convnet": Row("convnet 1-32-64, 28 x 28, Adam, a step", _problem,
                   {TINYDL: _tinydl, "fused Adam": _torch(), "channels last, fused Adam": _torch(channels_last=True),
                    "compiled, fused Adam": _torch(compiled=True)},
                   1.0, rtol=1e-3,  # PyTorch's first gradient is 5e-4 from that in float64, tinydl's 5e-7
                   steps=lambda p: len(p["x"]) // BATCH, flops=_flops),
    "conv1d": Row(f"Conv1d {INPUTS} -> {OUTPUTS}, window {WINDOW}, {STEPS} steps, forward and backward", _sequences,
                  {TINYDL: _tinydl_1d, "eager": _torch_1d}, None,
                  flops=lambda p: 3 * 2 * len(p["x"]) * STEPS * WINDOW * INPUTS * OUTPUTS),
}
