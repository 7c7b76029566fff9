"""Module: a function with parameters. Layers are modules, networks are modules made of modules.

A module finds its parameters, buffers and sub-modules by the attributes they are assigned to, in that order; the names
in `state_dict` are the paths to them ("0.weight", "tower.bias"), as in PyTorch.
"""

import collections

import numpy as np

from .. import naming
from ..tensor import Tensor
from .parameter import Parameter

LoadResult = collections.namedtuple("LoadResult", ["missing_keys", "unexpected_keys"])
TABLES = ("_parameters", "_modules", "_buffers")


class Module:
    """Base of everything in `nn`. Subclasses set attributes in __init__ and define `forward`.

    >>> class Double(Module):
    ...     def forward(self, x):
    ...         return 2 * x
    >>> Double()(Tensor([1.0, 2.0]))
    tensor([2., 4.])
    """

    training = True
    cuda, cpu = naming.NotHere("cuda", naming.ON_THE_CPU), naming.NotHere("cpu", naming.ON_THE_CPU)

    def __init__(self):
        pass  # subclasses may call it or not: the three tables below come up with the first attribute

    def _table(self, name):
        return self.__dict__.setdefault(name, {})

    def __setattr__(self, name, value):
        mine = "_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else None
        for table in TABLES:
            if mine is None and name in self._table(table):
                if table == "_buffers" and isinstance(value, np.generic):
                    value = np.asarray(value)
                if value is not None and not (table == "_buffers" and isinstance(value, np.ndarray)):
                    raise TypeError(f"{type(self).__name__}.{name} is one of the module's {table[1:]}; got "
                                    f"{type(value).__name__}, want the same kind again or None")
                self._table(table)[name] = value
        if isinstance(value, (list, tuple, dict)):
            self._check_plain(name, value)
        object.__setattr__(self, name, value)
        if mine is not None:
            for table in TABLES:
                if table != mine:
                    self._table(table).pop(name, None)
            self._table(mine)[name] = value

    def _check_plain(self, name, value):
        """Refuse what stands only in a plain list, tuple or dict: nobody finds it there, to train it or to save it."""
        inside = value.values() if isinstance(value, dict) else value
        inside = [x for x in inside if isinstance(x, (Module, Parameter))]
        found = {*self.modules(), *(p for m in self.modules() for p in m._table("_parameters").values())} if inside else ()
        for x in inside:
            if x not in found:
                raise TypeError(f"{type(self).__name__}.{name}: got a {type(x).__name__} in a plain {type(value).__name__}, "
                                "where nobody finds it, to train it or to save it; write nn.ModuleList([...]) or "
                                "nn.ModuleDict({...}), and give a Parameter an attribute of its own")

    def __delattr__(self, name):
        object.__delattr__(self, name)
        for table in TABLES:
            self._table(table).pop(name, None)

    def _register(self, table, name, value, kind):
        """Put `value`, which may be None, into a table, under a name that is free or the table's own."""
        who = f"{type(self).__name__}: cannot register {name!r}"
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"{who}; want a name without dots, since paths are joined with them")
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{who}: got {type(value).__name__}, want a {kind.__name__} or None")
        if hasattr(self, name) and name not in self._table(table):
            raise KeyError(f"{who}: the module has an attribute of this name already; choose another")
        self._table(table)[name] = value
        object.__setattr__(self, name, value)

    def register_buffer(self, name, array):
        """Keep `array` with the module: saved in `state_dict`, not trained. Read it as `self.name`, a NumPy array."""
        self._register("_buffers", name, array, np.ndarray)

    def register_parameter(self, name, parameter):
        """Like `self.name = parameter`; with None the name exists, without a parameter (as a layer's bias=False)."""
        self._register("_parameters", name, parameter, Parameter)

    def add_module(self, name, module):
        """Like `self.name = module`, for a name that is computed."""
        self._register("_modules", name, module, Module)

    # ---------------------------------------------------------------- the call
    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define what the module computes")

    def __call__(self, *inputs, **options):
        return self.forward(*inputs, **options)

    # ---------------------------------------------------------------- what is inside
    def named_children(self):
        return ((name, module) for name, module in self._table("_modules").items() if module is not None)

    def children(self):
        return (module for _, module in self.named_children())

    def named_modules(self, prefix=""):
        """(path, module) of this module and all inside, each once, in definition order."""
        seen = {}

        def walk(path, module):
            if id(module) in seen:
                return
            seen[id(module)] = module
            yield path, module
            for name, child in module.named_children():
                yield from walk(f"{path}.{name}" if path else name, child)

        return walk(prefix, self)

    def modules(self):
        return (module for _, module in self.named_modules())

    def _named(self, table):
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, (list, dict)) and name not in TABLES:
                    module._check_plain(name, value)  # it may have grown since it was assigned
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
        """Forget the gradients; set_to_none=False turns those that there are into zeros."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else Tensor(np.zeros(parameter.shape, parameter.dtype))

    def apply(self, function):
        """Call function(module) on every module inside, then on this one. Returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, dtype):
        """Turn all floating parameters and buffers into `dtype`, in place, and forget the gradients. Returns self."""
        dtype = naming.dtype_or_cpu(type(self).__name__, dtype)
        if dtype is None:
            return self
        if dtype not in (np.float32, np.float64):
            raise TypeError(f"{type(self).__name__}.to: got {dtype}, want float32 or float64")
        for parameter in self.parameters():
            if parameter.dtype.kind == "f" and parameter.dtype != dtype:
                parameter._writable("Module.to")
                parameter._data, parameter.grad = parameter._data.astype(dtype), None
        for module in self.modules():
            for name, buffer in module._table("_buffers").items():
                if buffer is not None and buffer.dtype.kind == "f":
                    setattr(module, name, buffer.astype(dtype))
        return self

    def double(self):
        return self.to(np.float64)

    def float(self):
        return self.to(np.float32)

    # ---------------------------------------------------------------- saving
    def _places(self, path=""):
        """(path, module, attribute, parameter or buffer): what is saved; what is shared, under each of its names."""
        for table in ("_parameters", "_buffers"):
            for name, value in self._table(table).items():
                if value is not None:
                    yield path + name, self, name, value
        for name, child in self.named_children():
            yield from child._places(f"{path}{name}.")

    def state_dict(self):
        """{path: array} of parameters and buffers, copied: later training does not change what was saved."""
        return {path: (value._data if isinstance(value, Tensor) else value).copy() for path, _, _, value in self._places()}

    def load_state_dict(self, state_dict, strict=True):
        """Copy the values of {path: array or tensor} in. Nothing changes unless all names and shapes fit.

        With strict=False, names that are missing or unexpected are left alone; they are returned either way.
        """
        places = {path: place for path, *place in self._places()}
        missing = [name for name in places if name not in state_dict]
        unexpected = [name for name in state_dict if name not in places]
        problems = [f"missing: {', '.join(missing)}"] * bool(missing and strict)
        problems += [f"unexpected: {', '.join(map(str, unexpected))}"] * bool(unexpected and strict)
        arrays = {}
        for name, given in state_dict.items():
            if name in places:
                arrays[name] = given._data if isinstance(given, Tensor) else np.asarray(given)
                if arrays[name].shape != places[name][-1].shape:
                    problems.append(f"{name} has shape {arrays[name].shape}, want {places[name][-1].shape}")
                elif arrays[name].dtype.kind not in "fiub":
                    problems.append(f"{name} has dtype {arrays[name].dtype}, want numbers")
        if problems:
            raise ValueError(f"load_state_dict of {type(self).__name__}: " + "; ".join(problems))
        for name, array in arrays.items():
            module, attribute, value = places[name]
            if isinstance(value, Tensor):
                value._writable("load_state_dict")[...] = array
            else:
                setattr(module, attribute, array.astype(value.dtype))
        return LoadResult(missing, unexpected)

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
        for name, child in self.named_children():
            lines += [f"  ({name}): " + repr(child).replace("\n", "\n  ")]
        return "\n".join(lines)
