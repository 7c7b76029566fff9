"""Neural FM: layers on top of a factorization machine's interactions, before they are summed (slide "Neural FM")."""

from tinydl import nn
from tinydl.nn import functional as F

from ..joined import joined_relu
from .factorization_machine import InteractionNetwork


class NeuralFMNetwork(InteractionNetwork):
    """The slide, with h_1 = x'w, h_2 = x'V * x'V, h_3 = x'U * x'U * x'U of the base class:

        h_4 = ReLU(concat(h_1, h_2, h_3))
        h_5 = tanh(W_4 h_4 + b_4)
        y = w_5'h_5 + b_5

    The slide's sigmoid is in the loss and in `predict`. layer_4="fm" is its remark "you can also use FM again": there
    h_5 = tanh(V_4 h_4 * V_4 h_4 + W_4 h_4 + b_4), a factorization machine of h_4 for every unit.

    k numbers a feature in V and in U, `hidden` units in h_5. Calls and their shapes: see `InteractionNetwork`.
    He and Chua 2017 have one interaction layer of order 2, over i<j (order=2, form="distinct"), add x'w at the end instead
    of giving it to the layers, and have no ReLU in front of them. shortcut=True gives h_1 to the layers and adds it at the
    end too, y = w_5'h_5 + b_5 + h_1: past tanh, whose range ends, a number's effect need not. dropout acts on h_4.
    """

    def __init__(self, vocabulary, k, hidden=64, order=3, form="full", layer_4="dense", dropout=0.0, scale=0.05,
                 padding_idx=None, sparse=False, rng=None, numbers=0, shortcut=False):
        if layer_4 not in ("dense", "fm"):
            raise ValueError(f"NeuralFMNetwork: got layer_4={layer_4!r}, want 'dense' or 'fm'")
        super().__init__(vocabulary, k, order, form, scale, padding_idx, sparse, rng, numbers)
        self.shortcut = shortcut
        width = 1 + k * len(self.factors())
        self.W_4, self.w_5 = nn.Linear(width, hidden, rng=rng), nn.Linear(hidden, 1, rng=rng)
        self.V_4 = nn.Linear(width, hidden, bias=False, rng=rng) if layer_4 == "fm" else None
        self.dropout = nn.Dropout(dropout, rng=rng)

    def output(self, *h):
        lead = h[0].shape[:-1]
        h_4 = joined_relu(*h).reshape(-1, self.W_4.in_features)
        h_4 = self.dropout(h_4)
        a = self.W_4(h_4)
        if self.V_4 is not None:
            x_V = self.V_4(h_4)
            a = a + x_V * x_V
        h_5 = F.tanh(a)
        y = self.w_5(h_5).reshape(lead)
        return y + h[0].reshape(lead) if self.shortcut else y
