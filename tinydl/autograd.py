"""backward() and grad(): the chain rule, from the last node to the first.

    x ----\\                                x ----\\
            multiply ---- y   (forward)             multiply ---- dy   (backward)
    w ----/                                dw ---<-/

A node's number is the time it was made, and inputs are older than results: sorting by it is a topological order, so a
chain of 100,000 nodes is a loop, not a recursion. Each pullback is handed the gradient of its node's value; broadcasting
is undone here and nowhere else; only pullbacks that somebody needs run.

Second derivatives need no second set of rules. With `create_graph=True` a node's rule runs again on the tensors
themselves, and its pullbacks, applied to a tensor, record the graph of the gradient. The pullbacks of a `linear` rule
use nothing of the values and serve as they are.
"""

import operator

import numpy as np

from .op import Node, recording
from .row_gradient import RowGradient
from .tensor import Tensor


def _unbroadcast(gradient, shape):
    """Sum a gradient over the axes along which an input of `shape` was repeated: the adjoint of broadcasting."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    if extra > 0 and gradient.shape[extra:] == shape:  # as a bias, repeated as a whole
        return np.sum(gradient, axis=tuple(range(extra)))
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, gradient.shape[extra:], strict=True)):
        raise ValueError(f"backward: a rule gave a gradient of shape {gradient.shape} for its input of shape {shape}")
    axes = tuple(range(extra)) + tuple(
        extra + i for i, n in enumerate(shape) if n == 1 and gradient.shape[extra + i] != 1)
    return np.reshape(np.sum(gradient, axis=axes), shape)


def _reachable(outputs, inputs):
    """(keys, nodes) that a gradient flows through on its way from outputs: nodes and leaves, and the nodes, newest first.

    With `inputs`, only those that lead to one of them.
    """
    stack = [_key(t) for t in outputs]
    keys, nodes = dict.fromkeys(stack), []
    while stack:
        node = stack.pop()
        if type(node) is Node:
            nodes.append(node)
            for _, key in node.parents:
                if key not in keys:
                    keys[key] = None
                    stack.append(key)
    nodes = sorted(dict.fromkeys(nodes), key=_number)
    if inputs is not None:
        keys = dict.fromkeys(key for t in inputs if (key := _key(t)) in keys)
        for node in nodes:
            if node not in keys and any(key in keys for _, key in node.parents):
                keys[node] = None
        nodes = [node for node in nodes if node in keys]
    return keys, nodes[::-1]


def _key(tensor):
    return tensor._node or tensor


_number = operator.attrgetter("number")


def _pullbacks(node, dy, keys, create_graph):
    """A node's pullbacks, one an input; on tensors where a graph of the gradient is wanted."""
    pullbacks = node.pullbacks
    if create_graph and node.kind != "linear":
        _, *pullbacks = node.rule(*node.inputs, **node.options)
    if node.kind == "joint":  # one function gives all the gradients that are needed
        needs = [False] * len(node.inputs)
        for position, key in node.parents:
            needs[position] = key in keys
        return [lambda dy, gradient=gradient: gradient for gradient in pullbacks[0](dy, needs)]
    return pullbacks


def _sweep(outputs, seeds, inputs, retain_graph, create_graph):
    """Gradients of sum_k <seeds[k], outputs[k]>, as {leaf or node of an input: gradient}."""
    keys, nodes = _reachable(outputs, inputs)
    wanted = dict.fromkeys(_key(t) for t in inputs) if inputs is not None else {}
    pending, found = {}, {}
    for tensor, seed in zip(outputs, seeds, strict=True):
        key = _key(tensor)
        pending[key] = pending[key] + seed if key in pending else seed
    with recording(create_graph):
        for node in nodes:
            dy = pending.pop(node, None)
            if dy is None:
                continue
            if type(dy) is RowGradient:
                dy = dy.dense()
            if node in wanted:
                found[node] = dy if create_graph else dy.copy()
            if node.retained is not None and (tensor := node.retained()) is not None:
                _leave(tensor, _own(dy if create_graph else dy.copy(), {}), tensor.grad)
            node.check_unchanged()
            pullbacks = _pullbacks(node, dy, keys, create_graph)
            for position, key in node.parents:
                if key not in keys or pullbacks[position] is None:
                    continue
                gradient = pullbacks[position](dy)
                if gradient is None:
                    continue
                if type(gradient) is not RowGradient:
                    array = node.inputs[position]._data
                    if gradient.shape != array.shape:
                        gradient = _unbroadcast(gradient, array.shape)
                    if gradient.dtype is not array.dtype and gradient.dtype != array.dtype:
                        gradient = gradient.to(array.dtype) if create_graph else gradient.astype(array.dtype)
                before = pending.get(key)
                pending[key] = gradient if before is None else before + gradient
            if not retain_graph:
                node.free()
    found.update(pending)
    return found


