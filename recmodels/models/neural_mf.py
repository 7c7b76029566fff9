"""Neural MF: one tower of layers for the movie, one for the user, and their product (slides "Neural MF V1" and "V2")."""


import numpy as np

from tinydl import nn
from tinydl.nn import functional as F

from ..features import Dense, MultiHot, OneHot
from ..joined import joined_dropout
from ..neural import NeuralRecommender
from ..pairs import distinct, pair_product


class NeuralMFNetwork(nn.Module):
    """The two towers of the slide, movie and user:

        h_m = ReLU(W_m a + b_m)   a: the movie's dense features      h_u = A_u c   c: the user's one-hot attributes
        e_m = E_m b               b: the movie                       e_u = E_u d   d: the user
        h3 = [h_m, e_m]                                              h4 = [h_u, e_u]
        h5 = ReLU(W3 h3 + b3)                                        h6 = ReLU(W4 h4 + b4)

    V1: y = <h5, h6>.   V2: h7 = h5 * h6;  h8 = ReLU(W7 h7 + b7);  y = w8'h8 + b8.

    user, item (B,) -> y (B,). Options beside the slide: biases adds mu + b_u + b_i, dropout acts on h3 and h4.
    """

    def __init__(self, users, items, version, k, hidden, biases, dropout, scale, mean, rng):
        if version not in (1, 2):
            raise ValueError(f"NeuralMF: got version={version}, want 1 or 2")
        self.register_buffer("a", items.dense)
        self.register_buffer("c", users.onehot)
        self.fields = users.offsets
        self.W_m, self.E_m = nn.Linear(items.dense.shape[1], k, rng=rng), nn.Embedding(len(items), k, rng=rng)
        self.A_u = nn.EmbeddingBag(users.vocabulary, k, mode="sum", rng=rng)
        self.E_u = nn.Embedding(len(users), k, rng=rng)
        self.W_3, self.W_4 = nn.Linear(2 * k, hidden, rng=rng), nn.Linear(2 * k, hidden, rng=rng)
        if version == 2:
            self.W_7, self.w_8 = nn.Linear(hidden, hidden, rng=rng), nn.Linear(hidden, 1, rng=rng)
        if biases:
            self.b_u, self.b_i = nn.Embedding(len(users), 1, rng=rng), nn.Embedding(len(items), 1, rng=rng)
            nn.init.zeros_(self.b_u.weight)
            nn.init.zeros_(self.b_i.weight)
        self.dropout = nn.Dropout(dropout, rng=rng)
        self.version, self.biases, self.mean = version, biases, mean
        for table in (self.E_m, self.E_u, self.A_u):
            nn.init.normal_(table.weight, 0, scale, rng=rng)

    def forward(self, user, item):
        items, of_item = distinct(item, len(self.a))                       # each tower runs once for each of them
        users, of_user = distinct(user, len(self.c))
        a, c = F.embedding(items, self.a), np.take(self.c, users, axis=0)
        h_m, e_m = self._dense(a, self.W_m), self.E_m(items)
        h_u, e_u = self.A_u(c), self.E_u(users)
        h_3 = joined_dropout([h_m, e_m], self.dropout)
        h_4 = joined_dropout([h_u, e_u], self.dropout)
        h_5, h_6 = self._dense(h_3, self.W_3), self._dense(h_4, self.W_4)
        h_7 = pair_product(h_5, h_6, of_item, of_user)                     # h5 * h6 of each pair
        if self.version == 1:
            y = h_7.sum(dim=1)
        else:
            h_8 = self._dense(h_7, self.W_7)
            y = self.w_8(h_8).reshape(-1)
        if self.biases:
            y = self.mean + (self.b_u(user) + self.b_i(item)).reshape(-1) + y
        return y

    @staticmethod
    def _dense(x, W):
        """ReLU(W x + b)"""
        return F.linear_relu(x, W.weight, W.bias)

    def reads(self, users, items):
        ids = [(self.E_u, users, None), (self.E_m, items, None), (self.A_u, self.c[users], self.fields)]
        return ids + ([(self.b_u, users, None), (self.b_i, items, None)] if self.biases else [])

    def decayed_tables(self):
        return self.E_u, self.E_m


class NeuralMF(NeuralRecommender):
    """Neural MF V1 (version=1) or V2 (version=2), MSE. biases=False, dropout=0, weight_decay=0 is the slide's plain form."""

    user_fields = (OneHot("gender"), OneHot("age"), OneHot("occupation"))
    item_fields = (MultiHot("genres"), Dense("year"))

    def __init__(self, version=2, k=64, hidden=128, biases=True, dropout=0.0, scale=0.05, epochs=15, patience=3,
                 batch_size=2048, lr=2e-3, weight_decay=0.6, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return NeuralMFNetwork(self.users_, self.items_, self.version, self.k, self.hidden, self.biases, self.dropout,
                               self.scale, self.mean_, rng)
