"""Layers by PyTorch's names: modules in this package, the same as functions in `nn.functional`, starts in `nn.init`.

    module.py, parameter.py     Module, Parameter
    container.py                Sequential, ModuleList, ModuleDict
    linear.py, activation.py    Linear, Bilinear, Identity, Flatten; the nonlinearities
    convolution.py, pooling.py  Conv1d, Conv2d, ConvTranspose2d; MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, the same in 1d
    embedding.py                Embedding, EmbeddingBag
    dropout.py, normalization.py, loss.py
    bayesian.py                 BayesianLinear, BayesianEmbedding, their priors; sampling, predictive_draws (MC dropout too)
    recurrent.py, recurrent_cell.py, utils/rnn.py   RNN, LSTM, GRU; one step of them; packed sequences
    attention.py                MultiheadAttention, TransformerEncoderLayer, TransformerEncoder, PositionalEncoding
    residual.py                 Residual, ResidualBlock, ResNet
"""

from .. import naming
from . import functional, init, utils
from .activation import ELU, GELU, LeakyReLU, LogSigmoid, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .attention import MultiheadAttention, PositionalEncoding, TransformerEncoder, TransformerEncoderLayer
from .bayesian import (BayesianEmbedding, BayesianLinear, GaussianPrior, ScaleMixturePrior, kl_divergence, posterior_draw,
                       predictive_draws, sampling, variational_loss)
from .container import ModuleDict, ModuleList, Sequential
from .convolution import Conv1d, Conv2d, ConvTranspose2d
from .dropout import Dropout, Dropout2d
from .embedding import Embedding, EmbeddingBag
from .linear import Bilinear, Flatten, Identity, Linear
from .loss import BCELoss, BCEWithLogitsLoss, BPRLoss, CrossEntropyLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss, NLLLoss
from .module import Module
from .normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from .parameter import Parameter
from .pooling import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from .recurrent import GRU, LSTM, RNN
from .recurrent_cell import GRUCell, LSTMCell, RNNCell
from .residual import Residual, ResidualBlock, ResNet


def __getattr__(name):
    raise naming.missing(__name__, name, functional)
