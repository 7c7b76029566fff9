"""Compiled inner loops of recommenders, each beside its readable NumPy twin: see `tinydl.kernels.registry`."""

from .crosses import cross_codes
from .fm import fm_catalogue, fm_interactions, fm_interactions_gradient
from .visits import visit_counts
