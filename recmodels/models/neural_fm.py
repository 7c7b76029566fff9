"""Neural FM: layers on top of a factorization machine's interactions, before they are summed (slide "Neural FM")."""

import numpy as np

from tinydl import nn, ops
from tinydl.nn import functional as F

from ..fm import checked_features
from ..joined import joined_relu
from ..neural_fm_pairs import bag_sums, distinct_candidates, neural_fm_scores
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
        # The slide's own form needs no more of a feature than sums: then pairs of contexts and candidates are one operation.
        self.in_pairs = form == "full" and layer_4 == "dense" and dropout < 1

    def forward(self, index, values=None, numbers=None):
        if not self.in_pairs:
            return super().forward(index, values, numbers)
        contexts, nothing = self._bags(index, values), np.zeros((1, self.W_4.in_features), self.w.weight.dtype)
        of = np.zeros((contexts.shape[0], 1), np.int64)
        return self._pairs(contexts, nothing, of, None if numbers is None else np.expand_dims(numbers, 1)).reshape(-1)

    def rank(self, context_index, candidate_index, context_values=None, candidate_values=None, numbers=None):
        if not self.in_pairs:
            return super().rank(context_index, candidate_index, context_values, candidate_values, numbers)
        contexts, w = self._bags(context_index, context_values), self.w.weight
        index, values = checked_features("NeuralFMNetwork.rank", candidate_index, w, candidate_values, self.padding_idx, 3)
        if index.shape[0] != contexts.shape[0]:
            raise ValueError(f"NeuralFMNetwork.rank: got {contexts.shape[0]} contexts and candidates of shape {index.shape} "
                             "(B, N, F), want the same B")
        index, values, of = distinct_candidates(index, values)
        return self._pairs(contexts, self._bags(index, values), of, numbers)

    def item_sums(self, index, values=None):
        return [self._bags(index, values)] if self.in_pairs else super().item_sums(index, values)

    def rank_all(self, context_index, items, context_values=None, numbers=None):
        if not self.in_pairs:
            return super().rank_all(context_index, items, context_values, numbers)
        every = np.arange(items[0].shape[0])[None]
        return self._pairs(self._bags(context_index, context_values), items[0], every, numbers)

    def _bags(self, index, values):
        """[x'w, x'V, x'U] side by side, (B, 1 + k (order - 1))"""
        index, values = checked_features(type(self).__name__, index, self.w.weight, values, self.padding_idx, 2)
        return bag_sums(values, *(table.weight for table in (self.w, *self.factors())), index=index, sparse=self.sparse)

    def _pairs(self, contexts, candidates, of, numbers):
        R = ops.concatenate([rows.weight for rows in self.of_numbers], axis=0) if self.of_numbers else None
        return neural_fm_scores(contexts, candidates, of, self.W_4.weight, self.W_4.bias, self.w_5.weight, self.w_5.bias, R,
                                numbers, k=self.V.embedding_dim, shortcut=self.shortcut, dropout=self.dropout)

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
