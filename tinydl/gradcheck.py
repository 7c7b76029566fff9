"""gradcheck: is the gradient that back-propagation gives the one that finite differences measure?

With a random covector v the scalar L(x) = <v, f(x)> has one derivative per input number, and each is compared with
(L(x + eps) - L(x - eps)) / 2 eps. A covector of ones would be blind: a softmax sums to one whatever its rule says.
Small inputs are checked number by number, large ones (whole models) along random directions. Where the slopes from the
left and from the right differ, the function has a kink there, and the report says that instead of blaming the rule.
"""

import numpy as np

from .autograd import grad
from .op import enable_grad, no_grad
from .random import generator
from .tensor import Tensor


class GradcheckError(AssertionError):
    """The gradient is wrong (or the input stands on a kink). The message names input, index and both numbers."""


def gradcheck(func, inputs, eps=1e-6, atol=1e-7, rtol=1e-5, directions=8, per_element=200, rng=0, names=None):
    """True if every gradient of `func` equals its finite difference; GradcheckError says where one does not.

    func(*inputs) -> a tensor or a tuple of tensors. inputs: float64 tensors; those with requires_grad are checked
    (parameters of a model can be passed although func reads them elsewhere: they are changed in place and put back).
    An input of at most `per_element` numbers is checked number by number, a larger one along `directions` random unit
    directions. Tolerances: |analytic - numeric| <= atol + rtol * max(|analytic|, |numeric|), relative to <v, f>'s size.
    names: what to call the inputs in the report.

    >>> x = Tensor([0.3, -1.2], requires_grad=True, dtype=np.float64)
    >>> gradcheck(lambda x: x * x, [x])
    True
    """
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck: no input requires grad, so there is nothing to check")
    for i in checked:
        if inputs[i].dtype != np.float64:
            raise TypeError(f"gradcheck: input {i} is {inputs[i].dtype}; finite differences need float64")
    rng = generator(rng)
    outputs = _outputs(func, inputs)
    covectors = [rng.standard_normal(y.shape) for y in outputs]

    def scalar():
        with no_grad():
            return sum(float(np.sum(v * y._data)) for v, y in zip(covectors, _outputs(func, inputs), strict=True))

    differentiable = [(y, v) for y, v in zip(outputs, covectors, strict=True) if y.requires_grad]
    if not differentiable:
        raise GradcheckError("gradcheck: no output depends on an input that requires grad")
    analytic = grad([y for y, _ in differentiable], [inputs[i] for i in checked],
                    [v for _, v in differentiable], allow_unused=True)
    middle = scalar()
    for i, gradient in zip(checked, analytic, strict=True):
        x = inputs[i]
        gradient = np.zeros(x.shape) if gradient is None else gradient._data
        name = names[i] if names is not None else f"input {i}"
        for label, direction in _directions(x, directions, per_element, rng):
            ahead, behind = _shifted(x, direction, eps, scalar), _shifted(x, direction, -eps, scalar)
            numeric = (ahead - behind) / (2 * eps)
            slope = float(np.sum(gradient * direction))
            bound = atol + rtol * max(abs(slope), abs(numeric)) + 4e-16 * abs(middle) / eps
            if not abs(slope - numeric) <= bound:
                right, left = (ahead - middle) / eps, (middle - behind) / eps
                kink = abs(right - left) > 1e3 * eps * max(1.0, abs(right), abs(left))
                raise GradcheckError(
                    f"gradcheck: {name} {label}: back-propagation gives {slope:.10g}, the finite difference {numeric:.10g} "
                    f"(difference {slope - numeric:.3g}, allowed {bound:.3g})" + (
                        f"; the slope is {left:.6g} from the left and {right:.6g} from the right: the function has a kink "
                        "or a jump here, so check at another point" if kink else ""))
    return True


def gradgradcheck(func, inputs, rng=0, **options):
    """gradcheck of the gradient itself: x -> d<v, func(x)>/dx with a random v must have the right derivative.

    This is what holds when func is differentiated with create_graph=True; the gradient must be the same with it as without.
    Options as gradcheck's.
    """
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    rng = generator(rng)
    covectors = [Tensor(rng.standard_normal(y.shape)) for y in _outputs(func, inputs)]

    def gradients(*inputs, create_graph=True):
        with enable_grad():
            outputs = _outputs(func, inputs)
            pairs = [(y, v) for y, v in zip(outputs, covectors, strict=True) if y.requires_grad]
            wanted = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
            found = grad([y for y, _ in pairs], wanted, [v for _, v in pairs], create_graph=create_graph,
                         allow_unused=True)
        return tuple(g for g in found if g is not None)

    with_grad = _outputs(gradients, inputs)
    for n, (one, other) in enumerate(zip(with_grad, gradients(*inputs, create_graph=False), strict=True)):
        gap, scale = (float(np.max(np.abs(a), initial=0)) for a in (one._data - other._data, other._data))
        if not gap <= 1e-9 * (1 + scale):
            raise GradcheckError(f"gradgradcheck: the gradient of input {n} is another one with create_graph=True, by up to "
                                 f"{gap:.3g}; its largest number is {scale:.3g}")
    if not any(g.requires_grad for g in with_grad):
        return all(_is_constant(gradients, inputs, with_grad, rng))
    return gradcheck(gradients, inputs, rng=rng, **options)


def _is_constant(gradients, inputs, before, rng):
    """A function with a constant gradient has no second derivative to compare: see that the gradient does not move."""
    for x in inputs:
        if isinstance(x, Tensor) and x.requires_grad:
            keep = x._data.copy()
            x.copy_(keep + 1e-5 * rng.standard_normal(x.shape))
            after = _outputs(gradients, inputs)
            x.copy_(keep)
            for one, other in zip(before, after, strict=True):
                if not np.allclose(one._data, other._data, rtol=1e-9, atol=1e-12):
                    raise GradcheckError("gradgradcheck: the gradient changes with the input, but has no graph")
                yield True


def _outputs(func, inputs):
    outputs = func(*inputs)
    outputs = outputs if isinstance(outputs, (list, tuple)) else (outputs,)
    return list(outputs)


def _directions(x, directions, per_element, rng):
    """(how the report calls it, a direction) pairs: the axes of a small input, random unit directions of a large one."""
    if x.numel() <= per_element:
        for index in np.ndindex(x.shape):
            direction = np.zeros(x.shape)
            direction[index] = 1.0
            yield f"at index {index}", direction
    else:
        for k in range(directions):
            direction = rng.standard_normal(x.shape)
            yield f"along random direction {k}", direction / np.linalg.norm(direction)


def _shifted(x, direction, step, scalar):
    keep = x._data.copy()
    try:
        x.copy_(keep + step * direction)
        return scalar()
    finally:
        x.copy_(keep)
