"""Helpers that are no layers, where PyTorch has them. `clip_grad_norm_` and `clip_grad_value_` are in `tinydl.optim`."""

from . import rnn
