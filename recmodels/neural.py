"""NeuralRecommender: a network from features to a score, trained on batches of (user, item, rating) with Adam.

Network, loss and fitting are three things: a model's file holds the network, which reads like the slide; this file
holds what all of them share.
"""

import itertools
import numbers

import numpy as np

from tinydl import Tensor, no_grad, optim
from tinydl.data import DataLoader
from tinydl.nn import functional as F
from tinydl.training import EarlyStopping, ProgressBar, Schedule, Trainer

from .recommender import Recommender


class NeuralRecommender(Recommender):
    """Base of the models with a network. A subclass builds it in `_network(rng)`; it has

        forward(user, item) -> (B,) outputs        of codes (B,)
        reads(users, items)                        [(embedding, codes that these pairs read, where its fields start or None)]
        decayed_tables()                           the embeddings that weight decay acts on

    The parameters every such model has:
        epochs          how many at most; the learning rate falls to 0 over them along a cosine
        patience        stop after so many epochs without a better validation loss, and take the best (with `valid`)
        batch_size, lr  of Adam
        weight_decay    of the tables whose rows few ratings speak to (`decayed_tables`: embeddings, crossed features), in
                        each step p *= 1 - lr * weight_decay (AdamW); so it acts more in an epoch of smaller batches
        seed            of weights, dropout and the order of batches
        verbose         a line an epoch

    After fit: `network_`, `history_`, `best_epoch_` (what a refit on more data trains for).
    """

    def _keep(self, arguments):
        """Store the constructor's arguments under their names."""
        for name in self._names():
            setattr(self, name, arguments[name])

    def _network(self, rng):
        raise NotImplementedError(f"{type(self).__name__} defines no _network")

    def _loss(self, output, target):
        return F.mse_loss(output, target)

    def _target(self, ratings):
        return ratings

    def _predicted(self, output):
        """What `predict` gives for the network's output."""
        return output

    # ---------------------------------------------------------------- fitting
    def refit(self, data, epochs=None):
        """A new model, trained on all of `data` for the number of epochs that validation chose for this one."""
        self._check_fitted()
        again = self.clone()
        again._stop_after = self.best_epoch_ if epochs is None else epochs
        return again.fit(data)

    def num_parameters(self):
        self._check_fitted()
        return self.network_.num_parameters()

    _stop_after = None

    def _check_parameters(self):
        for name in ("k", "k_attribute", "hidden", "epochs", "patience", "batch_size"):
            value = getattr(self, name, 1)
            for number in value if isinstance(value, (tuple, list)) else [value]:
                if not isinstance(number, numbers.Integral) or number < 1:
                    raise ValueError(f"{type(self).__name__}: got {name}={value!r}, want whole numbers of at least 1")

    def _fit(self, users, items, ratings, valid):
        self._check_parameters()
        rng = np.random.default_rng(self.seed)
        self.network_ = self._network(rng)
        optimizer = optim.AdamW(self._parameter_groups(), lr=self.lr)
        loader = DataLoader((users, items, self._target(ratings)), self.batch_size, shuffle=True, rng=rng)
        stop = self.epochs if self._stop_after is None else self._stop_after
        planned = max(self.epochs, stop)  # past its end the cosine would rise again
        callbacks = [Schedule(optim.CosineAnnealingLR(optimizer, planned))]
        if valid is not None:
            callbacks.append(stopping := EarlyStopping(patience=self.patience))
            valid = DataLoader((*valid[:2], self._target(valid[2])), 16384)
        if self.verbose:
            callbacks.append(ProgressBar(type(self).__name__))
        trainer = Trainer(self.network_, self._loss, optimizer, callbacks)
        self.history_ = trainer.fit(loader, valid, stop)
        self.best_epoch_ = stopping.best_epoch if valid is not None else trainer.epoch
        self._settle_unread(users, items)
        self.network_.eval()

    def _parameter_groups(self):
        """What the network lists in `decayed_tables` decays; layers do not: all ratings speak to them, not a user's few."""
        tables = [table.weight for table in self.network_.decayed_tables()]
        others = [p for p in self.network_.parameters() if not any(p is t for t in tables)]
        groups = [{"params": tables, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def _settle_unread(self, users, items, block=65536):
        """Rows that no training rating read become the mean of those of their field that were: an average user, or job."""
        read = {}
        for start in range(0, len(users), block):
            rows = slice(start, start + block)
            for table, codes, starts in self.network_.reads(users[rows], items[rows]):
                mask, _ = read.setdefault(table, (np.zeros(table.num_embeddings, bool), starts))
                mask[codes] = True
        for table, (mask, starts) in read.items():
            weight = table.weight._writable("settle_unread")
            for first, last in itertools.pairwise(starts or (0, len(weight))):
                known = mask[first:last]
                if known.any():
                    weight[first:last][~known] = weight[first:last][known].mean(axis=0)

    # ---------------------------------------------------------------- scoring
    def _score(self, users, items, batch=16384):
        scores = np.empty(len(users))
        with no_grad():
            for start in range(0, len(users), batch):
                rows = slice(start, start + batch)
                scores[rows] = self._predicted(self.network_(Tensor(users[rows]), Tensor(items[rows]))).numpy()
        return scores

    # ---------------------------------------------------------------- save, load
    def _state(self):
        return {"network": self.network_.state_dict(), "history": self.history_.reset_index().to_dict("list"),
                "best_epoch": self.best_epoch_}

    def _restore(self, state):
        import pandas

        self.network_ = self._network(np.random.default_rng(self.seed))
        self.network_.load_state_dict(state["network"])
        self.network_.eval()
        self.history_ = pandas.DataFrame(state["history"]).set_index("epoch")
        self.best_epoch_ = state["best_epoch"]
