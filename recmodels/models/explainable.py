"""NARRE: a rating from what users and items wrote and were told, with attention that says which reviews it is from."""

import numpy as np

from tinydl import nn, no_grad, ops
from tinydl.nn import functional as F

from ..datasets.reviews import Reviews
from ..explanations import Explanation, Read
from ..neural import NeuralRecommender
from ..reviews import ReviewTable, Vocabulary
from .baselines import bias_terms


class NARRENetwork(nn.Module):
    """y = <v_u, X> + <v_i, Y> + <w, (q_u + X) * (p_i + Y)>,   user, item (B,) -> y (B,): what is added to mean and biases

        o_r = sum_w beta_rw E_w                   beta_r = softmax_w s_w        a review is a mean of its words
        Y = W_i sum_r alpha_r o_r                 r over the item's reviews,
            alpha = softmax_r e_r                 e_r = h'ReLU(A o_r + C_{u(r)}): what it says, and who wrote it
        X = W_u sum_r alpha_r o_r                 r over the user's reviews, with a C of the items they are about

    (Chen, Zhang, Liu, Ma 2018, equations 5 to 11, where the reviews are read by a convolution. New here: the attention of
    words, and v_u, v_i: what reviews say for themselves, whoever asks.) The pair's own review is never read.
    """

    def __init__(self, table, vocabulary, n_users, n_items, k, dropout, scale, rng):
        def rows(n, size, std=0.0):
            table = nn.Embedding(n, size, rng=rng)
            nn.init.normal_(table.weight, 0, std, rng=rng)
            return table

        self.table = table
        self.written = table.words > 0
        self.Q, self.P = rows(n_users, k, scale), rows(n_items, k, scale)
        self.E, self.s = rows(vocabulary, k, scale), rows(vocabulary, 1)
        self.W_u, self.W_i = nn.Linear(k, k, bias=False, rng=rng), nn.Linear(k, k, bias=False, rng=rng)
        self.A_u, self.A_i = nn.Linear(k, k, rng=rng), nn.Linear(k, k, rng=rng)
        self.C_u, self.C_i = rows(n_items, k, scale), rows(n_users, k, scale)
        self.h_u, self.h_i = nn.Linear(k, 1, bias=False, rng=rng), nn.Linear(k, 1, bias=False, rng=rng)
        self.v_u, self.v_i, self.w = (nn.Linear(k, 1, bias=False, rng=rng) for _ in range(3))
        self.dropout = nn.Dropout(dropout, rng=rng)

    def documents(self):
        """(o (R + 1, K), beta (R + 1, L), (e of the user's attention (R + 1, 1), of the item's))"""
        words = self.table.words
        beta = ops.masked_softmax(self.s(words).reshape(words.shape), self.written)
        o = ops.embedding_bag(words, self.E.weight, "sum", beta)
        e_u = self.h_u(F.relu(self.A_u(o) + self.C_u(self.table.item)))
        e_i = self.h_i(F.relu(self.A_i(o) + self.C_i(self.table.user)))
        return o, beta, (e_u, e_i)

    def parts(self, user, item, readable=None):
        """{what: (B,) its part of y}, and what was read: [(rows (B, S), alpha (B, S), g (B, K))] of users and of items

        g: a review's vector o counts alpha <g, o> in its side's part. readable: as `ReviewTable.readable` makes it.
        """
        o, _, e = self.documents()
        read, context = [], []
        for (rows, keep), scores in zip(readable or self.table.readable(user, item), e, strict=True):
            alpha = ops.masked_softmax(F.embedding(rows, scores).reshape(rows.shape), keep)
            read.append((rows, alpha))
            context.append(ops.embedding_bag(rows, o, "sum", alpha))               # (B, K)
        X, Y = (self.dropout(W(c)) for W, c in zip((self.W_u, self.W_i), context, strict=True))
        q, p, w = self.Q(user), self.P(item), self.w.weight                         # w (1, K)
        g_u, g_i = self.v_u.weight + w * p, self.v_i.weight + w * (q + X)           # dy/dX without Y's share, dy/dY
        parts = {"taste": (q * p * w).sum(dim=1), "user's reviews": (g_u * X).sum(dim=1),
                 "item's reviews": (g_i * Y).sum(dim=1)}
        back = [ops.matmul(g, W.weight) for g, W in zip((g_u, g_i), (self.W_u, self.W_i), strict=True)]
        return parts, [(*pair, g) for pair, g in zip(read, back, strict=True)]

    def forward(self, user, item):
        parts, _ = self.parts(user.numpy(), item.numpy())
        return sum(parts.values())

    def reads(self, users, items):
        return [(self.Q, users, None), (self.C_i, users, None), (self.P, items, None), (self.C_u, items, None)]

    def decayed_tables(self):
        return self.Q, self.P, self.E, self.C_u, self.C_i


