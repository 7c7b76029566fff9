"""Tensor: an array that remembers how it was made.

A tensor owns three things: the array, the gradient that `backward` left in it, and the node of the graph that made it.
How the node came to be, and how gradients flow back through it, is `autograd.py`; what can be done with tensors is
`ops/`; the operators and methods are bound to this class in `ops/methods.py`, so that this file stands below them all.
"""

import copy
import itertools

import numpy as np

# One clock orders everything that happens to tensors: a node's number is the time it was recorded, a tensor's stamp
# the time its memory was last written. "Written after it was recorded" is then one comparison.
clock = itertools.count(1)

_default_dtype = [np.dtype(np.float32)]


def set_default_dtype(dtype):
    """The floating dtype that Python numbers and new parameters get: float32 at the start, float64 for checks."""
    dtype = np.dtype(dtype)
    if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"set_default_dtype: got {dtype}, want float32 or float64")
    _default_dtype[0] = dtype


def get_default_dtype():
    """The dtype that Python numbers and new parameters get.

    >>> get_default_dtype()
    dtype('float32')
    """
    return _default_dtype[0]


class Tensor:
    """An array with a gradient, as PyTorch has it.

    Tensor(data, requires_grad=False, dtype=None) copies `data`: numbers and lists of floats become the default dtype,
    arrays keep theirs. `from_numpy` does not copy.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("_data", "requires_grad", "grad", "_node", "_stamp", "__weakref__")
    __hash__ = object.__hash__

    def __init__(self, data, requires_grad=False, dtype=None):
        if isinstance(data, Tensor):
            data = data._data
        if dtype is None and not isinstance(data, (np.ndarray, np.generic)):
            array = np.array(data)
            if array.dtype.kind == "f":
                array = array.astype(_default_dtype[0])
        else:
            array = np.array(data, dtype=dtype)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"Tensor: got data of dtype {array.dtype}, want numbers; a ragged list or text cannot be one")
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(f"Tensor: only floating dtypes have gradients, got {array.dtype}; pass dtype=np.float32")
        self._data = array
        self.requires_grad = requires_grad
        self.grad = None
        self._node = None
        self._stamp = [0, ""]

    @staticmethod
    def _of(array, node=None, stamp=None):
        """A tensor around `array` itself, without a copy and without questions: for results of operations."""
        self = Tensor.__new__(Tensor)
        self._data = array
        self.requires_grad = node is not None
        self.grad = None
        self._node = node
        self._stamp = [0, ""] if stamp is None else stamp
        return self

    # ---------------------------------------------------------------- what it is
    @property
    def shape(self):
        return self._data.shape

    @property
    def ndim(self):
        return self._data.ndim

    @property
    def dtype(self):
        return self._data.dtype

    @property
    def is_leaf(self):
        """True for a tensor that no recorded operation made: `backward` leaves gradients in leaves."""
        return self._node is None

    @property
    def data(self):
        """The array, read-only: writing behind the graph's back would make wrong gradients. See `copy_`."""
        view = self._data.view()
        view.flags.writeable = False
        return view

    def numpy(self):
        """The array, read-only. A tensor that is part of a graph must be detached first, as in PyTorch."""
        if self.requires_grad:
            raise RuntimeError("numpy(): this tensor requires grad; call .detach().numpy(), so that the cut is visible")
        return self.data

    def dim(self):
        return self._data.ndim

    def numel(self):
        return self._data.size

    def size(self, dim=None):
        return self._data.shape if dim is None else self._data.shape[dim]

    def item(self):
        """The only element, as a Python number."""
        if self._data.size != 1:
            raise ValueError(f"item(): got a tensor of shape {self.shape}, want exactly one element")
        return self._data.item()

    def tolist(self):
        return self._data.tolist()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if self._data.dtype.kind not in "iu":
            raise TypeError(f"a tensor of dtype {self.dtype} cannot be an index; call .long() first")
        return int(self.item())

    def __bool__(self):
        if self._data.size != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self._data.item())

    def __len__(self):
        if self._data.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._data.shape[0]

    def __iter__(self):
        if self._data.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a tensor does not turn into an array by itself, since the graph would be lost unseen: call "
                        ".detach().numpy(), or tinydl.stack([...]) to build a tensor from tensors")

    def __format__(self, spec):
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self):
        body = np.array2string(self._data, separator=", ", prefix="tensor(", precision=4, threshold=1000)
        note = "" if self.dtype in (_default_dtype[0], np.int64, np.bool_) else f", dtype={self.dtype}"
        if self._node is not None:
            note += f", made by {self._node.name}"
        elif self.requires_grad:
            note += ", requires_grad=True"
        return f"tensor({body}{note})"

    # ---------------------------------------------------------------- leaves, cuts and copies
    def detach(self):
        """The same memory without the graph."""
        return Tensor._of(self._data, stamp=self._stamp)

    def requires_grad_(self, requires_grad=True):
        if self._node is not None and not requires_grad:
            raise RuntimeError("requires_grad_(False): only leaves can be changed; use .detach() for a cut")
        if requires_grad and self._data.dtype.kind != "f":
            raise TypeError(f"requires_grad_: only floating dtypes have gradients, got {self.dtype}")
        self.requires_grad = requires_grad
        return self

    def retain_grad(self):
        """Let `backward` leave a gradient here too, although this tensor is not a leaf."""
        if self._node is not None:
            self._node.retain(self)

    def __deepcopy__(self, memo):
        if self._node is not None:
            raise RuntimeError("deepcopy: only leaves can be copied; use .detach() first")
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin._data, twin._stamp = self._data.copy(), [0, ""]
        twin.requires_grad, twin._node = self.requires_grad, None
        twin.grad = copy.deepcopy(self.grad, memo)
        return twin

    def _writable(self, writer):
        """The array, to be written to by `writer`, whose name an error of `backward` will give. Marks the time."""
        self._stamp[:] = next(clock), writer
        return self._data

    def copy_(self, source):
        """Overwrite the values in place. Shapes must be equal; the dtype stays."""
        array = source._data if isinstance(source, Tensor) else np.asarray(source)
        if array.shape != self.shape:
            raise ValueError(f"copy_: got shape {array.shape}, want {self.shape}")
        self._writable("copy_")[...] = array
        return self

    def fill_(self, value):
        self._writable("fill_").fill(value)
        return self

    def zero_(self):
        return self.fill_(0)


def from_numpy(array):
    """A tensor that shares `array`'s memory: free, but whoever writes to the array later changes the tensor too."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: got {type(array).__name__}, want a NumPy array")
    return Tensor._of(array)
