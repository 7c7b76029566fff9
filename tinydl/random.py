"""One default generator, set by `manual_seed`; every function that draws takes `rng` and asks here what it means.

It is made when it is first asked for: NumPy loads `numpy.random` that late, too.
"""

import numpy as np

_default = []


def manual_seed(seed):
    """Start the default generator afresh from `seed`, and return it."""
    _default[:] = [np.random.default_rng(seed)]
    return _default[0]


def generator(rng=None):
    """The `numpy.random.Generator` that `rng` stands for: None is the default one, an integer seeds a new one.

    >>> bool(generator(3).integers(10) == generator(3).integers(10))
    True
    """
    if rng is None:
        return _default[0] if _default else manual_seed(0)
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer, np.random.SeedSequence)):
        return np.random.default_rng(rng)
    raise TypeError(f"rng: got {type(rng).__name__}, want a numpy.random.Generator, an integer seed or None")