class NARRE(NeuralRecommender):
    """y = mu + b_u + b_i + NARRE's network on Reviews, MSE; biases b_u, b_i in closed form, as of `Biases`.

    A training pair is treated as what it stands for, a pair to come: neither its review nor its rating is known. So while
    the network trains, its biases are those of the other ratings,

        b_i without r_ui = (b_i (n_i + reg_item) - (r_ui - mu - b_u)) / (n_i - 1 + reg_item),   b_u likewise

    Of the reviews count the `vocabulary` most frequent words that `least` of them hold, the `longest` rarest of each, and
    the `most` last reviews of a user or an item.
    """

    def __init__(self, k=16, reg_user=6.0, reg_item=10.0, vocabulary=5000, least=5, longest=60, most=100, dropout=0.2,
                 scale=0.1, epochs=15, patience=3, batch_size=512, lr=3e-3, weight_decay=0.5, seed=0, verbose=False):
        self._keep(locals())

    def fit(self, train, valid=None, **settings):
        if not isinstance(train, Reviews):
            raise TypeError(f"{type(self).__name__}.fit: got train of type {type(train).__name__}, want Reviews: ratings "
                            "with texts, as of load_amazon_reviews()")
        self.texts_, self.stars_ = train.frame["text"].tolist(), train.frame["rating"].to_numpy()
        return super().fit(train, valid, **settings)

    def _remember(self, users, items):
        super()._remember(users, items)
        self.vocabulary_ = Vocabulary.learn(self.texts_, self.vocabulary, self.least)
        self.table_ = ReviewTable.of(self.texts_, users, items, len(self.users_), len(self.items_), self.vocabulary_,
                                     self.longest, self.most)

    def _network(self, rng):
        return NARRENetwork(self.table_, len(self.vocabulary_), len(self.users_), len(self.items_), self.k, self.dropout,
                            self.scale, rng)

    # ---------------------------------------------------------------- biases
    def _fit(self, users, items, ratings, valid, stop_after=None):
        r = ratings.astype(np.float64) - self.mean_
        self.b_u_, self.b_i_ = b_u, b_i = bias_terms(users, items, r, len(self.users_), len(self.items_), self.reg_user,
                                                     self.reg_item)
        others = (_without(b_u, users, r - b_i[items], self.reg_user) + _without(b_i, items, r - b_u[users], self.reg_item))
        if valid is not None:
            valid = (*valid[:2], (valid[2] - self._biases(*valid[:2])).astype(np.float32))
        super()._fit(users, items, (r - others).astype(np.float32), valid, stop_after)

    def _biases(self, users, items):
        return self.mean_ + self.b_u_[users] + self.b_i_[items]

    def _score(self, users, items):
        return self._biases(users, items) + super()._score(users, items)

    # ---------------------------------------------------------------- why
    def codes(self, users, items=None):
        """Codes (n,), (n,) of pairs of ids, or of data, as `predict` takes them."""
        self._check_fitted()
        return self._pairs(users, items)

    def parts(self, users, items, readable=None):
        """What `NARRENetwork.parts` gives for pairs of codes, as arrays."""
        with no_grad():
            parts, read = self.network_.parts(users, items, readable)
        return ({what: part.numpy() for what, part in parts.items()},
                [(rows, alpha.numpy(), g.numpy()) for rows, alpha, g in read])

    def score_without(self, users, items, side, columns):
        """Scores (n,) of pairs of codes, without the review in column (n,) of the side's rows; None: with all."""
        readable = self.table_.readable(users, items)
        if columns is not None:
            readable[("user", "item").index(side)][1][np.arange(len(users)), columns] = False
        parts, _ = self.parts(users, items, readable)
        return self._biases(users, items) + sum(parts.values())

    def explain(self, users, items=None):
        """[Explanation] of pairs of ids, or of data: what was read of the user and of the item, and what came of it."""
        return self._why(*self.codes(users, items))

    def _why(self, users, items):
        parts, read = self.parts(users, items)
        with no_grad():
            beta = self.network_.documents()[1].numpy()
        E, found = self.network_.E.weight.detach().numpy(), []
        for n, (user, item) in enumerate(zip(users, items, strict=True)):
            here = {"mean": self.mean_, "user": float(self.b_u_[user]), "item": float(self.b_i_[item]),
                    **{what: float(part[n]) for what, part in parts.items()}}
            reads = [self._read(side, row, alpha, g[n], E, beta[row]) for side, (rows, alphas, g) in zip(
                ("user", "item"), read, strict=True) for row, alpha in zip(rows[n], alphas[n], strict=True) if alpha > 0]
            found.append(Explanation(self._id(self.users_, user), self._id(self.items_, item), sum(here.values()), here,
                                     tuple(sorted(reads, key=lambda one: -one.attention))))
        return found

    def _read(self, side, row, alpha, g, E, beta):
        """What one review of the table says to a pair, whose side's part is alpha <g, o> of it."""
        codes = self.table_.words[row]
        codes = codes[codes > 0]
        shares = float(alpha) * beta[:len(codes)] * (E[codes] @ g)
        words = {self.vocabulary_.words[code - 1]: (float(b), float(share))
                 for code, b, share in zip(codes, beta, shares, strict=False)}
        return Read(side, self._id(self.users_, self.table_.user[row]), self._id(self.items_, self.table_.item[row]),
                    float(self.stars_[row - 1]), self.texts_[row - 1], float(alpha), float(shares.sum()), words)

    @staticmethod
    def _id(table, code):
        return table.ids[code - 1] if code else None

    # ---------------------------------------------------------------- save, load
    def _store(self):
        return {**super()._store(), "vocabulary": self.vocabulary_.state(), "table": self.table_.state(),
                "texts": self.texts_, "stars": self.stars_}

    def _take_back(self, tree):
        super()._take_back(tree)
        self.vocabulary_, self.table_ = Vocabulary(**tree["vocabulary"]), ReviewTable(**tree["table"])
        self.texts_, self.stars_ = tree["texts"], tree["stars"]

    def _state(self):
        return {**super()._state(), "b_u": self.b_u_, "b_i": self.b_i_}

    def _restore(self, state):
        super()._restore(state)
        self.b_u_, self.b_i_ = state["b_u"], state["b_i"]


def _without(b, codes, rest, reg):
    """(n,) the bias of each rating's user, or item, without that rating, whose share of b is rest / (n_codes + reg)."""
    n = np.bincount(codes)[codes]
    return (b[codes] * (n + reg) - rest) / np.maximum(n - 1 + reg, 1e-9)
