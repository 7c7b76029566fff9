"""Residual: a block learns what to add to its input, and the gradient has a path around it."""

from .module import Module


class Residual(Module):
    """h_{N+1} = f(h_N) + h_N;   dh_N = df/dh_N' dh_{N+1} + dh_{N+1}   (He et al. 2016)

    f: any module. shortcut: what the input goes through instead of the identity, e.g. a Linear where f changes the
    shape. The lecture's slide writes h_{N+1} = f_N(h_N) + f_{N-3}(h_{N-3}) and derives the short path only; the gradient
    of a sum is the sum over both paths, as here.
    """

    def __init__(self, f, shortcut=None):
        self.f = f
        self.shortcut = shortcut

    def forward(self, h):
        y, x = self.f(h), h if self.shortcut is None else self.shortcut(h)
        if y.shape != x.shape:
            raise ValueError(f"Residual: the block gives {y.shape} and the shortcut {x.shape}; pass shortcut= a module that "
                             "maps the input to the block's shape")
        return y + x
