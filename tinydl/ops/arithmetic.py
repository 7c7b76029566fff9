"""Element by element: + - * / ** and the elementary functions, with broadcasting.

Every rule is one line of calculus. Shapes: all inputs broadcast against each other; the engine sums a gradient back to
its input's shape.
"""

import numpy as np

from ..op import op, value_of


@op(linear=True)
def add(a, b):
    """y = a + b;   da = dy,   db = dy"""
    return np.add(a, b), lambda dy: dy, lambda dy: dy


@op(linear=True)
def subtract(a, b):
    """y = a - b;   da = dy,   db = -dy"""
    return np.subtract(a, b), lambda dy: dy, lambda dy: -dy


@op
def multiply(a, b):
    """y = a * b;   da = dy * b,   db = dy * a"""
    return np.multiply(a, b), lambda dy: dy * b, lambda dy: dy * a


@op
def divide(a, b):
    """y = a / b;   da = dy / b,   db = -dy * a / b^2"""
    return np.divide(a, b), lambda dy: dy / b, lambda dy: -dy * a / (b * b)


@op(linear=True)
def negative(a):
    """y = -a;   da = -dy"""
    return np.negative(a), lambda dy: -dy


@op
def power(a, b):
    """y = a^b;   da = dy * b a^(b-1) (0 where b = 0),   db = dy * y log a (0 where a = 0, as its limit)"""
    y = np.power(a, b)

    def da(dy):
        if isinstance(b, (int, float)):
            return dy * 0 if b == 0 else dy * (b * np.power(a, b - 1))
        return dy * np.where(b == 0, 0, b * np.power(a, np.where(b == 0, 1, b - 1)))

    return y, da, lambda dy: dy * y * np.log(np.where(a == 0, 1, a))


@op
def square(a):
    """y = a^2;   da = 2 a dy"""
    return np.square(a), lambda dy: 2 * a * dy


@op
def exp(a):
    """y = e^a;   da = dy * y"""
    y = np.exp(a)
    return y, lambda dy: dy * y


@op
def expm1(a):
    """y = e^a - 1, exact near 0;   da = dy * (y + 1)"""
    y = np.expm1(a)
    return y, lambda dy: dy * (y + 1)


@op
def log(a):
    """y = log a;   da = dy / a"""
    return np.log(a), lambda dy: dy / a


@op
def log1p(a):
    """y = log(1 + a), exact near 0;   da = dy / (1 + a)"""
    return np.log1p(a), lambda dy: dy / (1 + a)


@op
def sqrt(a):
    """y = sqrt(a);   da = dy / (2 y)"""
    y = np.sqrt(a)
    return y, lambda dy: dy / (2 * y)


@op
def sin(a):
    """y = sin a;   da = dy * cos a"""
    return np.sin(a), lambda dy: dy * np.cos(a)


@op
def cos(a):
    """y = cos a;   da = -dy * sin a"""
    return np.cos(a), lambda dy: -dy * np.sin(a)


@op
def absolute(a):
    """y = |a|;   da = dy * sign(a), 0 at the kink"""
    return np.absolute(a), lambda dy: dy * np.sign(a)


@op
def maximum(a, b):
    """y = max(a, b);   dy goes to the larger; at a tie each gets one half, as in PyTorch"""
    y = np.maximum(a, b)
    return y, lambda dy: _share(dy, a > b, a == b), lambda dy: _share(dy, b > a, a == b)


@op
def minimum(a, b):
    """y = min(a, b);   dy goes to the smaller; at a tie each gets one half"""
    y = np.minimum(a, b)
    return y, lambda dy: _share(dy, a < b, a == b), lambda dy: _share(dy, b < a, a == b)


def _share(dy, wins, ties):
    return np.where(wins, dy, np.where(ties, dy / 2, 0))


@op
def where(condition, a, b):
    """y = a where condition, else b;   da = dy where condition,   db = dy elsewhere"""
    y = np.where(condition, a, b)
    return y, None, lambda dy: np.where(condition, dy, 0), lambda dy: np.where(condition, 0, dy)


@op
def clip(a, low=None, high=None):
    """y = min(max(a, low), high);   da = dy inside the bounds (bounds included), else 0. No gradient to the bounds."""
    inside = np.full(np.shape(a), True)
    if low is not None:
        inside = inside & (a >= low)
    if high is not None:
        inside = inside & (a <= high)
    return np.clip(a, low, high), lambda dy: np.where(inside, dy, 0), None, None


@op
def erf(a):
    """y = 2/sqrt(pi) int_0^a e^(-t^2) dt;   da = dy * 2/sqrt(pi) e^(-a^2)"""
    from scipy.special import erf as scipy_erf

    return value_of(erf, scipy_erf, a), lambda dy: dy * (2 / np.pi**0.5) * np.exp(-(a * a))


@op(linear=True, casts=True)
def astype(a, dtype=None):
    """y = a in another dtype;   da = dy in a's dtype (which the engine sees to)"""
    return a.astype(dtype), lambda dy: dy
