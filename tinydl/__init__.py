"""tinydl: deep learning to read. Tensors with reverse-mode back-propagation, layers, optimizers, training.

    tensor.py, op.py, autograd.py   a tensor, a primitive, the chain rule
    gradcheck.py                    is a gradient right?
    ops/                            the primitives, by chapter
    nn/, optim/, data/, training/   layers, optimizers, batches, the loop
    calibration.py                  does a forecast mean what it says? NLL, CRPS, coverage, calibration error
    unsupervised/                   Boltzmann machines, autoencoders, pre-training
    plotting.py                     learning curves
    kernels/                        compiled inner loops beside their readable twins
    naming.py                       PyTorch's words beside NumPy's, and the answer to names that are not here

>>> import tinydl
>>> x = tinydl.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x * x).sum()
>>> y.backward()
>>> x.grad
tensor([2., 4., 6.])
"""

import importlib

from . import data, naming, nn, ops, optim, training
from ._version import version
from .autograd import grad
from .creation import arange, eye, full, ones, ones_like, rand, randn, tensor, zeros, zeros_like
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .op import enable_grad, is_grad_enabled, no_grad, op
from .ops import einsum, exp, log, matmul, maximum, minimum, sigmoid, tanh, where
from .random import generator, manual_seed
from .row_gradient import RowGradient
from .tensor import Tensor, from_numpy, get_default_dtype, set_default_dtype
from .training.checkpoint import load, save

concatenate, stack, softmax, logsumexp = map(naming.with_dim, (ops.concatenate, ops.stack, ops.softmax, ops.logsumexp))
cat = concatenate

__version__ = version

__all__ = ["GradcheckError", "RowGradient", "Tensor", "arange", "cat", "concatenate", "data", "einsum", "enable_grad",
           "exp", "eye", "from_numpy", "full", "generator", "get_default_dtype", "grad", "gradcheck", "gradgradcheck",
           "is_grad_enabled", "load", "log", "logsumexp", "manual_seed", "matmul", "maximum", "minimum", "nn", "no_grad",
           "ones", "ones_like", "op", "ops", "optim", "rand", "randn", "save", "set_default_dtype", "sigmoid", "softmax",
           "stack", "tanh", "tensor", "training", "unsupervised", "where", "zeros", "zeros_like"]


def __dir__():
    return sorted({*globals(), *__all__})


def __getattr__(name):
    if name == "unsupervised":  # many files, which few programs need: loaded when it is asked for
        return importlib.import_module(f"{__name__}.{name}")
    raise naming.missing(__name__, name, ops, nn, optim, Tensor, naming.np)
