"""op() makes a primitive of a rule: a pure function on arrays that returns its value and one pullback per input.

    @op
    def multiply(a, b):
        return a * b, lambda dy: dy * b, lambda dy: dy * a

Called with tensors, a primitive computes the value and, if somebody wants gradients, leaves a `Node` behind the result.
The rules are written with operators and NumPy functions, never with array methods or in-place steps, because the same
rule runs on tensors too when the gradient itself is to be differentiated (see `autograd.py`).
"""

import contextlib
import functools
import inspect
import threading
import weakref

import numpy as np

from .tensor import Tensor, clock, get_default_dtype


class _Mode(threading.local):
    recording = True


_mode = _Mode()


def is_grad_enabled():
    """Whether operations of this thread are being recorded."""
    return _mode.recording


@contextlib.contextmanager
def recording(value):
    before, _mode.recording = _mode.recording, value
    try:
        yield
    finally:
        _mode.recording = before


def no_grad():
    """Context manager (and decorator): operations of this thread leave no graph, exceptions or not."""
    return recording(False)


def enable_grad():
    """Context manager: record again, inside a `no_grad`."""
    return recording(True)


class Node:
    """What an operation leaves behind its result: who it was, what it was given, how a gradient goes back."""

    __slots__ = ("name", "number", "rule", "inputs", "options", "parents", "pullbacks", "kind", "stamp", "retained")

    def retain(self, tensor):
        self.retained = weakref.ref(tensor)

    def free(self):
        """Let go of all values. Where the graph led stays known, so that who comes again is refused, not misled."""
        self.inputs, self.options, self.pullbacks = (), {}, None

    def check_unchanged(self):
        """Refuse to differentiate with values that were overwritten since: it would be a wrong gradient."""
        if self.pullbacks is None:
            raise RuntimeError(f"backward: the graph behind {self.name} was freed by an earlier backward; "
                               "pass retain_graph=True to that one")
        if self.kind == "linear":  # its gradient needs no value
            return
        for position, x in enumerate(self.inputs):
            if isinstance(x, Tensor) and x._stamp[0] > self.number:
                made = f"made by {x._node.name}" if x._node is not None else "a leaf"
                raise RuntimeError(
                    f"backward: {self.name} needs its input {position} (shape {x.shape}, {made}), which {x._stamp[1]} "
                    f"has changed in place since; call backward first, or change a .clone() of it")
        if self.stamp[0] > self.number:
            raise RuntimeError(f"backward: the result of {self.name}, which its gradient needs, was changed in place by "
                               f"{self.stamp[1]} since; call backward first, or change a .clone() of it")


def op(rule=None, *, linear=False, joint=False, casts=False):
    """Make a primitive of `rule(*arrays, **options) -> value, pullback, ...` (one pullback per array; None: no gradient).

    linear: the pullbacks depend on no value, only on shapes and options.
    joint:  the rule returns (value, pullback) with pullback(dy, needs) -> one gradient per input, for rules whose
            gradients share their work; needs[i] says whether anybody wants the i-th.
    casts:  the operation's purpose is to change the dtype.

    Called without any tensor, a primitive is just its function: arrays in, array out.
    """
    if rule is None:
        return functools.partial(op, linear=linear, joint=joint, casts=casts)
    name = rule.__name__.strip("_")
    kind = "linear" if linear else "joint" if joint else "plain"

    @functools.wraps(rule)
    def apply(*inputs, **options):
        if options and any(map(_is_input, options.values())):
            inputs, options = _by_position(rule, inputs, options)
        arrays, parents, dtype, lists = [], [], None, False
        for x in inputs:
            if isinstance(x, Tensor):
                array = x._data
                arrays.append(array)
                if dtype is not array.dtype:
                    dtype = array.dtype if dtype is None else _common_dtype(name, dtype, array.dtype)
                if x.requires_grad:
                    parents.append((len(arrays) - 1, x._node or x))
            else:
                arrays.append(x)
                lists = lists or isinstance(x, (list, tuple))
        if dtype is None:
            return rule(*inputs, **options)[0]
        if lists:
            inputs = [_listed(name, x, dtype) if isinstance(x, (list, tuple)) else x for x in inputs]
            arrays = _arrays(inputs)
        recorded = parents and _mode.recording
        if recorded and len(parents) < len(arrays):
            # An array that the graph holds but the user owns would change behind its back: keep a copy of it.
            inputs = [x.copy() if type(x) is np.ndarray and not _is_final(x) else x for x in inputs]
            arrays = _arrays(inputs)
        try:
            value, *pullbacks = rule(*arrays, **options)
        except (ValueError, IndexError) as error:
            explain(error, name, arrays)
            raise
        if type(value) is not np.ndarray:
            value = np.asarray(value)
        if value.dtype is not dtype and not casts and value.dtype.kind == "f" and value.dtype != dtype:
            if dtype.kind != "f":
                return Tensor._of(_float_of_integers(value, arrays))
            value, *pullbacks = rule(*(_as_dtype(x, dtype) for x in arrays), **options)
            value = np.asarray(value)
        stamp = _stamp_of_owner(value.base, inputs) if isinstance(value.base, np.ndarray) else None
        if not recorded or value.dtype.kind != "f":
            if value.dtype.kind not in "fiub":
                raise TypeError(f"{name}: the result would be {value.dtype}; tensors hold floats, integers and booleans")
            return Tensor._of(value, stamp=stamp)
        node = Node()
        node.name, node.rule, node.kind = name, rule, kind
        node.inputs, node.options = inputs, options
        node.parents, node.pullbacks = parents, pullbacks
        node.number, node.retained = next(clock), None
        result = Tensor._of(value, node, stamp)
        node.stamp = result._stamp
        return result

    apply.rule = rule
    return apply


