"""Optimizers: from gradients to better parameters. Names, arguments and defaults are PyTorch's.

    optimizer.py     Optimizer: parameter groups, one step, saving     schedule.py   the learning rate over the epochs
    sgd.py           SGD, with momentum or Nesterov's                  clip.py       bounds on the gradient
    adagrad.py, rmsprop.py, adam.py (Adam, AdamW), sparse_adam.py
"""

from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD
from .sparse_adam import SparseAdam

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "SparseAdam"]
