"""Ratings by rows: models that read all that a film (or a user) has, and say what else it would have.

A row is an item and a column a user, or the other way round. Rows are read in batches of (row, column, value) triples, so
that only what is known takes memory: MovieLens 1M as a dense array of five levels would have 112 million places.
"""

import numpy as np

from tinydl import Tensor, no_grad, optim
from tinydl.data import DataLoader, Dataset
from tinydl.nn import functional as F

from .epochs import TrainedInEpochs
from .neural import SettleUnread
from .ragged import places, row_of
from .recommender import Recommender


class RatingRows(Dataset):
    """n values x at (row, column), as rows: a batch is some rows, and of each what is known and what is wanted.

    dataset[b] -> (rows (B,), x (n,), i (n,), j (n,), p (m,), q (m,), target (m,)): x is known at rows i of the batch and
    columns j, the target is wanted at rows p of the batch and columns q; i and p rise. Without `wanted`, what is known is
    wanted too, as in training. The dataset's rows are those in which something is wanted.

    known, wanted: (rows, columns, values), each (n,), in any order; size: how many rows there are.

    >>> data = RatingRows((np.array([0, 2, 2]), np.array([5, 6, 4]), np.array([1.0, 3.0, 2.0])), 3)
    >>> rows, x, i, j, *_ = data[np.array([1, 0])]
    >>> rows, x, i, j
    (array([2, 0]), array([2., 3., 1.]), array([0, 0, 1]), array([4, 6, 5]))
    """

    def __init__(self, known, size, wanted=None):
        self._known = _by_row(known, size)
        self._wanted = self._known if wanted is None else _by_row(wanted, size)
        self.rows = np.flatnonzero(np.diff(self._wanted[0]))

    def __len__(self):
        return len(self.rows)

    def read(self, rows):
        """(x, i, j): what is known of these rows."""
        return _of_rows(self._known, rows)

    def __getitem__(self, places):
        rows = self.rows[places]
        x, i, j = self.read(rows)
        target, p, q = (x, i, j) if self._wanted is self._known else _of_rows(self._wanted, rows)
        return rows, x, i, j, p, q, target


def _by_row(triples, size):
    """(start (size + 1,), columns (n,), values (n,)): row r has those from start[r] to start[r + 1], by rising column."""
    rows, columns, values = triples
    order = np.lexsort((columns, rows))
    return np.append(0, np.cumsum(np.bincount(rows, minlength=size))), columns[order], values[order]


def _of_rows(stored, rows):
    """(values, i, columns) of these rows, one row after the other; i says which of `rows` a value belongs to."""
    start, columns, values = stored
    start, place = places(start, rows)
    return values[place], row_of(start), columns[place]


class RowRecommender(TrainedInEpochs, Recommender):
    """Base of the models that read rows. A subclass builds its network in `_network(rng)`; it has

        forward(*batch of RatingRows but the target)   predictions (m,); in training it may give the loss itself, ()
        encode(x, i, j, size)                          hidden units (size, H) of so many rows
        decode(h, p, q)                                predictions (m,) at rows p of h and columns q
        reads(users, items), decayed_tables()          as in NeuralRecommender

    The parameters every such model has, beside those of `TrainedInEpochs`:
        by              "item": a row is an item and a column a user; "user": the other way round
        hidden          how many hidden units, H
        batch_size      rows of a step
        lr              of Adam
        weight_decay    of the tables, in each step p *= 1 - lr * weight_decay (AdamW)

    After fit: `hidden_` (rows, H), what the network makes of each row's training ratings, which are all that it ever reads.
    A row without any has what the network makes of none; a column without any has the mean of the others' parameters.
    """

    # ---------------------------------------------------------------- for subclasses
    def _prepare(self, users, items, ratings):
        """Learn what is needed before the network is made."""

    def _known(self, users, items, ratings):
        """(n,): what the network reads in place of these ratings."""
        raise NotImplementedError(f"{type(self).__name__} defines no _known")

    def _start(self, rows, columns, x):
        """Give parameters of the new network a start that depends on the ratings."""

    def _base(self, users, items):
        """(n,): what the network's predictions are added to."""
        return np.zeros(len(users), np.float32)

    # ---------------------------------------------------------------- fitting
    def _check_parameters(self):
        if self.by not in ("item", "user"):
            raise ValueError(f"{type(self).__name__}: got by={self.by!r}, want 'item' or 'user': which of the two is a row")
        self._check_whole("hidden", "epochs", "patience", "batch_size")

    def _sides(self, users, items):
        """(rows, columns)"""
        return (items, users) if self.by == "item" else (users, items)

    def _sizes(self):
        """How many rows and columns there are, the unknown ones included."""
        return self._sides(len(self.users_), len(self.items_))

    def _fit(self, users, items, ratings, valid, stop_after=None):
        self._check_parameters()
        self._prepare(users, items, ratings)
        rng, (size, _) = np.random.default_rng(self.seed), self._sizes()
        known = (*self._sides(users, items), self._known(users, items, ratings))
        self.network_ = self._network(rng)
        self._start(*known)
        rows = RatingRows(known, size)
        if valid is not None:
            u, i, r = valid
            valid = DataLoader(RatingRows(known, size, (*self._sides(u, i), r - self._base(u, i))), 512)
        self._train(self.network_, _mse_or_own, self._optimizer(), DataLoader(rows, self.batch_size, shuffle=True, rng=rng),
                    valid, stop_after, [SettleUnread(self.network_, *self._sides(users, items))])
        self.hidden_ = self._hidden(rows, size)

    def _optimizer(self):
        tables = [table.weight for table in self.network_.decayed_tables()]
        others = [p for p in self.network_.parameters() if not any(p is t for t in tables)]
        return optim.AdamW([{"params": tables, "weight_decay": self.weight_decay}, {"params": others}], lr=self.lr,
                           weight_decay=0.0)

    def _hidden(self, dataset, size, block=512):
        with no_grad():
            parts = [self.network_.encode(*dataset.read(rows), len(rows)).numpy()
                     for rows in np.split(np.arange(size), range(block, size, block))]
        return np.concatenate(parts)

    # ---------------------------------------------------------------- scoring
    def _score(self, users, items, block=65536):
        rows, columns = self._sides(users, items)
        scores, h = np.empty(len(users)), Tensor(self.hidden_)
        with no_grad():
            for start in range(0, len(users), block):
                part = slice(start, start + block)
                scores[part] = self.network_.decode(h, rows[part], columns[part]).numpy()
        return scores + self._base(users, items)

    def _state(self):
        return {**super()._state(), "hidden": self.hidden_}

    def _restore(self, state):
        super()._restore(state)
        self.hidden_ = state["hidden"]


def _mse_or_own(output, target):
    """Mean squared error; a network that gives one number in training gives its loss itself."""
    return output if output.ndim == 0 else F.mse_loss(output, target)
