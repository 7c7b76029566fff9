"""The same numbers in another arrangement: reshape, transpose, join, cut, pad, flip, repeat.

All of these are linear, and each one's gradient is the inverse (or the adjoint) of the rearrangement.
"""

import math

import numpy as np

from ..op import op


@op(linear=True)
def reshape(x, shape=None):
    """y has x's numbers in row-major order and another shape (one -1 is worked out);   dx = dy in x's shape"""
    before = x.shape
    return np.reshape(x, shape), lambda dy: np.reshape(dy, before)


@op(linear=True)
def transpose(x, axes=None):
    """y[i_axes] = x[i];   dx = dy with the axes put back. None reverses them."""
    back = None if axes is None else tuple(int(i) for i in np.argsort([a % x.ndim for a in axes]))
    return np.transpose(x, axes), lambda dy: np.transpose(dy, back)


@op(linear=True)
def swapaxes(x, axis1=-1, axis2=-2):
    """y = x with two axes exchanged;   dx = dy with them exchanged back"""
    return np.swapaxes(x, axis1, axis2), lambda dy: np.swapaxes(dy, axis1, axis2)


@op(linear=True)
def expand_dims(x, axis=0):
    """y = x with a new axis of length 1;   dx = dy without it"""
    before = x.shape
    return np.expand_dims(x, axis), lambda dy: np.reshape(dy, before)


@op(linear=True)
def squeeze(x, axis=None):
    """y = x without (these) axes of length 1;   dx = dy with them"""
    before = x.shape
    return np.squeeze(x, axis), lambda dy: np.reshape(dy, before)


@op(linear=True)
def broadcast_to(x, shape=None):
    """y = x repeated along new or length-1 axes;   dx = dy summed over the repeats (by the engine)"""
    return np.broadcast_to(x, shape), lambda dy: dy


@op(linear=True)
def flip(x, axis=None):
    """y = x in reverse order along axis;   dx = dy reversed"""
    return np.flip(x, axis), lambda dy: np.flip(dy, axis)


@op(linear=True)
def pad(x, pad_width=None, value=0.0):
    """y = x with pad_width[i] = (before, after) cells of `value` at both ends of axis i;   dx = the inside of dy"""
    inside = tuple(slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True))
    return np.pad(x, pad_width, constant_values=value), lambda dy: dy[inside]


def _packed(x):
    """The same numbers in one block of memory, which those who read them next go through faster."""
    return np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x


@op(linear=True)
def _concatenate(*xs, axis=0):
    """y = the xs one after the other along axis;   dx_k = its piece of dy"""
    ends = np.cumsum([x.shape[axis] for x in xs]).tolist()
    lead = (slice(None),) * (axis % xs[0].ndim)

    def piece(start, end):
        return lambda dy: _packed(dy[(*lead, slice(start, end))])

    return np.concatenate(xs, axis=axis), *(piece(end - x.shape[axis], end) for x, end in zip(xs, ends, strict=True))


@op(linear=True)
def _stack(*xs, axis=0):
    """y = the xs, of equal shape, along a new axis;   dx_k = dy at k"""
    y = np.stack(xs, axis=axis)
    lead = (slice(None),) * (axis % y.ndim)

    def piece(k):
        return lambda dy: dy[(*lead, k)]

    return y, *(piece(k) for k in range(len(xs)))


def concatenate(tensors, axis=0):
    """Join along an axis that exists. All other axes must agree."""
    tensors = [x if hasattr(x, "shape") else np.asarray(x) for x in tensors]
    shapes = [x.shape for x in tensors]
    if not tensors:
        raise ValueError("concatenate: got no tensors, want at least one")
    if len({len(s) for s in shapes}) != 1 or any(
            len({s[i] for s in shapes}) != 1 for i in range(len(shapes[0])) if i != axis % len(shapes[0])):
        raise ValueError(f"concatenate: got shapes {shapes}; they must agree on every axis but axis {axis}: reshape or cut "
                         "some, or join along another axis")
    return _concatenate(*tensors, axis=axis)


def stack(tensors, axis=0):
    """Join along a new axis. All shapes must be equal."""
    tensors = [x if hasattr(x, "shape") else np.asarray(x) for x in tensors]
    shapes = [x.shape for x in tensors]
    if len(set(shapes)) != 1:
        raise ValueError(f"stack: got shapes {shapes}, want at least one, and all equal")
    return _stack(*tensors, axis=axis)


def split(x, split_size, axis=0):
    """Cut into pieces along axis: of `split_size` each (the last may be shorter), or of the listed sizes; a tuple."""
    n = x.shape[axis]
    sizes = split_size if isinstance(split_size, (list, tuple)) else (
        [split_size] * (n // split_size) + ([n % split_size] if n % split_size else []))
    if np.sum(sizes) != n:
        raise ValueError(f"split: sizes {list(sizes)} do not add up to axis {axis}'s length {n}")
    lead, ends = (slice(None),) * (axis % x.ndim), np.cumsum(sizes).tolist()
    return tuple(x[(*lead, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True))


def flatten(x, start=0, end=-1):
    """Make one axis of the axes from start to end, both included."""
    if x.ndim == 0:
        return reshape(x, shape=(1,))
    if not (-x.ndim <= start < x.ndim and -x.ndim <= end < x.ndim):
        raise IndexError(f"flatten: got axes {start} to {end} of shape {x.shape}, want them at least {-x.ndim} and below "
                         f"{x.ndim}")
    start, end = start % x.ndim, end % x.ndim
    return reshape(x, shape=x.shape[:start] + (math.prod(x.shape[start:end + 1]),) + x.shape[end + 1:])