def _leave(tensor, gradient, before):
    """tensor.grad = before + gradient."""
    if before is not None:
        if type(before) is not type(gradient):
            before, gradient = _dense(before), _dense(gradient)
        with recording(True):  # a graph grows only where one of the two has one
            gradient = before + gradient
    tensor.grad = gradient


def _own(gradient, taken):
    """The gradient in memory that nobody else holds: many are views of another, or the very array of another.

    taken: {id of an array: the array} of the gradients that were handed out before.
    """
    if isinstance(gradient, RowGradient):
        return gradient if gradient.unique else gradient.coalesce()
    if isinstance(gradient, Tensor):
        with recording(True):
            return gradient.clone()
    gradient = np.asarray(gradient)
    if isinstance(gradient.base, np.ndarray) or not gradient.flags.writeable or id(gradient) in taken:
        gradient = gradient.copy()
    taken[id(gradient)] = gradient
    return Tensor._of(gradient)


def _dense(gradient):
    return Tensor._of(gradient.dense()) if isinstance(gradient, RowGradient) else gradient


def _seeds(outputs, gradients, create_graph):
    seeds = []
    for y, dy in zip(outputs, gradients, strict=True):
        if not isinstance(y, Tensor) or not y.requires_grad:
            raise RuntimeError("backward: this value does not require grad and has no graph behind it; were the inputs "
                               "made with requires_grad=True, outside no_grad?")
        if dy is None:
            if y.numel() != 1:
                raise RuntimeError(f"backward: an output of shape {y.shape} needs the gradient of what follows it; reduce "
                                   f"it to one number or pass a gradient of its shape")
            dy = np.ones(y.shape, y.dtype)
        array = dy._data if isinstance(dy, Tensor) else np.asarray(dy)
        if array.shape != y.shape:
            raise ValueError(f"backward: got a gradient of shape {array.shape} for an output of shape {y.shape}")
        if create_graph:
            seeds.append(dy if isinstance(dy, Tensor) else Tensor(array, dtype=y.dtype))
        else:
            seeds.append(np.array(array, y.dtype))
    return seeds


def _as_list(tensors):
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]


def backward(tensor, gradient=None, retain_graph=None, create_graph=False):
    """Add d<gradient, tensor>/d(leaf) to the `.grad` of every leaf behind `tensor`. Binds to `Tensor.backward`."""
    retain_graph = create_graph if retain_graph is None else retain_graph
    seeds = _seeds([tensor], [gradient], create_graph)
    taken = {}
    for leaf, value in _sweep([tensor], seeds, None, retain_graph, create_graph).items():
        if isinstance(leaf, Tensor):
            _leave(leaf, _own(value, taken), leaf.grad)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False):
    """The gradients of sum_k <grad_outputs[k], outputs[k]> with respect to `inputs`, as a tuple. `.grad` stays untouched.

    With create_graph=True the gradients are themselves differentiable. An input that the outputs do not depend on is
    an error, or None with allow_unused=True.

    >>> x = Tensor([3.0], requires_grad=True)
    >>> dy, = grad((x * x * x).sum(), x, create_graph=True)
    >>> grad(dy.sum(), x)
    (tensor([18.]),)
    """
    outputs, inputs = _as_list(outputs), _as_list(inputs)
    gradients = _as_list(grad_outputs) if grad_outputs is not None else [None] * len(outputs)
    retain_graph = create_graph if retain_graph is None else retain_graph
    for position, x in enumerate(inputs):
        if not x.requires_grad:
            raise RuntimeError(f"grad: input {position} does not require grad")
    found = _sweep(outputs, _seeds(outputs, gradients, create_graph), inputs, retain_graph, create_graph)
    results, taken = [], {}
    for position, x in enumerate(inputs):
        value = found.get(_key(x))
        if value is None and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on input {position} (shape {x.shape}); allow_unused=True "
                               "gives None for it")
        if isinstance(value, RowGradient):
            value = value.dense()
        results.append(None if value is None else _own(value, taken))
    return tuple(results)


def first_nonfinite(tensor, names=None):
    """Where nan or inf first came up behind `tensor`, as a sentence; None where everything is finite.

    The Trainer asks this when a loss is not finite. names: {parameter: its name} for leaves.
    """
    _, nodes = _reachable([tensor], None)
    made = {tensor: tensor._node}
    for node in nodes:
        made.update((x, x._node) for x in node.inputs if isinstance(x, Tensor))
    for x, node in sorted(made.items(), key=lambda item: item[1].number if item[1] is not None else 0):
        if not np.all(np.isfinite(x._data)):
            bad = "nan" if np.any(np.isnan(x._data)) else "inf"
            if node is not None:
                return f"{node.name} was the first to give {bad} (result of shape {x.shape})"
            name = (names or {}).get(x)
            return f"{'parameter ' + name if name else 'an input'} of shape {x.shape} holds {bad}"
    return None
