"""What can be written on a tensor: its operators, PyTorch's methods, and NumPy's functions, bound in three tables.

`t.sum(dim=0)` follows PyTorch's names, `np.sum(t, axis=0)` NumPy's; both run the same primitive.
"""

import collections

import numpy as np

from .. import autograd, naming
from ..op import explain, is_grad_enabled
from ..tensor import Tensor
from . import activation, arithmetic, indexing, linear_algebra, reduction, shape
from .shape import broadcast_to, reshape

Extreme = collections.namedtuple("Extreme", "values indices")


def _array(x):
    return x._data if isinstance(x, Tensor) else x


def _untracked(function):
    """A NumPy function whose result has no gradient (comparisons, argmax, isnan): tensors in, tensor out."""
    def apply(*args, **kwargs):
        try:
            return Tensor._of(np.asarray(function(*map(_array, args), **kwargs)))
        except (ValueError, IndexError) as error:
            explain(error, function.__name__, args)
            raise
    return apply


# ------------------------------------------------------------------------------------------------ operators
def _reflected(function):
    return lambda self, other: function(other, self)


_BINARY = {"add": arithmetic.add, "sub": arithmetic.subtract, "mul": arithmetic.multiply,
           "truediv": arithmetic.divide, "pow": arithmetic.power, "matmul": linear_algebra.matmul}
_COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
            "ge": np.greater_equal, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
            "floordiv": np.floor_divide, "mod": np.remainder}

for _name, _function in _BINARY.items():
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", _reflected(_function))
for _name, _function in _COMPARE.items():
    setattr(Tensor, f"__{_name}__", _untracked(_function))
for _name in ("and", "or", "xor", "floordiv", "mod"):
    setattr(Tensor, f"__r{_name}__", _reflected(_untracked(_COMPARE[_name])))
Tensor.__neg__ = arithmetic.negative
Tensor.__pos__ = lambda self: self
Tensor.__abs__ = arithmetic.absolute
Tensor.__invert__ = _untracked(np.invert)
Tensor.__getitem__ = indexing.getitem


def _check_in_place(self, other, how):
    if is_grad_enabled() and (self.requires_grad or isinstance(other, Tensor) and other.requires_grad):
        raise RuntimeError(f"{how}: a tensor of a graph cannot be changed in place; write x = x ... for a new one, or wrap "
                           "the update in tinydl.no_grad()")


def _in_place(symbol, function):
    def update(self, other):
        _check_in_place(self, other, symbol)
        function(self._data, _array(other), out=self._writable(symbol), casting="same_kind")
        return self
    return update


def _setitem(self, index, value):
    """x[index] = value, in place: outside graphs only."""
    _check_in_place(self, value, "x[...] = ")
    self._writable("x[...] = ")[indexing._plain(index)] = _array(value)


for _name, _symbol, _function in (("iadd", "+=", np.add), ("isub", "-=", np.subtract), ("imul", "*=", np.multiply),
                                  ("itruediv", "/=", np.divide)):
    setattr(Tensor, f"__{_name}__", _in_place(_symbol, _function))
Tensor.__setitem__ = _setitem


# ------------------------------------------------------------------------------------------------ PyTorch's methods
def _dims(dims):
    """(2, 3) and ((2, 3),) both as (2, 3)."""
    return tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims


def _extreme(everything, argument):
    def method(self, dim=None, keepdim=False):
        if dim is None:
            return everything(self)
        indices = np.expand_dims(_untracked(argument)(self, axis=dim)._data, dim)
        values = indexing.gather(self, dim % self.ndim, indices)
        if not keepdim:
            values, indices = shape.squeeze(values, axis=dim), np.squeeze(indices, dim)
        return Extreme(values, Tensor._of(indices))
    return method


def _reducer(function):
    return lambda self, dim=None, keepdim=False: function(
        self, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim)


def _transpose(self, dim0, dim1):
    return shape.swapaxes(self, axis1=dim0, axis2=dim1)


def _expand(self, *sizes):
    sizes = _dims(sizes)
    return shape.broadcast_to(self, shape=tuple(
        self.shape[i - len(sizes)] if n == -1 else n for i, n in enumerate(sizes)))


def _clone(self):
    return arithmetic.multiply(self, 1)


def _var(self, dim=None, correction=1, keepdim=False):
    return reduction.var(self, axis=tuple(dim) if isinstance(dim, list) else dim, correction=correction, keepdims=keepdim)


def _to(self, dtype):
    dtype = naming.dtype_or_cpu("Tensor", dtype)
    return self if dtype is None or self.dtype == dtype else arithmetic.astype(self, dtype=dtype)


