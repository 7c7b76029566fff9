"""Modules made of modules: one after the other, or in a list or a dictionary for a forward of your own."""

from .module import Module


class Sequential(Module):
    """y = f_n(... f_2(f_1(x))): the lecture's network h_{n+1} = f_Wn(h_n), in its order."""

    def __init__(self, *modules):
        for position, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: got {type(module).__name__} at position {position}, want modules; for a "
                                "function such as np.tanh use its layer (nn.Tanh())")
            setattr(self, str(position), module)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x

    def __len__(self):
        return len(self._table("_modules"))

    def __iter__(self):
        return self.children()

    def __getitem__(self, index):
        modules = list(self.children())
        return type(self)(*modules[index]) if isinstance(index, slice) else modules[index]


class ModuleList(Module):
    """A list whose modules are found by `parameters()`; it has no forward."""

    def __init__(self, modules=()):
        for module in modules:
            self.append(module)

    def append(self, module):
        setattr(self, str(len(self)), module)
        return self

    def __len__(self):
        return len(self._table("_modules"))

    def __iter__(self):
        return self.children()

    def __getitem__(self, index):
        modules = list(self.children())
        return ModuleList(modules[index]) if isinstance(index, slice) else modules[index]


class ModuleDict(Module):
    """A dictionary whose modules are found by `parameters()`; it has no forward."""

    def __init__(self, modules=None):
        for name, module in dict(modules or {}).items():
            self[name] = module

    def __setitem__(self, name, module):
        setattr(self, name, module)

    def __getitem__(self, name):
        return self._table("_modules")[name]

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
