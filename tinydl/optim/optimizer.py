"""Optimizer: parameters in groups, each group with its options; step() moves every parameter that has a gradient.

A concrete optimizer says how one parameter moves: `_update` for a dense gradient and, where zeros can be skipped or
must not be touched, `_update_rows` for the gradient of an embedding table. All the rest is here.
"""

import numbers

import numpy as np

from .. import kernels
from ..op import enable_grad
from ..row_gradient import RowGradient
from ..tensor import Tensor


def flat(*arrays):
    """The same memory as (n,) arrays, as the kernels for dense parameters take it."""
    return [array.reshape(-1) for array in arrays]


class Optimizer:
    """params: tensors, or dicts {"params": tensors, option: value, ...}, one a group; defaults: options of all groups.

    state {parameter: {name: array or number}} is what the optimizer remembers; param_groups may be read and changed.
    """

    ranges = {}             # option: (low, high), for the check low <= value < high
    takes_sparse = False    # whether gradients of Embedding(sparse=True) are welcome

    def __init__(self, params, defaults):
        self.defaults, self.param_groups, self.state = defaults, [], {}
        if isinstance(params, (Tensor, dict, set)):
            raise TypeError(f"{self._name}: got params of type {type(params).__name__}, want an ordered iterable of tensors "
                            "or of group dicts, as model.parameters() or [weight]")
        params = list(params)
        if not params:
            raise ValueError(f"{self._name}: got no parameters; model.parameters() is used up after one pass")
        groups = params if isinstance(params[0], dict) else [{"params": params}]
        for group in groups:
            self.add_param_group(group)

    @property
    def _name(self):
        return type(self).__name__

    # ---------------------------------------------------------------- groups
    def add_param_group(self, param_group):
        """Optimize further tensors: {"params": tensors, option: value, ...}; options left out take the defaults."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"{self._name}: got a group that is not a dict with 'params', but {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(f"{self._name}: got params as a set, want a list: sets have no order")
        params = [params] if isinstance(params, Tensor) else list(params)
        group = {**self.defaults, **param_group, "params": params}
        self._check_options(group)
        seen = {p for other in self.param_groups for p in other["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"{self._name}: parameter {i} is a {type(p).__name__}, want a Tensor"
                                + ("; pass model.parameters(), not named_parameters()" if isinstance(p, tuple) else ""))
            if not p.is_leaf:
                raise ValueError(f"{self._name}: parameter {i}, shape {p.shape}, was made by {p._node.name}, want a leaf, "
                                 "since gradients are left in leaves only; optimize what it was computed from")
            if p.dtype not in (np.float32, np.float64):
                raise TypeError(f"{self._name}: parameter {i} has dtype {p.dtype}, want float32 or float64")
            if p in seen:
                raise ValueError(f"{self._name}: parameter {i}, shape {p.shape}, is given twice, in one group or in two; it "
                                 "would move twice a step")
            seen.add(p)
        self.param_groups.append(group)

    def _check_options(self, group):
        unknown = [name for name in group if name not in self.defaults and name not in ("params", "initial_lr")]
        if unknown:
            raise TypeError(f"{self._name}: got option {unknown[0]!r}, want some of {', '.join(self.defaults)}")
        for name, (low, high) in self.ranges.items():
            value = group[name]
            if name == "betas" and (not isinstance(value, (tuple, list)) or len(value) != 2):
                raise ValueError(f"{self._name}: got betas={value!r}, want two numbers")
            for x in value if name == "betas" else [value]:
                if not isinstance(x, numbers.Real) or not (low <= x < high) or not np.isfinite(x):
                    want = "a finite number" + (f" >= {low}" if low > -np.inf else "") + (f" and < {high}" if high < np.inf
                                                                                          else "")
                    raise ValueError(f"{self._name}: got {name}={value!r}, want {want}")

    # ---------------------------------------------------------------- the step
    def zero_grad(self, set_to_none=True):
        """Forget the gradients. set_to_none=False leaves zeros instead, which count as gradients in `step`."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                elif isinstance(p.grad, RowGradient):
                    p.grad = RowGradient(p.grad.rows[:0], p.grad.values[:0], p.grad.shape, p.grad.sparse)
                else:
                    p.grad = Tensor(np.zeros(p.shape, p.dtype))

    def step(self, closure=None):
        """Move every parameter whose `.grad` is not None. With a closure that computes the loss, call it before.

        All gradients are checked before the first parameter moves.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        work = [(p, group) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for p, group in work:
            self._check_gradient(p, group)
        for p, group in work:
            if p not in self.state:
                self.state[p] = self._new_state(p, group)
            array = p._writable(f"{self._name}.step")
            memory = array if array.flags.c_contiguous else array.copy(order="C")
            if isinstance(p.grad, RowGradient):
                g = p.grad.coalesce()
                self._update_rows(memory, g.rows, g.values, self.state[p], group)
            else:
                self._update(memory, np.asarray(p.grad._data, order="C"), self.state[p], group)
            if memory is not array:
                array[...] = memory
        return loss

    def _check_gradient(self, p, group):
        g, shape, dtype = p.grad, p._data.shape, p._data.dtype
        if not isinstance(g, (Tensor, RowGradient)):
            self._refuse(p, f"has a .grad of type {type(g).__name__}, want a Tensor", TypeError)
        if g.shape != shape or g.dtype != dtype:
            self._refuse(p, f"has a gradient of shape {g.shape}, {g.dtype}; want the same of both")
        if not p._data.flags.writeable:
            self._refuse(p, "stands in read-only memory; make it of a copy")
        for name, value in self.state.get(p, {}).items():
            if isinstance(value, np.ndarray) and (value.shape != shape or value.dtype != dtype):
                self._refuse(p, f"was of shape {value.shape}, {value.dtype} at its first step ({name}); make a new "
                                "optimizer after changing a model's dtype")
        if isinstance(g, RowGradient):
            kernels.check_ids(g.rows, p.shape[0], f"{self._name}.step: the gradient's rows")
            if g.sparse and not self.takes_sparse:
                self._refuse(p, f"has a sparse gradient, and {self._name} has no lazy updates; use SparseAdam, or "
                                f"Embedding(sparse=False), for which {self._name} acts as on a dense gradient", RuntimeError)
            if g.sparse and group.get("weight_decay"):
                self._refuse(p, f"has a sparse gradient, and weight_decay={group['weight_decay']} moves all rows; use "
                                "weight_decay=0 for its group, or Embedding(sparse=False)", RuntimeError)

    def _refuse(self, p, problem, error=ValueError):
        raise error(f"{self._name}.step: a parameter of shape {p.shape}, {p.dtype}, {problem}")

    def _new_state(self, p, group):
        """What is remembered of a parameter before its first step; None for what may never be needed."""
        return {}

    def _update(self, p, g, state, group):
        """Move p in place along its gradient g; both are C-contiguous, of the parameter's shape."""
        raise NotImplementedError(f"{self._name} has no _update(): define how a parameter moves")

    def _update_rows(self, p, rows, g, state, group):
        """Move p (V, D), whose gradient is g (m, D) on rows (m,), each once, and zero on the others."""
        self._update(p, kernels.scatter_add(rows, g, len(p)), state, group)

    # ---------------------------------------------------------------- saving
    def state_dict(self):
        """{"state": {index: {name: array or number}}, "param_groups": [{option: value, "params": [index, ...]}]}

        Parameters are numbered through all groups, as in PyTorch. The arrays are copies.
        """
        index = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        state = {i: {name: value.copy() if isinstance(value, np.ndarray) else value
                     for name, value in self.state[p].items() if value is not None}
                 for p, i in index.items() if p in self.state}
        groups = [{**group, "params": [index[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Continue where `state_dict` was taken. Nothing changes unless groups, names and shapes all fit.

        Tuples that became lists and numbers that became strings on the way through JSON are welcome.
        """
        saved = state_dict["param_groups"]
        who, sizes = f"{self._name}.load_state_dict", [len(group["params"]) for group in self.param_groups]
        if [len(group["params"]) for group in saved] != sizes:
            raise ValueError(f"{who}: got groups of {[len(group['params']) for group in saved]} parameters, want {sizes}")
        groups = []
        for mine, given in zip(self.param_groups, saved, strict=True):
            group = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
            group["params"] = mine["params"]
            missing = [name for name in self.defaults if name not in group]
            if missing:
                raise ValueError(f"{who}: the saved group lacks option {missing[0]!r}; was it saved by {self._name}?")
            self._check_options(group)
            groups.append(group)
        owner = {int(i): (p, mine) for mine, given in zip(groups, saved, strict=True)
                 for i, p in zip(given["params"], mine["params"], strict=True)}
        state = {}
        for i, entry in state_dict["state"].items():
            if int(i) not in owner:
                raise ValueError(f"{who}: got state of parameter {i}, which is in no saved group")
            p, group = owner[int(i)]
            state[p] = self._loaded(f"{who}: parameter {i}", self._new_state(p, group), entry, p)
        self.param_groups, self.state = groups, state

    def _loaded(self, who, fresh, entry, p):
        """A fresh state of parameter p with the saved entry in place of its values."""
        wrong = [name for name in entry if name not in fresh]
        wrong += [name for name, value in fresh.items() if value is not None and name not in entry]
        if wrong:
            raise ValueError(f"{who}: {'unexpected' if wrong[0] in entry else 'missing'} {wrong[0]!r}; {self._name} keeps "
                             f"{', '.join(fresh) or 'nothing'}")
        for name, value in entry.items():
            array, shape = np.array(value, order="C"), () if name == "step" else p.shape
            if array.shape != shape:
                raise ValueError(f"{who}: {name} has shape {array.shape}, want {shape}")
            fresh[name] = int(array) if name == "step" else array.astype(p.dtype, copy=False)
        return fresh

    def __repr__(self):
        groups = [f"{len(group['params'])} parameters, " + ", ".join(f"{k}={v}" for k, v in group.items() if k != "params")
                  for group in self.param_groups]
        return f"{self._name}({'; '.join(groups)})"
