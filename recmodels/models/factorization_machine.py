"""Factorization machines: every pair, and triple, of features has a weight, made of the vectors of its members."""

import numpy as np

from tinydl import nn, ops

from ..explanations import explained, fm_contributions
from ..features import MultiHot, OneHot
from ..fm import fm_catalogue, fm_catalogue_scores, fm_context_candidates, fm_interaction, fm_sums
from ..neural import NeuralRecommender


class InteractionNetwork(nn.Module):
    """h_1 = x'w,   h_2 = x'V * x'V,   h_3 = x'U * x'U * x'U;   a subclass makes y of them in `output`.

    x has a place for every feature of every field; index (B, F) names those that are not zero, values (B, F) what they
    are. form="distinct" takes each pair and triple of different positions once, instead of the slide's full products;
    order=2 has no U and no h_3. Three ways to y, equal to rounding:

        forward(index, values)                                       one example a row                        (B,)
        rank(context_index, candidate_index, context_values, candidate_values)
                                   contexts (B, F_c) with candidates (B, N, F_i); the context's part once    (B, N)
        rank_all(context_index, items, context_values)     items: `item_sums(index, values)` of all I items  (B, I)

    numbers=P gives an example, or each candidate, P more features: real numbers that are seldom 0, which each way takes as
    its last argument, (B, P), (B, N, P) or (B, I, P). Their rows of w, V and U stand apart, so that their part of x'V is a
    matrix product. form="full" only, where the sum is all that an interaction needs of its features.
    """

    def __init__(self, vocabulary, k, order=3, form="full", scale=0.05, padding_idx=None, sparse=False, rng=None, numbers=0):
        fm_interaction(np.zeros((1, 0), np.int64), np.zeros((1, 1)), order=order, form=form)  # refuses other settings
        self.order, self.form, self.padding_idx, self.sparse = order, form, padding_idx, sparse
        self.w = nn.Embedding(vocabulary, 1, padding_idx, sparse=sparse, rng=rng)
        self.V = nn.Embedding(vocabulary, k, padding_idx, sparse=sparse, rng=rng)
        self.U = nn.Embedding(vocabulary, k, padding_idx, sparse=sparse, rng=rng) if order == 3 else None
        nn.init.zeros_(self.w.weight)
        for table in self.factors():
            nn.init.normal_(table.weight, 0, scale, rng=rng)
        if numbers and form != "full":
            raise ValueError(f"{type(self).__name__}: got numbers={numbers} with form={form!r}, want form='full', or no "
                             "numbers")
        tables = (self.w, *self.factors()) if numbers else ()
        self.of_numbers = nn.ModuleList([nn.Linear(numbers, t.embedding_dim, bias=False, rng=rng) for t in tables])
        for rows, std in zip(self.of_numbers, (0.0, scale, scale), strict=False):
            nn.init.normal_(rows.weight, 0, std, rng=rng)

    def factors(self):
        return [self.V] if self.U is None else [self.V, self.U]

    def _linear(self, index, values):
        """x'w: (B, F) -> (B, 1)"""
        return ops.embedding_bag(index, self.w.weight, "sum", values, self.padding_idx, self.sparse)

    def forward(self, index, values=None, numbers=None):
        if self.of_numbers:
            return self._with_numbers(self._sums((len(index),), index, values), numbers)
        h = [fm_interaction(index, table.weight, values, order, self.form, self.padding_idx, self.sparse)
             for order, table in enumerate(self.factors(), start=2)]
        return self.output(self._linear(index, values), *h)

    def rank(self, context_index, candidate_index, context_values=None, candidate_values=None, numbers=None):
        if self.of_numbers:
            contexts = self._sums((len(context_index), 1), context_index, context_values)
            B, N, F = candidate_index.shape
            flat = None if candidate_values is None else np.reshape(candidate_values, (B * N, F))
            items = self._sums((B, N), np.reshape(candidate_index, (B * N, F)), flat)
            return self._with_numbers([c + k for c, k in zip(contexts, items, strict=True)], numbers)
        h = [fm_context_candidates(context_index, candidate_index, table.weight, context_values, candidate_values, order,
                                   self.form, self.padding_idx, self.sparse)
             for order, table in enumerate(self.factors(), start=2)]
        B, N, F = candidate_index.shape
        flat = None if candidate_values is None else np.reshape(candidate_values, (B * N, F))
        linear = self._linear(np.reshape(candidate_index, (B * N, F)), flat).reshape(B, N, 1)
        return self.output(linear + self._linear(context_index, context_values).unsqueeze(1), *h)

    def item_sums(self, index, values=None):
        """[x'w (I, 1), the sums of V (I, T, D), of U]: all that a score needs of the items (I, F_i), or of contexts."""
        return [self._linear(index, values)] + [
            fm_sums(index, table.weight, values, order, self.form, self.padding_idx, self.sparse)
            for order, table in enumerate(self.factors(), start=2)]

    def _sums(self, lead, index, values):
        """[x'w, x'V, x'U] (*lead, 1 or D) of form="full"."""
        return [sums.reshape(*lead, -1) for sums in self.item_sums(index, values)]

    def _with_numbers(self, sums, numbers):
        """y from the `_sums` of the one-hot features and the numbers (..., P)."""
        x = np.reshape(numbers, (-1, numbers.shape[-1]))
        h = [e + rows(x).reshape(*numbers.shape[:-1], -1) for e, rows in zip(sums, self.of_numbers, strict=True)]
        return self.output(h[0], *(e ** order for order, e in enumerate(h[1:], start=2)))

    def rank_all(self, context_index, items, context_values=None, numbers=None):
        if self.of_numbers:
            contexts = self._sums((len(context_index), 1), context_index, context_values)
            return self._with_numbers([c + k.reshape(1, len(k), -1) for c, k in zip(contexts, items, strict=True)], numbers)
        contexts = self.item_sums(context_index, context_values)
        h = [contexts[0].unsqueeze(1) + items[0].unsqueeze(0)]
        for order, (C, K) in enumerate(zip(contexts[1:], items[1:], strict=True), start=2):
            h.append(fm_catalogue(C, K, order, self.form))
        return self.output(*h)

    def output(self, *h):
        raise NotImplementedError(f"{type(self).__name__} defines no output(h_1, h_2, ...)")

    def extra_repr(self):
        return f"order={self.order}, form={self.form!r}"


