"""Compiled inner loops, each beside its readable NumPy twin: see `registry`."""

from .elementwise import add_rows, dropout_mask, relu, relu_gradient
from .registry import Kernel, kernel, numba_enabled, registry, use_numba
from .rows import (check_ids, coalesce, embedding_bag, embedding_bag_gradient, embedding_bag_weight_gradient, first_outside,
                   gather, scatter_add)
from .updates import adagrad, adagrad_rows, adam, adam_rows, adam_table, rmsprop, sgd, sgd_rows
