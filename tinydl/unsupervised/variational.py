"""The variational autoencoder: a code with a prior, so that new data can be drawn from it   (Kingma and Welling 2014)

    z ~ N(0, 1),   x ~ P(x | z) from a decoder,   Q(z | x) = N(mu(x), sigma(x)^2) from an encoder

    log P(x) >= ELBO = E_Q[log P(x | z)] - KL(Q(z | x) || N(0, 1))

The mean over Q is estimated by one z = mu + sigma * noise with noise ~ N(0, 1): the draw does not depend on the
parameters, so that gradients reach mu and sigma through it (the reparametrisation, their section 2.4).
"""

import math
import numbers

import numpy as np

from .. import nn, ops
from ..random import generator
from .reconstruction import Reconstruction


class VariationalAutoencoder(Reconstruction):
    """encoder   h = ReLU(W_1 x + b_1),    mu = W_2 h + b_2,    log sigma^2 = W_3 h + b_3
    decoder   h' = ReLU(W_4 z + b_4),   x' = sigmoid(W_5 h' + b_5), or W_5 h' + b_5 for Gaussian units

    x (B, V), h and h' (B, hidden), z, mu and sigma (B, H): here the code's H numbers, n_hidden, are the latent ones. Visible
    units are "binary", P(x_i = 1 | z) = sigmoid(W_5 h' + b_5)_i, or "gaussian", N(W_5 h' + b_5, 1). Grey values in [0, 1]
    are taken as probabilities, as is common; only of true bits is the ELBO a bound in nats on log P(x).

    rng draws the weights and the noise. `encode`, and so `transform` and `reconstruct`, take z = mu.
    """

    def __init__(self, n_visible, n_hidden, hidden=256, visible="binary", *, rng=None):
        super().__init__(n_visible, n_hidden, visible)
        if not isinstance(hidden, numbers.Integral) or hidden < 1:
            raise ValueError(f"VariationalAutoencoder: got hidden={hidden!r}, want a whole number of at least 1")
        self.rng = rng = None if rng is None else generator(rng)
        self.inner = nn.Sequential(nn.Linear(n_visible, hidden, rng=rng), nn.ReLU())
        self.mean = nn.Linear(hidden, n_hidden, rng=rng)
        self.log_variance = nn.Linear(hidden, n_hidden, rng=rng)
        self.outer = nn.Sequential(nn.Linear(n_hidden, hidden, rng=rng), nn.ReLU(), nn.Linear(hidden, n_visible, rng=rng))

    def encode(self, x):
        """mu, the mean of Q(z | x).  (B, V) -> (B, H)"""
        return self.mean(self.inner(x))

    def posterior(self, x):
        """mu and log sigma^2 of Q(z | x).  (B, V) -> (B, H), (B, H)"""
        h = self.inner(x)
        return self.mean(h), self.log_variance(h)

    def visible_input(self, z):
        return self.outer(z)

    def log_likelihood(self, z, x):
        """log P(x | z).  (B, H), (B, V) -> (B,)"""
        if self.visible == "binary":
            return -self.error(z, x)
        return -0.5 * self.error(z, x) - 0.5 * self.n_visible * math.log(2 * math.pi)

    def elbo(self, x, noise=None):
        """log P(x | z) - KL(Q(z | x) || N(0, 1)) with one z = mu + sigma * noise.  (B, V) -> (B,)

        noise: (B, H), drawn from N(0, 1) unless given.
        """
        mean, log_variance = self.posterior(x)
        if noise is None:
            noise = generator(self.rng).standard_normal(mean.shape, mean.dtype)
        z = mean + ops.exp(0.5 * log_variance) * noise
        return self.log_likelihood(z, x) - divergence_from_normal(mean, log_variance)

    def losses(self, x):
        return -self.elbo(x)

    def decoded(self, Z):
        """x' of codes.  (N, H) array -> (N, V) array"""
        Z = np.asarray(Z)
        if Z.ndim != 2 or Z.shape[1] != self.n_hidden:
            raise ValueError(f"VariationalAutoencoder: got codes {Z.shape}, want (N, {self.n_hidden})")
        return self._in_parts(self.decode, Z.astype(next(self.parameters()).dtype, copy=False))

    def sample(self, n, rng=None):
        """The decoder's means for n codes from the prior.  -> (n, V) array"""
        return self.decoded(generator(rng).standard_normal((n, self.n_hidden)))


def divergence_from_normal(mean, log_variance):
    """KL(N(mu, sigma^2) || N(0, 1)) = sum_j (mu_j^2 + sigma_j^2 - 1 - log sigma_j^2) / 2   (Kingma and Welling, appendix B)

    (B, H), (B, H) -> (B,)
    """
    return 0.5 * ops.sum(mean * mean + ops.exp(log_variance) - 1 - log_variance, axis=1)
