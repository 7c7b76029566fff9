"""Dropout: a random part of the units is silent at each training step, so that none can rely on another."""

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
