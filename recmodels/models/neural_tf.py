"""Neural tensor factorization: user x venue x time, one vector each, and layers on what the three have in common."""

import numpy as np

from tinydl import nn, ops
from tinydl.nn import functional as F

from ..fm import fm_catalogue, fm_context_candidates, fm_interaction, fm_sums


class NeuralTFNetwork(nn.Module):
    """A cell (user, time, venue) of a tensor, from e_f = E x_f of its three modes:

        interaction="product"   h = e_1 * e_2 * e_3           as in CP: with w_2'h alone it were sum_d u_d t_d v_d
        interaction="concat"    h = concat(e_1, e_2, e_3)     as in Wu et al. 2018
        h_1 = ReLU(W_1 h + b_1),   y = w_2'h_1 + b_2

    The lecture names neural TF beside neural MF and FM, without a slide of its own: the product is its Neural MF V2 (h_7 =
    h_5 * h_6, then layers) with a third mode, and the pooling of He and Chua's NFM (2017) for triples: a third-order
    interaction of exactly three features. Wu et al. take time's vector from an LSTM over the slots before; here it is
    the slot's own.

    The calls are those of `InteractionNetwork`: forward(index (B, 3)) -> (B,), rank(context_index (B, F_c), candidate_index
    (B, N, F_i)) -> (B, N), and rank_all(context_index, item_sums(item_index (I, F_i))) -> (B, I): F_c = 2 context modes,
    which stand first in index and whose part is computed once, and F_i = 1 item mode. "concat" takes other numbers too.
    """

    def __init__(self, vocabulary, k, hidden=64, interaction="product", context_modes=2, item_modes=1, scale=0.3,
                 sparse=False, rng=None):
        if interaction not in ("product", "concat"):
            raise ValueError(f"NeuralTFNetwork: got interaction={interaction!r}, want 'product' or 'concat'")
        modes = context_modes + item_modes
        if min(context_modes, item_modes) < 1 or interaction == "product" and modes > 3:
            raise ValueError(f"NeuralTFNetwork: got context_modes={context_modes} and item_modes={item_modes}, want at "
                             "least 1 of each, with interaction='product' at most 3 in all")
        self.k, self.interaction, self.context_modes, self.item_modes = k, interaction, context_modes, item_modes
        self.E = nn.Embedding(vocabulary, k, sparse=sparse, rng=rng)
        nn.init.normal_(self.E.weight, 0, scale, rng=rng)  # a product of three: .05 would start it at .0001
        self.W_1 = nn.Linear(k if interaction == "product" else modes * k, hidden, rng=rng)
        self.w_2 = nn.Linear(hidden, 1, rng=rng)
        self._of_e = {"order": modes, "form": "distinct"}  # e_1 e_2 e_3: the one triple that three features have

    def _check(self, what, index, modes):
        if index.shape[-1] != modes:
            raise ValueError(f"NeuralTFNetwork: got {what} of shape {index.shape}, want (..., {modes}): one id a mode "
                             "(categories and other fields are for NeuralFMNetwork)")

    def forward(self, index):
        self._check("index", index, self.context_modes + self.item_modes)
        if self.interaction == "product":
            return self._layers(self.W_1(fm_interaction(index, self.E.weight, sparse=self.E.sparse, **self._of_e)))
        return self._layers(self.W_1(self.E(index).reshape(index.shape[0], -1)))

    def rank(self, context_index, candidate_index):
        self._check("context_index", context_index, self.context_modes)
        self._check("candidate_index", candidate_index, self.item_modes)
        if self.interaction == "product":
            h = fm_context_candidates(context_index, candidate_index, self.E.weight, sparse=self.E.sparse, **self._of_e)
            return self._layers(self.W_1(h.reshape(-1, self.k)), h.shape[:2])
        B, N, _ = candidate_index.shape
        return self._layers(self._of_context(context_index).unsqueeze(1)
                            + self._of_items(np.reshape(candidate_index, (B * N, -1))).reshape(B, N, -1))

    def _of_context(self, index):
        """W_1 h + b_1 of the context's part of h alone: (B, F_c) -> (B, hidden)"""
        e = self.E(index).reshape(index.shape[0], -1)
        return ops.linear(e, self.W_1.weight[:, :e.shape[1]], self.W_1.bias)

    def _of_items(self, index):
        """W_1 h of the item's part of h: (I, F_i) -> (I, hidden)"""
        e = self.E(index).reshape(index.shape[0], -1)
        return ops.linear(e, self.W_1.weight[:, self.W_1.in_features - e.shape[1]:])

    def item_sums(self, index):
        """What `rank_all` needs of the items (I, F_i), once for all contexts."""
        self._check("index", index, self.item_modes)
        return fm_sums(index, self.E.weight, **self._of_e) if self.interaction == "product" else self._of_items(index)

    def rank_all(self, context_index, items):
        self._check("context_index", context_index, self.context_modes)
        if self.interaction == "product":
            h = fm_catalogue(fm_sums(context_index, self.E.weight, **self._of_e), items, **self._of_e)
            return self._layers(self.W_1(h.reshape(-1, self.k)), h.shape[:2])
        return self._layers(self._of_context(context_index).unsqueeze(1) + items.unsqueeze(0))

    def _layers(self, a, lead=None):
        """y from a = W_1 h + b_1 (..., hidden), in the shape `lead` (by default that of a's examples)."""
        lead = a.shape[:-1] if lead is None else lead
        h_1 = F.relu(a).reshape(-1, self.W_1.out_features)
        return self.w_2(h_1).reshape(lead)

    def extra_repr(self):
        return f"interaction={self.interaction!r}, context_modes={self.context_modes}, item_modes={self.item_modes}"
