"""Biased matrix factorization: a rating is a mean, two biases, and how well two vectors point the same way."""


from tinydl import nn

from ..neural import NeuralRecommender


class BiasedMFNetwork(nn.Module):
    """y = mu + b_u + b_i + <p_u, q_i>;   user, item (B,) -> y (B,)"""

    def __init__(self, n_users, n_items, k, mean, dropout, scale, rng):
        self.b_u, self.b_i = nn.Embedding(n_users, 1, rng=rng), nn.Embedding(n_items, 1, rng=rng)
        self.P, self.Q = nn.Embedding(n_users, k, rng=rng), nn.Embedding(n_items, k, rng=rng)
        self.dropout = nn.Dropout(dropout, rng=rng)
        self.mean = mean
        for table in (self.b_u, self.b_i):
            nn.init.zeros_(table.weight)
        for table in (self.P, self.Q):
            nn.init.normal_(table.weight, 0, scale, rng=rng)

    def forward(self, user, item):
        product = self.dropout(self.P(user) * self.Q(item))
        return self.mean + (self.b_u(user) + self.b_i(item)).reshape(-1) + product.sum(dim=1)

    def reads(self, users, items):
        return [(self.b_u, users, None), (self.P, users, None), (self.b_i, items, None), (self.Q, items, None)]

    def decayed_tables(self):
        return self.P, self.Q


class BiasedMF(NeuralRecommender):
    """y = mu + b_u + b_i + <p_u, q_i>, MSE   (Koren, Bell, Volinsky 2009, equation 4)"""

    def __init__(self, k=64, dropout=0.0, scale=0.05, epochs=15, patience=3, batch_size=2048, lr=2e-3, weight_decay=0.4,
                 seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return BiasedMFNetwork(len(self.users_), len(self.items_), self.k, self.mean_, self.dropout, self.scale, rng)
