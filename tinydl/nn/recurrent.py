"""RNN, LSTM, GRU: h_t = f(x_t, h_{t-1}) over sequences, the same f at every step.

T steps, B sequences, I = input_size, H = hidden_size, L = num_layers, D = 2 directions with bidirectional=True, else 1.

    output, h_n = rnn(input, h_0)                       RNN, GRU
    output, (h_n, c_n) = lstm(input, (h_0, c_0))        the state may be left out: zeros

input (T, B, I), with batch_first (B, T, I), one sequence (T, I), or a PackedSequence of unequal lengths. output, in the same
form: the last layer's h of every step, D H wide, both directions side by side. States (L D, B, H), for one sequence
(L D, H): each layer's, forward then backward. dropout falls between layers, in training. Parameters are weight_ih_l0,
weight_hh_l0, bias_ih_l0, bias_hh_l0, the backward ones with _reverse, then _l1 and so on, as in PyTorch. To cut
back-propagation through time, go on from `h_n.detach()`.

One layer in one direction is one primitive, `ops.rnn`, `ops.lstm` or `ops.gru`; `cell()` gives its step by itself.
"""

import warnings

import numpy as np

from .. import ops
from ..random import generator
from . import functional as F
from .module import Module
from .recurrent_cell import NAMES, GRUCell, LSTMCell, RNNCell, check_sizes, checked_nonlinearity, parameters, start
from .utils.rnn import PackedSequence


class _Recurrent(Module):
    """What RNN, LSTM and GRU share: layers, directions, the forms of input and state. See the head of this file."""

    gates, states = 1, 1

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, rng=None):
        check_sizes(self, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        F.check_probability(type(self).__name__, dropout)
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"{type(self).__name__}: dropout={dropout} stands between layers, and there is one layer; put "
                          "nn.Dropout behind it if that is meant", stacklevel=3)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        self.rng = None if rng is None else generator(rng)
        for layer in range(num_layers):
            for suffix in self._suffixes:
                size = input_size if layer == 0 else hidden_size * len(self._suffixes)
                start(self, size, hidden_size, self.gates, bias, self.rng, f"_l{layer}{suffix}")

    @property
    def _suffixes(self):
        return ("", "_reverse") if self.bidirectional else ("",)

    def _options(self):
        return {}

    def cell(self, layer=0, reverse=False):
        """The cell of one layer and direction. It has this module's parameters themselves, not copies of them."""
        suffix = f"_l{layer}{'_reverse' if reverse else ''}"
        width = getattr(self, "weight_ih" + suffix).shape[1]
        made = self._cell(width, self.hidden_size, self.bias, **self._options(), rng=0)
        for name in NAMES if self.bias else NAMES[:2]:
            setattr(made, name, getattr(self, name + suffix))
        return made

    def _run(self, input, state):
        """(output, state), the state as a tuple of h, or of h and c."""
        packed = input if isinstance(input, PackedSequence) else self._packed(input)
        data, sizes = packed.data, tuple(int(n) for n in packed.batch_sizes)
        if data.ndim != 2 or data.shape[1] != self.input_size:
            raise ValueError(f"{type(self).__name__}: got packed data {data.shape}, want (N, {self.input_size})")
        state, ends = self._first_state(input, packed, state), []
        for layer in range(self.num_layers):
            outputs = []
            for direction, suffix in enumerate(self._suffixes):
                before = [s[len(ends)] for s in state]
                y = self._sequence(data, *before, *parameters(self, f"_l{layer}{suffix}"), batch_sizes=sizes,
                                   reverse=direction == 1, **self._options())
                h, *after = ops.split(y, [data.shape[0], *(sizes[0],) * self.states])
                outputs.append(h)
                ends.append(after)
            data = ops.concatenate(outputs, axis=1) if self.bidirectional else outputs[0]
            if layer < self.num_layers - 1:
                data = F.dropout(data, self.dropout, self.training, rng=self.rng)
        state = tuple(ops.stack(s) for s in zip(*ends, strict=True))
        if packed is input:
            back = input.unsorted_indices
            return input._replace(data=data), state if back is None else tuple(ops.take(s, back, axis=1) for s in state)
        output = ops.reshape(data, shape=(len(sizes), sizes[0], data.shape[1]))
        if input.ndim == 2:
            return output[:, 0], tuple(s[:, 0] for s in state)
        return ops.swapaxes(output, axis1=0, axis2=1) if self.batch_first else output, state

    def _packed(self, input):
        """A batch of equal lengths, or one sequence, as packed rows."""
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            want = "B, T" if self.batch_first else "T, B"
            raise ValueError(f"{type(self).__name__}: got input {input.shape}, want ({want}, {self.input_size}), or "
                             f"(T, {self.input_size}) for one sequence; pack sequences of unequal lengths: "
                             "nn.utils.rnn.pack_padded_sequence")
        if input.ndim == 3 and self.batch_first:
            input = ops.swapaxes(input, axis1=0, axis2=1)
        T, B = input.shape[0], 1 if input.ndim == 2 else input.shape[1]
        if T == 0:
            raise ValueError(f"{type(self).__name__}: got sequences of no steps, want at least one step")
        return PackedSequence(ops.reshape(input, shape=(T * B, self.input_size)), np.full(T, B))

    def _first_state(self, input, packed, state):
        """For each of h (and c) an array or tensor (L D, B, H), in the packed order."""
        B, lead, H = int(packed.batch_sizes[0]), self.num_layers * len(self._suffixes), self.hidden_size
        if state is None:
            return [np.zeros((lead, B, H), packed.data.dtype)] * self.states
        alone = packed is not input and input.ndim == 2
        want = (lead, H) if alone else (lead, B, H)
        if len(state) != self.states or any(s.shape != want for s in state):
            raise ValueError(f"{type(self).__name__}: got an initial state of shapes {[s.shape for s in state]}, want "
                             f"{'(h, c), each' if self.states == 2 else 'h'} {want}: layers and directions, "
                             f"{'' if alone else 'sequences, '}hidden units")
        if alone:
            return [s[:, None] for s in state]
        return [s if packed.sorted_indices is None else ops.take(s, packed.sorted_indices, axis=1) for s in state]

    def extra_repr(self):
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        return ", ".join([f"{self.input_size}, {self.hidden_size}",
                          *(f"{name}={getattr(self, name)}" for name, x in defaults.items() if getattr(self, name) != x)])


