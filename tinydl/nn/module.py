"""Module: a function with parameters. Layers are modules, networks are modules made of modules.

A module finds its parameters, buffers and sub-modules by the attributes they are assigned to, in that order; the names
in `state_dict` are the paths to them ("0.weight", "tower.bias"), as in PyTorch.
"""

import numpy as np

from ..tensor import Tensor, get_default_dtype


class Parameter(Tensor):
    """A tensor that a module owns and an optimizer changes. `requires_grad=False` freezes it."""

    __slots__ = ()

    def __init__(self, data, requires_grad=True, dtype=None):
        super().__init__(data, requires_grad, dtype)


class Module:
    """Base of everything in `nn`. Subclasses set attributes in __init__ and define `forward`.

    >>> class Double(Module):
    ...     def forward(self, x):
    ...         return 2 * x
    >>> Double()(Tensor([1.0, 2.0]))
    tensor([2., 4.])
    """

    training = True

    def __init__(self):
        pass  # subclasses may call it or not: the three tables below come up with the first attribute

    def _table(self, name):
        return self.__dict__.setdefault(name, {})

    def __setattr__(self, name, value):
        table = ("_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else None)
        for other in ("_parameters", "_modules", "_buffers"):
            if other != table and name in self._table(other):
                if other == "_buffers" and isinstance(value, (np.ndarray, np.generic)):
                    self._table(other)[name] = value = np.asarray(value)
                elif value is None:
                    self._table(other)[name] = None
                elif table is None:
                    raise TypeError(f"{type(self).__name__}.{name} is one of the module's {other[1:]}; got "
                                    f"{type(value).__name__}, want the same kind again or None")
                else:
                    del self._table(other)[name]
        if table is not None:
            self._table(table)[name] = value
        object.__setattr__(self, name, value)

    def register_buffer(self, name, array):
        """Keep `array` with the module: saved in `state_dict`, not trained. Read it as `self.name`, a NumPy array."""
        self._table("_buffers")[name] = array
        object.__setattr__(self, name, array)

    def register_parameter(self, name, parameter):
        """Like `self.name = parameter`; with None the name exists, without a parameter (as a layer's bias=False)."""
        self._table("_parameters")[name] = parameter
        object.__setattr__(self, name, parameter)

    # ---------------------------------------------------------------- the call
    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define what the module computes")

    def __call__(self, *inputs, **options):
        return self.forward(*inputs, **options)

    # ---------------------------------------------------------------- what is inside
    def children(self):
        return iter([m for m in self._table("_modules").values() if m is not None])

    def named_modules(self, prefix=""):
        """(path, module) of this module and all inside, each once, in definition order."""
        seen = {}

        def walk(path, module):
            if id(module) in seen:
                return
            seen[id(module)] = module
            yield path, module
            for name, child in module._table("_modules").items():
                if child is not None:
                    yield from walk(f"{path}.{name}" if path else name, child)

        return walk(prefix, self)

    def modules(self):
        return (module for _, module in self.named_modules())

    def _named(self, table):
        for path, module in self.named_modules():
            for name, value in module._table(table).items():
                if value is not None:
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(self):
        """(path, parameter), in definition order; a shared parameter once, under its first name."""
        seen = {}
        for name, parameter in self._named("_parameters"):
            if parameter not in seen:
                seen[parameter] = name
                yield name, parameter

    def parameters(self):
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self):
        return self._named("_buffers")

    def buffers(self):
        return (buffer for _, buffer in self.named_buffers())

    def num_parameters(self):
        """How many numbers are trained or frozen here."""
        return sum(p.numel() for p in self.parameters())

    # ---------------------------------------------------------------- modes
    def train(self, mode=True):
        """Switch to training (dropout drops, batch norm uses the batch), all the way down. Returns self."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self):
        """Switch to evaluation. Returns self."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        for parameter in self.parameters():
            parameter.grad = None if set_to_none else Tensor(np.zeros(parameter.shape, parameter.dtype))

    def apply(self, function):
        """Call function(module) on every module inside, then on this one. Returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, dtype):
        """Turn all floating parameters and buffers into `dtype`, in place. Returns self."""
        for module in self.modules():
            for parameter in module._table("_parameters").values():
                if parameter is not None and parameter.dtype != dtype:
                    parameter._writable("Module.to")
                    parameter._data, parameter.grad = parameter._data.astype(dtype), None
            for name, buffer in module._table("_buffers").items():
                if buffer is not None and buffer.dtype.kind == "f":
                    setattr(module, name, buffer.astype(dtype))
        return self

    def double(self):
        return self.to(np.float64)

    def float(self):
        return self.to(np.float32)

    # ---------------------------------------------------------------- saving
    def state_dict(self):
        """{path: array} of parameters and buffers, copied: later training does not change what was saved."""
        state = {}
        for path, module in self.named_modules():
            for table in ("_parameters", "_buffers"):
                for name, value in module._table(table).items():
                    if value is not None:
                        array = value._data if isinstance(value, Tensor) else value
                        state[f"{path}.{name}" if path else name] = array.copy()
        return state

    def load_state_dict(self, state_dict, strict=True):
        """Copy the values of {path: array or tensor} in. Nothing changes unless all names and shapes fit.

        With strict=False, names that are missing or unexpected are left alone; they are returned either way.
        """
        places = {}
        for path, module in self.named_modules():
            for table in ("_parameters", "_buffers"):
                for name, value in module._table(table).items():
                    if value is not None:
                        places[f"{path}.{name}" if path else name] = (module, name, value)
        missing = [name for name in places if name not in state_dict]
        unexpected = [name for name in state_dict if name not in places]
        problems = [f"missing: {', '.join(missing)}"] * bool(missing and strict)
        problems += [f"unexpected: {', '.join(unexpected)}"] * bool(unexpected and strict)
        arrays = {}
        for name, (_, _, value) in places.items():
            if name in state_dict:
                given = state_dict[name]
                arrays[name] = given._data if isinstance(given, Tensor) else np.asarray(given)
                if arrays[name].shape != value.shape:
                    problems.append(f"{name} has shape {arrays[name].shape}, want {value.shape}")
        if problems:
            raise ValueError(f"load_state_dict of {type(self).__name__}: " + "; ".join(problems))
        for name, array in arrays.items():
            module, attribute, value = places[name]
            if isinstance(value, Tensor):
                value._writable("load_state_dict")[...] = array
            else:
                setattr(module, attribute, array.astype(value.dtype))
        return missing, unexpected

    # ---------------------------------------------------------------- showing itself
    def extra_repr(self):
        """What stands in the brackets behind the module's name."""
        return ""

    def __repr__(self):
        """The tree of modules, with the shapes of parameters and how many numbers each branch holds."""
        shapes = [f"{name} {tuple(p.shape)}" for name, p in self._table("_parameters").items() if p is not None]
        count = self.num_parameters()
        head = f"{type(self).__name__}({self.extra_repr()})"
        note = (f"  # {', '.join(shapes)}" if shapes else "  #" if count else "") + (f" = {count:,}" if count else "")
        lines = [head + note.replace("# =", "# total")]
        for name, child in self._table("_modules").items():
            lines += [f"  ({name}): " + repr(child).replace("\n", "\n  ")]
        return "\n".join(lines)


def empty(*shape):
    """An unfilled parameter of the default dtype, for `init` to fill."""
    return Parameter(np.empty(shape, get_default_dtype()))