_COUNTED = "axes, and places on them, count from 0, or back from -1"
_WANTED = {  # what NumPy says of arrays that do not fit: what would
    "could not be broadcast": "counted from the last axis, lengths must be equal or 1: reshape one of them, or give it an "
                              "axis of length 1 with x[:, None]",
    "cannot reshape": "want as many numbers as there are; one length may be -1, and is worked out",
    "axes don't match": "want each axis once", "did not match indexed": "want a mask as long as the axes that it is for",
    "out of bounds": _COUNTED, "index out of range": _COUNTED, "too many indices": _COUNTED,
}


def explain(error, name, arrays):
    """Say of NumPy's complaint which operation it was, and what would have fitted. Our own messages say so themselves."""
    for words, wanted in _WANTED.items():
        if words in str(error):
            shapes = " and ".join(str(np.shape(x)) for x in arrays)
            raise type(error)(f"{name}: got shape{'s' * (len(arrays) > 1)} {shapes}; {wanted} (NumPy: {error})") from error


def _arrays(inputs):
    return [x._data if isinstance(x, Tensor) else x for x in inputs]


def _float_of_integers(value, arrays):
    """A float that came of tensors of integers: of the default dtype, unless a float array among the inputs chose one."""
    known = any(isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f" for x in arrays)
    return value if known else value.astype(get_default_dtype())


def _stamp_of_owner(base, inputs):
    """The stamp of the input whose memory, `base`, the result is a view of: what changes one has changed the other."""
    stamp = None
    for x in inputs:
        if isinstance(x, Tensor) and (x._data is base or x._data.base is base):
            stamp = x._stamp
    return stamp


def _is_final(array):
    """Whether nobody can write to this memory: neither through the array nor, where it is a view, through its owner."""
    owner = array if array.base is None else array.base
    return not array.flags.writeable and isinstance(owner, np.ndarray) and not owner.flags.writeable


def _is_input(x):
    return isinstance(x, Tensor) or isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _by_position(rule, inputs, options):
    """(inputs, options) of a call like linear(x, weight=w): what was passed by keyword but is an input, at its place.
    What has no place, being keyword-only, stays an option."""
    signature = inspect.signature(rule)
    call = signature.bind(*inputs, **options)
    call.apply_defaults()
    names = [name for name in call.arguments if signature.parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    count = max([0, *(1 + names.index(name) for name, x in options.items() if name in names and _is_input(x))])
    moved = names[len(inputs):count]
    return ([*inputs, *(call.arguments[name] for name in moved)],
            {name: x for name, x in options.items() if name not in moved})


def _common_dtype(name, one, other):
    """The dtype of an operation on tensors of two dtypes: the floating one; two floating ones are an error."""
    if one == other:
        return one
    if one.kind == "f" and other.kind == "f":
        raise TypeError(f"{name}: got tensors of dtypes {one} and {other}; nothing is converted behind your back: "
                        "call .float() or .double() on one of them; NumPy's data, which is float64 unless told otherwise, "
                        "becomes float32 by array.astype(np.float32) before it goes into a Tensor or DataLoader")
    if one.kind == "f" or other.kind == "f":
        return one if one.kind == "f" else other
    return np.result_type(one, other)


def _listed(name, x, dtype):
    """A list among the inputs as an array of its own: what is done to the list later is no business of the graph."""
    try:
        array = np.array(x)
    except ValueError:
        raise ValueError(f"{name}: got a list whose parts differ in length, want equal ones; fill up the shorter") from None
    return array.astype(dtype) if array.dtype.kind == "f" and dtype.kind == "f" else array


def _as_dtype(x, dtype):
    return np.asarray(x, dtype) if isinstance(x, (np.ndarray, np.generic)) else x


def value_of(primitive, compute, *inputs):
    """compute(*inputs) on arrays, the primitive itself on tensors: what a rule calls its own value.

    So the graph of a gradient refers to the primitive, with its stable rule, and not to the steps inside it.
    """
    return (primitive if any(isinstance(x, Tensor) for x in inputs) else compute)(*inputs)
