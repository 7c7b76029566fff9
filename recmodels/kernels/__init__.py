"""Compiled inner loops of recommenders, each beside its readable NumPy twin: see `tinydl.kernels.registry`."""

from .catalogue import catalogue_loss
from .crosses import cross_codes
from .expectation import expected_metrics
from .fm import fm_catalogue, fm_interactions, fm_interactions_gradient, rows_read
from .graph import neighbour_sum, segment_softmax, segment_softmax_gradient
from .negatives import draw_negatives
from . import neural_fm
from .joined import join_dropout, join_relu, part_dropout_gradient, part_relu_gradient
from .pairs import distinct, pair_product, pair_product_gradient
from .ratings import sampled_matmul, sparse_matmul
from .ranking import first_bad, list_places, rank_counts, top_k
from .visits import visit_counts
