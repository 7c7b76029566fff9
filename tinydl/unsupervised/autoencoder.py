"""Autoencoders: learn features h from which the data can be built again. One layer, and what keeps it from mere copying.

    h = sigmoid(W x + b),    x' = W'h + b',    L = ||x - x'||^2

    Autoencoder             fewer hidden units than visible ones: the bottleneck alone
    DenoisingAutoencoder    x is to be built from a damaged x
    SparseAutoencoder       a hidden unit is to be on for few examples
    ContractiveAutoencoder  h is to change little when x does

W (H, V) is an nn.Linear's weight. With tied weights W' is W's transpose, as on the slide; untied it is a parameter of its
own. With linear x', no choice of h rebuilds the training data better than as many principal components (Bourlard and Kamp
1988): what an autoencoder of one layer has to offer is its features. `variational.py` has the autoencoder with a prior.
"""

import numbers

import numpy as np

from .. import ops
from ..nn import init
from ..nn.parameter import empty
from ..random import generator
from .reconstruction import Reconstruction, at_least_zero

NOISES = ("masking", "gaussian", "salt-and-pepper")


class Autoencoder(Reconstruction):
    """h = sigmoid(W x + b),   x' = W'h + b',   L = ||x - x'||^2   (with binary units x' = sigmoid(W'h + b'), cross-entropy)

    x (B, V), h (B, H). Parameters W (H, V), b (H,), b_prime (V,), and W_prime (V, H) unless tied. Weights start from Glorot
    and Bengio's distribution, biases at 0.
    """

    def __init__(self, n_visible, n_hidden, tied=True, visible="gaussian", *, rng=None):
        super().__init__(n_visible, n_hidden, visible)
        rng, self.tied = generator(rng), bool(tied)
        self.W, self.b = init.xavier_uniform_(empty(n_hidden, n_visible), rng=rng), init.zeros_(empty(n_hidden))
        self.register_parameter("W_prime", None if tied else init.xavier_uniform_(empty(n_visible, n_hidden), rng=rng))
        self.b_prime = init.zeros_(empty(n_visible))

    def encode(self, x):
        """h = sigmoid(W x + b).  (B, V) -> (B, H)"""
        return ops.sigmoid(ops.linear(x, self.W, self.b))

    def visible_input(self, h):
        """W'h + b'.  (B, H) -> (B, V)"""
        return ops.linear(h, self.W.T if self.tied else self.W_prime, self.b_prime)

    def contraction(self, h):
        """||dh/dx||^2 = sum_j (h_j (1 - h_j))^2 sum_i W_ji^2 of each example.  (B, H) -> (B,)"""
        slope = h * (1 - h)
        return ops.matmul(slope * slope, ops.sum(self.W * self.W, axis=1))

    def losses(self, x):
        """L of each example.  (B, V) -> (B,)"""
        return self.error(self.encode(x), x)

    def extra_repr(self):
        return f"{super().extra_repr()}, tied={self.tied}"


class DenoisingAutoencoder(Autoencoder):
    """h = sigmoid(W x~ + b) of a damaged x~,   L = ||x - x'||^2 against the whole x   (Vincent et al. 2008)

    To put back what is missing, h must know how the parts of x hang together. noise:
        "masking"          a share `corruption` of the units is 0
        "salt-and-pepper"  a share `corruption` of the units is 0 or 1, either as often
        "gaussian"         x~ = x + corruption * N(0, 1)
    Noise is for training: in evaluation, and in `transform`, x~ = x. rng draws the weights and then, from where it stands,
    the noise.
    """

    def __init__(self, n_visible, n_hidden, corruption=0.3, noise="masking", tied=True, visible="gaussian", *, rng=None):
        if noise not in NOISES:
            raise ValueError(f"DenoisingAutoencoder: got noise={noise!r}, want one of {', '.join(NOISES)}")
        at_least_zero("DenoisingAutoencoder", "corruption", corruption)
        if noise != "gaussian" and corruption > 1:
            raise ValueError(f"DenoisingAutoencoder: got corruption={corruption!r}, want a share in [0, 1] of the units")
        self.corruption, self.noise, self.rng = corruption, noise, None if rng is None else generator(rng)
        super().__init__(n_visible, n_hidden, tied, visible, rng=self.rng)

    def corrupted(self, x):
        """x~, drawn anew at each call.  (B, V) -> (B, V)"""
        rng, dtype = generator(self.rng), x.dtype
        if self.noise == "gaussian":
            return x + dtype.type(self.corruption) * rng.standard_normal(x.shape, dtype)
        u = rng.random(x.shape, np.float32)
        kept = x * (u >= self.corruption).astype(dtype)
        return kept if self.noise == "masking" else kept + (u < self.corruption / 2).astype(dtype)

    def losses(self, x, damaged=None):
        """L of each example; damaged: an x~ (B, V) to take instead of a drawn one."""
        if damaged is None:
            damaged = self.corrupted(x) if self.training else x
        return self.error(self.encode(damaged), x)


class SparseAutoencoder(Autoencoder):
    """L = ||x - x'||^2 + weight * sum_j KL(rho || rho_j),   rho_j = mean over the batch of h_j   (Ng 2011, section 3)

    KL(rho || rho_j) = rho log(rho / rho_j) + (1 - rho) log((1 - rho) / (1 - rho_j)). rho, `activity`, is the share of
    examples for which a unit shall be on. A batch must be long enough to measure it: at least some 1 / rho examples.
    """

    def __init__(self, n_visible, n_hidden, activity=0.05, weight=1.0, tied=True, visible="gaussian", *, rng=None):
        if not isinstance(activity, numbers.Real) or not 0 < activity < 1:
            raise ValueError(f"SparseAutoencoder: got activity={activity!r}, want a share between 0 and 1")
        at_least_zero("SparseAutoencoder", "weight", weight)
        super().__init__(n_visible, n_hidden, tied, visible, rng=rng)
        self.activity, self.weight = float(activity), float(weight)

    def divergence(self, h):
        """sum_j KL(rho || rho_j), one number.  (B, H) -> ()

        rho_j is kept 1e-6 away from 0 and 1, where the logarithm ends.
        """
        rho, rho_j = self.activity, 1e-6 + (1 - 2e-6) * ops.mean(h, axis=0)
        return ops.sum(rho * (np.log(rho) - ops.log(rho_j)) + (1 - rho) * (np.log(1 - rho) - ops.log(1 - rho_j)))

    def losses(self, x):
        h = self.encode(x)
        return self.error(h, x) + self.weight * self.divergence(h)


class ContractiveAutoencoder(Autoencoder):
    """L = ||x - x'||^2 + weight * ||J||^2,   J = dh/dx (H, V),   ||J||^2 = sum_ij J_ji^2   (Rifai et al. 2011)

    Of a sigmoid J_ji = h_j (1 - h_j) W_ji, so that `contraction` needs no J.
    """

    def __init__(self, n_visible, n_hidden, weight=0.1, tied=True, visible="gaussian", *, rng=None):
        at_least_zero("ContractiveAutoencoder", "weight", weight)
        super().__init__(n_visible, n_hidden, tied, visible, rng=rng)
        self.weight = float(weight)

    def losses(self, x):
        h = self.encode(x)
        return self.error(h, x) + self.weight * self.contraction(h)
