"""Optimizers: from gradients to better parameters. Names, arguments and defaults are PyTorch's.

    optimizer.py     Optimizer: parameter groups, one step, saving
    sgd.py           SGD: plain, with momentum, with Nesterov's
    adagrad.py       Adagrad: a learning rate for each number, falling with what it has seen
    rmsprop.py       RMSprop: the same, forgetting
    adam.py          Adam: RMSprop and momentum, without bias; AdamW: weight decay beside it
    sparse_adam.py   SparseAdam: Adam on the rows of a table that were read, the others untouched
    schedule.py      the learning rate as a function of the epoch
    clip.py          bounds on the gradient
"""

from .adagrad import Adagrad
from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .schedule import CosineAnnealingLR, LinearLR, LRScheduler, ReduceLROnPlateau, SequentialLR, StepLR
from .sgd import SGD
from .sparse_adam import SparseAdam

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "CosineAnnealingLR", "LRScheduler", "LinearLR", "Optimizer", "RMSprop",
           "ReduceLROnPlateau", "SequentialLR", "SparseAdam", "StepLR", "clip_grad_norm_", "clip_grad_value_"]