_METHODS = {
    "add": arithmetic.add, "sub": arithmetic.subtract, "mul": arithmetic.multiply, "div": arithmetic.divide,
    "pow": arithmetic.power, "neg": arithmetic.negative, "exp": arithmetic.exp, "expm1": arithmetic.expm1,
    "log": arithmetic.log, "log1p": arithmetic.log1p, "sqrt": arithmetic.sqrt, "square": arithmetic.square,
    "sin": arithmetic.sin, "cos": arithmetic.cos, "erf": arithmetic.erf,
    "abs": arithmetic.absolute, "maximum": arithmetic.maximum, "minimum": arithmetic.minimum,
    "where": lambda self, condition, other: arithmetic.where(condition, self, other),
    "clamp": lambda self, min=None, max=None: arithmetic.clip(self, min, max),
    "clip": lambda self, min=None, max=None: arithmetic.clip(self, min, max),
    "to": _to, "float": lambda self: _to(self, np.float32), "double": lambda self: _to(self, np.float64),
    "long": lambda self: _to(self, np.int64), "clone": _clone, "norm": reduction.norm,
    "sum": _reducer(reduction.sum), "mean": _reducer(reduction.mean), "var": _var,
    "std": lambda self, dim=None, correction=1, keepdim=False: arithmetic.sqrt(_var(self, dim, correction, keepdim)),
    "max": _extreme(reduction.max, np.argmax), "min": _extreme(reduction.min, np.argmin),
    "amax": _reducer(reduction.max), "amin": _reducer(reduction.min), "logsumexp": _reducer(reduction.logsumexp),
    "cumsum": lambda self, dim: reduction.cumsum(self, axis=dim),
    "argmax": lambda self, dim=None: _untracked(np.argmax)(self, axis=dim),
    "argmin": lambda self, dim=None: _untracked(np.argmin)(self, axis=dim),
    "any": lambda self: _untracked(np.any)(self), "all": lambda self: _untracked(np.all)(self),
    "isnan": _untracked(np.isnan), "isfinite": _untracked(np.isfinite),
    "matmul": linear_algebra.matmul, "mm": linear_algebra.matmul, "bmm": linear_algebra.matmul,
    "reshape": lambda self, *sizes: shape.reshape(self, shape=_dims(sizes)),
    "view": lambda self, *sizes: shape.reshape(self, shape=_dims(sizes)),
    "permute": lambda self, *dims: shape.transpose(self, axes=_dims(dims)),
    "transpose": _transpose, "t": lambda self: shape.transpose(self), "expand": _expand,
    "squeeze": lambda self, dim=None: shape.squeeze(self, axis=dim),
    "unsqueeze": lambda self, dim: shape.expand_dims(self, axis=dim),
    "flatten": lambda self, start_dim=0, end_dim=-1: shape.flatten(self, start_dim, end_dim),
    "flip": lambda self, *dims: shape.flip(self, axis=_dims(dims)),
    "split": lambda self, split_size, dim=0: shape.split(self, split_size, dim),
    "gather": lambda self, dim, index: indexing.gather(self, dim, index),
    "index_select": lambda self, dim, index: indexing.take(self, indices=indexing._plain(index), axis=dim),
    "sigmoid": activation.sigmoid, "tanh": activation.tanh, "relu": activation.relu,
    "softmax": lambda self, dim: activation.softmax(self, axis=dim),
    "log_softmax": lambda self, dim: activation.log_softmax(self, axis=dim),
    "backward": autograd.backward,
}
for _name, _function in _METHODS.items():
    _ours = _function.__module__ == __name__  # not an operation, which keeps its own name
    setattr(Tensor, _name, naming.method(_name, _function) if _ours else _function)
Tensor.T = property(lambda self: shape.transpose(self))

_NOT_HERE = {
    "cuda": naming.ON_THE_CPU, "cpu": naming.ON_THE_CPU, "device": naming.ON_THE_CPU,
    "contiguous": "nothing here asks for an order in memory; leave it out",
    "view_as": "write x.reshape(other.shape)", "expand_as": "write x.expand(other.shape)",
    "masked_fill": "write tinydl.where(mask, value, x)", "repeat": "write x.expand(...), or tinydl.cat([x, x], dim)",
    "chunk": "write x.split(size, dim)", "topk": "write np.argsort(x)", "sort": "write np.argsort(x)",
    "int": "write x.long()",
    "add_": "write x += y, within tinydl.no_grad()", "sub_": "write x -= y, within tinydl.no_grad()",
}
for _name, _advice in _NOT_HERE.items():
    setattr(Tensor, _name, naming.NotHere(_name, _advice))


# ------------------------------------------------------------------------------------------------ NumPy's protocols
_UFUNCS = {np.add: arithmetic.add, np.subtract: arithmetic.subtract, np.multiply: arithmetic.multiply,
           np.divide: arithmetic.divide, np.negative: arithmetic.negative, np.power: arithmetic.power,
           np.square: arithmetic.square, np.exp: arithmetic.exp, np.expm1: arithmetic.expm1, np.log: arithmetic.log,
           np.log1p: arithmetic.log1p, np.sqrt: arithmetic.sqrt, np.sin: arithmetic.sin, np.cos: arithmetic.cos,
           np.absolute: arithmetic.absolute, np.maximum: arithmetic.maximum, np.minimum: arithmetic.minimum,
           np.tanh: activation.tanh, np.matmul: linear_algebra.matmul}
