"""Compiled inner loops, each beside its readable NumPy twin: see `registry`."""

from .attention import attend, attend_gradient, queries_of_a_tile, shift_rows
from .convolution import im2col, im2row, row2im
from .elementwise import (add_rows, add_rows_relu, drop_from, dropout, exp_rows, relu, relu_gradient, relu_rows_gradient,
                          tanh_gradient, tanh_rows)
from .recurrence import gru_gradient, gru_step, lstm_gradient, lstm_step
from .normalization import channel_map, channel_moments, channel_sums
from .pooling import max_places, pick_places, put_places, spread_means, window_means
from .registry import Kernel, kernel, numba_enabled, registry, use_numba
from .rows import (check_ids, coalesce, embedding_bag, embedding_bag_gradient, embedding_bag_weight_gradient, first_outside,
                   gather, scatter_add)
from .threads import cuts, side_by_side
from .units import bernoulli
from .updates import adagrad, adagrad_rows, adam, adam_rows, adam_table, rmsprop, sgd, sgd_rows
from .winograd import image_tiles, result_tiles, tile_results
