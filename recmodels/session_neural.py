"""SessionNetwork and NeuralSessions: what all models of sessions with a network share: batches, the catalogue, the loss.

A batch is B sessions of unequal lengths, one behind the other: items (N,), lengths (B,), N = sum of the lengths. There is no
padding in it. A network reads it and says of every position what it expects next: h (N, D), causal, so that row n depends
on the items up to n of its own session only. One pass so trains on every prefix of a session. A score is

    y_i = <h_n, x_i> + b_i + sum_a r_a [i = i_{n-a}]

x_i = e_i + c_{category of i} is the same by which item i is read, b_i its bias, and r_a what it counts that i was seen a
clicks ago. One table for reading and writing makes x_i most like itself, while hardly anybody clicks twice on the same: r_0,
learned, says so, and r_1, r_2, .. how often people come back (the repeats that RepeatNet, Ren et al. 2019, has a mode for).

The loss is the cross-entropy over the full catalogue (`catalogue_loss.py`); nothing is sampled.
"""

import numpy as np

from tinydl import Tensor, nn, no_grad, ops, optim
from tinydl.data import DataLoader, Dataset
from tinydl.nn import functional as F
from tinydl.nn.parameter import empty
from tinydl.nn.utils.rnn import PackedSequence
from tinydl.op import is_grad_enabled

from .catalogue_loss import catalogue_cross_entropy
from .epochs import TrainedInEpochs
from .ragged import steps
from .session_recommender import CodedSessions, SessionRecommender


# ---------------------------------------------------------------- from rows to steps, to pairs, and back
def packed(x, lengths):
    """(PackedSequence of the rows x (N, D) of sessions of these lengths, order): rows[order] are packed; see `unpacked`."""
    lengths = np.asarray(lengths)
    sessions = np.argsort(-lengths, kind="stable")
    start = np.cumsum(lengths) - lengths
    real = np.arange(lengths.max())[:, None] < lengths[sessions]  # (T, B)
    order = (start[sessions] + np.arange(lengths.max())[:, None])[real]
    return PackedSequence(F.embedding(order, x), real.sum(axis=1)), order


def unpacked(sequence, order):
    """The rows (N, D) of a PackedSequence in the order that `packed` found them in."""
    return F.embedding(np.argsort(order), sequence.data)


def pairs(lengths):
    """(query, key), (P,) each: row query may look at row key, which is of the same session and not later; by query."""
    seen = steps(lengths) + 1  # a row sees those before it, and itself
    query = np.repeat(np.arange(len(seen)), seen)
    return query, query - np.repeat(seen, seen) + 1 + steps(seen)


def seen_before(items, lengths, recent):
    """(N, A) the item a places before each row in its session, a = 0 .. A - 1: 0 is the row's own; -1 where none was."""
    at, a = steps(lengths)[:, None], np.arange(recent)
    return np.where(at >= a, items[np.maximum(np.arange(len(items))[:, None] - a, 0)], -1)


# ---------------------------------------------------------------- the networks' base
class SessionNetwork(nn.Module):
    """Base: the catalogue, x_i, b_i and r_a. A subclass defines forward(items (N,), lengths (B,)) -> h, or has a `reader`,
    a module of (x (N, D), lengths (B,)) -> h.

    category (I,): codes of the items' categories, or None: then x_i = e_i. Items of one category, of which a rare one is
    little known by itself, so begin alike. recent: A. E (I, D), C (categories, D), b (I,), r (A,); h (N, D).
    """

    def __init__(self, n_items, category, recent, k, rng):
        self.E, self.category = nn.Embedding(n_items, k, rng=rng), category
        self.C = None if category is None else nn.Embedding(int(category.max()) + 1, k, rng=rng)
        for table in (self.E,) if category is None else (self.E, self.C):
            nn.init.normal_(table.weight, 0.0, 0.05, rng=rng)
        self.b, self.r = nn.init.zeros_(empty(n_items)), nn.init.zeros_(empty(recent))

    def forward(self, items, lengths):
        return self.reader(self.read(items), lengths.numpy())

    def catalogue(self):
        """x (I, D) of all items."""
        return self.E.weight if self.category is None else self.E.weight + self.C(self.category)

    def read(self, items):
        """x (N, D) of the items (N,)."""
        return self.E(items) if self.category is None else self.E(items) + self.C(self.category[items.numpy()])

    def rank_all(self, items, lengths):
        """y (B, I) of every item after the last one of each session."""
        ends = np.cumsum(lengths.numpy())
        y = self(items, lengths)[ends - 1] @ self.catalogue().T + self.b
        before = seen_before(items.numpy(), lengths.numpy(), self.r.shape[0])[ends - 1]
        row, a = np.nonzero(before >= 0)
        return y + ops.scatter(self.r[a], index=(row, before[row, a]), shape=y.shape)


