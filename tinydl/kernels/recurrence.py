"""What happens at the gates of LSTM and GRU between two matrix products: one time step, in place, in one pass.

n sequences at this step, H hidden units. A sigmoid is a tanh too, sigmoid(x) = (1 + tanh(x / 2)) / 2, and the kernels are
handed x / 2. Rows are cut in pieces first: loops over pieces that cannot overlap become vector instructions, three times as
fast.
"""

import numpy as np

from .elementwise import tanh_rows
from .registry import kernel


def _lstm_step_reference(gates, product, c_before, c, h):
    gates += product
    np.tanh(gates, out=gates)
    i, f, g, o = np.split(gates, 4, axis=1)
    for gate in (i, f, o):
        gate *= 0.5
        gate += 0.5
    c[:] = f * c_before + i * g
    h[:] = o * np.tanh(c)


@kernel(_lstm_step_reference)
def lstm_step(gates, product, c_before, c, h):
    """a = gates + product;   i, f, o = (1 + tanh a) / 2,   g = tanh a_g;   c = f c_before + i g;   h = o tanh c

    gates (n, 4H): the inputs' part of a_i / 2, a_f / 2, a_g, a_o / 2, overwritten by i, f, g, o; product (n, 4H): the hidden
    state's part. c and h (n, H) are written.
    """
    n, H = c.shape
    half = gates.dtype.type(0.5)
    for b in range(n):
        a, more = gates[b], product[b]
        for j in range(4 * H):
            a[j] += more[j]
    tanh_rows(gates)
    for b in range(n):
        i, f, g, o = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:3 * H], gates[b, 3 * H:]
        old, new, copy = c_before[b], c[b], h[b]
        for j in range(H):
            i_j, f_j = half + half * i[j], half + half * f[j]
            o[j] = half + half * o[j]
            i[j], f[j] = i_j, f_j
            copy[j] = new[j] = f_j * old[j] + i_j * g[j]
    tanh_rows(h)
    for b in range(n):
        o, out = gates[b, 3 * H:], h[b]
        for j in range(H):
            out[j] *= o[j]


def _lstm_gradient_reference(gates, c_before, c, dy, dh, dc, da):
    i, f, g, o = np.split(gates, 4, axis=1)
    d, t = dh + dy, np.tanh(c)
    dc += d * o * (1 - t * t)
    da[:] = np.concatenate([dc * g * (i * (1 - i)), dc * c_before * (f * (1 - f)), dc * i * (1 - g * g),
                            d * t * (o * (1 - o))], axis=1)
    dc *= f


@kernel(_lstm_gradient_reference)
def lstm_gradient(gates, c_before, c, dy, dh, dc, da):
    """dc += (dh + dy) o (1 - tanh^2 c);   da = gradients before the nonlinearities of i, f, g, o (n, 4H);   dc = dc f

    dh (n, H) is what reaches h = o tanh(c) from later steps, dy from outside; both are only read. dc is what reaches c, and
    leaves as what goes to the step before; what goes there through h is da W_hh.
    """
    n, H = dc.shape
    one = gates.dtype.type(1)
    tanh_c = c.copy()
    tanh_rows(tanh_c)
    for b in range(n):
        i, f, g, o = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:3 * H], gates[b, 3 * H:]
        da_i, da_f, da_g, da_o = da[b, :H], da[b, H:2 * H], da[b, 2 * H:3 * H], da[b, 3 * H:]
        old, t, dy_b, dh_b, dc_b = c_before[b], tanh_c[b], dy[b], dh[b], dc[b]
        for j in range(H):
            i_j, f_j, g_j, o_j, t_j = i[j], f[j], g[j], o[j], t[j]
            d_h = dh_b[j] + dy_b[j]
            d = dc_b[j] + d_h * o_j * (one - t_j * t_j)
            da_i[j] = d * g_j * (i_j * (one - i_j))
            da_f[j] = d * old[j] * (f_j * (one - f_j))
            da_g[j] = d * i_j * (one - g_j * g_j)
            da_o[j] = d_h * t_j * (o_j * (one - o_j))
            dc_b[j] = d * f_j


