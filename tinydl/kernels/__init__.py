"""Compiled inner loops, each beside its readable NumPy twin: see `registry`."""

from .registry import Kernel, kernel, numba_enabled, registry, use_numba
from .rows import check_ids, coalesce, embedding_bag, embedding_bag_weight_gradient, first_outside, gather, scatter_add
from .updates import adagrad, adagrad_rows, adam, adam_rows, adam_table, rmsprop, sgd, sgd_rows

__all__ = ["Kernel", "adagrad", "adagrad_rows", "adam", "adam_rows", "adam_table", "check_ids", "coalesce", "embedding_bag",
           "embedding_bag_weight_gradient", "first_outside", "gather", "kernel", "numba_enabled", "registry", "rmsprop",
           "scatter_add", "sgd", "sgd_rows", "use_numba"]
