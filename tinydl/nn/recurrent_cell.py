"""RNNCell, LSTMCell, GRUCell: one step of a recurrence, to read and to write loops of one's own.

B sequences, I = input_size, H = hidden_size. The formulas are `ops.rnn_cell`, `ops.lstm_cell`, `ops.gru_cell`.
"""

import math

import numpy as np

from .. import ops
from ..random import generator
from . import init
from .module import Module
from .parameter import empty

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def start(module, input_size, hidden_size, gates, bias, rng, suffix=""):
    """Give the module W_ih (gates H, I), W_hh (gates H, H) and two biases, drawn from U(-1/sqrt(H), 1/sqrt(H))."""
    rows, bound = gates * hidden_size, 1 / math.sqrt(hidden_size)
    for name, shape in zip(NAMES, ((rows, input_size), (rows, hidden_size), (rows,), (rows,)), strict=True):
        if bias or name.startswith("weight"):
            setattr(module, name + suffix, init.uniform_(empty(*shape), -bound, bound, rng))


def parameters(module, suffix=""):
    """Those that `start` made; None for a bias that is not there."""
    return [getattr(module, name + suffix, None) for name in NAMES]


def check_sizes(module, **sizes):
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{type(module).__name__}: got {name}={size}, want at least 1")


def checked_nonlinearity(name):
    if name not in ("tanh", "relu"):
        raise ValueError(f"RNN: got nonlinearity={name!r}, want 'tanh' or 'relu'")
    return name


class _Cell(Module):
    """What the cells share. Parameters are PyTorch's: weight_ih (gates H, I), weight_hh (gates H, H), bias_ih, bias_hh."""

    gates, states = 1, 1

    def __init__(self, input_size, hidden_size, bias=True, *, rng=None):
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        start(self, input_size, hidden_size, self.gates, bias, generator(rng))

    def _step(self, input, state):
        """The new state as a tuple."""
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(f"{type(self).__name__}: got input {input.shape}, want (B, {self.input_size}) or "
                             f"({self.input_size},)")
        want = (*input.shape[:-1], self.hidden_size)
        state = (np.zeros(want, input.dtype),) * self.states if state is None else state
        if len(state) != self.states or any(s.shape != want for s in state):
            raise ValueError(f"{type(self).__name__}: got a state of shapes {[s.shape for s in state]} for input "
                             f"{input.shape}, want {self.states} of {want}")
        rows = [ops.reshape(a, shape=(-1, a.shape[-1])) for a in (input, *state)]
        new = self._formula(*rows, *parameters(self))
        return tuple(ops.reshape(s, shape=want) for s in (new if self.states > 1 else (new,)))

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with nonlinearity="relu".  x (B, I), h (B, H) -> h' (B, H)"""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", *, rng=None):
        super().__init__(input_size, hidden_size, bias, rng=rng)
        self.nonlinearity = checked_nonlinearity(nonlinearity)

    def _formula(self, *inputs):
        return ops.rnn_cell(*inputs, nonlinearity=self.nonlinearity)

    def forward(self, input, hx=None):
        return self._step(input, None if hx is None else (hx,))[0]


class LSTMCell(_Cell):
    """c' = f c + i g,  h' = o tanh(c'): see `ops.lstm_cell`.  x (B, I), (h, c) each (B, H) -> (h', c')"""

    gates, states, _formula = 4, 2, staticmethod(ops.lstm_cell)

    def forward(self, input, hx=None):
        return self._step(input, hx)


class GRUCell(_Cell):
    """h' = (1 - z) n + z h: see `ops.gru_cell`.  x (B, I), h (B, H) -> h' (B, H)"""

    gates, _formula = 3, staticmethod(ops.gru_cell)

    def forward(self, input, hx=None):
        return self._step(input, None if hx is None else (hx,))[0]