def _gru_step_reference(gates, product, bias, before, m, h):
    r, z, n = np.split(gates, 3, axis=1)
    product_r, product_z, product_n = np.split(product, 3, axis=1)
    r[:] = 0.5 + 0.5 * np.tanh(r + product_r)
    z[:] = 0.5 + 0.5 * np.tanh(z + product_z)
    m[:] = product_n + bias
    n[:] = np.tanh(n + r * m)
    h[:] = n + z * (before - n)


@kernel(_gru_step_reference)
def gru_step(gates, product, bias, before, m, h):
    """r, z = (1 + tanh(a + product)) / 2;   m = product_n + b_hn;   n = tanh(a_n + r m);   h = (1 - z) n + z h_before

    gates (n, 3H): a, the inputs' part of a_r / 2, a_z / 2, a_n, overwritten by r, z, n; product (n, 3H): the hidden state's
    part, its last third W_hn h; bias b_hn (H,). m and h (n, H) are written.
    """
    n, H = m.shape
    half = gates.dtype.type(0.5)
    r_z = np.empty((n, 2 * H), gates.dtype)
    for b in range(n):
        a, more, out = gates[b], product[b], r_z[b]
        for j in range(2 * H):
            out[j] = a[j] + more[j]
    tanh_rows(r_z)
    for b in range(n):
        r, z, new = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:]
        tanh_r, tanh_z, hidden, m_b, a_n = r_z[b, :H], r_z[b, H:], product[b, 2 * H:], m[b], h[b]
        for j in range(H):
            r_j, m_j = half + half * tanh_r[j], hidden[j] + bias[j]
            z[j] = half + half * tanh_z[j]
            r[j], m_b[j] = r_j, m_j
            a_n[j] = new[j] + r_j * m_j
    tanh_rows(h)
    for b in range(n):
        z, new, old, h_b = gates[b, H:2 * H], gates[b, 2 * H:], before[b], h[b]
        for j in range(H):
            n_j = h_b[j]
            new[j] = n_j
            h_b[j] = n_j + z[j] * (old[j] - n_j)


def _gru_gradient_reference(gates, before, m, dy, dh, da, da_hidden):
    r, z, n = np.split(gates, 3, axis=1)
    dh += dy
    da_n = dh * (1 - z) * (1 - n * n)
    da_z = dh * (before - n) * (z * (1 - z))
    da_r = da_n * m * (r * (1 - r))
    da[:] = np.concatenate([da_r, da_z, da_n], axis=1)
    da_hidden[:] = np.concatenate([da_r, da_z, da_n * r], axis=1)
    dh *= z


@kernel(_gru_gradient_reference)
def gru_gradient(gates, before, m, dy, dh, da, da_hidden):
    """dh += dy;   da = gradients of W_i x + b_i, da_hidden = of W_h h + b_h, of r, z, n (n, 3H);   dh = dh z

    The two differ in the last third: n sees m = W_hn h + b_hn through r. before (n, H) is h before the step; dh comes as
    what reaches the new h from later steps, dy from outside; dh leaves as what goes to the old one past W_hh.
    """
    n, H = dh.shape
    one = gates.dtype.type(1)
    for b in range(n):
        r, z, new = gates[b, :H], gates[b, H:2 * H], gates[b, 2 * H:]
        da_r, da_z, da_n = da[b, :H], da[b, H:2 * H], da[b, 2 * H:]
        hidden_r, hidden_z, hidden_n = da_hidden[b, :H], da_hidden[b, H:2 * H], da_hidden[b, 2 * H:]
        old, m_b, dy_b, dh_b = before[b], m[b], dy[b], dh[b]
        for j in range(H):
            r_j, z_j, n_j, d = r[j], z[j], new[j], dh_b[j] + dy_b[j]
            dn = d * (one - z_j) * (one - n_j * n_j)
            dz = d * (old[j] - n_j) * (z_j * (one - z_j))
            dr = dn * m_b[j] * (r_j * (one - r_j))
            da_r[j], da_z[j], da_n[j] = dr, dz, dn
            hidden_r[j], hidden_z[j], hidden_n[j] = dr, dz, dn * r_j
            dh_b[j] = d * z_j
