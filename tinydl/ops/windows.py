"""How windows step over images: sizes as PyTorch takes them, one number for all axes or one an axis, checked and named.

Sequences (B, C, T) are images one row high, (B, C, 1, T); what is not a batch becomes a batch of one.
"""

import numbers

from .shape import reshape

WANTED = {1: "(B, C, T) or (C, T)", 2: "(B, C, H, W) or (C, H, W)"}


def sizes(name, what, value, dims, least=1):
    """`value`, a whole number or one an axis, as a tuple of `dims` numbers, none of them below `least`."""
    given = (value,) * dims if isinstance(value, numbers.Integral) else value
    if not (isinstance(given, (tuple, list)) and len(given) == dims
            and all(isinstance(n, numbers.Integral) and n >= least for n in given)):
        raise ValueError(f"{name}: got {what}={value!r}, want a whole number of at least {least}"
                         + (f", or {dims} of them, one an axis" if dims > 1 else ""))
    return tuple(int(n) for n in given)


def paddings(name, padding, cells, stride, dilation, dims):
    """((before, after) of every axis); "same" keeps the image's size, an odd number of zeros has one more after."""
    if padding == "valid":
        padding = 0
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ValueError(f"{name}: got padding='same' with stride={stride}, but with a stride above 1 the output is "
                             "smaller than the image; give the padding as numbers")
        totals = [d * (k - 1) for d, k in zip(dilation, cells, strict=True)]
        return tuple((n // 2, n - n // 2) for n in totals)
    if isinstance(padding, str):
        raise ValueError(f"{name}: got padding={padding!r}, want 'same', 'valid' or whole numbers")
    return tuple((n, n) for n in sizes(name, "padding", padding, dims, least=0))


def lifted(values, dims, filler):
    """What an image one row high has in its first axis, before what a sequence has."""
    return (filler,) * (2 - dims) + tuple(values)


def as_images(name, x, dims):
    """(x as (B, C, H, W), a function that takes such a result back to the axes that x has)"""
    if x.ndim not in (dims + 1, dims + 2):
        raise ValueError(f"{name}: got x of shape {x.shape}, want {WANTED[dims]}; put missing axes in with x[:, None]")
    lead = x.shape[:x.ndim - dims - 1]
    if x.ndim == 4:
        return x, lambda y: y
    images = reshape(x, shape=(*(lead or (1,)), x.shape[len(lead)], *lifted(x.shape[len(lead) + 1:], dims, 1)))
    return images, lambda y: reshape(y, shape=(*lead, y.shape[1], *y.shape[4 - dims:]))


def output_lengths(name, image, cells, stride, padding, dilation):
    """floor((n + before + after - span) / stride) + 1 of every axis, span = dilation (cells - 1) + 1."""
    lengths = []
    for n, k, s, (before, after), d in zip(image, cells, stride, padding, dilation, strict=True):
        span, room = d * (k - 1) + 1, n + before + after
        if span > room:
            raise ValueError(f"{name}: a window of {span} (kernel {k}, dilation {d}) does not fit into {room} (image {n}, "
                             f"padding {before} + {after}); take a smaller kernel, more padding, or larger images")
        lengths.append((room - span) // s + 1)
    return tuple(lengths)
