"""Dropout: a random part of the units is silent at each training step, so that none can rely on another."""

from . import functional as F
from .module import Module


class Dropout(Module):
    """y = x * m / (1 - p), each m_i zero with probability p, in training;   y = x in evaluation

    (Srivastava et al. 2014; scaled at training time, "inverted", so that evaluation needs no factor.)
    """

    def __init__(self, p=0.5, rng=None):
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: got p={p}, want a probability in [0, 1]")
        self.p, self.rng = p, rng

    def forward(self, x):
        return F.dropout(x, self.p, self.training, self.rng)

    def extra_repr(self):
        return f"p={self.p}"
