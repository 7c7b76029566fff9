"""Layers by PyTorch's names: modules in this package, the same as functions in `nn.functional`, starts in `nn.init`.

    module.py, parameter.py     Module, Parameter
    container.py                Sequential, ModuleList, ModuleDict
    linear.py, activation.py    Linear, Bilinear, Identity, Flatten; the nonlinearities
    embedding.py                Embedding, EmbeddingBag
    recurrent.py, recurrent_cell.py, utils/rnn.py   RNN, LSTM, GRU; one step of them; packed sequences
    dropout.py, normalization.py, residual.py, loss.py
"""

from . import functional, init, utils
from .activation import ELU, GELU, LeakyReLU, LogSigmoid, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .container import ModuleDict, ModuleList, Sequential
from .dropout import Dropout
from .embedding import Embedding, EmbeddingBag
from .linear import Bilinear, Flatten, Identity, Linear
from .loss import BCELoss, BCEWithLogitsLoss, BPRLoss, CrossEntropyLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss, NLLLoss
from .module import Module
from .normalization import BatchNorm1d, LayerNorm
from .parameter import Parameter
from .recurrent import GRU, LSTM, RNN
from .recurrent_cell import GRUCell, LSTMCell, RNNCell
from .residual import Residual
