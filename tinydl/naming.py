"""PyTorch's names where ours are NumPy's, and what is said to those who look for a name that is not here."""

import functools
import sys

import numpy as np

ON_THE_CPU = "tinydl computes on the CPU, where everything is already; leave it out"
ALIASES = {"dim": "axis", "keepdim": "keepdims"}  # PyTorch's word: NumPy's


def with_dim(function):
    """`function`, which takes NumPy's axis and keepdims, by PyTorch's dim and keepdim too."""
    @functools.wraps(function)
    def call(*inputs, **options):
        for word, numpys in ALIASES.items():
            if word in options:
                if numpys in options:
                    raise TypeError(f"{function.__name__}: got both {word} and {numpys}, which mean the same; pass one")
                options[numpys] = options.pop(word)
        return function(*inputs, **options)
    return call


def method(name, function):
    """`function` as the tensor's method of this name: who writes NumPy's words is told PyTorch's."""
    function.__name__, function.__qualname__ = name, f"Tensor.{name}"
    if "dim" not in function.__code__.co_varnames:
        return function

    @functools.wraps(function)
    def call(self, *args, **options):
        try:
            return function(self, *args, **options)
        except TypeError as error:
            for word, numpys in ALIASES.items():
                if numpys in options and "unexpected keyword" in str(error):
                    raise TypeError(f"Tensor.{name}: got {numpys}={options[numpys]!r}; tensors' methods have PyTorch's "
                                    f"words: write {word}={options[numpys]!r}") from None
            raise
    return call


class NotHere:
    """An attribute for a name of PyTorch's that a class has not: whoever asks for it gets an AttributeError with advice.

    Python itself names what is like a missing attribute; a `__getattr__` would slow down all those that are there.
    """

    def __init__(self, name, advice):
        self.name, self.advice = name, advice

    def __get__(self, instance, owner):
        if instance is None:
            return self
        raise AttributeError(f"{owner.__name__} has no {self.name!r}: {self.advice}")


def dtype_or_cpu(owner, given):
    """The argument of `to` as a NumPy dtype; None for "cpu", so that `x.to(device)` in code for PyTorch does what it does
    there on a machine without a GPU: nothing."""
    if isinstance(given, str) and given == "cpu":
        return None
    try:
        return np.dtype(given)
    except TypeError:
        raise TypeError(f"{owner}.to: got {given!r}, want a dtype such as np.float32, or 'cpu'; tinydl computes on the CPU "
                        "only") from None


def missing(owner, name, *places):
    """The AttributeError for a name that the module `owner` has not: it names what is like it there and in `places`."""
    if name[0] == "_":
        return AttributeError(f"{owner} has no {name!r}")
    import difflib  # only for those who err

    names = {place.__name__: [known for known in dir(place) if known[0] != "_"] for place in (sys.modules[owner], *places)}
    close = [f"{place}.{name}" for place, known in names.items() if name in known]
    if not close:
        found = {known: f"{place}.{known}" for place in reversed(names) for known in names[place]}
        close = [found[known] for known in difflib.get_close_matches(name, found)]
    return AttributeError(f"{owner} has no {name!r}; it offers {', '.join(close) or 'nothing of a name like it'} (see "
                          f"README.md; all names: dir({owner}))")