class FactorizationMachineNetwork(InteractionNetwork):
    """y = sum <u_i, u_j, u_k> x_i x_j x_k + sum <v_i, v_j> x_i x_j + sum w_i x_i + b   (slide "Factorization machine")

    form="full": the sums run over all i, j, k, equal ones included, so y = <x'U, x'U, x'U> + <x'V, x'V> + x'w + b.
    form="distinct": over i<j and i<j<k (Rendle 2010; Blondel et al. 2016). bias=False leaves out b, which the slide has not;
    dropout acts on what the sums over d are of.
    """

    def __init__(self, vocabulary, k, order=3, form="full", bias=True, dropout=0.0, scale=0.05, padding_idx=None,
                 sparse=False, rng=None, numbers=0):
        super().__init__(vocabulary, k, order, form, scale, padding_idx, sparse, rng, numbers)
        self.register_parameter("b", nn.Parameter(np.zeros(()), dtype=self.w.weight.dtype) if bias else None)
        self.dropout = nn.Dropout(dropout, rng=rng)

    def output(self, h_1, *h):
        y = h_1.reshape(h_1.shape[:-1])
        for h_n in h:
            y = y + self.dropout(h_n).sum(dim=-1)
        return y if self.b is None else y + self.b

    def rank_all(self, context_index, items, context_values=None, numbers=None):
        """As everywhere, but the sum over d makes matrix products of it: no (B, I, D) array, and no dropout."""
        if self.of_numbers:
            return super().rank_all(context_index, items, context_values, numbers)
        contexts = self.item_sums(context_index, context_values)
        y = contexts[0] + items[0].reshape(-1)
        for order, (C, K) in enumerate(zip(contexts[1:], items[1:], strict=True), start=2):
            y = y + fm_catalogue_scores(C, K, order, self.form)
        return y if self.b is None else y + self.b


class RatingFMNetwork(nn.Module):
    """y = mu + FM(x), x = [user, item, the user's one-hot attributes, the item's genres];   user, item (B,) -> y (B,)

    A film of n genres has the value 1/n at each (Rendle 2012, libFM), so that its genres weigh as one feature.
    """

    def __init__(self, users, items, k, order, form, dropout, scale, mean, rng):
        sizes = [len(users), len(items), users.vocabulary, items.multihot.shape[1] + 1]
        self.starts = np.cumsum([0, *sizes]).tolist()                       # where each field's features start
        _, item, attributes, genres = self.starts[:4]
        self.fields = sorted({*self.starts, *(attributes + offset for offset in users.offsets)})
        bags = items.bags                                                   # (I, L) genres, 0 = none
        present = (bags > 0).astype(np.float32)
        self.register_buffer("of_user", np.concatenate([np.arange(len(users))[:, None], attributes + users.onehot], axis=1))
        self.register_buffer("of_item", np.concatenate([item + np.arange(len(items))[:, None], genres + bags], axis=1))
        self.register_buffer("x_item", np.concatenate(
            [np.ones((len(items), 1), np.float32), present / np.maximum(present.sum(axis=1, keepdims=True), 1)], axis=1))
        self.fm = FactorizationMachineNetwork(self.starts[-1], k, order, form, True, dropout, scale, rng=rng)
        self.mean = mean

    def forward(self, user, item):
        return self.mean + self.fm(*self.features(user.numpy(), item.numpy()))

    def features(self, u, i):
        """(index (B, F), values (B, F)) of x, for codes (B,)."""
        index = np.concatenate([self.of_user[u], self.of_item[i]], axis=1)
        return index, np.concatenate([np.ones((len(u), self.of_user.shape[1]), self.x_item.dtype), self.x_item[i]], axis=1)

    def reads(self, users, items):
        index = np.concatenate([self.of_user[users], self.of_item[items]], axis=1)
        return [(table, index, self.fields) for table in (self.fm.w, *self.fm.factors())]

    def decayed_tables(self):
        return self.fm.factors()


class FactorizationMachine(NeuralRecommender):
    """A factorization machine on ratings, MSE. order=2, form="distinct": Rendle 2010. order=3, form="full": the slide."""

    user_fields = (OneHot("gender"), OneHot("age"), OneHot("occupation"))
    item_fields = (MultiHot("genres"),)

    def __init__(self, order=2, form="distinct", k=64, dropout=0.0, scale=0.05, epochs=15, patience=3, batch_size=2048,
                 lr=2e-3, weight_decay=0.5, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return RatingFMNetwork(self.users_, self.items_, self.k, self.order, self.form, self.dropout, self.scale,
                               self.mean_, rng)

    def _why(self, users, items):
        index, values = self.network_.features(users, items)
        fields = ["user", *(field.column for field in self.user_fields), "item"]
        fields += ["genres"] * (index.shape[1] - len(fields))
        return explained(fm_contributions(self.network_.fm, fields, index, values), self.mean_)
