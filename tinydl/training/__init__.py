"""The training loop and what hangs on it.

    trainer.py      Trainer: epochs, batches, backward, step; fit, evaluate, predict
    callbacks.py    ProgressBar, EarlyStopping, Checkpoint, Schedule, AverageWeights, LearningCurve
    checkpoint.py   save and load: one file, written whole or not at all, nothing pickled
    history.py      one row an epoch, as a DataFrame
"""

from .callbacks import AverageWeights, Callback, Checkpoint, EarlyStopping, LearningCurve, ProgressBar, Schedule
from .checkpoint import CheckpointError, load, save
from .history import History
from .trainer import Trainer
