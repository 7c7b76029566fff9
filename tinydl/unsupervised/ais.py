"""Annealed importance sampling: log Z of a Boltzmann machine too large to count, by a walk from one that is simple.

    log p_beta(v) = -(1 - beta) E_0(v) - beta E_v(v) + sum_j log(1 + e^{beta (v'W_:j + b_j)}),  0 = beta_0 < ... < beta_K = 1

E_v(v) is what the visible units alone add to the energy, E_0(v) the same of the base model, whose units are independent and
whose Z is known. C chains start at samples of it. Where a chain stands, its weight grows by p_{beta_k} / p_{beta_{k-1}},
then a step of Gibbs sampling leaves p_{beta_k} unchanged: the weights' mean is Z / Z_0, without bias.
(Neal 2001; Salakhutdinov & Murray 2008, section 4.1, whose base model has hidden units too: they change nothing.)
"""

import math
from typing import NamedTuple

import numpy as np

from ..ops import logsumexp, softplus
from ..random import generator
from .units import at_least_one, base_rates, bernoulli, sigmoid


class LogPartition(NamedTuple):
    """log_z, its standard deviation `spread`, log(Z - 3 s) and log(Z + 3 s) as in the paper's table, the log weights (C,).

    s is Z's standard error. log Z is too low, rather than too high, where chains miss a mode; log P(v) too high.
    """
    log_z: float
    spread: float
    low: float
    high: float
    log_weights: np.ndarray


def inverse_temperatures(steps):
    """0 = beta_0 < ... < beta_steps = 1, in the paper's proportions: 500 up to .5, 4,000 up to .9, 10,000 to 1."""
    return np.interp(np.arange(steps + 1) / steps, np.array([0, 500, 4500, 14500]) / 14500, [0, 0.5, 0.9, 1])


def annealed_importance_sampling(rbm, steps=10_000, chains=100, data=None, rng=None):
    """log Z of an RBM, as a `LogPartition`.

    data (N, V): the base model has their means, and the walk is short (else all units are on half the time, or N(a, 1)).
    steps: a number, or the inverse temperatures themselves, from 0 to 1.
    """
    betas = np.asarray(steps, float)
    if betas.ndim == 0:
        at_least_one("annealed_importance_sampling", "steps", steps)
        betas = inverse_temperatures(steps)
    if betas.ndim != 1 or len(betas) < 2 or betas[0] != 0 or betas[-1] != 1 or not np.all(np.diff(betas) > 0):
        raise ValueError("annealed_importance_sampling: got steps that do not rise from 0 to 1, want a list that does, or a "
                         "number")
    at_least_one("annealed_importance_sampling", "chains", chains)
    rng, W, a, dtype = generator(rng), rbm.W.data, rbm.a.data, rbm.W.dtype.type
    binary = rbm.visible == "binary"
    base = (np.zeros_like(a) if binary else a) if data is None else base_rates(rbm._data(data), rbm.visible).astype(a.dtype)
    log_z = rbm.n_hidden * math.log(2) + (np.sum(softplus(np.float64(base))) if binary
                                          else rbm.n_visible / 2 * math.log(2 * math.pi))

    def visible(x):  # v ~ P(v | x), x the units' input
        return bernoulli(sigmoid(x), rng) if binary else x + rng.standard_normal(x.shape, x.dtype)

    def gap(v):  # E_0(v) - E_v(v)
        return v @ (a - base) + (0 if binary else (base @ base - a @ a) / 2)

    v = visible(np.tile(base, (chains, 1)))
    log_w = np.zeros(chains)
    for before, beta in zip(betas, betas[1:], strict=False):
        x = rbm._input(v)
        p = sigmoid(dtype(beta) * x)
        # log(1 + e^{beta x}) - log(1 + e^{before x}), which are nearly equal, without their difference's loss of digits:
        log_ratio = -np.log1p(p * np.expm1(dtype(before - beta) * x))
        log_w += (beta - before) * gap(v) + np.sum(log_ratio, axis=1, dtype=np.float64)
        v = visible(dtype(1 - beta) * base + dtype(beta) * (bernoulli(p, rng) @ W.T + a))
    log_mean = float(logsumexp(log_w)) - math.log(chains)
    spread = float(np.std(np.exp(log_w - log_mean), ddof=1)) / math.sqrt(chains) if chains > 1 else math.inf
    log_z = float(log_z) + log_mean
    low = log_z + math.log1p(-3 * spread) if 3 * spread < 1 else -math.inf
    return LogPartition(log_z, spread, low, log_z + math.log1p(3 * spread), log_w)
