"""TrainedInEpochs: what all models with a network share: how it is trained, and what is kept of it."""

import numpy as np

from tinydl import optim
from tinydl.training import EarlyStopping, ProgressBar, Schedule, Trainer


class TrainedInEpochs:
    """Mixin for an Estimator with the parameters

        epochs          how many at most; the learning rate falls to 0 over them along a cosine
        patience        stop after so many epochs without a better validation loss, and take the best (with `valid`)
        seed            of weights, dropout and the order of batches
        verbose         a line an epoch

    that builds its network in `_network(rng)`. After fit: `network_`, `history_`, `best_epoch_`.
    """

    def _network(self, rng):
        raise NotImplementedError(f"{type(self).__name__} defines no _network")

    def _train(self, network, loss, optimizer, loader, valid, stop_after, callbacks=()):
        """Train `network`, which is or holds `network_`: to the best epoch on `valid`, or for `stop_after` epochs."""
        callbacks = [*callbacks, Schedule(optim.CosineAnnealingLR(optimizer, self.epochs))]
        if valid is not None:
            callbacks.append(stopping := EarlyStopping(patience=self.patience))
        if self.verbose:
            callbacks.append(ProgressBar(type(self).__name__))
        trainer = Trainer(network, loss, optimizer, callbacks)
        self.history_ = trainer.fit(loader, valid, self.epochs if stop_after is None else stop_after)
        self.best_epoch_ = stopping.best_epoch if valid is not None else trainer.epoch
        self.network_.eval()

    def _refit_settings(self):
        return {"stop_after": self.best_epoch_}

    def num_parameters(self):
        self._check_fitted()
        return self.network_.num_parameters()

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
