"""Wide & Deep: a linear model on crossed features remembers, a deep network on embeddings generalises, trained as one."""

import itertools

import numpy as np

from tinydl import nn
from tinydl.nn import functional as F

from ..features import Dense, MultiHot, OneHot
from ..joined import joined_dropout
from ..kernels import cross_codes
from ..neural import NeuralRecommender


class WideDeepNetwork(nn.Module):
    """y = b + w'[x, phi(x)] + w_L'h_L;   h_0 = [a, e_1, e_2, ...],  h_{n+1} = ReLU(W_n h_n + b_n)

    (Cheng et al. 2016, equation 3, without its sigmoid: ratings are numbers.)

    Wide: x are the one-hot attributes of the user and the genres of the item, phi(x) all products user attribute x genre;
    with IDs also user, item, user x genre and item x user attribute. One weight for each, summed by an embedding bag of
    width 1; code 0 is "no such feature" and has no weight.
    Deep: a are the item's dense features, e_f = E_f x_f the embeddings of the user's attributes, with IDs also of the
    user and the item.

    user, item (B,) -> y (B,)
    """

    def __init__(self, users, items, ids, k, k_attribute, hidden, dropout, scale, mean, rng):
        self.ids, self.mean = ids, mean
        self.fields = users.offsets
        self.register_buffer("c", users.onehot)                            # (U + 1, F) user attributes
        self.register_buffer("g", items.bags)                              # (I + 1, L) genres, 0 = none
        self.register_buffer("a", items.dense)                             # (I + 1, P)
        attributes, genres = users.vocabulary, items.multihot.shape[1] + 1
        sizes = [attributes, genres, attributes * genres]
        if ids:
            sizes += [len(users), len(items), len(users) * genres, len(items) * attributes]
        self.starts = np.cumsum([1, *sizes]).tolist()                      # where each group of weights starts
        self.attributes, self.genres = attributes, genres
        self.wide = nn.EmbeddingBag(self.starts[-1], 1, mode="sum", padding_idx=0, rng=rng)
        nn.init.zeros_(self.wide.weight)
        self.E_c = nn.Embedding(attributes, k_attribute, rng=rng)
        width = users.onehot.shape[1] * k_attribute + items.dense.shape[1]
        if ids:
            self.E_u, self.E_i = nn.Embedding(len(users), k, rng=rng), nn.Embedding(len(items), k, rng=rng)
            width += 2 * k
        for table in [self.E_c] + ([self.E_u, self.E_i] if ids else []):
            nn.init.normal_(table.weight, 0, scale, rng=rng)
        widths = [width, *hidden]
        self.deep = nn.Sequential(*(layer for n, m in itertools.pairwise(widths)
                                    for layer in (nn.Linear(n, m, rng=rng), nn.ReLU(), nn.Dropout(dropout, rng=rng))))
        self.w_L = nn.Linear(widths[-1], 1, rng=rng)
        self.dropout = nn.Dropout(dropout, rng=rng)

    def crosses(self, user, item):
        """The codes (B, L') of the wide part's features that are 1, 0 where there is none."""
        c, g = np.take(self.c, user, axis=0), np.take(self.g, item, axis=0)  # (B, F), (B, L)
        start = self.starts
        none = np.zeros((len(user), 1), np.int64)
        groups = [start[0] + c, cross_codes(none, g, start[1], 0), cross_codes(c, g, start[2], self.genres)]
        if self.ids:
            u, i = user[:, None], item[:, None]
            groups += [start[3] + u, start[4] + i, cross_codes(u, g, start[5], self.genres),
                       start[6] + i * self.attributes + c]
        return np.concatenate(groups, axis=1)

    def forward(self, user, item):
        u, i = user.numpy(), item.numpy()
        wide = self.wide(self.crosses(u, i)).reshape(-1)
        h_0 = [F.embedding(item, self.a), self.E_c(np.take(self.c, u, axis=0)).reshape(len(u), -1)]
        if self.ids:
            h_0 += [self.E_u(user), self.E_i(item)]
        h_L = self.deep(joined_dropout(h_0, self.dropout))
        return self.mean + wide + self.w_L(h_L).reshape(-1)

    def reads(self, users, items):
        ids = [(self.E_u, users, None), (self.E_i, items, None)] if self.ids else []
        return [(self.E_c, self.c[users], self.fields), *ids]

    def decayed_tables(self):
        return (self.wide, self.E_u, self.E_i) if self.ids else (self.wide, self.E_c)


class WideDeep(NeuralRecommender):
    """Wide & Deep on ratings, MSE. ids=False sees attributes only, so that it can say something about a new user or film."""

    user_fields = (OneHot("gender"), OneHot("age"), OneHot("occupation"))
    item_fields = (MultiHot("genres"), Dense("year"))

    def __init__(self, ids=True, k=64, k_attribute=16, hidden=(128, 64), dropout=0.1, scale=0.05, epochs=15, patience=3,
                 batch_size=2048, lr=2e-3, weight_decay=0.7, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return WideDeepNetwork(self.users_, self.items_, self.ids, self.k, self.k_attribute, self.hidden, self.dropout,
                               self.scale, self.mean_, rng)
