"""Trainer: the loop over epochs and batches, and nothing else. What happens around it is for callbacks.

The test split cannot get here: `fit` knows a training and a validation loader.
"""

import math
import time

import numpy as np

from .. import random
from ..autograd import first_nonfinite
from ..op import no_grad
from ..tensor import from_numpy
from .checkpoint import load, save
from .history import History


class Trainer:
    """Fit a model to batches (inputs..., target): loss(model(*inputs), target), backward, step.

    loss(prediction, target) -> a tensor with one number, the mean over the batch. metrics: {name: function(prediction,
    target) on arrays of the whole validation set}. A loss that is nan or inf stops the training with the name of the
    operation that gave it first.

    A checkpoint holds model, optimizer, callbacks, history, all generators and the place in the epoch, so that `fit`
    with `resume_from` ends with the same bits as a training that was never interrupted.
    """

    def __init__(self, model, loss, optimizer, callbacks=(), metrics=None):
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.callbacks, self.metrics = list(callbacks), dict(metrics or {})
        self.history = History()
        self.epoch, self.batch, self.stop = 0, 0, False  # complete epochs, and batches of the present one
        self._total, self._rows, self._seconds = 0.0, 0, 0.0
        self._order_state = None

    # ---------------------------------------------------------------- the loop
    def fit(self, train_loader, valid_loader=None, epochs=10, resume_from=None):
        """Train until `epochs` epochs are complete, or a callback sets `stop`. Returns the history as a DataFrame.

        resume_from: a checkpoint to go on from; where there is no such file yet, training starts at the beginning.
        """
        self.train_loader, self.valid_loader, self.epochs = train_loader, valid_loader, epochs
        self.stop = False
        if resume_from is not None:
            self._resume(resume_from)
        self._call("on_train_begin")
        while self.epoch < epochs and not self.stop:
            self._train_epoch(train_loader)
            row = {"epoch": self.epoch + 1, "train_loss": self._total / self._rows, "lr": self._lr(),
                   "seconds": self._seconds}
            if valid_loader is not None:
                row.update({f"valid_{name}": value for name, value in self.evaluate(valid_loader).items()})
            self.history.append(row)
            self.epoch, self.batch, self._total, self._rows, self._seconds = self.epoch + 1, 0, 0.0, 0, 0.0
            self._call("on_epoch_end")
        self._call("on_train_end")
        return self.history.frame()

    def _train_epoch(self, loader):
        self.model.train()
        if self.batch == 0:
            self._order_state = loader.rng.bit_generator.state
            batches = loader.epoch()
        else:  # in the middle of an epoch: draw its order again, then go on with today's generators
            now = random.generator().bit_generator.state
            loader.rng.bit_generator.state = self._order_state
            batches = loader.epoch(first=self.batch)
            random.generator().bit_generator.state = now
        self._call("on_epoch_begin")
        started = time.perf_counter()
        for batch in batches:
            self._step(batch)
            self.batch += 1
            self._seconds, started = self._seconds + time.perf_counter() - started, time.perf_counter()
            self._call("on_batch_end")

    def _step(self, batch):
        *inputs, target = batch
        loss = self.loss(self.model(*inputs), target)
        value = loss.item()
        if not math.isfinite(value):
            names = {parameter: name for name, parameter in self.model.named_parameters()}
            raise FloatingPointError(
                f"the loss is {value} in epoch {self.epoch + 1}, batch {self.batch + 1}: {first_nonfinite(loss, names)}; "
                "check the data for nan, lower the learning rate or clip the gradients")
        self.optimizer.zero_grad()
        loss.backward()
        self._call("on_backward_end")
        self.optimizer.step()
        self._total, self._rows = self._total + value * len(target), self._rows + len(target)

    def _call(self, hook):
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    def _lr(self):
        return self.optimizer.param_groups[0]["lr"]

    # ---------------------------------------------------------------- without training
    def predict(self, loader):
        """The model's outputs for all batches of (inputs..., target), in evaluation mode, as one array."""
        training = self.model.training
        self.model.eval()
        with no_grad():
            outputs = [self.model(*batch[:-1])._data for batch in loader]
        self.model.train(training)
        return np.concatenate(outputs)

    def evaluate(self, loader):
        """{"loss": ..., and every metric}, over all of the loader's rows at once. The loader must not shuffle."""
        if loader.shuffle:
            raise ValueError("evaluate: got a loader that shuffles; predictions and targets would not stay in order")
        prediction = self.predict(loader)
        target = np.concatenate([batch[-1]._data for batch in loader])
        with no_grad():
            values = {"loss": float(self.loss(from_numpy(prediction), from_numpy(target)).item())}
        values.update({name: float(metric(prediction, target)) for name, metric in self.metrics.items()})
        return values

    # ---------------------------------------------------------------- checkpoints
    def state_dict(self):
        """Everything that the rest of the training depends on, except the data."""
        loader_rng, default = self.train_loader.rng, random.generator()
        return {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "callbacks": [callback.state_dict() for callback in self.callbacks],
            "history": self.history.rows, "epoch": self.epoch, "batch": self.batch,
            "total": self._total, "rows": self._rows, "seconds": self._seconds, "order_state": self._order_state,
            "loader_rng": None if loader_rng is default else loader_rng.bit_generator.state,
            "default_rng": default.bit_generator.state,
            "module_rngs": [rng.bit_generator.state for rng in self._module_rngs()]}

    def _module_rngs(self):
        """The generators that layers (dropout) keep for themselves."""
        return [m.rng for m in self.model.modules() if isinstance(getattr(m, "rng", None), np.random.Generator)]

    def load_state_dict(self, state):
        if len(state["callbacks"]) != len(self.callbacks):
            raise ValueError(f"Trainer: the checkpoint is of a training with {len(state['callbacks'])} callbacks, this one "
                             f"has {len(self.callbacks)}; build the trainer as it was")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for callback, saved in zip(self.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(saved)
        self.history = History(state["history"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._total, self._rows, self._seconds = state["total"], state["rows"], state["seconds"]
        self._order_state = state["order_state"]
        if state["loader_rng"] is not None:
            self.train_loader.rng.bit_generator.state = state["loader_rng"]
        random.generator().bit_generator.state = state["default_rng"]
        for rng, saved in zip(self._module_rngs(), state["module_rngs"], strict=True):
            rng.bit_generator.state = saved

    def save(self, path):
        """Write a checkpoint, atomically."""
        save(self.state_dict(), path)

    def _resume(self, path):
        try:
            state = load(path)
        except FileNotFoundError:
            return
        self.load_state_dict(state)