class SessionBatches(Dataset):
    """dataset[rows] -> items (N,), lengths (B,) of these sessions without their last item; target (N, 1 + A), the next item
    and those of `seen_before`: see `catalogue_cross_entropy`."""

    def __init__(self, sessions, longest, recent):
        sessions, self.recent = sessions.last(longest + 1), recent
        self.sessions = sessions.take(np.flatnonzero(sessions.lengths > 1))

    def __len__(self):
        return len(self.sessions)

    def __getitem__(self, rows):
        rows = np.arange(len(self))[rows]
        some = self.sessions.take(rows)
        last, first = some.ago == 0, np.zeros(len(some.items), bool)
        first[some.start[:-1]] = True
        items, lengths = some.items[~last], some.lengths - 1
        return items, lengths, np.column_stack([some.items[~first], seen_before(items, lengths, self.recent)])


class NeuralSessions(TrainedInEpochs, SessionRecommender):
    """Base of the models of sessions with a network. The parameters that every such model has:

        k               numbers of an item's embedding, and of what is expected next
        dropout         of the network's inputs and layers, in training
        smoothing       of labels: see `catalogue_cross_entropy`
        categories      whether the network is told the items' categories
        recent          A, how many clicks back the score knows of a repeat; 0: it does not
        longest         only the last so many items of a session are read
        epochs, patience, batch_size (sessions), lr, seed, verbose     as in `TrainedInEpochs`, of AdamW
        weight_decay    of the items' own embeddings E

    With `valid` the loss on all prefixes of its sessions chooses the epoch. After fit: `network_`, `history_`,
    `best_epoch_`.
    """

    def __init__(self, k=100, dropout=0.3, smoothing=0.1, categories=True, recent=10, longest=30, epochs=6,
                 patience=2, batch_size=128, lr=8e-3, weight_decay=0.0, seed=0, verbose=False):
        self._keep(locals())

    def _check_parameters(self):
        self._check_whole("k", "longest", "epochs", "patience", "batch_size")
        self._check_whole("recent", least=0)
        for parameter in ("dropout", "smoothing"):
            if not 0 <= getattr(self, parameter) < 1:
                raise ValueError(f"{type(self).__name__}: got {parameter}={getattr(self, parameter)!r}, want a part from 0 "
                                 "to below 1")

    def _fit(self, train, valid, stop_after=None):
        self._check_parameters()
        rng = np.random.default_rng(self.seed)
        self.network_ = self._network(rng)
        loader = DataLoader(SessionBatches(train, self.longest, self.recent), self.batch_size, shuffle=True, rng=rng)
        if valid is not None:
            valid = DataLoader(SessionBatches(valid, self.longest, self.recent), 1024)
        optimizer = optim.AdamW(self._parameter_groups(), lr=self.lr)
        self._train(self.network_, self._loss, optimizer, loader, valid, stop_after)

    def _parameter_groups(self):
        table = self.network_.E.weight
        others = [p for p in self.network_.parameters() if p is not table]
        return [{"params": [table], "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]

    def _loss(self, h, target):
        network = self.network_
        smoothing = self.smoothing if is_grad_enabled() else 0.0  # validation asks for the loss itself
        return catalogue_cross_entropy(h, network.catalogue(), network.b, network.r, target, smoothing)

    def _catalogue(self):
        """(I, category, A) as a SessionNetwork takes them."""
        return len(self.items_), self.category_ if self.categories else None, self.recent

    def _scores(self, sessions):
        sessions = CodedSessions(*sessions).last(self.longest)
        with no_grad():
            return self.network_.rank_all(Tensor(sessions.items), Tensor(sessions.lengths)).numpy()
