"""Modules made of modules: one after the other, or in a list or a dictionary for a forward of your own."""

from .activation import ReLU
from .convolution import Conv2d
from .linear import Linear
from .module import Module
from .pooling import MaxPool2d


class _Row(Module):
    """What Sequential and ModuleList share: modules in a row, found by their number or by a slice."""

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        for module in modules:
            self.append(module)
        return self

    def __len__(self):
        return len(self._table("_modules"))

    def __iter__(self):
        return iter(self._table("_modules").values())

    def __getitem__(self, index):
        return list(self)[index]

    def __setitem__(self, index, module):
        self.add_module(list(self._table("_modules"))[index], module)


class Sequential(_Row):
    """y = f_n(... f_2(f_1(x))): the lecture's network h_{n+1} = f_Wn(h_n), in its order.

    Takes the modules, or one dictionary of them with the names that they shall have. A slice shares its modules with the
    whole, and keeps their names. A Linear or a Conv2d and the ReLU after it, of a Conv2d the MaxPool2d after that,
    too, run as one operation, `rectified`.
    """

    def __init__(self, *modules):
        if len(modules) == 1 and isinstance(modules[0], dict):
            named = modules[0]
        else:
            named = {str(position): module for position, module in enumerate(modules)}
        for name, module in named.items():
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: got {type(module).__name__} at position {name}, want modules; for a function "
                                "such as np.tanh use its layer (nn.Tanh())")
            self.add_module(name, module)

    def forward(self, x):
        modules = list(self)
        while modules:
            first, *kinds = modules[0], *map(type, modules[1:3])
            if type(first) not in (Linear, Conv2d) or first.bias is None or kinds[:1] != [ReLU]:
                x, done = first(x), 1
            elif type(first) is Conv2d and kinds[1:] == [MaxPool2d]:
                x, done = first.rectified(x, pool=modules[2]), 3
            else:
                x, done = first.rectified(x), 2
            del modules[:done]
        return x

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequential(dict(list(self.named_children())[index]))
        return super().__getitem__(index)


class ModuleList(_Row):
    """A list whose modules are found by `parameters()`; it has no forward."""

    def __init__(self, modules=()):
        self.extend(modules)

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return ModuleList(found) if isinstance(index, slice) else found


class ModuleDict(Module):
    """A dictionary whose modules are found by `parameters()`; it has no forward."""

    def __init__(self, modules=None):
        self.update(modules or {})

    def update(self, modules):
        for name, module in dict(modules).items():
            self[name] = module

    def __setitem__(self, name, module):
        self.add_module(name, module)

    def __getitem__(self, name):
        return self._table("_modules")[name]

    def __delitem__(self, name):
        delattr(self, name)

    def __contains__(self, name):
        return name in self._table("_modules")

    def __len__(self):
        return len(self._table("_modules"))

    def __iter__(self):
        return iter(self._table("_modules"))

    def keys(self):
        return self._table("_modules").keys()

    def items(self):
        return self._table("_modules").items()

    def values(self):
        return self._table("_modules").values()
