"""The primitives, by chapter. Each is a pure function with its derivative beside it; see `tinydl.op`."""

from .activation import dropout, elu, gelu, leaky_relu, log_softmax, logsigmoid, relu, sigmoid, silu, softmax, softplus, tanh
from .arithmetic import (absolute, add, astype, clip, cos, divide, erf, exp, expm1, log, log1p, maximum, minimum, multiply,
                         negative, power, sin, sqrt, square, subtract, where)
from .attention import attention, attention_weights, masked_softmax
from .self_attention import multihead_self_attention, self_attention
from .convolution import conv1d, conv2d, conv2d_relu, conv_transpose2d
from .convolution_pooling import conv2d_relu_max_pool2d
from .indexing import embedding, embedding_bag, gather, getitem, scatter, take
from .linear_algebra import einsum, linear, linear_relu, matmul
from .loss import (binary_cross_entropy, binary_cross_entropy_with_logits, bpr_loss, cross_entropy, huber_loss, kl_div,
                   l1_loss, mse_loss, nll_loss)
from .normalization import batch_norm
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from .recurrence import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
from .reduction import cumsum, logsumexp, max, mean, min, norm, sum, var
from .shape import (broadcast_to, concatenate, expand_dims, flatten, flip, pad, reshape, split, squeeze, stack, swapaxes,
                    transpose)

from . import methods  # noqa: F401  (binds operators and methods to Tensor)
