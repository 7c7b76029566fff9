"""What happens at the gates of LSTM and GRU between two matrix products, one time step at a time, in place.

n sequences at this step, H hidden units. tanh stays NumPy's, which computes many numbers at once; numba would call the C
library's for each. A sigmoid is a tanh too, sigmoid(x) = (1 + tanh(x / 2)) / 2, and the kernels are handed tanh(x / 2).
Rows are cut in pieces first: loops over pieces that cannot overlap become vector instructions, three times as fast.
"""

import numpy as np

from .registry import kernel


def _lstm_gates_reference(gates, c_before, c):
    i, f, g, o = np.split(gates, 4, axis=1)
    for gate in (i, f, o):
        gate *= 0.5
        gate += 0.5
    c[:] = f * c_before + i * g


@kernel(_lstm_gates_reference)
def lstm_gates(gates, c_before, c):
    """i, f, o = (1 + t) / 2;   c = f c_before + i g

    gates (n, 4H): tanh(a_i / 2), tanh(a_f / 2), g, tanh(a_o / 2), overwritten by i, f, g, o. c (n, H) is written.
    """
    n, H = c.shape
    half = gates.dtype.type(0.5)
    for b in range(n):
        i, f, g, o = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:3 * H], gates[b, 3 * H:]
        old, new = c_before[b], c[b]
        for j in range(H):
            i_j, f_j = half + half * i[j], half + half * f[j]
            o[j] = half + half * o[j]
            i[j], f[j] = i_j, f_j
            new[j] = f_j * old[j] + i_j * g[j]


def _lstm_gates_gradient_reference(gates, c_before, tanh_c, dh, dc, da):
    i, f, g, o = np.split(gates, 4, axis=1)
    dc += dh * o * (1 - tanh_c * tanh_c)
    da[:] = np.concatenate([dc * g * (i * (1 - i)), dc * c_before * (f * (1 - f)), dc * i * (1 - g * g),
                            dh * tanh_c * (o * (1 - o))], axis=1)
    dc *= f
    dh[:] = 0


@kernel(_lstm_gates_gradient_reference)
def lstm_gates_gradient(gates, c_before, tanh_c, dh, dc, da):
    """dc += dh o (1 - tanh^2 c);   da = gradients before the nonlinearities of i, f, g, o (n, 4H)

    dh (n, H) comes as what reaches h = o tanh(c), dc as what reaches c from later steps; they leave as what goes to the step
    before past W_hh: dc = dc f, dh = 0.
    """
    n, H = dc.shape
    one = gates.dtype.type(1)
    for b in range(n):
        i, f, g, o = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:3 * H], gates[b, 3 * H:]
        da_i, da_f, da_g, da_o = da[b, :H], da[b, H:2 * H], da[b, 2 * H:3 * H], da[b, 3 * H:]
        old, t, dh_b, dc_b = c_before[b], tanh_c[b], dh[b], dc[b]
        for j in range(H):
            i_j, f_j, g_j, o_j, t_j = i[j], f[j], g[j], o[j], t[j]
            d = dc_b[j] + dh_b[j] * o_j * (one - t_j * t_j)
            da_i[j] = d * g_j * (i_j * (one - i_j))
            da_f[j] = d * old[j] * (f_j * (one - f_j))
            da_g[j] = d * i_j * (one - g_j * g_j)
            da_o[j] = dh_b[j] * t_j * (o_j * (one - o_j))
            dc_b[j] = d * f_j
            dh_b[j] = 0


def _gru_gates_reference(gates, a, bias, m):
    r, z, n = np.split(gates, 3, axis=1)
    for gate in (r, z):
        gate *= 0.5
        gate += 0.5
    m[:] = a[:, 2 * m.shape[1]:] + bias
    n += r * m


@kernel(_gru_gates_reference)
def gru_gates(gates, a, bias, m):
    """r, z = (1 + t) / 2;   m = W_hn h + b_hn;   a_n = W_in x + b_in + r m

    gates (n, 3H): tanh(a_r / 2), tanh(a_z / 2), W_in x + b_in, overwritten by r, z, a_n. The last third of a (n, 3H) holds
    W_hn h; bias (H,); m (n, H) is written.
    """
    n, H = m.shape
    half = gates.dtype.type(0.5)
    for b in range(n):
        r, z, new = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:]
        hidden, m_b = a[b, 2 * H:], m[b]
        for j in range(H):
            r_j = half + half * r[j]
            z[j] = half + half * z[j]
            m_j = hidden[j] + bias[j]
            r[j], m_b[j] = r_j, m_j
            new[j] += r_j * m_j


def _gru_mix_reference(gates, before, h):
    _, z, n = np.split(gates, 3, axis=1)
    h[:] = n + z * (before - n)


@kernel(_gru_mix_reference)
def gru_mix(gates, before, h):
    """h = (1 - z) n + z h_before.  gates (n, 3H): r, z, n;   before (n, H);   h (n, H) is written"""
    n, H = h.shape
    for b in range(n):
        z, new, old, h_b = gates[b, H:2 * H], gates[b, 2 * H:], before[b], h[b]
        for j in range(H):
            h_b[j] = new[j] + z[j] * (old[j] - new[j])


def _gru_gates_gradient_reference(gates, before, m, dh, da, da_hidden):
    r, z, n = np.split(gates, 3, axis=1)
    da_n = dh * (1 - z) * (1 - n * n)
    da_z = dh * (before - n) * (z * (1 - z))
    da_r = da_n * m * (r * (1 - r))
    da[:] = np.concatenate([da_r, da_z, da_n], axis=1)
    da_hidden[:] = np.concatenate([da_r, da_z, da_n * r], axis=1)
    dh *= z


@kernel(_gru_gates_gradient_reference)
def gru_gates_gradient(gates, before, m, dh, da, da_hidden):
    """da = gradients of W_i x + b_i, da_hidden = of W_h h + b_h, of r, z, n (n, 3H);   dh = dh z

    The two differ in the last third: n sees m = W_hn h + b_hn through r. before (n, H) is h before the step; dh comes as
    what reaches the new h and leaves as what goes to the old one past W_hh.
    """
    n, H = dh.shape
    one = gates.dtype.type(1)
    for b in range(n):
        r, z, new = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:]
        da_r, da_z, da_n = da[b, :H], da[b, H:2 * H], da[b, 2 * H:]
        hidden_r, hidden_z, hidden_n = da_hidden[b, :H], da_hidden[b, H:2 * H], da_hidden[b, 2 * H:]
        old, m_b, dh_b = before[b], m[b], dh[b]
        for j in range(H):
            r_j, z_j, n_j, d = r[j], z[j], new[j], dh_b[j]
            dn = d * (one - z_j) * (one - n_j * n_j)
            dz = d * (old[j] - n_j) * (z_j * (one - z_j))
            dr = dn * m_b[j] * (r_j * (one - r_j))
            da_r[j], da_z[j], da_n[j] = dr, dz, dn
            hidden_r[j], hidden_z[j], hidden_n[j] = dr, dz, dn * r_j
            dh_b[j] = d * z_j
