"""Compiled inner loops of recommenders, each beside its readable NumPy twin: see `tinydl.kernels.registry`."""

from .crosses import cross_codes
