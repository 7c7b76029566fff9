"""RowGradient: the gradient of an embedding table, only the rows that were read.

A batch reads some thousand rows of a table of millions; its gradient is zero elsewhere. Keeping (rows, values) makes
the step cost what the batch costs. Repeated rows add up; the order of the batch is the order of the summation.
"""

import numpy as np

from . import kernels


def _not_for_rows(what):
    return TypeError(f"{what} is not defined for a RowGradient, the gradient of an embedding table, which keeps only the "
                     "rows that were read; call .dense() for the whole table as an array")


class RowGradient:
    """G with G[rows[n]] += values[n], zero elsewhere.

    rows (n,) int64, may repeat; values (n, D); shape (V, D) of the table. `sparse` says that the table asked for lazy
    updates (`Embedding(sparse=True)`); without it every optimizer treats the rest as the zeros that they are. `unique`
    says that no row repeats.

    >>> g = RowGradient(np.array([2, 0, 2]), np.array([[1.], [5.], [2.]]), (3, 1))
    >>> g.dense().tolist()
    [[5.0], [0.0], [3.0]]
    """

    __slots__ = ("rows", "values", "shape", "sparse", "unique")

    def __init__(self, rows, values, shape, sparse=False, unique=False):
        if rows.ndim != 1 or values.shape != (len(rows), *shape[1:]):
            raise ValueError(f"RowGradient: got rows {rows.shape} and values {values.shape} for a table {shape}, "
                             f"want (n,) and (n, {', '.join(map(str, shape[1:]))})")
        self.rows, self.values, self.shape, self.sparse, self.unique = rows, values, tuple(shape), sparse, unique

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def ndim(self):
        return len(self.shape)

    def coalesce(self):
        """The same gradient with every row at most once."""
        if self.unique:
            return self
        rows, values = kernels.coalesce(self.rows, self.values, self.shape[0])
        return RowGradient(rows, values, self.shape, self.sparse, unique=True)

    def dense(self):
        """The whole (V, D) array."""
        return kernels.scatter_add(self.rows, self.values, self.shape[0])

    numpy = dense

    def norm(self):
        """The Euclidean norm of all V x D numbers."""
        return float(np.linalg.norm(self.coalesce().values))

    def __add__(self, other):
        if isinstance(other, RowGradient):
            rows, values = np.concatenate([self.rows, other.rows]), np.concatenate([self.values, other.values])
            return RowGradient(rows, values, self.shape, self.sparse and other.sparse)
        return self.dense() + other

    __radd__ = __add__

    def __mul__(self, factor):
        if np.ndim(factor):
            raise _not_for_rows("*")
        return RowGradient(self.rows, self.values * self.values.dtype.type(factor), self.shape, self.sparse, self.unique)

    __rmul__ = __mul__

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if ufunc is np.add and method == "__call__":  # array + self, array += self
            return np.add(*(x.dense() if isinstance(x, RowGradient) else x for x in inputs), **options)
        if ufunc is np.multiply and inputs[1:] == (self,) and not np.ndim(inputs[0]):  # np.float32(0.1) * self
            return self * inputs[0]
        raise _not_for_rows(f"np.{ufunc.__name__}")

    def __array__(self, dtype=None, copy=None):
        raise _not_for_rows("a NumPy function")

    def __getattr__(self, name):
        raise AttributeError(str(_not_for_rows(f".{name}")))

    def __repr__(self):
        return f"RowGradient({len(self.rows)} rows of {self.shape}, {self.dtype})"


def _refuse(symbol):
    def operator(self, *others):
        raise _not_for_rows(symbol)
    return operator


for _symbol, _names in {"-": "sub rsub neg", "/": "truediv rtruediv", "**": "pow rpow", "@": "matmul rmatmul",
                        "abs()": "abs", "[...]": "getitem", "<": "lt", ">": "gt"}.items():
    for _name in _names.split():
        setattr(RowGradient, f"__{_name}__", _refuse(_symbol))