class RNN(_Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or with nonlinearity="relu"   (Elman 1990)

    The gradient through T steps is a product of T Jacobians diag(1 - h_t^2) W_hh: it vanishes or explodes.
    input (T, B, I), hx (L D, B, H) -> output (T, B, D H), h_n; all forms and options stand at the head of this file.
    """

    _sequence, _cell = staticmethod(ops.rnn), RNNCell

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, rng=None):
        self.nonlinearity = checked_nonlinearity(nonlinearity)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, rng=rng)

    def _options(self):
        return {"nonlinearity": self.nonlinearity}

    def forward(self, input, hx=None):
        output, (h_n,) = self._run(input, None if hx is None else (hx,))
        return output, h_n

    def extra_repr(self):
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}")


class LSTM(_Recurrent):
    """c_t = f_t c_{t-1} + i_t g_t,  h_t = o_t tanh(c_t): see `ops.lstm_cell`   (Hochreiter & Schmidhuber 1997)

    The cell adds where an RNN multiplies: dc_{t-1} = f_t dc_t. It can still explode by way of h: clip the gradient.
    input (T, B, I), hx = (h_0, c_0), each (L D, B, H) -> output (T, B, D H), (h_n, c_n); all forms and options stand at
    the head of this file.

    >>> import tinydl
    >>> output, (h_n, c_n) = LSTM(3, 5, num_layers=2)(tinydl.randn(7, 4, 3))
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 4, 5), (2, 4, 5), (2, 4, 5))
    """

    gates, states, _sequence, _cell = 4, 2, staticmethod(ops.lstm), LSTMCell

    def forward(self, input, hx=None):
        return self._run(input, hx)


class GRU(_Recurrent):
    """h_t = (1 - z_t) n_t + z_t h_{t-1}: see `ops.gru_cell`   (Cho et al. 2014)

    input (T, B, I), hx (L D, B, H) -> output (T, B, D H), h_n; all forms and options stand at the head of this file.
    """

    gates, _sequence, _cell = 3, staticmethod(ops.gru), GRUCell

    def forward(self, input, hx=None):
        output, (h_n,) = self._run(input, None if hx is None else (hx,))
        return output, h_n
