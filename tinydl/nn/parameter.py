"""Parameter: a tensor that a module owns and an optimizer changes."""

import numbers

import numpy as np

from ..tensor import Tensor, get_default_dtype


class Parameter(Tensor):
    """A tensor that a module finds among its attributes. `requires_grad=False` freezes it."""

    __slots__ = ()

    def __init__(self, data, requires_grad=True, dtype=None):
        super().__init__(data, requires_grad, dtype)

    def __deepcopy__(self, memo):
        """A copy of the values, without the gradient, as in PyTorch: a copied model starts with none."""
        memo[id(self)] = twin = Parameter(self._data, self.requires_grad)
        return twin


def empty(*shape):
    """An unfilled parameter of the default dtype, for `init` to fill."""
    if not all(isinstance(n, numbers.Integral) and n >= 0 for n in shape):
        raise ValueError(f"the layer got sizes that make a parameter of shape ({', '.join(map(repr, shape))}), want whole "
                         "numbers of at least 0; give one number a size, as in Linear(3, 4)")
    return Parameter(np.empty(shape, get_default_dtype()))
