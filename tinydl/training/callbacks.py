"""Callbacks: what happens around the loop. Each is one idea; a training takes a list of them, called in its order."""

import math
import os
import sys

import numpy as np

from .. import plotting


class Callback:
    """The hooks, all doing nothing. `trainer` gives model, optimizer, history, epoch, batch; set `trainer.stop` to end."""

    def on_train_begin(self, trainer):
        pass

    def on_epoch_begin(self, trainer):
        pass

    def on_backward_end(self, trainer):
        pass

    def on_batch_end(self, trainer):
        pass

    def on_epoch_end(self, trainer):
        pass

    def on_train_end(self, trainer):
        pass

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class ProgressBar(Callback):
    """One line an epoch; on a terminal with tqdm installed, a bar over the batches before it."""

    def __init__(self, label="", file=None):
        self.label, self.file, self._bar = label, file, None

    def on_epoch_begin(self, trainer):
        file = self.file or sys.stderr
        if getattr(file, "isatty", bool)():
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self._bar = tqdm(total=len(trainer.train_loader), initial=trainer.batch, leave=False, file=file,
                             desc=f"{self.label} epoch {trainer.epoch + 1}/{trainer.epochs}")

    def on_batch_end(self, trainer):
        if self._bar is not None:
            self._bar.update()

    def on_epoch_end(self, trainer):
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        row = trainer.history.rows[-1]
        values = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "lr", "seconds"))
        print(f"{self.label} epoch {row['epoch']:2d}/{trainer.epochs}  {values}  ({row['seconds']:.1f} s)".lstrip(),
              file=self.file or sys.stderr, flush=True)


class EarlyStopping(Callback):
    """Stop after `patience` epochs without a better `monitor`, and put the best epoch's weights back at the end.

    Better: by more than min_delta, smaller for mode="min", larger for "max".
    """

    def __init__(self, monitor="valid_loss", patience=3, min_delta=0.0, mode="min", restore_best=True):
        if mode not in ("min", "max"):
            raise ValueError(f"EarlyStopping: got mode={mode!r}, want 'min' or 'max'")
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.mode, self.restore_best = mode, restore_best
        self.best, self.best_epoch, self._weights = None, 0, None

    def on_epoch_end(self, trainer):
        row = trainer.history.rows[-1]
        if self.monitor not in row:
            raise KeyError(f"EarlyStopping: no {self.monitor!r} in the history, only {list(row)}; pass a validation loader")
        value = row[self.monitor]
        if math.isnan(value):
            raise FloatingPointError(f"EarlyStopping: {self.monitor} is nan after epoch {trainer.epoch}")
        gain = 0.0 if self.best is None else (self.best - value if self.mode == "min" else value - self.best)
        if self.best is None or gain > self.min_delta:
            self.best, self.best_epoch = value, trainer.epoch
            self._weights = trainer.model.state_dict() if self.restore_best else None
        elif trainer.epoch - self.best_epoch >= self.patience:
            trainer.stop = True

    def on_train_end(self, trainer):
        if self._weights is not None:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self):
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self._weights}

    def load_state_dict(self, state):
        self.best, self.best_epoch, self._weights = state["best"], state["best_epoch"], state["weights"]


class Schedule(Callback):
    """Step a learning-rate schedule of `tinydl.optim` after each epoch, or after each batch.

    monitor: the column that ReduceLROnPlateau looks at.
    """

    def __init__(self, scheduler, every="epoch", monitor=None):
        if every not in ("epoch", "batch"):
            raise ValueError(f"Schedule: got every={every!r}, want 'epoch' or 'batch'")
        self.scheduler, self.every, self.monitor = scheduler, every, monitor

    def on_batch_end(self, trainer):
        if self.every == "batch":
            self.scheduler.step()

    def on_epoch_end(self, trainer):
        if self.every == "epoch":
            self.scheduler.step(*([trainer.history.rows[-1][self.monitor]] if self.monitor else []))

    def state_dict(self):
        return self.scheduler.state_dict()

    def load_state_dict(self, state):
        self.scheduler.load_state_dict(state)


class Checkpoint(Callback):
    """Save the whole training to `path` every so many epochs, and every so many batches if `every_batches` is given.

    Stands last in the list, so that it sees what the others have done. Go on with `trainer.fit(..., resume_from=path)`.
    """

    def __init__(self, path, every=1, every_batches=None):
        self.path, self.every, self.every_batches = os.fspath(path), every, every_batches

    def on_train_begin(self, trainer):
        folder = os.path.dirname(self.path) or "."
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise OSError(f"Checkpoint: cannot make the folder {folder} ({error.strerror}); choose one that is "
                          "writable") from error
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"Checkpoint: the folder {folder} is not writable; choose another")

    def on_batch_end(self, trainer):
        if self.every_batches and trainer.batch % self.every_batches == 0 and trainer.batch < len(trainer.train_loader):
            trainer.save(self.path)

    def on_epoch_end(self, trainer):
        if trainer.epoch % self.every == 0 or trainer.epoch == trainer.epochs or trainer.stop:
            trainer.save(self.path)


class LearningCurve(Callback):
    """Draw the training so far to the picture `path` after each epoch: see `tinydl.plotting.learning_curve`."""

    def __init__(self, path, title=""):
        self.path, self.title = os.fspath(path), title

    def on_train_begin(self, trainer):
        plotting.figure_class()  # where matplotlib is missing, say it now and not after an epoch

    def on_epoch_end(self, trainer):
        plotting.learning_curve(trainer.history.frame(), self.path, title=self.title)


class AverageWeights(Callback):
    """Evaluate and keep a running average of the weights: a = decay a + (1 - decay) w after each batch.

    The average of the last steps of SGD is nearer the optimum than any of them (Polyak and Juditsky 1992). The early
    average follows quickly: decay is min(decay, (1 + t) / (10 + t)) at step t. From the end of an epoch's last batch
    to the next epoch the model holds the average, so that validation and early stopping see it.
    """

    def __init__(self, decay=0.999):
        self.decay, self._average, self._weights, self._steps = decay, None, None, 0

    def _parameters(self, trainer):
        return list(trainer.model.parameters())

    def on_train_begin(self, trainer):
        if self._average is None:
            self._average = [p._data.copy() for p in self._parameters(trainer)]

    def on_epoch_begin(self, trainer):
        if self._weights is not None:
            for p, w in zip(self._parameters(trainer), self._weights, strict=True):
                p._writable("AverageWeights")[...] = w
            self._weights = None

    def on_batch_end(self, trainer):
        self._steps += 1
        decay = min(self.decay, (1 + self._steps) / (10 + self._steps))
        for p, a in zip(self._parameters(trainer), self._average, strict=True):
            a += a.dtype.type(1 - decay) * (p._data - a)
        if trainer.batch == len(trainer.train_loader):
            self._weights = [p._data.copy() for p in self._parameters(trainer)]
            for p, a in zip(self._parameters(trainer), self._average, strict=True):
                p._writable("AverageWeights")[...] = a

    def state_dict(self):
        average = None if self._average is None else [a.copy() for a in self._average]
        return {"average": average, "weights": self._weights, "steps": self._steps}

    def load_state_dict(self, state):
        self._average, self._weights, self._steps = state["average"], state["weights"], state["steps"]
        self._average = None if self._average is None else [np.array(a) for a in self._average]
