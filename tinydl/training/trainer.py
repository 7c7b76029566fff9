"""Trainer: the loop over epochs and batches, and nothing else. What happens around it is for callbacks.

The test split cannot get here: `fit` knows a training and a validation loader.
"""

import math
import numbers
import time

import numpy as np

from .. import random
from ..autograd import first_nonfinite
from ..data import DataLoader
from ..op import no_grad
from ..tensor import Tensor, from_numpy
from .callbacks import Callback
from .checkpoint import CheckpointError, load, save
from .history import History


def _check_loader(name, loader):
    if not isinstance(loader, DataLoader):
        raise TypeError(f"{name}: got a {type(loader).__name__}, want a DataLoader; wrap the arrays, as "
                        "DataLoader((inputs, target), batch_size=32)")


class Trainer:
    """Fit a model to batches (inputs..., target): loss(model(*inputs), target), backward, step.

    loss(prediction, target) -> a tensor with one number, the mean over the batch. metrics: {name: function(prediction,
    target) on arrays of the whole validation set}. A loss that is nan or inf stops the training with the name of the
    operation that gave it first.

    A checkpoint holds model, optimizer, callbacks, history, all generators and the place in the epoch, so that `fit`
    with `resume_from` ends with the same bits as a training that was never interrupted.
    """

    def __init__(self, model, loss, optimizer, callbacks=(), metrics=None):
        if not callable(loss) or isinstance(loss, type):
            raise TypeError(f"Trainer: got loss={loss!r}, want a function of (prediction, target), as "
                            "nn.functional.mse_loss or nn.MSELoss()")
        several = isinstance(callbacks, (list, tuple))
        for callback in callbacks if several else [callbacks]:
            if not several or not isinstance(callback, Callback):
                raise TypeError(f"Trainer: got {'a callback' if several else 'callbacks'} of type "
                                f"{type(callback).__name__}, want a list of Callback objects, as [EarlyStopping()]; a "
                                "function becomes one as a method, say on_epoch_end, of a subclass of Callback")
        moved = {p for group in optimizer.param_groups for p in group["params"]}
        if not any(p in moved for p in model.parameters()):
            raise ValueError(f"Trainer: got an optimizer that holds none of the parameters of this {type(model).__name__}, "
                             "which would stay as they are; make it of model.parameters(), of this very model")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.callbacks, self.metrics = list(callbacks), dict(metrics or {})
        self.history = History()
        self.epoch, self.batch, self.stop = 0, 0, False  # complete epochs, and batches of the present one
        self._total, self._rows, self._seconds = 0.0, 0, 0.0
        self._order_state = None
        self.train_loader, self.valid_loader, self.epochs = None, None, 0

    # ---------------------------------------------------------------- the loop
    def fit(self, train_loader, valid_loader=None, epochs=10, resume_from=None):
        """Train until `epochs` epochs are complete, or a callback sets `stop`. Returns the history as a DataFrame.

        Called again, it goes on where it stopped. resume_from: a checkpoint to go on from; where there is no such file yet,
        training starts at the beginning.
        """
        if not isinstance(epochs, numbers.Integral) or epochs < 0:
            raise ValueError(f"fit: got epochs={epochs!r}, want a whole number of at least 0")
        for loader in (train_loader, *([] if valid_loader is None else [valid_loader])):
            _check_loader("fit", loader)
        if len(train_loader) == 0:
            raise ValueError(f"fit: {train_loader!r} has no batch; take a smaller batch_size, or drop_last=False")
        self.train_loader, self.valid_loader, self.epochs = train_loader, valid_loader, epochs
        self.stop = False
        if resume_from is not None:
            self._resume(resume_from)
        self._call("on_train_begin")
        while self.epoch < epochs and not self.stop:
            self._train_epoch(train_loader)
            row = {"epoch": self.epoch + 1, "train_loss": self._total / self._rows, "lr": self._lr(),
                   "seconds": self._seconds}
            self._check_parameters()
            if valid_loader is not None:
                row.update({f"valid_{name}": value for name, value in self.evaluate(valid_loader).items()})
                if not math.isfinite(row["valid_loss"]):
                    raise FloatingPointError(
                        f"the validation loss is {row['valid_loss']} after epoch {self.epoch + 1}, though parameters and "
                        "training loss are finite; check the validation data for nan")
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
        else:  # in the middle of an epoch: draw its order again, then go on with today's generator (dropout may share it)
            now = loader.rng.bit_generator.state
            loader.rng.bit_generator.state = self._order_state
            batches = loader.epoch(first=self.batch)
            loader.rng.bit_generator.state = now
        self._call("on_epoch_begin")
        started = time.perf_counter()
        for batch in batches:
            self._step(batch)
            self.batch += 1
            self._seconds, started = self._seconds + time.perf_counter() - started, time.perf_counter()
            self._call("on_batch_end")

    @np.errstate(all="ignore")  # what is not finite stops the training by name; NumPy's warnings would come before it
    def _step(self, batch):
        *inputs, target = batch
        loss = self.loss(self.model(*inputs), target)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            got = f"a tensor of shape {loss.shape}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise TypeError(f"Trainer: the loss gave {got}, want a tensor with one number, the mean over the batch; pass "
                            'reduction="mean" (the default) or return .mean(), without .item()')
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

    def _check_parameters(self):
        for name, parameter in self.model.named_parameters():
            if not np.all(np.isfinite(parameter._data)):
                raise FloatingPointError(
                    f"parameter {name} holds nan or inf at the end of epoch {self.epoch + 1}, though the loss was finite: "
                    "its gradient was not (a square root at 0?); lower the learning rate or clip the gradients")

    def _call(self, hook):
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    def _lr(self):
        return self.optimizer.param_groups[0]["lr"]

    # ---------------------------------------------------------------- without training
    def predict(self, loader):
        """The model's outputs for all batches of (inputs..., target), in evaluation mode, as one array."""
        _check_loader("predict", loader)
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with no_grad():
                return np.concatenate([self.model(*batch[:-1])._data for batch in loader])
        finally:
            for module, training in modes:
                module.training = training

    def evaluate(self, loader):
        """{"loss": ..., and every metric}, over all of the loader's rows at once. The loader must not shuffle."""
        _check_loader("evaluate", loader)
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
        default, own = random.generator(), None if self.train_loader is None else self.train_loader.rng
        return {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "callbacks": [[type(callback).__name__, callback.state_dict()] for callback in self.callbacks],
            "history": History(self.history.rows).rows, "epoch": self.epoch, "batch": self.batch, "stop": self.stop,
            "total": self._total, "rows": self._rows, "seconds": self._seconds, "order_state": self._order_state,
            "batches": None if self.train_loader is None else len(self.train_loader),
            "loader_rng": None if own is None or own is default else own.bit_generator.state,
            "default_rng": default.bit_generator.state,
            "module_rngs": [rng.bit_generator.state for rng in self._module_rngs()]}

    def _module_rngs(self):
        """The generators that layers (dropout) keep for themselves."""
        return [m.rng for m in self.model.modules() if isinstance(getattr(m, "rng", None), np.random.Generator)]

    def load_state_dict(self, state):
        """Go on where `state` was taken. A state that does not fit is an error and changes nothing."""
        before = self.state_dict()
        try:
            self._load(state)
        except BaseException:
            self._load(before)
            raise

    def _load(self, state):
        names, saved = [type(callback).__name__ for callback in self.callbacks], [name for name, _ in state["callbacks"]]
        if names != saved:
            raise ValueError(f"Trainer: the checkpoint is of a training with the callbacks {saved}, this one has {names}; "
                             "build the trainer as it was")
        if state["batch"] and self.train_loader is not None and state["batches"] != len(self.train_loader):
            raise ValueError(f"Trainer: the checkpoint stands in an epoch of {state['batches']} batches, and the loader has "
                             f"{len(self.train_loader)}; pass the same data and batch_size")
        if len(state["module_rngs"]) != len(self._module_rngs()):
            raise ValueError(f"Trainer: {len(state['module_rngs'])} layers of the checkpoint had an rng of their own, here "
                             f"{len(self._module_rngs())} have; build the model as it was")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for callback, (_, inner) in zip(self.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(inner)
        self.history = History(state["history"])
        self.epoch, self.batch, self.stop = state["epoch"], state["batch"], state["stop"]
        self._total, self._rows, self._seconds = state["total"], state["rows"], state["seconds"]
        self._order_state = state["order_state"]
        random.generator().bit_generator.state = state["default_rng"]
        if state["loader_rng"] is not None and self.train_loader is not None:
            self.train_loader.rng.bit_generator.state = state["loader_rng"]
        for rng, inner in zip(self._module_rngs(), state["module_rngs"], strict=True):
            rng.bit_generator.state = inner

    def save(self, path):
        """Write a checkpoint, atomically."""
        save(self.state_dict(), path)

    def _resume(self, path):
        try:
            state = load(path)
        except FileNotFoundError:
            return
        if not isinstance(state, dict) or "callbacks" not in state:
            raise CheckpointError(f"fit: {path} is a file of this library, but not of a training; resume from what "
                                  "Trainer.save or Checkpoint wrote")
        self.load_state_dict(state)
