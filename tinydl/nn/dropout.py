"""Dropout: a random part of the units is silent at each training step, so that none can rely on another."""

import numpy as np

from ..random import generator
from . import functional as F
from .module import Module


class Dropout(Module):
    """y = x * m / (1 - p), each m_i zero with probability p, in training;   y = x in evaluation

    (Srivastava et al. 2014; scaled at training time, "inverted", so that evaluation needs no factor.) The mask m is drawn
    anew at each call, from `rng` (a Generator or a seed; by default the library's generator).
    """

    def __init__(self, p=0.5, *, rng=None):
        F.check_probability("Dropout", p)
        self.p, self.rng = p, None if rng is None else generator(rng)

    def forward(self, x):
        return F.dropout(x, self.p, self.training, rng=self.rng)

    def extra_repr(self):
        return f"p={self.p}"


class Dropout2d(Dropout):
    """As Dropout, but each channel of each example is silent as a whole   (Tompson et al. 2015)

    Neighbouring pixels know of each other, so that silencing single ones tells the network little. x (B, C, H, W) or
    (C, H, W).
    """

    def forward(self, x):
        if x.ndim not in (3, 4):
            raise ValueError(f"Dropout2d: got shape {x.shape}, want (B, C, H, W) or (C, H, W)")
        if not self.training or self.p == 0:
            return x
        return x * F.dropout(np.ones((*x.shape[:-2], 1, 1), x.dtype), self.p, rng=self.rng)