_UNTRACKED_UFUNCS = {np.sign, np.isnan, np.isfinite, np.isinf, np.floor, np.ceil, np.rint, np.logical_and, np.logical_or,
                     np.logical_not, *_COMPARE.values(), np.invert}


def _array_ufunc(self, ufunc, method, *inputs, **options):
    if method == "__call__" and not options:
        if ufunc in _UFUNCS:
            return _UFUNCS[ufunc](*inputs)
        if ufunc in _UNTRACKED_UFUNCS:
            return _untracked(ufunc)(*inputs)
    what = f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else "")
    raise TypeError(f"{what} with {sorted(options) or 'these arguments'} is not a differentiable operation here; use the "
                    "functions of tinydl.ops, or .detach().numpy() where no gradient is needed")


def _numpy_var(x, axis=None, ddof=0, keepdims=False):
    return reduction.var(x, axis=axis, correction=ddof, keepdims=keepdims)


def _numpy_std(x, axis=None, ddof=0, keepdims=False):
    return arithmetic.sqrt(_numpy_var(x, axis, ddof, keepdims))


def _numpy_reshape(x, shape):
    return reshape(x, shape=shape)


def _numpy_broadcast_to(x, shape):
    return broadcast_to(x, shape=shape)


def _numpy_take_along_axis(x, indices, axis=-1):
    """gather, but the other axes of the indices broadcast against x's."""
    axis, indices = axis % x.ndim, indexing._plain(indices)
    sizes = tuple(indices.shape[i] if i == axis else n for i, n in enumerate(x.shape))
    return indexing.gather(x, axis, np.broadcast_to(indices, sizes))


def _numpy_pad(x, pad_width, mode="constant", constant_values=0):
    if mode != "constant":
        raise TypeError(f"np.pad: mode {mode!r} is not differentiable here, only 'constant'")
    return shape.pad(x, pad_width=tuple(map(tuple, np.broadcast_to(pad_width, (x.ndim, 2)).tolist())),
                     value=constant_values)


_FUNCTIONS = {
    np.sum: lambda x, axis=None, keepdims=False: reduction.sum(x, axis=axis, keepdims=keepdims),
    np.mean: lambda x, axis=None, keepdims=False: reduction.mean(x, axis=axis, keepdims=keepdims),
    np.var: _numpy_var, np.std: _numpy_std,
    np.max: lambda x, axis=None, keepdims=False: reduction.max(x, axis=axis, keepdims=keepdims),
    np.min: lambda x, axis=None, keepdims=False: reduction.min(x, axis=axis, keepdims=keepdims),
    np.cumsum: lambda x, axis=None: reduction.cumsum(shape.flatten(x) if axis is None else x, axis=axis or 0),
    np.clip: lambda x, a_min=None, a_max=None: arithmetic.clip(x, a_min, a_max),
    np.where: arithmetic.where,
    np.concatenate: shape.concatenate, np.stack: shape.stack,
    np.reshape: _numpy_reshape,
    np.transpose: lambda x, axes=None: shape.transpose(x, axes=axes),
    np.swapaxes: lambda x, axis1, axis2: shape.swapaxes(x, axis1=axis1, axis2=axis2),
    np.expand_dims: lambda x, axis: shape.expand_dims(x, axis=axis),
    np.squeeze: lambda x, axis=None: shape.squeeze(x, axis=axis),
    np.broadcast_to: _numpy_broadcast_to,
    np.flip: lambda x, axis=None: shape.flip(x, axis=axis),
    np.pad: _numpy_pad,
    np.take: lambda x, indices, axis=None: indexing.take(
        shape.flatten(x) if axis is None else x, indices=indexing._plain(indices), axis=axis or 0),
    np.take_along_axis: _numpy_take_along_axis,
    np.einsum: lambda subscripts, *operands, optimize=True: linear_algebra.einsum(subscripts, *operands),
    np.linalg.norm: reduction.norm,
    np.shape: lambda x: x.shape, np.ndim: lambda x: x.ndim, np.size: lambda x: x.numel(),
    np.argmax: _untracked(np.argmax), np.argmin: _untracked(np.argmin), np.argsort: _untracked(np.argsort),
    np.any: _untracked(np.any), np.all: _untracked(np.all), np.isclose: _untracked(np.isclose),
    np.zeros_like: _untracked(np.zeros_like), np.ones_like: _untracked(np.ones_like),
    np.allclose: lambda x, y, **options: np.allclose(_array(x), _array(y), **options),
    np.array_equal: lambda x, y: np.array_equal(_array(x), _array(y)),
}


def _array_function(self, function, types, args, kwargs):
    if function not in _FUNCTIONS:
        raise TypeError(f"np.{function.__name__} is not defined on tensors; use the functions of tinydl.ops, or "
                        ".detach().numpy() where no gradient is needed")
    return _FUNCTIONS[function](*args, **kwargs)


Tensor.__array_ufunc__ = _array_ufunc
Tensor.__array_function__ = _array_function
