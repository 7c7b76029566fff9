"""The deep regression model: does the user like the film? A network on attributes with a sigmoid at its end."""

import itertools

from tinydl import nn
from tinydl.nn import functional as F

from ..features import Dense, MultiHot, OneHot
from ..joined import joined_dropout
from ..neural import NeuralRecommender


class DeepRegressionNetwork(nn.Module):
    """The slide, for the film's dense features a and the user's categories b (gender), c (age group), d (occupation):

        h1 = ReLU(W1 a + b1);   e2 = E2 b,  e3 = E3 c,  e4 = E4 d;   h5 = [h1, e2, e3, e4]
        h6 = tanh(W5 h5 + b5);   y = sigmoid(w6'h6 + b6)

    user, item (B,) -> the logit w6'h6 + b6 (B,): the sigmoid is in the loss (exact) and in `predict`.
    """

    def __init__(self, users, items, k, hidden, dropout, rng):
        self.register_buffer("a", items.dense)
        self.register_buffer("bcd", users.onehot)
        b, c, d = (stop - start for start, stop in itertools.pairwise(users.offsets))
        self.fields = users.offsets
        self.W_1 = nn.Linear(items.dense.shape[1], k, rng=rng)
        self.E_2, self.E_3, self.E_4 = nn.Embedding(b, k, rng=rng), nn.Embedding(c, k, rng=rng), nn.Embedding(d, k, rng=rng)
        self.W_5, self.w_6 = nn.Linear(4 * k, hidden, rng=rng), nn.Linear(hidden, 1, rng=rng)
        self.dropout = nn.Dropout(dropout, rng=rng)
        for table in (self.E_2, self.E_3, self.E_4):
            nn.init.normal_(table.weight, 0, 0.1, rng=rng)

    def forward(self, user, item):
        b, c, d = self.categories(user.numpy())
        h_1 = F.linear_relu(F.embedding(item, self.a), self.W_1.weight, self.W_1.bias)
        e_2, e_3, e_4 = self.E_2(b), self.E_3(c), self.E_4(d)
        h_5 = joined_dropout([h_1, e_2, e_3, e_4], self.dropout)
        h_6 = F.tanh(self.W_5(h_5))
        return self.w_6(h_6).reshape(-1)

    def categories(self, users):
        """b, c, d: each of its own vocabulary."""
        return [self.bcd[users, f] - start for f, start in enumerate(self.fields[:3])]

    def reads(self, users, items):
        return [(E, codes, None) for E, codes in zip((self.E_2, self.E_3, self.E_4), self.categories(users), strict=True)]

    def decayed_tables(self):
        return self.E_2, self.E_3, self.E_4


class DeepRegression(NeuralRecommender):
    """P(like) from attributes, binary cross-entropy; "like" is a rating of at least `threshold`."""

    user_fields = (OneHot("gender"), OneHot("age"), OneHot("occupation"))
    item_fields = (MultiHot("genres"), Dense("year"))
    output = "probability"

    def __init__(self, threshold=4.0, k=32, hidden=64, dropout=0.0, epochs=10, patience=3, batch_size=2048, lr=1e-3,
                 weight_decay=0.0, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        return DeepRegressionNetwork(self.users_, self.items_, self.k, self.hidden, self.dropout, rng)

    def _target(self, ratings):
        return (ratings >= self.threshold).astype(ratings.dtype)

    def _loss(self, output, target):
        return F.binary_cross_entropy_with_logits(output, target)

    def _predicted(self, output):
        return F.sigmoid(output)
