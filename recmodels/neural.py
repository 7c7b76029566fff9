"""NeuralRecommender: a network from features to a score, trained on batches of (user, item, rating) with Adam.

Network, loss and fitting are three things: a model's file holds the network, which reads like the slide; this file
holds what all of them share.
"""

import inspect
import itertools
import numbers

import numpy as np

from tinydl import Tensor, no_grad, optim
from tinydl.data import DataLoader
from tinydl.nn import functional as F
from tinydl.training import Callback

from .epochs import TrainedInEpochs
from .recommender import Recommender


class SettleUnread(Callback):
    """After an epoch's last batch, and so before validation: rows of tables that no training pair reads become the mean of
    those of their field that are read. Who has no training rating is an average user, whose job is an average job.

    No step of the training reads these rows, so nothing else changes.
    """

    def __init__(self, network, users, items, block=65536):
        self._read = {}  # table: (which rows are read, where its fields start or None)
        for start in range(0, len(users), block):
            rows = slice(start, start + block)
            for table, codes, starts in network.reads(users[rows], items[rows]):
                mask, _ = self._read.setdefault(table, (np.zeros(table.num_embeddings, bool), starts))
                mask[codes] = True

    def on_batch_end(self, trainer):
        if trainer.batch < len(trainer.train_loader):
            return
        for table, (mask, starts) in self._read.items():
            weight = table.weight._writable("SettleUnread")
            for first, last in itertools.pairwise(starts or (0, len(weight))):
                known = mask[first:last]
                if known.any():
                    weight[first:last][~known] = weight[first:last][known].mean(axis=0)


class NeuralRecommender(TrainedInEpochs, Recommender):
    """Base of the models with a network. A subclass builds it in `_network(rng)`; it has

        forward(user, item) -> (B,) outputs        of codes (B,)
        reads(users, items)                        [(embedding, codes that these pairs read, where its fields start or None)]
        decayed_tables()                           the embeddings that weight decay acts on

    The parameters every such model has, beside those of `TrainedInEpochs`:
        batch_size, lr  of Adam
        weight_decay    of the tables whose rows few ratings speak to (`decayed_tables`: embeddings, crossed features), in
                        each step p *= 1 - lr * weight_decay (AdamW); so it acts more in an epoch of smaller batches
    """

    def _loss(self, output, target):
        return F.mse_loss(output, target)

    def _target(self, ratings):
        return ratings

    def _predicted(self, output):
        """What `predict` gives for the network's output."""
        return output

    # ---------------------------------------------------------------- fitting
    def _check_parameters(self):
        for name, parameter in inspect.signature(type(self)).parameters.items():
            if name in ("k", "k_attribute", "hidden", "epochs", "patience", "batch_size"):
                value, several = getattr(self, name), isinstance(parameter.default, tuple)
                values = value if several else [value]
                if not (isinstance(values, (tuple, list))
                        and all(isinstance(n, numbers.Integral) and n >= 1 for n in values)):
                    want = "a tuple of whole numbers" if several else "a whole number"
                    raise ValueError(f"{type(self).__name__}: got {name}={value!r}, want {want} of at least 1, as in "
                                     f"{name}={parameter.default!r}")

    def _fit(self, users, items, ratings, valid, stop_after=None):
        self._check_parameters()
        rng = np.random.default_rng(self.seed)
        self.network_ = self._network(rng)
        optimizer = optim.AdamW(self._parameter_groups(), lr=self.lr)
        loader = DataLoader((users, items, self._target(ratings)), self.batch_size, shuffle=True, rng=rng)
        if valid is not None:
            valid = DataLoader((*valid[:2], self._target(valid[2])), 16384)
        self._train(self.network_, self._loss, optimizer, loader, valid, stop_after,
                    [SettleUnread(self.network_, users, items)])

    def _parameter_groups(self):
        """What the network lists in `decayed_tables` decays; layers do not: all ratings speak to them, not a user's few."""
        tables = [table.weight for table in self.network_.decayed_tables()]
        others = [p for p in self.network_.parameters() if not any(p is t for t in tables)]
        groups = [{"params": tables, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    # ---------------------------------------------------------------- scoring
    def _score(self, users, items, network=None, batch=16384):
        network, scores = network or self.network_, np.empty(len(users))
        with no_grad():
            for start in range(0, len(users), batch):
                rows = slice(start, start + batch)
                scores[rows] = self._predicted(network(Tensor(users[rows]), Tensor(items[rows]))).numpy()
        return scores
