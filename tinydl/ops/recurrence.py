"""RNN, LSTM and GRU: each as a cell to read, and as one primitive over whole sequences, for speed.

T time steps, B sequences, I inputs, H hidden units. A cell is a formula on primitives. A sequence primitive computes the
same in another order: first the inputs' part of all steps, in one matrix product, then step by step the hidden state's part
and the gates. How gradients come back, and what a primitive does to be differentiated twice, is `through_time.py`.

Sequences are packed: x holds the rows of step 0, then those of step 1 and so on, N in all, and `batch_sizes` says how many
sequences reach each step, the longest first. Without it all go on to the end: x is (T, B, I) with its first two axes made
one. reverse=True goes from each sequence's last step to its first. A primitive's value is packed as well: N rows of h, then
B rows with the state h that each sequence ends in (and for LSTM B rows of c).
"""

import functools

import numpy as np

from .. import kernels
from ..op import op
from .activation import relu, sigmoid, tanh
from .linear_algebra import linear
from .shape import split
from .through_time import any_tensor, in_parts, ordered, pull_back, states_after, states_before, unrolled


# ------------------------------------------------------------------------------------------------ cells
def rnn_cell(x, h, w_ih, w_hh, b_ih=None, b_hh=None, nonlinearity="tanh"):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with ReLU   (Elman 1990)

    x (B, I), h (B, H); W_ih (H, I), W_hh (H, H), biases (H,) -> (B, H)
    """
    _check(nonlinearity)
    return (tanh if nonlinearity == "tanh" else relu)(_linear(x, w_ih, b_ih) + _linear(h, w_hh, b_hh))


def lstm_cell(x, h, c, w_ih, w_hh, b_ih=None, b_hh=None):
    """i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o), g = tanh(a_g);   c' = f c + i g,   h' = o tanh(c')

    with a = W_ih x + b_ih + W_hh h + b_hh, in PyTorch's order i, f, g, o. x (B, I), h and c (B, H); W_ih (4H, I),
    W_hh (4H, H), biases (4H,) -> h', c'. dc = f dc': where the forget gate is open, the gradient passes as it is
    (Hochreiter & Schmidhuber 1997; the forget gate: Gers, Schmidhuber & Cummins 2000).
    """
    a_i, a_f, a_g, a_o = _gates(_linear(x, w_ih, b_ih) + _linear(h, w_hh, b_hh), 4)
    c = sigmoid(a_f) * c + sigmoid(a_i) * tanh(a_g)
    return sigmoid(a_o) * tanh(c), c


def gru_cell(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    """r, z = sigmoid(a_r), sigmoid(a_z);   n = tanh(W_in x + b_in + r (W_hn h + b_hn));   h' = (1 - z) n + z h

    with a = W_ih x + b_ih + W_hh h + b_hh, in PyTorch's order r, z, n. x (B, I), h (B, H); W_ih (3H, I), W_hh (3H, H),
    biases (3H,) -> (B, H). Cho et al. 2014 write n = tanh(W_n x + U_n (r h)); with r outside the product, as here and in
    PyTorch, all of W_hh h is one product.
    """
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _gates(_linear(x, w_ih, b_ih), 3), _gates(_linear(h, w_hh, b_hh), 3)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def _check(nonlinearity):
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"rnn: got nonlinearity={nonlinearity!r}, want 'tanh' or 'relu'")


def _linear(x, weight, bias):
    return linear(x, weight) if bias is None else linear(x, weight, bias)


def _gates(a, count):
    return split(a, a.shape[1] // count, axis=1)


# ------------------------------------------------------------------------------------------------ sequences
@op(joint=True)
def rnn(x, h, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=None, reverse=False, nonlinearity="tanh"):
    """`rnn_cell` over packed sequences: x (N, I), h (B, H) the state before the first step -> (N + B, H)

    da = dh (1 - h^2), or dh where h > 0;   of the step before: dh = da W_hh
    """
    _check(nonlinearity)
    inputs, steps = (x, h, w_ih, w_hh, b_ih, b_hh), ordered("rnn", x, h, batch_sizes, reverse)
    if any_tensor(inputs):
        return unrolled(lambda *args: (rnn_cell(*args, nonlinearity),), inputs, 1, steps)
    return in_parts(functools.partial(_rnn, nonlinearity), inputs, 1, steps)


def _rnn(nonlinearity, steps, x, h, w_ih, w_hh, b_ih, b_hh):
    N, B, H = len(x), *h.shape
    w = np.transpose(w_hh)
    a = _input_part(x, w_ih, None if b_ih is None else b_ih + b_hh, np.ones(H, x.dtype))
    y, product = _empty(x, (N + B, H), (B, H))
    for (rows, n), before in zip(steps, states_before(steps, y, h), strict=True):
        now = np.add(a[rows], np.matmul(before, w, out=product[:n]), out=y[rows])
        kernels.tanh_rows(now) if nonlinearity == "tanh" else np.maximum(now, 0, out=now)
    y[N:] = states_after(steps, y, h)

    def step(k, before, dy, dstate, da, da_hidden):
        now, total = y[steps[k][0]], dstate[0] + dy
        da[:] = total * (1 - now * now) if nonlinearity == "tanh" else np.where(now > 0, total, 0)

    return y, lambda dy, needs: pull_back(step, steps, dy, x, y, (h,), w_ih, w_hh, needs)


@op(joint=True)
def lstm(x, h, c, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=None, reverse=False):
    """`lstm_cell` over packed sequences: x (N, I), h and c (B, H) the state before the first step -> (N + 2B, H)

    dc += dh o (1 - tanh^2 c);   da_i = dc g i (1 - i),   da_f = dc c_before f (1 - f),   da_g = dc i (1 - g^2),
    da_o = dh tanh(c) o (1 - o);   of the step before: dc = dc f,   dh = da W_hh
    """
    inputs, steps = (x, h, c, w_ih, w_hh, b_ih, b_hh), ordered("lstm", x, h, batch_sizes, reverse)
    if any_tensor(inputs):
        return unrolled(lstm_cell, inputs, 2, steps)
    return in_parts(_lstm, inputs, 2, steps)


def _lstm(steps, x, h, c, w_ih, w_hh, b_ih, b_hh):
    N, B, H = len(x), *h.shape
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], x.dtype), H)  # sigmoid(a) = (1 + tanh(a / 2)) / 2
    w = np.transpose(w_hh * scale[:, None])
    gates = _input_part(x, w_ih, None if b_ih is None else b_ih + b_hh, scale)
    y, cs, product = _empty(x, (N + 2 * B, H), (N, H), (B, 4 * H))
    for (rows, n), h_before, c_before in zip(steps, states_before(steps, y, h), states_before(steps, cs, c), strict=True):
        kernels.lstm_step(gates[rows], np.matmul(h_before, w, out=product[:n]), c_before, cs[rows], y[rows])
    y[N:N + B], y[N + B:] = states_after(steps, y, h), states_after(steps, cs, c)

    def pullback(dy, needs):
        c_before = list(states_before(steps, cs, c))

        def step(k, before, dy, dstate, da, da_hidden):
            rows = steps[k][0]
            kernels.lstm_gradient(gates[rows], c_before[k], cs[rows], dy, *dstate, da)

        return pull_back(step, steps, dy, x, y, (h, c), w_ih, w_hh, needs)

    return y, pullback


@op(joint=True)
def gru(x, h, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=None, reverse=False):
    """`gru_cell` over packed sequences: x (N, I), h (B, H) the state before the first step -> (N + B, H)

    m = W_hn h + b_hn;   da_n = dh (1 - z) (1 - n^2),   da_z = dh (h_before - n) z (1 - z),   da_r = da_n m r (1 - r);
    of the step before: dh = dh z + [da_r, da_z, da_n r] W_hh
    """
    inputs, steps = (x, h, w_ih, w_hh, b_ih, b_hh), ordered("gru", x, h, batch_sizes, reverse)
    if any_tensor(inputs):
        return unrolled(lambda *args: (gru_cell(*args),), inputs, 1, steps)
    return in_parts(_gru, inputs, 1, steps)


def _gru(steps, x, h, w_ih, w_hh, b_ih, b_hh):
    N, B, H = len(x), *h.shape
    scale = np.repeat(np.array([0.5, 0.5, 1], x.dtype), H)  # sigmoid(a) = (1 + tanh(a / 2)) / 2
    w = np.transpose(w_hh * scale[:, None])
    bias, b_hn = None, np.zeros(H, x.dtype)  # b_hn is multiplied by r, all other biases just add
    if b_ih is not None:
        bias, b_hn = b_ih + np.where(np.arange(3 * H) < 2 * H, b_hh, 0), np.ascontiguousarray(b_hh[2 * H:])
    gates = _input_part(x, w_ih, bias, scale)
    y, m, product = _empty(x, (N + B, H), (N, H), (B, 3 * H))
    for (rows, n), before in zip(steps, states_before(steps, y, h), strict=True):
        kernels.gru_step(gates[rows], np.matmul(before, w, out=product[:n]), b_hn, before, m[rows], y[rows])
    y[N:] = states_after(steps, y, h)

    def step(k, before, dy, dstate, da, da_hidden):
        rows = steps[k][0]
        kernels.gru_gradient(gates[rows], before, m[rows], dy, *dstate, da, da_hidden)

    return y, lambda dy, needs: pull_back(step, steps, dy, x, y, (h,), w_ih, w_hh, needs, two_sums=True)


def _empty(like, *shapes):
    return [np.empty(shape, like.dtype) for shape in shapes]


def _input_part(x, w_ih, bias, scale):
    """(x W_ih^T + bias) scale, for all steps.  (N, I) -> (N, gates H)"""
    a = np.matmul(x, np.transpose(w_ih * scale[:, None]))
    if bias is not None:
        kernels.add_rows(a, bias * scale)
    return a
