"""What a Boltzmann machine really says, by counting through all states of its smaller layer: for small ones, and for tests.

V visible, H hidden units, N rows; all in float64. 2^20 states are the most.
"""

import copy
import math

import numpy as np

from ..ops import logsumexp, softplus

MOST = 20  # units of the layer that is counted through, or of both where both are


def log_partition(rbm):
    """log Z = log sum_{v,h} e^{-E(v,h)} = log sum_v e^{-F(v)}; or over h, where the sum over v is a product likewise."""
    return float(logsumexp(_counted(rbm)[2]))


def log_likelihood(rbm, v):
    """log P(v) = -F(v) - log Z of each row.  (N, V) -> (N,)

    The slide writes P(v) = e^{-sum_h E(v,h)} / Z; the sum belongs outside: F(v) = -log sum_h e^{-E(v,h)}.
    """
    return -_precise(rbm).free_energy(v) - log_partition(rbm)


def likelihood_gradient(rbm, v):
    """The gradient of the mean of log P(v) over the rows, {"W": (V, H), "a": (V,), "b": (H,)}.

        d log P(v)/dW = <v h'>_data - <v h'>_model;    a: of v;    b: of h    (the slide has a plus: a slip)
    """
    V, H, weight = _counted(rbm)
    weight = np.exp(weight - logsumexp(weight))
    v = _some_rows("likelihood_gradient", rbm, v)
    h = _precise(rbm).p_hidden(v)
    return {"W": v.T @ h / len(v) - V.T @ (weight[:, None] * H), "a": np.mean(v, axis=0) - weight @ V,
            "b": np.mean(h, axis=0) - weight @ H}


def mean_contrastive_divergence(rbm, v, k):
    """The ascent direction of CD-k in the mean over all its chains, as `likelihood_gradient` gives the true one.

    The chain's distribution over all 2^V states goes through P(h | v) and P(v | h), k times; v (N, V) of 0 and 1. It
    tends to the model's own as k grows, and this to the gradient of the likelihood.
    """
    rbm, v = _precise(rbm), _some_rows("mean_contrastive_divergence", rbm, v)
    if rbm.visible == "gaussian" or not np.all((v == 0) | (v == 1)):
        raise ValueError("mean_contrastive_divergence: got visible units other than 0 and 1, whose states cannot be counted")
    if rbm.n_visible + rbm.n_hidden > MOST:
        raise ValueError(f"mean_contrastive_divergence: got {rbm.n_visible} + {rbm.n_hidden} units, want {MOST} at most")
    V, H = _states(rbm.n_visible), _states(rbm.n_hidden)
    x, y = V @ rbm.W.data + rbm.b.data, H @ rbm.W.data.T + rbm.a.data
    up = np.exp(x @ H.T - np.sum(softplus(x), axis=1, keepdims=True))    # P(h | v), (2^V, 2^H)
    down = np.exp(y @ V.T - np.sum(softplus(y), axis=1, keepdims=True))  # P(v | h), (2^H, 2^V)
    data = p = np.bincount((v @ 2 ** np.arange(rbm.n_visible)).astype(int), minlength=len(V)) / len(v)
    for _ in range(k):
        p = p @ up @ down
    change, h = data - p, rbm.p_hidden(V)
    return {"W": V.T @ (change[:, None] * h), "a": change @ V, "b": change @ h}


def _states(n):
    """All states of n units of 0 and 1, (2^n, n); unit i is the bit of worth 2^i in the row's number."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.float64)


def _some_rows(who, rbm, v):
    v = _precise(rbm)._checked(v)
    if len(v) == 0:
        raise ValueError(f"{who}: got no rows, want at least one: there is no mean over none")
    return v


def _precise(rbm):
    return copy.deepcopy(rbm).double()


def _counted(rbm):
    """All S states of the smaller layer and the mean of the other: v (S, V), h (S, H), log sum e^{-E} over the other (S,).

    Gaussian units: sum_v is the integral over v, (2 pi)^{V/2} e^{a'Wh + |Wh|^2 / 2 + b'h}, and h is counted.
    """
    rbm = _precise(rbm)
    gaussian = rbm.visible == "gaussian"
    hidden = gaussian or rbm.n_hidden <= rbm.n_visible
    n = rbm.n_hidden if hidden else rbm.n_visible
    if n > MOST:
        raise ValueError(f"exact: got an RBM of {rbm.n_visible} visible and {rbm.n_hidden} hidden units with 2^{n} states "
                         f"to count, want at most {MOST} units in {'the hidden' if gaussian else 'the smaller'} layer; see "
                         "annealed_importance_sampling")
    states = _states(n)
    if not hidden:
        return states, rbm.p_hidden(states), -rbm.free_energy(states)
    W, a, b = rbm.W.data, rbm.a.data, rbm.b.data
    x = states @ W.T
    summed = (x @ a + np.sum(x * x, axis=1) / 2 + rbm.n_visible / 2 * math.log(2 * math.pi) if gaussian
              else np.sum(softplus(x + a), axis=1))
    return rbm.p_visible(states), states, states @ b + summed
